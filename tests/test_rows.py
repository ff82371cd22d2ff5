"""Rows come back as they were written, and each that does not fit is refused by one line with place and remedy."""

import gzip
import json
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm import rows as module
from minrm.errors import InputError
from minrm.rows import SCHEMAS, check_fields, check_row, check_rows, read_rows, schemas_of, write_rows
from minrm.text import STEP_TOKEN

GOOD = {
    "problem": {"question": "How many?", "answer": "5"},
    "outcome": {"question": "How many?", "solution": "2 + 3 = 5", "answer": "5", "correct": True},
    "process": {"question": "How many?", "steps": ["2 + 3 = 5", "# Answer\n\n5"], "labels": [1, None]},
    "pair": {"prompt": "Hello", "chosen": "Hello!", "rejected": "Go away"},
}
WHOLE = st.text(st.characters(exclude_categories=["Cs"]))  # no half characters
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WHOLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WHOLE, inner, max_size=3),
    max_leaves=8,
)


def read(path):
    return list(read_rows(path))


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_rows_of_every_schema_survive_every_kind_of_file(tmp_path, schema, ending):
    path = tmp_path / "new" / f"rows.{ending}"
    rows = [GOOD[schema], GOOD[schema] | {next(iter(GOOD[schema])): "naïve\u2028“ünïcode”\n"}]
    assert write_rows(iter(rows), path) == 2
    assert list(check_rows(read_rows(path), schema, path)) == rows
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half-written is left


@given(st.lists(st.dictionaries(WHOLE, VALUES, max_size=4)), st.booleans())
def test_any_rows_come_back_as_they_were_written(tmp_path_factory, rows, zipped):
    """Line breaks of every kind in a text, too: Unicode knows more of them than a file of lines."""
    path = tmp_path_factory.mktemp("rows") / ("a.jsonl.gz" if zipped else "a.jsonl")
    assert write_rows(iter(rows), path) == len(rows)
    assert read(path) == rows
    with (gzip.open if zipped else open)(path, "rt", encoding="utf-8") as file:  # a second reader
        assert [json.loads(line) for line in file] == rows


def test_numbers_of_numpy_are_written_as_numbers_and_dates_as_text(tmp_path):
    write_rows([{"day": np.datetime64("2024-02-29").item(), "p": np.float32(0.5)}], tmp_path / "a.jsonl")
    assert read(tmp_path / "a.jsonl") == [{"day": "2024-02-29", "p": 0.5}]


def test_reading_is_streamed_and_passes_over_empty_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n \t\nbroken')
    rows = read_rows(tmp_path / "a.jsonl")
    assert next(rows) == {"a": 1}
    with pytest.raises(InputError, match="row 4: broken JSON"):  # its line, as editors count
        next(rows)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_memory_does_not_grow_with_the_rows(tmp_path, ending):
    peaks = []
    for count in (2_000, 20_000):
        write_rows(({"text": "x" * 100, "n": n} for n in range(count)), tmp_path / f"a.{ending}")
        tracemalloc.start()
        write_rows(read_rows(tmp_path / f"a.{ending}"), tmp_path / f"b.{ending}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


# Parquet


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 2)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_table_comes_back_in_order_whatever_the_chunks(tmp_path, small_chunks, count):
    rows = [{"question": str(n), "labels": [n, None]} for n in range(count)]
    assert write_rows(iter(rows), tmp_path / "a.parquet") == count
    assert read(tmp_path / "a.parquet") == rows


def test_types_and_columns_that_only_a_later_row_shows_are_kept(tmp_path, small_chunks):
    values = [None, None, 1, 0, 0.25]
    rows = [{"labels": [value], "answer": None if value is None else "5"} for value in values]
    write_rows([*rows, {"answer": "6", "new": True}], tmp_path / "a.parquet")
    last = {"labels": None, "answer": "6", "new": True}
    assert read(tmp_path / "a.parquet") == [*[row | {"new": None} for row in rows], last]


@pytest.mark.parametrize("values", [[1, True], [True, 1], ["5", 5], [1, 2, True], [2**70]])
def test_values_of_different_kinds_make_no_table_but_one_line(tmp_path, small_chunks, values):
    with pytest.raises(InputError, match=r"a\.parquet: the rows make no table \(.*\); make the values") as caught:
        write_rows([{"label": value} for value in values], tmp_path / "a.parquet")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


# Checks


def test_the_right_answer_to_a_wrong_solution_may_be_unknown():
    row = GOOD["outcome"] | {"answer": None, "correct": False}
    assert list(check_rows([row], "outcome")) == [row]


def test_labels_may_be_numbers_of_any_library():
    labels = [np.int64(1), np.float32(0.5), np.float64(0), Fraction(1, 3), True, None]
    row = {"question": "q", "steps": ["s"] * len(labels), "labels": labels}
    assert list(check_rows([row], "process")) == [row]
    for wrong in (np.float32(1.5), np.float64("nan"), 1j):
        with pytest.raises(InputError, match="row 1: the label of step 1 is .*; it should be 1"):
            list(check_rows([row | {"labels": [wrong, *labels[1:]]}], "process"))


