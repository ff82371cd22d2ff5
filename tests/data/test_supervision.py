"""The recording of every token against the final token: runs of equal compute, and a report that compares in pairs."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minrm import shipped
from minrm.rows import read_rows, write_rows

DATA = Path(__file__).parents[2] / "data"
sys.path.insert(0, str(DATA))
import supervision  # noqa: E402 (a module of the recipe)

QUICK = SimpleNamespace(small=True)


@pytest.fixture
def out(tmp_path):
    """A folder of the recipe, as it is before this unit, with two samples of each problem."""
    for name in ("training.parquet", "problems.parquet"):
        shutil.copy(shipped(name), tmp_path)
    (tmp_path / "policy").symlink_to(shipped("policy"))
    samples = list(read_rows(shipped("evaluation.parquet")))
    write_rows([row for index, row in enumerate(samples) if index % 256 < 2], tmp_path / "evaluation.parquet")
    return tmp_path


def run(variant, seed, auc, rows=64, updates=2):
    """A made run: problems whose AUC and best-of-N stand around a mean."""
    values = np.clip(auc + np.linspace(-0.05, 0.05, 40), 0, 1).round(3).tolist()
    best = [[0.5, value, value, value] for value in values]
    size = {"rows": rows, "updates": updates}
    return {"variant": variant, "seed": seed, "auc": values, "best": best, "minutes": 1.0} | size


def test_a_seed_leaves_both_variants_and_goes_on_where_it_was_stopped(out, monkeypatch):
    supervision.record(0, out, QUICK)
    rows = list(read_rows(out / "supervision" / "0.parquet"))
    assert [(row["variant"], row["rows"], row["updates"]) for row in rows] == [("every", 32, 2), ("final", 32, 2)]
    assert all(np.shape(row["best"]) == (300, 1) and 0 <= min(row["auc"]) <= max(row["auc"]) <= 1 for row in rows)
    work = out / "work" / "supervision-0.jsonl"
    first = json.loads(work.read_text().splitlines()[0]) | {"minutes": 99.0}
    work.write_text(json.dumps(first) + "\n")
    supervision.record(0, out, QUICK)
    again = list(read_rows(out / "supervision" / "0.parquet"))
    assert again[0]["minutes"] == 99.0 and again[1]["auc"] == rows[1]["auc"]


@pytest.mark.parametrize(("rows", "updates"), [(r, u) for r in supervision.ROWS for u in supervision.UPDATES])
def test_every_run_has_the_number_of_updates_that_it_is_named_for(rows, updates):
    """As `train` and transformers round a number of epochs."""
    per_epoch = -(-rows // supervision.BATCH)
    epochs = supervision.epochs_for(rows, updates)
    assert np.ceil(epochs * per_epoch) == updates == round(epochs * per_epoch)


def test_the_rows_are_half_sampled_and_a_smaller_amount_is_the_beginning_of_a_larger(out):
    few, more = supervision.training_rows(out, 8), supervision.training_rows(out, 32)
    assert more[:8] == few and len(more) == 32
    sampled = {(row["question"], row["solution"]) for row in read_rows(out / "training.parquet")}
    assert [(row["question"], row["solution"]) in sampled for row in few] == [True, False] * 4


def test_the_report_compares_in_pairs(tmp_path, capsys):
    (tmp_path / "supervision").mkdir()
    for seed in range(3):
        runs = [run(name, seed, 0.6 + seed / 10 + (name == "final") * 0.02) for name in ("every", "final")]
        write_rows(runs, tmp_path / "supervision" / f"{seed}.parquet")
    supervision.report(tmp_path)
    printed = capsys.readouterr().out
    assert printed.startswith("6 runs, 3 seeds, 40 problems (40 for best-of-N), 6 minutes. Of 1 combinations the final")
    assert "final - every: AUC +0.020 (" in printed
    assert (tmp_path / "supervision" / "auc.png").stat().st_size > 1000


def test_who_is_ahead_is_told_only_where_the_interval_is_clear_of_zero():
    means = {(64, 2): (0.6, 0.9), (64, 4): (0.9, 0.6), (128, 2): (0.7, 0.7)}
    runs = [run(name, seed, mean, *size) for size, pair in means.items()
            for name, mean in zip(("every", "final"), pair, strict=True) for seed in range(2)]  # fmt: skip
    table = {"AUC": supervision._compare(runs, list(means), lambda run: run["auc"])}
    summary = supervision._summary(runs, table)
    assert "in 1, every token in 1, with an interval clear of 0; open: 1." in summary
    assert table["AUC"][-1][2].mean == pytest.approx((0.3 - 0.3 + 0.0) / 3, abs=1e-6)


def test_the_instructors_page_holds_what_is_recorded(tmp_path, capsys):
    """The shipped runs, reported again."""
    shutil.copytree(DATA / "supervision", tmp_path / "supervision")
    supervision.report(tmp_path)
    page = (DATA.parent / "book" / "instructors.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in page.partition(supervision.BEGIN)[2]
