"""The student's notebook of "Supervise only the final token" runs to its end, in the time that it promises."""

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
