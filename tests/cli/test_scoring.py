"""A run of scores: it goes on after a stop, is never mixed with another, and names the row that cannot be scored."""

import datetime
import json

import pytest

from minrm.cli import scoring
from minrm.cli.inputs import new_model
from minrm.cli.score import score
from minrm.cli.scoring import check_to_score, scores_of
from minrm.errors import InputError
from minrm.files.runs import RunFile
from minrm.rows import read_rows, write_rows
from minrm.world import generate

PAIR = {"prompt": "?", "chosen": "a b", "rejected": "c"}


@pytest.fixture
def rows(tmp_path, right):
    problems = generate(7, seed=2, split="evaluation")
    table = [
        {"question": p.question, "solution": right(p), "asked": datetime.datetime(2026, 1, k + 1), "step_scores": [9.0]}
        for k, p in enumerate(problems)
    ]
    write_rows(table, tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.fixture
def orm(base, tmp_path):
    new_model("outcome", base).save_pretrained(tmp_path / "orm")
    return str(tmp_path / "orm")


def test_the_aggregate_of_the_steps_can_be_chosen(base):
    model, rows = new_model("process", base), [{"question": "?", "steps": ["1", "2", "3"]}]
    for how, of in (("min", min), ("last", lambda steps: steps[-1])):
        (scores,) = scores_of(model, rows, how)
        assert scores["score"] == pytest.approx(of(scores["step_scores"])) and len(scores["step_scores"]) == 3


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_a_stopped_run_goes_on_and_ends_as_an_unstopped_one(ending, rows, orm, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    out, calls = tmp_path / f"s.{ending}", []

    def stop_at_the_third(model, chunk, aggregate):
        calls.append(len(chunk))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scores_of(model, chunk, aggregate)

    monkeypatch.setattr(scoring, "scores_of", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        score(orm, rows, out, progress=False)
    assert not out.exists()
    score(orm, rows, out, progress=False)
    assert calls == [2, 2, 2, 2, 1]
    assert {path.name for path in tmp_path.glob("s.*")} == {
        out.name,
        f"{out.name.removesuffix('.jsonl')}.settings.json",
    }
    score(orm, rows, tmp_path / "whole.jsonl", progress=False)
    given, whole, found = list(read_rows(rows)), list(read_rows(tmp_path / "whole.jsonl")), list(read_rows(out))
    assert [row["score"] for row in found] == [row["score"] for row in whole]
    dates = [row["asked"] for row in given]
    assert [row["asked"] for row in found] == (dates if ending == "parquet" else [str(date) for date in dates])
    assert found[0].keys() == {
        "question",
        "solution",
        "asked",
        "score",
        "scored_by",
        "scored_with",
    }  # the old step scores are gone
    before = out.read_bytes()
    score(orm, rows, out, progress=False)  # a finished run is left as it is
    assert out.read_bytes() == before and len(calls) == 9
    assert capsys.readouterr().out.endswith(f"{out}: 7 rows scored by {orm}\n")


@pytest.mark.parametrize("stopped", [True, False])
def test_scores_of_another_run_are_refused(stopped, rows, orm, base, tmp_path, monkeypatch):
    out = tmp_path / "s.jsonl"
    if stopped:
        monkeypatch.setattr(scoring, "CHUNK", 2)
        chunks = iter([scores_of])
        monkeypatch.setattr(scoring, "scores_of", lambda *given: next(chunks)(*given))
        with pytest.raises(StopIteration):
            score(orm, rows, out, progress=False)
    else:
        score(orm, rows, out, progress=False)
    write_rows(list(read_rows(rows))[1:], tmp_path / "others.parquet")
    message = (r"unfinished\.jsonl holds another run" if stopped else "s.jsonl holds another .* else") + ": its {} is "
    for name, given, options in (
        ("aggregate", rows, {"aggregate": "min"}),
        ("dtype", rows, {"dtype": "bfloat16"}),
        ("rows_sha256", tmp_path / "others.parquet", {}),
    ):
        with pytest.raises(InputError, match=message.format(name)):
            score(orm, given, out, progress=False, **options)
    new_model("outcome", base, seed=1).save_pretrained(orm)  # trained anew into the same folder
    with pytest.raises(InputError, match=message.format("model")):
        score(orm, rows, out, progress=False)


def test_a_second_run_is_refused_while_the_first_lives(rows, orm, tmp_path, monkeypatch):
    def second(*given):
        monkeypatch.undo()
        with pytest.raises(InputError, match="s.jsonl.unfinished.jsonl: another command writes there"):
            score(orm, rows, tmp_path / "s.jsonl", progress=False)
        return scores_of(*given)

    monkeypatch.setattr(scoring, "scores_of", second)
    score(orm, rows, tmp_path / "s.jsonl", progress=False)
    assert len(list(read_rows(tmp_path / "s.jsonl"))) == 7


def test_the_settings_of_a_table_do_not_take_the_place_of_those_of_a_run_of_sampling(rows, orm, tmp_path):
    with RunFile(tmp_path / "s.jsonl", {"model": "m"}):
        before = (tmp_path / "s.settings.json").read_bytes()
    score(orm, rows, tmp_path / "s.parquet", progress=False)
    assert (tmp_path / "s.settings.json").read_bytes() == before and (tmp_path / "s.parquet.settings.json").exists()


def test_a_file_that_no_run_wrote_is_not_overwritten(rows, orm, written):
    with pytest.raises(
        InputError,
        match="rows.jsonl holds another .*: no rows.settings.json of minrm score lies beside it; name another file",
    ):
        score(orm, rows, written({"mine": 1}), progress=False)


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "x.jsonl: no rows to score"),
        ([{"question": "?"}], "row 1: missing field 'solution'; rows to score have question and solution or steps"),
        ([PAIR, {"prompt": "?", "chosen": "a"}], "row 2: missing field 'rejected'; rows to score"),
        ([PAIR, PAIR | {"chosen": None}], "row 2: chosen is None; it should be a text"),
        ([{"question": "?", "steps": ["a", ""]}], "row 1: the step 2 is empty"),
        ([{"question": 3, "solution": "!"}], "row 1: question is 3; it should be a text"),
    ],
)
def test_rows_that_cannot_be_scored_are_named_before_anything_is_computed(rows, message):
    with pytest.raises(InputError, match=f"x.jsonl.*{message}" if rows else message):
        check_to_score(rows, "x.jsonl")


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_what_only_the_model_can_refuse_is_named_by_file_and_row(schema, base, written, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    new_model(schema, base).save_pretrained(tmp_path / "m")
    short, long = "Step: 1: 1 + 1 = 2", "Step: 1: " + "1 + " * 400 + "1 = 401"
    texts = (short, "2", short, long)
    rows = {
        "outcome": [{"question": "?", "solution": text} for text in texts],
        "process": [{"question": "?", "steps": [text.removeprefix("Step: 1: ")]} for text in texts],
        "pair": [{"prompt": "?", "chosen": "3", "rejected": text} for text in texts],
    }[schema]
    with pytest.raises(InputError, match=r"rows.jsonl, row 4: \d+ tokens, but the model reads at most 512"):
        score(str(tmp_path / "m"), written(*rows), tmp_path / "s.jsonl", progress=False)
    assert json.loads((tmp_path / "s.jsonl.unfinished.settings.json").read_text())["aggregate"] == "product"
