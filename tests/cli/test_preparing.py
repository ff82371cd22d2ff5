"""What publishers and `minrm sample` wrote becomes rows: labels, errors with their place, memory that stays flat."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from minrm.cli import files, preparing
from minrm.cli.evaluate import evaluate
from minrm.errors import InputError
from minrm.rows import write_rows
from minrm.sampling import sample
from minrm.text import STEP_TOKEN
from minrm.world import generate

PROBLEMS = generate(3, seed=1, split="evaluation")


def prepared(*given, **options):
    return list(preparing.prepare(*given, **options))


@pytest.fixture
def samples(base, right, tmp_path):
    """A file as `minrm sample` writes it, its solutions replaced by known ones: right, wrong and empty."""
    path = tmp_path / "samples.jsonl"
    sample(base, [p.question for p in PROBLEMS], 3, path=path, max_new_tokens=2, progress=False)
    header, *lines = path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        problem = PROBLEMS[row["problem"]]
        row["solution"] = (right(problem), "Step: 1: 1 + 1 = 2\n\n# Answer\n\n2", "")[row["sample"]]
    path.write_text("\n".join([header, *map(json.dumps, rows)]) + "\n")
    return path


def test_samples_become_outcome_rows_by_the_worlds_truth_or_by_a_file_of_problems(samples, tmp_path):
    rows = prepared("samples", samples)
    assert [row["correct"] for row in rows] == [True, False, False] * 3
    write_rows([{"question": p.question, "answer": "2"} for p in PROBLEMS], tmp_path / "p.jsonl")
    other = prepared("samples", samples, problems=tmp_path / "p.jsonl")
    assert [row["correct"] for row in other] == [False, True, False] * 3


def test_an_empty_sample_stays_one_of_its_problems_n_as_a_wrong_one(samples, base, caplog):
    """Left out, it would raise the accuracy, and all problems would be cut to the n of the one that lacks most."""
    rows = prepared("samples", samples)
    assert [row["solution"] for row in rows[2::3]] == [preparing.EMPTY] * 3 and len(rows) == 9
    assert caplog.messages == [f"{samples}: 3 of 9 solutions empty: kept, wrong, as {preparing.EMPTY}"]
    model = files.new_model("outcome", base)
    scored = files.score(model, rows, "s", progress=False)
    table, notes = evaluate(scored, "s")
    assert notes[0] == "3 problems with 3 solutions each"
    assert [row["mean"] for row in table if row["way"] == "one sample"] == [pytest.approx(1 / 3)] * 2


def test_samples_become_process_rows_by_the_exact_checker(samples):
    rows = prepared("samples", samples, "process")
    assert all(all(row["labels"]) for row in rows[::2]) and [row["labels"] for row in rows[1::2]] == [[0]] * 3


def test_samples_without_steps_to_label_are_left_out_and_counted(samples, caplog):
    lines = samples.read_text().splitlines()
    gap = json.loads(lines[4]) | {"solution": "Step: 1: \nStep: 2: 1 + 1 = 2\n\n# Answer\n\n2"}
    samples.write_text("\n".join([*lines[:4], json.dumps(gap), *lines[5:]]) + "\n")
    assert len(prepared("samples", samples, "process")) == 5
    told = f"{samples}: 4 of 9 solutions left out: empty, or with a step without text"
    assert caplog.record_tuples == [("minrm", logging.WARNING, told)]


def test_a_question_without_truth_is_named_with_its_row(samples, tmp_path):
    write_rows([{"question": "Another?", "answer": "2"}], tmp_path / "p.jsonl")
    with pytest.raises(InputError, match=r"samples.jsonl, row 2: its question is not in .*p.jsonl"):
        prepared("samples", samples, problems=tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").write_text('{"question": "?", "answer": "2", "id": 1}\n\n{"prompt": "?", "answer": "2"}\n')
    with pytest.raises(
        InputError, match=r"p.jsonl, row 3: missing field 'question'; each row needs question and answer"
    ):
        prepared("samples", samples, problems=tmp_path / "p.jsonl")


def test_a_sample_that_no_model_can_read_is_named_with_its_line(samples):
    lines = samples.read_text().splitlines()
    lines[4] = json.dumps(json.loads(lines[4]) | {"solution": f"2{STEP_TOKEN}"})
    samples.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"samples.jsonl, row 5: the solution holds the step token"):
        prepared("samples", samples)


def test_rows_are_checked_and_their_schema_is_found_out(tmp_path):
    row = {"question": "?", "steps": ["a", "b"], "labels": [1]}
    write_rows([row | {"labels": [1, 0]}, row], tmp_path / "r.jsonl")
    with pytest.raises(InputError, match=r"r.jsonl, row 2: 2 steps but 1 labels"):
        prepared("rows", tmp_path / "r.jsonl")
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(row | {'labels': [1, 0]})}\n\n{json.dumps(row)}\n")
    with pytest.raises(InputError, match=r"r.jsonl, row 3: 2 steps but 1 labels"):  # the line, as editors count
        prepared("rows", tmp_path / "r.jsonl")
    write_rows(
        [row | {"labels": [1, 0]}, {"question": "?", "steps": ["a\nStep: 7: b"], "labels": [1]}], tmp_path / "h.jsonl"
    )
    with pytest.raises(InputError, match=r"h.jsonl, row 2: 1 steps, .* as 2; a step holds a line that begins like a"):
        prepared("rows", tmp_path / "h.jsonl")
    with pytest.raises(InputError, match="no source 'gsm'; the sources are samples, rows, gsm8k"):
        prepared("gsm", tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="fields question, solution fit no schema"):
        files.schema_of([{"question": "?", "solution": "!"}], "r.jsonl")


def test_the_preview_brackets_exactly_what_is_supervised(base):
    outcome = {"question": "1 or 2?", "solution": "Step: 1: 2", "answer": "2", "correct": True}
    assert preparing.preview(outcome, "outcome", base).startswith("1 or 2?\n⟦Step: 1: 2⟧\n")
    process = {"question": "1 or 2?", "steps": ["one", "two"], "labels": [1, None]}
    shown = preparing.preview(process, "process", base)
    assert f"Step: 1: one⟦{STEP_TOKEN}⟧\nStep: 2: two{STEP_TOKEN}\n(1 of" in shown
    pair = preparing.preview({"prompt": "Hi", "chosen": "yes", "rejected": "no"}, "pair", base)
    assert "Hi\nye⟦s⟧" in pair and "Hi\nn⟦o⟧" in pair


def test_labels_can_stop_at_the_first_error():
    rows = [{"question": "?", "steps": ["a", "b", "c"], "labels": [1, 0, 1]}]
    assert [row["labels"] for row in preparing.until_first_error(rows)] == [[1, 0, None]]


STEPWISE = {"prompt": "?", "completions": ["a", "b"], "labels": [True, False]}
TALK = {"conversations": [{"role": "user", "content": "How many? Two."}, {"role": "assistant", "content": "+"}]}


def test_a_source_takes_its_own_arguments_and_problems(written):
    assert prepared("gsm8k", written({"question": "?", "answer": "#### 5"}), options={"worked": True})[0]["correct"]
    (row,) = prepared("rlhflow", written(TALK), problems=written({"question": "How many?"}, name="p.jsonl"))
    assert row == {"question": "How many?", "steps": ["Two."], "labels": [1]}


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (("gsm", "r.jsonl"), {}, "no source 'gsm'; the sources are samples, rows, gsm8k, "),
        (("prm800k",), {}, "prm800k has no data set on the hub; give the publisher's file"),
        (("rows",), {}, "rows come from a file; give its path"),
        (("samples", "s.jsonl"), {"options": {"split": "test"}}, "samples have no options of their own; here: split"),
        (("prm800k", "r.jsonl", "process"), {}, "prm800k has a schema of its own; leave out --schema"),
        (("prm800k", "r.jsonl"), {"problems": "p.jsonl"}, "prm800k needs no --problems"),
        (("prm800k", "r.jsonl"), {"options": {"path": "x"}}, "no argument 'path'; it has neutral, alternatives"),
        (("prm800k", "r.jsonl"), {"options": {"alternatives": "yes"}}, "alternatives is yes; it should be true or fal"),
        (("prm800k", "r.jsonl"), {"options": {"neutral": True}}, "neutral is True; it should be a text, such as good"),
        (("prm800k", "r.jsonl"), {"options": {"neutral": "so"}}, "neutral='so'; it is one of 'good', 'bad', 'none'"),
    ],
)
def test_what_a_source_cannot_do_is_said_before_anything_is_read(given, options, message):
    with pytest.raises(InputError, match=message):
        preparing.prepare(*given, **options)


def test_arguments_are_read_from_the_command_line():
    assert preparing.read_options(["neutral=bad", "worked=true", "split=a=b", "annotations=false"]) == {
        "neutral": "bad", "worked": True, "split": "a=b", "annotations": False
    }  # fmt: skip
    for wrong in ("neutral", "=bad", "neutral="):
        with pytest.raises(InputError, match=f"--set {wrong}: an argument is name=value, such as neutral=bad"):
            preparing.read_options([wrong])


MEASURE = """
import sys
from minrm.cli.preparing import prepare
from minrm.rows import write_rows
write_rows(prepare(*sys.argv[1:3]), sys.argv[3])
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""  # the highest resident memory, in KiB; what getrusage says is also the parent's, from before the new program began


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own peak of memory is read from /proc")
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path, ending):
    """180,000 rows more are 130 MiB in a list; the slack, under a quarter of it, is what allocators keep."""
    peaks = []
    for count in (20_000, 200_000):
        path = tmp_path / f"{count}.{ending}"
        write_rows((STEPWISE | {"prompt": f"{n} " + "x" * 300} for n in range(count)), path)
        command = [sys.executable, "-c", MEASURE, "trl_stepwise", str(path), str(tmp_path / f"rows.{ending}")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024)
    assert peaks[1] - peaks[0] < 30, f"{peaks} MiB"
