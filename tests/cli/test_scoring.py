"""Scoring a whole file: stopped it goes on, what came with the rows stays, and two models' scores are not mixed."""

import datetime

import pytest

from minrm.cli import files, scoring
from minrm.cli.scoring import score_all
from minrm.errors import InputError
from minrm.published import load_published
from minrm.rows import read_rows, write_rows
from minrm.world import generate


@pytest.fixture
def rows(tmp_path, right):
    problems = generate(7, seed=2, split="evaluation")
    table = [
        {"question": p.question, "solution": right(p), "asked": datetime.datetime(2026, 1, k + 1), "score": 9.0}
        for k, p in enumerate(problems)
    ]
    write_rows(table, tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_a_stopped_run_goes_on_and_ends_as_an_unstopped_one(ending, rows, base, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    model, given, out = files.new_model("outcome", base), list(read_rows(rows)), tmp_path / f"s.{ending}"
    scored, asked = files.score, []

    def stop_at_the_third(model, chunk, *rest, **named):
        asked.append([number for number, _ in chunk])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return scored(model, chunk, *rest, **named)

    monkeypatch.setattr(files, "score", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        score_all(lambda: model, "m", given, rows, out, progress=False)
    assert not out.exists()
    assert score_all(lambda: model, "m", given, rows, out, progress=False) == 7
    assert asked == [[1, 2], [3, 4], [5, 6], [5, 6], [7]]
    assert sorted(path.name for path in tmp_path.glob("s.*")) == [out.name]
    expected = scored(model, given, rows, progress=False)
    found = [row for _, row in read_rows(out)]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in expected], abs=1e-6)
    dates = [row["asked"] for _, row in given]
    assert [row["asked"] for row in found] == (dates if ending == "parquet" else [str(date) for date in dates])
    assert [set(row) for row in found] == [set(row) for row in expected]


def test_scores_of_a_model_trained_anew_do_not_join_those_of_the_former(rows, base, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    given, out, folder = list(read_rows(rows)), tmp_path / "s.jsonl", tmp_path / "orm"

    def trained(seed):
        files.new_model("outcome", base, seed=seed).save_pretrained(folder)
        return lambda: load_published(str(folder))

    def stop_after_one(*chunk, append=scoring.append):
        if out.with_name("s.jsonl.unfinished.jsonl").exists():
            raise KeyboardInterrupt
        append(*chunk)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(scoring, "append", stop_after_one)
        score_all(trained(0), str(folder), given, rows, out, progress=False)
    with pytest.raises(InputError, match=r"unfinished\.jsonl holds another run: its weights_sha256 is "):
        score_all(trained(1), str(folder), given, rows, out, progress=False)
    assert score_all(trained(0), str(folder), given, rows, out, progress=False) == 7


def test_an_ending_that_cannot_be_written_shows_before_a_model_is_loaded(rows, tmp_path):
    with pytest.raises(InputError, match="choose one of these endings"):
        score_all(None, "m", list(read_rows(rows)), rows, tmp_path / "scores.csv")
    assert not list(tmp_path.glob("scores*"))
