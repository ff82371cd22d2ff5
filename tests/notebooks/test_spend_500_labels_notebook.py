"""The student's notebook of "Spend 500 labels": it runs as it should, stops where it should, and so does its report."""

import json

import notebooks
import pytest
import spent
from rubric import SPEND
from submissions import missing

SMALL = {"SEEDS": 2, "LABELS": 24, "FIRST": 8, "ROUND": 8, "POOL": 60, "EPOCHS": 1, "PROBLEMS": 12}


@pytest.fixture
def cells():
    return {cell["id"]: cell for cell in notebooks.read(SPEND.notebook)["cells"]}


def test_it_holds_no_outputs_and_the_cells_that_the_grader_looks_for(cells):
    code = [name for name, cell in cells.items() if cell["cell_type"] == "code"]
    assert not any(cells[name]["outputs"] or cells[name]["execution_count"] for name in code)
    order = list(cells)
    assert order.index("choose") < order.index("check") < order.index("experiment") < order.index("explanation")
    assert notebooks.source(cells["choose"]).startswith("def choose(scores")
    assert notebooks.source(cells["explanation"]).startswith("## What I see and why")
    ignored = [name for name in code if "otter_ignore" in notebooks.tags(cells[name])]
    assert ignored == code[code.index("check") + 1 :]


def test_as_it_is_it_stops_at_the_check_and_says_what_to_do(monkeypatch):
    def empty(scores, correct, count):
        raise NotImplementedError("write choose here, run this cell, then the next one")

    monkeypatch.setattr(spent, "choose", empty)
    with pytest.raises(AssertionError, match="NotImplementedError: write choose here, run this cell"):
        spent.run()


def test_with_the_reference_it_runs_to_its_end_and_spends_every_label(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = spent.run(**SMALL)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("results: ")]
    results = json.loads(line.removeprefix("results: "))
    assert list(results) == ["random", "chosen"] and missing(results) == ""
    for runs in names["labelled"].values():
        for rounds in runs:
            texts = [(row["question"], row["solution"]) for rows in rounds for row in rows]
            assert [len(rows) for rows in rounds] == [8, 8, 8] and len(texts) == SMALL["LABELS"]
    first = {way: [rounds[0] for rounds in runs] for way, runs in names["labelled"].items()}
    assert first["random"] == first["chosen"]
    report = spent.report(names)
    assert report.startswith("2 seeds, 24 labels, 12 problems") and report.count("\n| chosen | ") == 3
    assert report.count("| best of ") == 3
