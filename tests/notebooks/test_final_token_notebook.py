"""The student's notebook of "Supervise only the final token": it runs as it should, and stops where it should."""

import json
from pathlib import Path

import notebooks
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "book" / "exercises" / "final_token.ipynb"
REFERENCE = ROOT / "tools" / "assignment" / "reference.py"
SMALL = "ROWS, BATCH, SEEDS, PROBLEMS = 64, 32, 2, 12"


@pytest.fixture
def cells():
    return {cell["id"]: cell for cell in notebooks.read(NOTEBOOK)["cells"]}


def run(cells, **instead):
    """Execute the code cells in order, some of them with other text; returns the names they leave."""
    names = {"__name__": "__main__"}
    for name, cell in cells.items():
        if cell["cell_type"] == "code":
            exec(compile(instead.get(name.replace("-", "_"), notebooks.source(cell)), name, "exec"), names)
    return names


def test_it_holds_no_outputs_and_the_cells_that_the_grader_looks_for(cells):
    code = [cell for cell in cells.values() if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    order = list(cells)
    assert order.index("final-token") < order.index("check") < order.index("experiment") < order.index("explanation")
    assert notebooks.source(cells["final-token"]).splitlines()[0].startswith("def final_token(solution_mask")
    assert cells["explanation"]["cell_type"] == "markdown"
    assert notebooks.source(cells["explanation"]).startswith("## What I see and why")


def test_what_stands_behind_the_check_is_not_for_the_grader(cells):
    """Training takes minutes; a grader runs what comes before it only."""
    code = [name for name, cell in cells.items() if cell["cell_type"] == "code"]
    ignored = [name for name in code if "otter_ignore" in notebooks.tags(cells[name])]
    assert ignored == code[code.index("check") + 1 :] and "experiment" in ignored


def test_as_it_is_it_stops_at_the_check_and_says_what_to_do(cells):
    with pytest.raises(AssertionError, match="NotImplementedError: write final_token here, run this cell"):
        run(cells)


def test_with_the_reference_it_runs_to_its_end(cells, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = run(cells, final_token=REFERENCE.read_text(encoding="utf-8"), scale=SMALL)
    printed = capsys.readouterr().out
    assert "✓ final_token" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("results: ")]
    results = json.loads(line.removeprefix("results: "))
    assert list(results) == ["every token", "final token"]
    for runs in results.values():
        assert [run["seed"] for run in runs] == [0, 1]
        assert all(0 <= run["auc"] <= 1 and list(run["best_of_n"]) == ["1", "4", "16", "64"] for run in runs)
    assert results["every token"] != results["final token"]
    assert list(names["table"]["name"]) == ["ORM, every token", "ORM, final token", "final - every"]
    assert "Within-problem AUC of both variants" in printed


def test_what_it_trains_at_full_size_fits_three_minutes(cells):
    """Two cores need about 0.1 s for an update of 32 rows (as in `data/runs/`), and 4 s to load a model and score."""
    names = {}
    exec(notebooks.source(cells["scale"]), names)
    updates = -(-names["ROWS"] // names["BATCH"])
    assert 2 * names["SEEDS"] * (0.1 * updates * names["BATCH"] / 32 + 4) < 180
