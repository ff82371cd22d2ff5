"""The notebooks that students hand in run as they should and stop where they should, and so do the reports on them."""

import json

import measured
import notebooks
import pytest
import reference
from rubric import ASSIGNMENTS, SEARCH, SPEND
from submissions import missing

EACH = pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
FEW_LABELS = {"SEEDS": 2, "LABELS": 24, "FIRST": 8, "ROUND": 8, "POOL": 60, "EPOCHS": 1, "PROBLEMS": 12}


def cells_of(assignment):
    return {cell["id"]: cell for cell in notebooks.read(assignment.notebook)["cells"]}


def printed_results(capsys):
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("results: ")]
    return json.loads(line.removeprefix("results: "))


@EACH
def test_it_holds_no_outputs_and_the_cells_that_the_grader_looks_for(assignment):
    cells = cells_of(assignment)
    code = [name for name, cell in cells.items() if cell["cell_type"] == "code"]
    assert not any(cells[name]["outputs"] or cells[name]["execution_count"] for name in code)
    order = [list(cells).index(name) for name in (assignment.cell, "check", "experiment", "explanation")]
    assert order == sorted(order)
    assert notebooks.source(cells[assignment.cell]).startswith(f"def {assignment.function}(")
    assert cells["explanation"]["cell_type"] == "markdown"
    assert notebooks.source(cells["explanation"]).startswith("## What I see and why")


@EACH
def test_what_stands_behind_the_check_is_not_for_the_grader(assignment):
    """The experiment takes minutes; a grader runs what comes before it only."""
    cells = cells_of(assignment)
    code = [name for name, cell in cells.items() if cell["cell_type"] == "code"]
    ignored = [name for name in code if "otter_ignore" in notebooks.tags(cells[name])]
    assert ignored == code[code.index("check") + 1 :] and "experiment" in ignored


@EACH
def test_as_it_is_it_stops_at_the_check_and_says_what_to_do(assignment, monkeypatch):
    names = {}
    exec("import torch\nfrom torch import Tensor\n" + notebooks.source(cells_of(assignment)[assignment.cell]), names)
    monkeypatch.setattr(reference, assignment.function, names[assignment.function])
    with pytest.raises(AssertionError, match=f"NotImplementedError: write {assignment.function} here, run this cell"):
        measured.run(assignment)


def test_labels_it_spends_every_one(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = measured.run(SPEND, **FEW_LABELS)
    results = printed_results(capsys)
    assert list(results) == ["random", "chosen"] and missing(results, SPEND) == ""
    for runs in names["labelled"].values():
        for rounds in runs:
            texts = [(row["question"], row["solution"]) for rows in rounds for row in rows]
            assert [len(rows) for rows in rounds] == [8, 8, 8] and len(texts) == FEW_LABELS["LABELS"]
    first = {way: [rounds[0] for rounds in runs] for way, runs in names["labelled"].items()}
    assert first["random"] == first["chosen"]
    report = measured.of_labels(names)
    assert report.startswith("2 seeds, 24 labels, 12 problems") and report.count("\n| chosen | ") == 3
    assert report.count("| best of ") == 3


def test_search_it_hands_in_the_best_finished_solution_and_counts_tokens(capsys):
    names = measured.run(SEARCH, COUNTS=(2, 4), PROBLEMS=6)
    results = printed_results(capsys)
    assert list(results) == ["best-of-N", "beam search"] and missing(results, SEARCH) == ""
    for (way, n), runs in names["runs"].items():
        for row in (row for run in runs for row in run):
            assert len(row["answers"]) <= n if way == "best-of-N" else row["written"] > 0
            assert not row["answers"] or names["final_answer"](row["text"]) in row["answers"]
    report = measured.of_search(names)
    assert report.startswith("2 seeds, 6 problems") and report.count("| beam search |") == 2
