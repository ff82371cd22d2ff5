"""The recording for instructors: units that are run once, and a report with both variants in pairs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "assignment"))
import record
import report

from minrm.errors import InputError

TINY = record.Scale(seeds=1, rows=(32,), updates=(2,), problems=4, samples=64)


def unit(variant, seed, auc, rows=64, updates=2):
    """A made unit: problems whose AUC and best-of-N stand around a mean."""
    values = np.clip(auc + np.linspace(-0.05, 0.05, 40), 0, 1).round(3).tolist()
    best = [[0.5, value, value, value] for value in values]
    return {
        "variant": variant,
        "rows": rows,
        "updates": updates,
        "seed": seed,
        "auc": values,
        "best": best,
        "minutes": 1,
    }


@pytest.fixture
def course(tmp_path):
    """A folder of units and a page with marks, as they lie in the course."""
    folder, page = tmp_path / "tools" / "recorded", tmp_path / "book" / "instructors.md"
    folder.mkdir(parents=True)
    page.parent.mkdir()
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    return folder, page


def store(folder, *units):
    for number, one in enumerate(units):
        (folder / f"{number}.json").write_text(json.dumps(one))


def test_a_unit_is_run_once_and_leaves_what_the_report_needs(tmp_path, capsys):
    record.record(tmp_path, TINY)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"every-32-2-0.json", "final-32-2-0.json"}
    for name in names:
        found = json.loads((tmp_path / name).read_text())
        assert found["updates"] == 2 and found["rows"] == 32
        assert np.shape(found["best"]) == (4, 4) and 1 <= len(found["auc"]) <= 4
        assert all(0 <= value <= 1 for value in found["auc"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    record.record(tmp_path, TINY)
    assert "2 units, 0 to run" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


@pytest.mark.parametrize(("rows", "updates"), [(r, u) for r in record.FULL.rows for u in record.FULL.updates])
def test_every_run_has_the_number_of_updates_that_it_is_named_for(rows, updates):
    """As `train` and transformers round a number of epochs."""
    per_epoch = -(-rows // record.BATCH)
    epochs = record.epochs_for(rows, updates)
    assert np.ceil(epochs * per_epoch) == updates == round(epochs * per_epoch)


def test_compute_is_equal_for_both_variants():
    units = list(record._units(record.FULL))
    assert len(units) == len(set(units)) == 2 * 5 * 3 * 3
    assert {unit[1:] for unit in units if unit[0] == "every"} == {unit[1:] for unit in units if unit[0] == "final"}


def test_the_rows_are_half_sampled_and_a_smaller_amount_is_the_beginning_of_a_larger():
    few, more = record._pool(8), record._pool(32)
    assert more[:8] == few and len(more) == 32
    assert all(set(row) == {"question", "solution", "answer", "correct"} for row in more)


def test_processes_side_by_side_share_the_units(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "run", lambda *unit: {"auc": [0.5], "best": [[0.5]]})
    for part in ("1/2", "2/2"):
        before = len(list(tmp_path.glob("*.json")))
        record.record(tmp_path, TINY, share=part)
        assert len(list(tmp_path.glob("*.json"))) == before + 1


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no unit is called final-1-1-9"):
        record.record(tmp_path, TINY, ["final-1-1-9"])


def test_the_report_compares_in_pairs_and_stands_between_the_marks(course):
    folder, page = course
    # seeds differ far more than the variants of one seed: only pairs can tell
    store(folder, *(unit(name, seed, 0.6 + seed / 10 + (name == "final") * 0.02) for name in ("every", "final")
                    for seed in range(3)))  # fmt: skip
    report.report(folder, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{report.BEGIN}\n6 runs, 3 seeds, 40 problems (40 for best-of-N), 6 minutes.")
    assert text.endswith(f"{report.END}\nafter\n") and "old" not in text
    assert "(../tools/recorded/auc.png)" in text and (folder / "auc.png").stat().st_size > 1000
    assert "| 64 | 2 | 0.700 (" in text and "| 0.720 (" in text and "+0.020 (" in text
    report.report(folder, page)
    assert page.read_text(encoding="utf-8") == text, "a second report replaces the first"


def test_who_is_ahead_is_told_only_where_the_interval_is_clear_of_zero(course):
    folder, page = course
    cells = {(64, 2): (0.6, 0.9), (64, 4): (0.9, 0.6), (128, 2): (0.7, 0.7)}
    store(folder, *(unit(name, seed, mean, *size) for size, means in cells.items()
                    for name, mean in zip(("every", "final"), means, strict=True) for seed in range(2)))  # fmt: skip
    said = report.told(report.compared(report.read(folder)))
    assert "in 1, every token in 1, with an interval clear of 0; open: 1." in said
    pooled = report.pooled(report.compared(report.read(folder)), "AUC")
    assert pooled.mean == pytest.approx((0.3 - 0.3 + 0.0) / 3, abs=1e-6)
    assert f"The mean of all 3 differences, final - every: AUC {pooled.mean:+.3f} (" in said


def test_a_seed_of_one_variant_only_does_not_count(course):
    folder, page = course
    store(folder, unit("every", 0, 0.7))
    with pytest.raises(InputError, match="no unit of both variants"):
        report.report(folder, page)


def test_a_page_without_marks_is_left_alone(course):
    folder, page = course
    store(folder, unit("every", 0, 0.7), unit("final", 0, 0.7))
    page.write_text("no marks")
    with pytest.raises(InputError, match="has no line"):
        report.report(folder, page)
    assert page.read_text() == "no marks"
