"""Shards: their parts make the whole, joined they are the file of an unsharded run, and what is amiss is named."""

import json
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.cli import files, scoring
from minrm.cli.scoring import score_shard
from minrm.errors import InputError
from minrm.rows import read_rows, write_rows
from minrm.run_files import read_samples
from minrm.sampling import sample
from minrm.shards import join, part, place
from minrm.world import generate
from minrm.world.policy import build_tokenizer, new_policy

TOKENIZER = build_tokenizer()
MODEL = new_policy(TOKENIZER, layers=1, width=32).eval()
QUESTIONS = [problem.question for problem in generate(5, seed=1)]


def draw(path, n=5, **options):
    options = {"max_new_tokens": 8, "batch_size": 4, "progress": False} | options
    return sample(MODEL, QUESTIONS, n, path=path, tokenizer=TOKENIZER, **options)


def drawn(folder, of=3, **options):
    """The files of all shards, the names not in their order."""
    paths = [folder / f"{name}.jsonl" for name in "zbyacx"[:of]]
    for number, path in enumerate(paths, start=1):
        draw(path, shard=f"{number}/{of}", **options)
    return paths


@given(count=st.integers(0, 200), of=st.integers(1, 50))
def test_parts_are_the_whole_in_order_and_of_like_size(count, of):
    parts = [part(f"{number}/{of}", count) for number in range(1, of + 1)]
    assert list(chain(*parts)) == list(range(count)) == list(part(None, count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1/0", "2", "1/2/3", "-1/4", "a/b", "1.5/2", "1/", " "])
def test_a_shard_is_written_k_of_n(shard, tmp_path):
    with pytest.raises(InputError, match=r"wanted K/N, the K-th of N parts, such as 1/4, 2/4, 3/4 or 4/4"):
        draw(tmp_path / "s.jsonl", shard=shard)
    assert not list(tmp_path.iterdir()) and place(" 02 / 4", 6, 9) == {"shard": "2/4", "first": 6, "rows": 3}


@pytest.mark.parametrize("of", [1, 2, 3, 6])
def test_joined_samples_are_the_unsharded_file_byte_for_byte(of, tmp_path):
    """25 solutions in 7 chunks of 4, so chunks lie across problems and shards are of different sizes."""
    whole = draw(tmp_path / "whole.jsonl")
    paths = drawn(tmp_path, of)
    assert join(sorted(paths), tmp_path / "joined.jsonl") == 25
    assert (tmp_path / "joined.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert draw(tmp_path / "joined.jsonl") == whole  # a run that asks for the same finds it done
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [p.name for p in paths] + ["joined.jsonl", "whole.jsonl"]
    )


def test_a_shard_says_which_rows_of_the_whole_it_holds(tmp_path):
    second = drawn(tmp_path)[1]
    header, rows = read_samples(second)
    assert (header["shard"], header["first"], header["rows"]) == ("2/3", 8, 8)
    assert [row["problem"] * 5 + row["sample"] for row in rows] == list(range(8, 16))


def test_a_shard_goes_on_where_it_was_stopped(tmp_path):
    paths = drawn(tmp_path)
    before = paths[2].read_bytes()
    lines = before.splitlines(keepends=True)
    for kept in (0, 1, 3, 5, 8):
        paths[2].write_bytes(b"".join(lines[:kept]) + lines[kept][:9])
        draw(paths[2], shard="3/3")
        assert paths[2].read_bytes() == before
    with pytest.raises(InputError, match="holds another run: its shard is '3/3', asked for was '2/3'"):
        draw(paths[2], shard="2/3")
    with pytest.raises(InputError, match="holds another run: its shard is '3/3', asked for was None"):
        draw(paths[2])


def test_more_shards_than_chunks_leave_some_empty(tmp_path):
    draw(tmp_path / "whole.jsonl", n=1)
    paths = drawn(tmp_path, 6, n=1)  # 5 solutions, 2 chunks
    assert [len(read_samples(path)[1]) for path in paths] == [0, 0, 4, 0, 0, 1]
    assert join(paths, tmp_path / "joined.jsonl") == 5
    assert (tmp_path / "joined.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def amiss(name, paths):
    """Spoil the shards in one way; returns what is joined and what is told."""
    a, b, c = paths
    if name == "missing":
        return [c, a], "missing: shard 2/3; give its file too, or run the same command with --shard 2/3"
    if name == "several missing":
        return [b], "missing: shard 1/3, 3/3; give"
    if name == "twice":
        (copy := a.parent / "copy.jsonl").write_bytes(b.read_bytes())
        return [a, b, c, copy], f"shard 2/3 is there twice, {b} and {copy}; leave one of them out"
    if name == "twice the same file":
        return [a, b, b, c], f"shard 2/3 is there twice, {b} and {b}; leave"
    if name == "another seed":
        b.unlink()
        draw(b, shard="2/3", seed=1)
        return paths, f"{b} and {a} are of different runs: seed 1 and 0; join shards of one run"
    if name == "another number":
        b.unlink()
        draw(b, shard="2/4")
        return paths, f"{b} and {a} are of different runs: number of shards 4 and 3; join"
    if name == "a whole run":
        b.unlink()
        draw(b)
        return paths, f"{b} is no shard but a whole run; give files that were written with --shard"
    if name == "unfinished":
        b.write_bytes(b"".join(b.read_bytes().splitlines(keepends=True)[:6])[:-1])  # the last of 5 rows is cut
        return paths, f"{b}: shard 2/3 is unfinished, 4 of 8 rows; the command that wrote it goes on where it stopped"
    if name == "too long":
        b.write_bytes(b.read_bytes() + b.read_bytes().splitlines(keepends=True)[1])
        return paths, f"{b}: 9 rows where its run has 8; did two commands write there at once?"
    if name == "other rows":
        b.write_text('{"question": "?"}\n')
        return paths, f"{b}: its first record does not describe a sampling run or a scoring run; name a file"
    if name == "no file":
        b.unlink()
        return paths, f"{b}: no such file; in"
    return [], "no shards to join; name the files"


@pytest.mark.parametrize(
    "name",
    ["missing", "several missing", "twice", "twice the same file", "another seed", "another number", "a whole run",
     "unfinished", "too long", "other rows", "no file", "none"],
)  # fmt: skip
def test_what_is_amiss_is_one_line_and_nothing_is_written(name, tmp_path):
    given, told = amiss(name, drawn(tmp_path))
    (tmp_path / "out.jsonl").write_text("as it was")
    with pytest.raises(InputError) as error:
        join(given, tmp_path / "out.jsonl")
    assert str(error.value).startswith(told) and "\n" not in str(error.value)
    assert (tmp_path / "out.jsonl").read_text() == "as it was" and not list(tmp_path.glob("*.part"))


def test_a_shard_is_not_overwritten_by_the_whole(tmp_path):
    paths = drawn(tmp_path)
    before = paths[0].read_bytes()
    with pytest.raises(InputError, match="is one of the shards; name another file to write to"):
        join(paths, paths[0])
    with pytest.raises(InputError, match=r"joined samples are a \.jsonl file"):
        join(paths, tmp_path / "joined.parquet")
    assert paths[0].read_bytes() == before


# Scores ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(written, right):
    problems = generate(7, seed=2, split="evaluation")
    return written(
        *({"question": p.question, "solution": right(p), "answer": p.answer, "correct": True} for p in problems)
    )


@pytest.mark.parametrize("schema, ending", [("outcome", "jsonl"), ("process", "parquet")])
def test_joined_scores_are_those_of_a_whole_run(schema, ending, rows, base, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    model, given = files.new_model(schema, base), list(read_rows(rows))
    expected = files.score(model, given, rows, progress=False)
    paths = [tmp_path / f"{number}.jsonl" for number in (1, 2, 3)]
    for number, path in enumerate(paths, start=1):
        score_shard(lambda: model, "m", given, rows, path, f"{number}/3", progress=False)
    assert join(paths[::-1], tmp_path / f"joined.{ending}") == 7
    found = [row for _, row in read_rows(tmp_path / f"joined.{ending}")]
    assert [row["question"] for row in found] == [row["question"] for row in expected]
    assert [set(row) for row in found] == [set(row) for row in expected]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in expected], abs=1e-6)
    if schema == "process":
        for row, wanted in zip(found, expected, strict=True):
            assert row["step_scores"] == pytest.approx(wanted["step_scores"], abs=1e-6)


def test_scoring_goes_on_where_it_was_stopped_and_loads_no_model_when_done(rows, base, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    model, given, out = files.new_model("outcome", base), list(read_rows(rows)), tmp_path / "s.jsonl"
    assert score_shard(lambda: model, "m", given, rows, out, "1/1", progress=False) == 7
    whole, lines = out.read_text(), out.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"score": ', '"score":  ')  # a row that is not scored again keeps its spaces
    out.write_text("".join(lines[:4]) + lines[4][:20])
    score_shard(lambda: model, "m", given, rows, out, "1/1", progress=False)
    assert out.read_text() != whole and out.read_text().replace('"score":  ', '"score": ') == whole
    assert score_shard(None, "m", given, rows, out, "1/1", progress=False) == 7
    for changed in ({"name": "n"}, {"aggregate": "min"}, {"given": given[:-1]}):
        asked = {"name": "m", "given": given, "aggregate": "product"} | changed
        with pytest.raises(InputError, match="holds another run"):
            score_shard(None, asked["name"], asked["given"], rows, out, "1/1", asked["aggregate"], progress=False)


def test_scores_that_two_runs_wrote_are_refused(rows, base, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    model, given, out = files.new_model("outcome", base), list(read_rows(rows)), tmp_path / "s.jsonl"
    score_shard(lambda: model, "m", given, rows, out, "1/1", progress=False)
    whole, (header, *lines) = out.read_text(), out.read_text().splitlines(keepends=True)
    out.write_text("".join([header, *lines[:2], *lines[:2]]))
    with pytest.raises(
        InputError, match=r"s\.jsonl, row 4: another row than is to be scored in its place; did two runs"
    ):
        score_shard(None, "m", given, rows, out, "1/1", progress=False)
    out.write_text("".join([header, *lines[:2]]))  # what the remedy says
    score_shard(lambda: model, "m", given, rows, out, "1/1", progress=False)
    assert out.read_text() == whole


def test_shards_of_samples_and_of_scores_do_not_mix(rows, tmp_path, base):
    draw(tmp_path / "a.jsonl", shard="1/2")
    model = files.new_model("outcome", base)
    score_shard(lambda: model, "m", list(read_rows(rows)), rows, tmp_path / "b.jsonl", "2/2", progress=False)
    with pytest.raises(InputError, match="are of different runs: "):
        join([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out.jsonl")


def test_every_row_is_checked_before_one_is_scored(rows, tmp_path):
    found = list(read_rows(rows))
    write_rows([*(row for _, row in found), {"question": "?"}], rows)
    with pytest.raises(InputError, match="row 8: missing field 'solution'"):
        score_shard(None, "m", list(read_rows(rows)), rows, tmp_path / "s.jsonl", "1/4")
    assert not (tmp_path / "s.jsonl").exists()


def test_the_header_is_json_that_anything_can_read(tmp_path):
    first = drawn(tmp_path)[0].read_text().splitlines()[0]
    assert json.loads(first)["samples"]["shard"] == "1/3"
