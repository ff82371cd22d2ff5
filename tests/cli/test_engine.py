"""Scores from an engine are those of the model itself; what it reads otherwise is refused, and nothing is lost."""

import json
import shutil
import threading

import pytest
from served import KINDS, SOLUTIONS, recorded, rows, sglang, tiny, vllm
from servers import FakeServer
from tiny import QUESTION

from minrm.cli import scoring
from minrm.cli.engine import served
from minrm.cli.score import score
from minrm.errors import InputError
from minrm.rows import read_rows


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of each kind."""
    made = {name: tmp_path_factory.mktemp(name) for name in KINDS}
    for name, folder in made.items():
        tiny(name).save_pretrained(folder)
    return made


@pytest.fixture
def run(folders, written, tmp_path):
    """run(fake, kind, count, **options): the rows that minrm score writes."""

    def call(fake, name, count=3, out="s.jsonl", **options):
        given = written(*rows(count))
        score(str(folders[name]), given, tmp_path / out, endpoint=fake.url, progress=False, **options)
        return list(read_rows(tmp_path / out))

    return call


def raw(row):
    return row.get("step_scores", row["score"])


@pytest.mark.parametrize("name", KINDS)
def test_what_vllm_answered_gives_the_scores_of_the_model(name, folders):
    """The recorded replies themselves, over HTTP: minrm reads out of them what it computes here."""
    record = recorded()[name]
    asked, (status, reply) = record["exchanges"][0]["body"], record["exchanges"][0]["reply"]
    with FakeServer(lambda ask, number: (status, reply, {}), listing=(200, record["models"], {})) as fake:
        model = served(fake.url, str(folders[name]), KINDS[name])
        gap = model.check(tiny(name), [QUESTION] * len(SOLUTIONS), SOLUTIONS)
        assert [ask["body"] for ask in fake.seen] == [asked] and fake.seen[0]["path"] == "/pooling"
    assert gap < 2e-3


@pytest.mark.parametrize("name", KINDS)
def test_the_small_server_answers_as_vllm_did(name):
    record, answer = recorded()[name], vllm(tiny(name))
    for exchange in record["exchanges"]:
        path, (status, reply) = exchange["path"], exchange["reply"]
        if path != "/pooling":
            continue
        code, made, _ = answer(exchange, 0)
        assert code == status
        if status == 200:
            assert made.keys() <= reply.keys()
            assert [entry["index"] for entry in made["data"]] == [entry["index"] for entry in reply["data"]]
            for one, other in zip(made["data"], reply["data"], strict=True):
                flat, there = (json.dumps(entry["data"]).replace("[", "").replace("]", "") for entry in (one, other))
                assert list(map(float, flat.split(","))) == pytest.approx(list(map(float, there.split(","))), abs=5e-4)
            assert made["usage"]["prompt_tokens"] == reply["usage"]["prompt_tokens"]
        else:
            assert made["error"]["message"] in reply["error"]["message"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("engine", [vllm, sglang])
def test_scores_of_an_engine_are_those_of_the_model(engine, name, run, folders, written, tmp_path, caplog):
    if (engine, name) == (sglang, "orm"):
        with FakeServer(sglang(tiny(name))) as fake, pytest.raises(InputError, match="SGLang serves no outcome"):
            run(fake, name)
        return
    with FakeServer(engine(tiny(name))) as fake, caplog.at_level("INFO", "minrm"):
        scored = run(fake, name, 7)
        sent = [(ask["body"].get("input") or ask["body"]["items"])[0] for ask in fake.seen]
    assert {type(token) for ids in sent for token in ids} == {int}
    assert f"{engine.__name__}: 7 solutions score as with the weights" in caplog.text
    score(str(folders[name]), written(*rows(7)), tmp_path / "local.jsonl", progress=False)
    local = list(read_rows(tmp_path / "local.jsonl"))
    for one, other in zip(scored, local, strict=True):
        assert raw(one) == pytest.approx(raw(other), abs=5e-4)
        assert one["scored_by"] == other["scored_by"] == name
        assert "the server's" in one["scored_with"] and fake.url not in str(one)


def test_an_empty_solution_is_not_sent_and_pairs_get_two_scores(folders, written, tmp_path):
    model, given = tiny("bradley_terry"), {"prompt": QUESTION, "chosen": SOLUTIONS[0], "rejected": SOLUTIONS[1]}
    with FakeServer(vllm(model)) as fake:
        score(str(folders["bradley_terry"]), written(given), tmp_path / "p.jsonl", endpoint=fake.url, progress=False)
        (pair,) = read_rows(tmp_path / "p.jsonl")
        empty = written({"question": QUESTION, "solution": " "}, name="empty.jsonl")
        score(str(folders["bradley_terry"]), empty, tmp_path / "e.jsonl", endpoint=fake.url, progress=False)
        assert [row["score"] for row in read_rows(tmp_path / "e.jsonl")] == [None]
    expected = model.score([QUESTION] * 2, SOLUTIONS[:2])
    assert [pair["chosen_score"], pair["rejected_score"]] == pytest.approx(expected.tolist(), abs=5e-4)


@pytest.mark.parametrize("answered", [0, 1, 3])
def test_a_stopped_run_goes_on_and_nothing_is_asked_twice(answered, run, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "REQUEST", 2)
    right = vllm(tiny("prm"))
    with FakeServer(right) as fake:
        whole = run(fake, "prm", 11, "whole.jsonl", check=False)

    def fail(ask, number):
        return (401, {"error": {"message": "closed"}}, {}) if number >= answered else right(ask, number)

    with FakeServer(fail) as fake, pytest.raises(InputError, match="rows.jsonl: .*closed.*OPENAI_API_KEY"):
        run(fake, "prm", 11, check=False, concurrent=1)
    with FakeServer(right) as fake:
        assert run(fake, "prm", 11, check=False) == whole
        assert len(fake.seen) == 6 - answered
        asked = len(fake.seen)
        assert run(fake, "prm", 11, check=False) == whole and len(fake.seen) == asked  # a finished run asks nothing


def test_requests_are_under_way_together_and_rows_stay_in_order(run, monkeypatch):
    monkeypatch.setattr(scoring, "REQUEST", 1)
    three, model = threading.Barrier(3, timeout=20), vllm(tiny("bradley_terry"))

    def together(ask, number):
        if number in (1, 2, 3):  # the first goes alone
            three.wait()
        return model(ask, number)

    with FakeServer(together) as fake:
        scored = run(fake, "bradley_terry", 7, check=False, concurrent=3)
    expected = tiny("bradley_terry").score([QUESTION] * 7, [row["solution"] for row in rows(7)])
    assert [row["score"] for row in scored] == pytest.approx(expected.tolist(), abs=5e-4)


def swapped(reply, body):
    turned = [entry | {"data": [[1 - p for p in pair] for pair in entry["data"]]} for entry in reply["data"]]
    return reply | {"data": turned}


def cut(reply, body):
    return reply | {"usage": {"prompt_tokens": reply["usage"]["prompt_tokens"] - 1}}


def spoilt(reply, body):
    return reply | {"data": [entry | {"data": [float("nan")]} for entry in reply["data"]]}


TRAPS = {  # what a server may do → kind, its answers, what is told
    "a sigmoid": (
        "bradley_terry",
        lambda: vllm(tiny("bradley_terry"), activation=True),
        "returns a sigmoid of the rew",
    ),
    "logits": ("orm", lambda: vllm(tiny("orm"), activation=False), "but probabilities were asked for"),
    "another step tag": ("prm", lambda: vllm(tiny("prm"), step=7), "is it another model, or another step token"),
    "swapped labels": ("prm", lambda: vllm(tiny("prm"), change=swapped), "the probability of the other label"),
    "swapped classes": ("orm", lambda: vllm(tiny("orm"), change=swapped), "the probability of the other label"),
    "other weights": ("prm", lambda: vllm(tiny("prm", seed=1)), "returns scores of other weights"),
    "another reward": ("bradley_terry", lambda: vllm(tiny("bradley_terry", seed=1)), "returns scores of other weights"),
    "another kind": ("prm", lambda: vllm(tiny("bradley_terry")), "Try switching"),
    "fewer tokens": ("orm", lambda: vllm(tiny("orm"), change=cut), r"it read \d+ tokens of \d+ that were sent"),
    "not finite": ("bradley_terry", lambda: vllm(tiny("bradley_terry"), change=spoilt), "--dtype float32"),
    "nothing": ("orm", lambda: vllm(tiny("orm"), change=lambda reply, body: []), "no scores in"),
    "a page": ("prm", lambda: lambda ask, number: (200, "<html>", {}), "no scores in <html>"),
    "a row less": ("prm", lambda: vllm(tiny("prm"), change=lambda r, body: r | {"data": r["data"][1:]}), "numbers"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_what_a_server_reads_otherwise_is_refused_and_nothing_is_written(trap, run, folders, tmp_path):
    name, answer, told = TRAPS[trap]
    with FakeServer(answer()) as fake, pytest.raises(InputError, match=told) as error:
        run(fake, name, 9)
    assert "\n" not in str(error.value) and ("vllm serve" in str(error.value) or "serve-command" in str(error.value))
    assert not (tmp_path / "s.jsonl").exists()
    assert (tmp_path / "s.jsonl.unfinished.jsonl").read_bytes() == b""


@pytest.mark.parametrize("check", [True, False])
def test_a_row_that_the_server_refuses_is_named_and_the_rows_before_it_stay(
    check, folders, written, tmp_path, monkeypatch
):
    monkeypatch.setattr(scoring, "REQUEST", 2)
    some = rows(12)
    some[9]["solution"] += " 1" * 50
    options = {"check": check, "progress": False}
    told = r"rows.jsonl, row 10: .*maximum context length"
    with FakeServer(vllm(tiny("orm"), longest=150)) as fake, pytest.raises(InputError, match=told):
        score(str(folders["orm"]), written(*some), tmp_path / "s.jsonl", endpoint=fake.url, **options)
    stay = (tmp_path / "s.jsonl.unfinished.jsonl").read_text().count("\n")
    assert stay == (0 if check else 8)


def test_a_text_beyond_the_models_limit_is_not_sent(folders, written, tmp_path):
    given = written({"question": QUESTION, "solution": "6 " * 600})
    with FakeServer(vllm(tiny("orm"))) as fake, pytest.raises(InputError, match=r"row 1: \d+ tokens, but the model re"):
        options = {"endpoint": fake.url, "check": False, "progress": False}
        score(str(folders["orm"]), given, tmp_path / "s.jsonl", **options)
    assert fake.seen == []


def test_without_weights_here_the_scores_are_taken_on_trust_and_that_is_told(folders, written, tmp_path, caplog):
    bare = tmp_path / "bare"
    shutil.copytree(folders["prm"], bare, ignore=shutil.ignore_patterns("*.safetensors"))
    with FakeServer(vllm(tiny("prm"))) as fake:
        options = {"endpoint": fake.url, "progress": False}
        with pytest.raises(InputError, match="bare"):
            score(str(bare), written(*rows()), tmp_path / "s.jsonl", **options)
        score(str(bare), written(*rows()), tmp_path / "s.jsonl", **options, check=False)
    assert f"nothing is compared with the weights of {bare}" in caplog.text
    expected = tiny("prm").step_scores([QUESTION] * 3, SOLUTIONS)
    for row, steps in zip(read_rows(tmp_path / "s.jsonl"), expected, strict=True):
        assert row["step_scores"] == pytest.approx(steps.tolist(), abs=1e-5)


def test_a_head_that_is_not_plain_is_refused_with_the_reason(written, tmp_path):
    model = tiny("prm", "gemma2", head_dim=32)
    model.save_pretrained(tmp_path / "m")
    with FakeServer(vllm(model)) as fake, pytest.raises(InputError, match="Gemma2ForCausalLM caps or scales"):
        score(str(tmp_path / "m"), written(*rows()), tmp_path / "s.jsonl", endpoint=fake.url, progress=False)


def test_what_is_no_checkpoint_of_ours_or_has_a_precision_is_refused_before_anything_is_asked(written, tmp_path):
    given, options = written(*rows()), {"endpoint": "http://127.0.0.1:9", "progress": False}
    with pytest.raises(InputError, match="has a format of its own; --endpoint is for checkpoints that minrm trained"):
        score("Qwen/Qwen2.5-Math-PRM-7B", given, tmp_path / "s.jsonl", **options)
    with pytest.raises(InputError, match="--dtype is for a model that runs here"):
        score("m", given, tmp_path / "s.jsonl", dtype="float16", **options)
