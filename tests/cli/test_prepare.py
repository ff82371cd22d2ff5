"""Public data, samples and rows become training rows: labels, errors with their place, memory that stays flat."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minrm.cli.prepare import EMPTY, prepare, rows_from, shown
from minrm.errors import InputError
from minrm.rows import read_rows, write_rows
from minrm.text import STEP_TOKEN
from minrm.world import generate

PROBLEMS = generate(3, seed=1, split="evaluation")
STEPS = [{"prompt": f"{n} + {n}", "completions": [f"{n}", f"{2 * n}"], "labels": [True, n % 2 == 0]} for n in range(5)]
TALK = {"conversations": [{"role": "user", "content": "How many? Two."}, {"role": "assistant", "content": "+"}]}


def rows(*given, **options):
    return list(rows_from(*given, **options))


@pytest.fixture
def samples(right, tmp_path):
    """samples(_4=text): a file of nine samples, a right, a wrong and an empty one a problem; number 4 is `text`."""

    def write(**changes):
        texts = (right, lambda problem: "Step: 1: 1 + 1 = 2\n\n# Answer\n\n2", lambda problem: "")
        table = [{"question": p.question, "solution": text(p), "tokens": 9} for p in PROBLEMS for text in texts]
        for index, solution in changes.items():
            table[int(index[1:])]["solution"] = solution
        write_rows(table, tmp_path / "samples.jsonl")
        return tmp_path / "samples.jsonl"

    return write


def test_a_preview_prints_rows_and_counts_and_writes_nothing(written, capsys, caplog, tmp_path):
    caplog.set_level(logging.INFO, "minrm")
    path = written(*STEPS, STEPS[0] | {"completions": ["", "5"]})
    prepare(str(path), source="trl_stepwise", preview=3, out=tmp_path / "out.jsonl")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["question"] for line in lines[:3]] == ["0 + 0", "1 + 1", "2 + 2"]
    assert lines[3] == "" and "⟦<|prm_label|>⟧" in lines[5]  # the first as a model sees it
    assert lines[-1] == "5 process rows, none written"
    assert caplog.messages == ["TRL stepwise: 5 of 6 rows used, 5 process rows; 1 dropped: a step without text"]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_labels_can_stop_at_the_first_error(written, tmp_path):
    path, out = written(STEPS[1] | {"labels": [False, True]}), tmp_path / "out.parquet"
    prepare(str(path), source="trl_stepwise", first_error=True, out=out)
    assert [row["labels"] for row in read_rows(out)] == [[0, None]]


def test_a_bad_row_leaves_what_was_written_before(written, tmp_path):
    out = tmp_path / "out.jsonl"
    prepare(str(written(*STEPS)), source="trl_stepwise", out=out)
    before = out.read_bytes()
    path = written(*STEPS, STEPS[0] | {"labels": [True]})
    with pytest.raises(InputError, match="rows.jsonl, row 6: 2 steps but 1 labels"):
        prepare(str(path), source="trl_stepwise", out=out)
    assert out.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.jsonl", path.name]


def test_samples_become_outcome_rows_by_the_worlds_truth_or_by_a_file_of_problems(samples, written):
    assert [row["correct"] for row in rows("samples", samples())] == [True, False, False] * 3
    problems = written(*({"question": p.question, "answer": "2"} for p in PROBLEMS))
    assert [row["correct"] for row in rows("samples", samples(), problems=problems)] == [False, True, False] * 3


def test_an_empty_sample_stays_one_of_its_problems_n_as_a_wrong_one(samples, caplog):
    """Left out, it would raise the accuracy, and all problems would be cut to the n of the one that lacks most."""
    table = rows("samples", samples())
    assert [row["solution"] for row in table[2::3]] == [EMPTY] * 3 and len(table) == 9
    assert caplog.messages == [f"{samples()}: 3 of 9 solutions counted as wrong, as {EMPTY}"]


def test_samples_become_process_rows_by_the_exact_checker(samples, caplog):
    gap = "Step: 1: \nStep: 2: 1 + 1 = 2\n\n# Answer\n\n2"
    table = rows("samples", samples(_3=gap), schema="process")
    assert [set(row["labels"]) for row in table] == [{1}, {0}, {0}, {1}, {0}]
    left_out = "4 of 9 solutions left out: empty, or with a step without text"
    assert caplog.record_tuples == [("minrm", logging.WARNING, f"{samples()}: {left_out}")]


def test_a_sample_that_cannot_be_judged_is_named_with_its_row(samples, written):
    other = written({"question": "Another?", "answer": "2"}, name="p.jsonl")
    with pytest.raises(InputError, match=r"samples.jsonl, row 1: its question is not in .*p.jsonl"):
        rows("samples", samples(), problems=other)
    with pytest.raises(InputError, match=r"samples.jsonl, row 5: the solution holds the step token"):
        rows("samples", samples(_4=f"2{STEP_TOKEN}"))
    with pytest.raises(
        InputError, match="p.jsonl, row 1: missing field 'solution'; samples have question and solution"
    ):
        rows("samples", other)
    with pytest.raises(InputError, match="samples cannot become pair rows here, but outcome or"):
        rows("samples", samples(), schema="pair")


def test_rows_are_checked_against_the_schema_that_they_fit(written):
    row = {"question": "?", "steps": ["a", "b"], "labels": [1, 0]}
    assert rows("rows", written(row, row | {"extra": 1}))[1]["extra"] == 1
    with pytest.raises(InputError, match=r"rows.jsonl, row 2: 2 steps but 1 labels"):
        rows("rows", written(row, row | {"labels": [1]}))
    both = written(row | {"solution": "!", "answer": None, "correct": True})
    assert len(rows("rows", both, schema="process")) == 1


def test_the_row_shown_brackets_exactly_what_is_supervised(base):
    outcome = {"question": "1 or 2?", "solution": "Step: 1: 2", "answer": "2", "correct": True}
    assert shown(outcome, "outcome", base).startswith("1 or 2?\n⟦Step: 1: 2⟧\n")
    process = {"question": "1 or 2?", "steps": ["one", "two"], "labels": [1, None]}
    assert f"Step: 1: one⟦{STEP_TOKEN}⟧\nStep: 2: two{STEP_TOKEN}\n(1 of" in shown(process, "process", base)
    pair = shown({"prompt": "Hi", "chosen": "yes", "rejected": "no"}, "pair", base)
    assert "Hi\nye⟦s⟧" in pair and "Hi\nn⟦o⟧" in pair
    assert "no model learns from this row" in shown(process | {"labels": [None, None]}, "process", base)


def test_a_source_takes_its_own_options(written):
    (row,) = rows("rlhflow", written(TALK), problems=written({"question": "How many?"}, name="p.jsonl"))
    assert row == {"question": "How many?", "steps": ["Two."], "labels": [1]}
    with pytest.raises(InputError, match="p.jsonl, row 1: missing field 'question'"):
        rows("rlhflow", written(TALK), problems=written(TALK, name="p.jsonl"))
    with pytest.raises(InputError, match="no-such-set/at-all: not (to be had from|within reach on) the hub"):
        rows("hh_rlhf", "no-such-set/at-all", split="test", data_dir="helpful-base")


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (("gsm", "r.jsonl"), {}, "no source 'gsm'; the sources are rows, samples, gsm8k, "),
        (("prm800k",), {}, "missing 1 required positional argument: 'path'; see minrm prepare --help"),
        (("rows",), {}, "missing 1 required positional argument: 'path'"),
        (("samples", "s.jsonl"), {"split": "test"}, "unexpected keyword argument 'split'"),
        (("gsm8k",), {"data_dir": "main"}, "gsm8k\\(\\) got an unexpected keyword argument 'data_dir'"),
        (("prm800k", "r.jsonl"), {"neutral": "so"}, "neutral='so'; it is one of 'good', 'bad', 'none'"),
    ],
)
def test_what_a_source_cannot_do_is_said_before_anything_is_read(given, options, message):
    with pytest.raises(InputError, match=message):
        rows_from(*given, **options)


MEASURE = """
import sys
from minrm.cli.prepare import rows_from
from minrm.rows import write_rows
write_rows(rows_from(*sys.argv[1:3]), sys.argv[3])
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""  # the highest resident memory, in KiB; what getrusage says is also the parent's, from before the new program began


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own peak of memory is read from /proc")
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path, ending):
    """90,000 rows more are over 90 MiB in a list; the slack, under a third of it, is what allocators keep."""
    peaks = []
    for count in (10_000, 100_000):
        path = tmp_path / f"{count}.{ending}"
        write_rows((STEPS[0] | {"prompt": f"{n} " + "x" * 700} for n in range(count)), path)
        command = [sys.executable, "-c", MEASURE, "trl_stepwise", str(path), str(tmp_path / "rows.jsonl")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024)
    assert peaks[1] - peaks[0] < 30, f"{peaks} MiB"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_that_knows_fewer_characters_shows_others_as_question_marks(encoding, written, tmp_path, base):
    """The preview's brackets, or a question in another script, must not cost the file."""
    rows = written({"prompt": "¿Qué? 中文", "chosen": "α", "rejected": "β"})
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "minrm.cli", "prepare", str(rows), "--base", base, "-o", str(out)]
    env = os.environ | {"PYTHONIOENCODING": encoding}
    shown = subprocess.run(command, env=env, capture_output=True, check=True).stdout.decode(encoding)
    assert "?" in shown and "1 pair rows" in shown
    assert [row["prompt"] for row in read_rows(out)] == ["¿Qué? 中文"]


def test_preferences_in_trls_layout_are_pairs_by_name_and_the_error_names_the_way(written, capsys):
    talk = {"chosen": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}], "rejected": "5"}
    talk["rejected"] = [talk["chosen"][0], {"role": "assistant", "content": "5"}]
    path = written(talk)
    assert rows("trl_preference", path) == [{"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}]
    for schema in (None, "pair"):
        with pytest.raises(InputError, match="row 1: conversations, .*minrm prepare --source trl_preference"):
            rows("rows", path, **({"schema": schema} if schema else {}))