def test_a_row_may_have_more_fields_and_so_fit_several_schemas():
    row = GOOD["outcome"] | GOOD["process"] | {"tokens": 5}
    assert schemas_of(row) == ["outcome", "process"] and schemas_of(GOOD["problem"]) == []
    for schema in ("problem", "outcome", "process"):
        check_row(row, schema, "row 1")


@pytest.mark.parametrize(
    ("schema", "change", "message"),
    [
        ("outcome", {"correct": None}, r"correct is None; it should be true or false"),
        ("outcome", {"correct": 1.0}, r"correct is 1\.0; it should be true or false"),
        ("outcome", {"correct": "yes"}, r"correct is 'yes'; it should be true or false"),
        ("outcome", {"solution": " "}, r"the solution is empty; give its text, or leave the row out"),
        ("outcome", {"solution": 5}, r"solution is 5; it should be a text"),
        ("outcome", {"solution": f"2{STEP_TOKEN}"}, r"the solution holds the step token .* at character 2"),
        ("process", {"steps": ["one"]}, r"1 steps but 2 labels; each needs one \(1, 0, or null for none\)"),
        ("process", {"steps": []}, r"steps is \[\]; it should be a list of at least one step"),
        ("process", {"steps": ["one", ""]}, r"the step 2 is empty"),
        ("process", {"steps": ["one", f"{STEP_TOKEN}"]}, r"the step 2 holds the step token"),
        ("process", {"steps": "one"}, r"steps is 'one'; it should be a list"),
        ("process", {"steps": ["a", "b\nStep: 1: c"]}, r"2 steps, which scoring would read as 3; a step holds a line"),
        ("process", {"labels": [1, -1]}, r"the label of step 2 is -1; it should be 1 \(good\), 0 \(bad\), between"),
        ("process", {"labels": 1}, r"labels is 1; it should be a list with one label a step"),
        ("pair", {"chosen": "Go away"}, r"chosen and rejected are equal, so there is nothing to prefer"),
        ("problem", {"answer": None}, r"answer is None; it should be a text"),
        ("outcome", {"answer": ""}, r"the answer is empty"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_place(schema, change, message):
    rows = [GOOD[schema], GOOD[schema] | change]
    with pytest.raises(InputError, match=rf"^train\.jsonl, row 2: {message}") as caught:
        list(check_rows(rows, schema, "train.jsonl"))
    assert "\n" not in str(caught.value)


def test_some_fields_can_be_checked_whatever_else_a_row_has():
    check_fields(GOOD["outcome"] | {"solution": ""}, {"solution": "any text"}, "row 3")
    with pytest.raises(InputError, match=r"^row 3: missing field 'answer', 'question'; a row needs question, answer$"):
        check_fields(GOOD["pair"], SCHEMAS["problem"], "row 3")
    with pytest.raises(InputError, match=r"^row 3: missing field 'answer', 'question'; give both$"):
        check_fields(GOOD["pair"], SCHEMAS["problem"], "row 3", "give both")


def test_a_row_of_another_schema_is_recognised():
    with pytest.raises(InputError, match=r"row 1: missing field 'answer'.*\(this row fits the pair schema\)"):
        list(check_rows([GOOD["pair"]], "outcome"))
    with pytest.raises(InputError, match=r"no schema 'orm'; the schemas are problem, outcome, process, pair"):
        list(check_rows([GOOD["pair"]], "orm"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', r"a\.jsonl, row 2: broken JSON \(.*\); it begins '\{\"a\":'"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl, row 1: broken JSON"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl, row 1: a list; each row is a JSON object"),
        ("a.jsonl", b"\xff\xfe{\n", r"a\.jsonl, row 1: broken JSON"),
        ("a.jsonl.gz", b"not gzipped", r"a\.jsonl\.gz: not readable"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-12], r"a\.jsonl\.gz, after row 87: not readable"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"a": 1}\n' * 99)[:20] + b"\xff" * 20,
            r"a\.jsonl\.gz, after row 1: not readable",
        ),
        ("a.parquet", b"PAR?", r"a\.parquet: not readable"),
        ("a.json", b"[]", r"a\.json: unknown kind of file; rows are read and written as \.jsonl"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_what_is_no_file_of_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"trian\.jsonl: no such file"):
        read(tmp_path / "trian.jsonl")
    with pytest.raises(InputError, match=r"is a folder; name one of its files"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"rows\.csv: unknown kind of file"):
        write_rows([GOOD["pair"]], tmp_path / "rows.csv")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_failed_write_leaves_the_old_file_and_nobodys_part_is_touched(tmp_path, ending):
    path, part = tmp_path / f"rows.{ending}", tmp_path / f"rows.{ending}.part"
    part.write_text("my own")
    write_rows([GOOD["pair"]], path)

    def rows():
        yield GOOD["pair"] | {"new": 1}
        raise InputError("row 2")

    with pytest.raises(InputError, match="row 2"):
        write_rows(rows(), path)
    with pytest.raises(InputError):
        write_rows([GOOD["pair"], {"chosen": {b"x"}}], path)
    assert read(path) == [GOOD["pair"]]
    assert part.read_text() == "my own" and len(list(tmp_path.iterdir())) == 2
