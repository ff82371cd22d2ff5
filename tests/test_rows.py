"""Rows come back as they were written, and each that does not fit is refused by one line with place and remedy."""

import gzip
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.rows import SCHEMAS, check_fields, check_rows, numbered, read_rows, write_rows
from minrm.text import STEP_TOKEN

GOOD = {
    "problem": {"question": "How many?", "answer": "5"},
    "outcome": {"question": "How many?", "solution": "2 + 3 = 5", "answer": "5", "correct": True},
    "process": {"question": "How many?", "steps": ["2 + 3 = 5", "# Answer\n\n5"], "labels": [1, None]},
    "pair": {"prompt": "Hello", "chosen": "Hello!", "rejected": "Go away"},
}


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_rows_of_every_schema_survive_every_kind_of_file(tmp_path, schema, ending):
    path = tmp_path / "new" / f"rows.{ending}"
    rows = [GOOD[schema], GOOD[schema] | {next(iter(GOOD[schema])): "naïve\u2028“ünïcode”\n"}]
    assert write_rows(iter(rows), path) == 2
    assert list(check_rows(read_rows(path), schema, path)) == rows
    assert [number for number, _ in read_rows(path)] == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half-written is left


@given(st.lists(st.floats(0, 1) | st.none(), min_size=1))
def test_soft_labels_are_accepted(labels):
    row = {"question": "q", "steps": ["s"] * len(labels), "labels": labels}
    assert list(check_rows([row], "process")) == [row]


def test_the_right_answer_to_a_wrong_solution_may_be_unknown():
    row = GOOD["outcome"] | {"answer": None, "correct": False}
    assert list(check_rows([row], "outcome")) == [row]


def test_labels_may_be_numbers_of_any_library():
    labels = [np.int64(1), np.float32(0.5), np.float64(0), Fraction(1, 3), True, None]
    row = {"question": "q", "steps": ["s"] * len(labels), "labels": labels}
    assert list(check_rows([row], "process")) == [row]
    for wrong in (np.float32(1.5), np.float64("nan"), 1j):
        with pytest.raises(InputError, match="the label of step 1 is"):
            list(check_rows([row | {"labels": [wrong, *labels[1:]]}], "process"))


def test_json_lists_are_read_and_empty_lines_passed_over(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"a": 1}, {"a": 2}]))
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(read_rows(tmp_path / "a.json")) == [(1, {"a": 1}), (2, {"a": 2})]
    assert list(read_rows(tmp_path / "a.jsonl")) == [(1, {"a": 1}), (3, {"a": 2})]  # row is the line, as editors count


def test_reading_is_streamed(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\nbroken')
    assert next(read_rows(tmp_path / "a.jsonl")) == (1, {"a": 1})


@pytest.mark.parametrize(
    ("schema", "change", "message"),
    [
        ("outcome", {"correct": None}, r"correct is None; it should be true or false"),
        ("outcome", {"correct": 1.0}, r"correct is 1\.0; it should be true or false"),
        ("outcome", {"correct": "yes"}, r"correct is 'yes'; it should be true or false"),
        ("outcome", {"solution": " "}, r"the solution is empty; give its text, or leave the row out"),
        ("outcome", {"solution": 5}, r"solution is 5; it should be a text"),
        ("outcome", {"solution": f"2{STEP_TOKEN}"}, r"the solution holds the step token .* at character 2"),
        ("outcome", {"extra": 1}, r"unknown field 'extra'; the outcome schema has exactly question, solution, answer,"),
        ("process", {"steps": ["one"]}, r"1 steps but 2 labels; each step needs one label \(1, 0, or null for none\)"),
        ("process", {"steps": []}, r"steps is \[\]; it should be a list of at least one step"),
        ("process", {"steps": ["one", ""]}, r"the step 2 is empty"),
        ("process", {"steps": ["one", f"{STEP_TOKEN}"]}, r"the step 2 holds the step token"),
        ("process", {"steps": "one"}, r"steps is 'one'; it should be a list"),
        ("process", {"labels": [1, -1]}, r"the label of step 2 is -1; labels are 1 \(good\), 0 \(bad\), between them"),
        ("process", {"labels": [1, "+"]}, r"the label of step 2 is '\+'"),
        ("process", {"labels": [float("nan"), 1]}, r"the label of step 1 is nan"),
        ("process", {"labels": 1}, r"labels is 1; it should be a list with one label a step"),
        ("pair", {"chosen": "Go away"}, r"chosen and rejected are equal, so there is nothing to prefer"),
        ("problem", {"answer": None}, r"answer is None; it should be a text"),
        ("outcome", {"answer": 5}, r"answer is 5; it should be a text"),
        ("outcome", {"answer": ""}, r"the answer is empty"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_place(schema, change, message):
    rows = [GOOD[schema], GOOD[schema] | change]
    with pytest.raises(InputError, match=rf"^train\.jsonl, row 2: {message}") as caught:
        list(check_rows(rows, schema, "train.jsonl"))
    assert "\n" not in str(caught.value)


def test_some_fields_can_be_checked_whatever_else_a_row_has():
    check_fields(GOOD["outcome"], SCHEMAS["problem"], "a.jsonl, row 3", "…")
    with pytest.raises(InputError, match=r"^a\.jsonl, row 3: missing field 'answer', 'question'; give both$"):
        check_fields(GOOD["pair"], SCHEMAS["problem"], "a.jsonl, row 3", "give both")
    with pytest.raises(InputError, match=r"^a\.jsonl, row 3: answer is 5; it should be a text"):
        check_fields(GOOD["outcome"] | {"answer": 5}, SCHEMAS["problem"], "a.jsonl, row 3", "")


def test_rows_keep_their_numbers_or_get_them():
    assert list(numbered([{"a": 1}, {"a": 2}])) == [(1, {"a": 1}), (2, {"a": 2})]
    assert list(numbered([(3, {"a": 1}), (7, {"a": 2})])) == [(3, {"a": 1}), (7, {"a": 2})]


def test_a_row_of_another_schema_is_recognised():
    with pytest.raises(InputError, match=r"row 1: missing field .*\(this row fits the pair schema\)"):
        list(check_rows([GOOD["pair"]], "outcome"))
    with pytest.raises(InputError, match=r"no schema 'orm'; the schemas are problem, outcome, process, pair"):
        list(check_rows([GOOD["pair"]], "orm"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', r"a\.jsonl, row 2: broken JSON \(.*\); it begins '\{\"a\":'"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl, row 1: a list; each row is a JSON object"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\n", r"row 1: a Git LFS pointer, .*; run `git lfs"),
        ("a.jsonl", b"\xff\xfe{\n", r"a\.jsonl: not readable as UTF-8 text"),
        ("a.jsonl.gz", b"not gzipped", r"a\.jsonl\.gz: not readable"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-12], r"a\.jsonl\.gz: not readable"),
        ("a.json", b'{"a": 1}', r"a\.json: a JSON dict; it should be a list of rows"),
        ("a.parquet", b"PAR?", r"a\.parquet: not a readable parquet file"),
        ("a.csv", b"a", r"a\.csv: unknown kind of file; rows are read from \.jsonl"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(read_rows(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_what_lies_beside_it(tmp_path):
    (tmp_path / "train.jsonl").write_text("")
    with pytest.raises(InputError, match=r"trian\.jsonl: no such file; in .* there is train\.jsonl"):
        list(read_rows(tmp_path / "trian.jsonl"))
    with pytest.raises(InputError, match=r"no such file; in .* there is train\.jsonl"):
        list(read_rows(tmp_path / "no" / "such" / "folder.jsonl"))
    with pytest.raises(InputError, match=r"is a folder; name one of its files: train\.jsonl"):
        list(read_rows(tmp_path))


def test_writing_elsewhere_than_jsonl_or_parquet_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"rows\.csv: rows are written as \.jsonl"):
        write_rows([GOOD["pair"]], tmp_path / "rows.csv")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows([GOOD["pair"]], path)
    with pytest.raises(InputError, match="JSON has no form for bytes, b'x'; leave that column out"):
        write_rows([GOOD["pair"], {"a": b"x"}], path)
    assert list(read_rows(path)) == [(1, GOOD["pair"])]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # and nothing half-written beside it
