"""Solutions from a server: the rows in order, a stopped run, what a server may refuse, what a user reads then."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from servers import FakeServer, complete, refuse

from minrm import shipped
from minrm.errors import InputError
from minrm.rows import read_rows
from minrm.text import final_answer
from minrm.world import generate

JSON = {"Content-Type": "application/json"}
SECRET = "sk-very-secret-9"


def test_rows_come_in_order_although_answers_do_not(draw, tmp_path):
    under_way, most, six = [], [], threading.Barrier(6)

    def slower_at_first(ask, number):
        under_way.append(number)
        most.append(len(under_way))
        if 0 < number < 7:  # the first goes alone
            six.wait()
        time.sleep(max(0, 8 - number) * 0.03 + 0.02)
        under_way.remove(number)

    with FakeServer(slower_at_first) as fake:
        rows = draw(fake, concurrent=6)
        assert len(fake.seen) == 15 and {ask["body"]["n"] for ask in fake.seen} == {1, 2} and max(most) == 6
    assert [(row["problem"], row["sample"]) for row in rows] == [(p, s) for p in range(5) for s in range(5)]
    assert all(f"Step: 1: {len(row['question']) + 1}\n" in row["solution"] for row in rows)  # its own question's answer
    assert len({row["solution"] for row in rows}) == 25  # each request has a seed of its own
    assert list(read_rows(tmp_path / "s.jsonl")) == rows


@pytest.mark.parametrize("chat", [False, True])
def test_the_prompt_goes_raw_to_completions_and_as_a_turn_to_chat(chat, draw):
    with FakeServer() as fake:
        rows = draw(fake, 3, chat=chat, batch_size=3, prompt="{x} Q: {question}\nA:", temperature=0.3, max_new_tokens=9)
        ask = fake.seen[0]
    text = "{x} Q: " + generate(1, seed=1)[0].question + "\nA:"
    assert ask["path"] == ("/v1/chat/completions" if chat else "/v1/completions")
    assert ask["body"].get("messages", ask["body"].get("prompt")) == (
        [{"role": "user", "content": text}] if chat else text
    )
    assert {"temperature": 0.3, "max_tokens": 9, "top_p": 1, "model": "m", "n": 3}.items() <= ask["body"].items()
    assert {(row["log_likelihood"], row["tokens"]) for row in rows} == {(-0.75, 2)} and len(fake.seen) == 5


@pytest.mark.parametrize("answered", [0, 1, 4, 7, 13])
def test_an_interrupted_run_goes_on_and_ends_in_the_same_file(answered, draw, tmp_path):
    with FakeServer() as fake:
        whole = draw(fake, path=tmp_path / "whole.jsonl")

    def fail(ask, number):
        return refuse(404, "out of order") if number >= answered else None

    with FakeServer(fail) as fake, pytest.raises(InputError, match="out of order"):
        draw(fake, concurrent=1)
    rows = list(read_rows(tmp_path / "s.jsonl"))
    assert rows == whole[: len(rows)] and bool(rows) == bool(answered)
    with open(tmp_path / "s.jsonl", "a") as file:  # and a kill in the middle of a write
        file.write(json.dumps(whole[len(rows)], ensure_ascii=False) + "\n" + '{"problem": ')
    with FakeServer() as fake:
        assert draw(fake) == whole
        assert len(fake.seen) == 15 - answered  # nothing is asked twice
        assert draw("http://127.0.0.1:9") == whole  # a whole file needs no server
        with pytest.raises(InputError, match="holds another run: its model is 'm', you asked for 'other'"):
            draw(fake, model="other")
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_question_that_is_refused_is_named_and_few_answers_are_lost_by_it(draw, tmp_path):
    def slow_then_refused(ask, number):
        if "is 12?" in ask["body"]["prompt"]:
            time.sleep(0.5)
            return refuse(400, "prompt too long")

    questions = [f"How many is {k}?" for k in range(60)]
    with FakeServer(slow_then_refused) as fake, pytest.raises(InputError, match=r"question 13: 400 .*prompt too"):
        draw(fake, 1, questions=questions, concurrent=4)
    assert len(list(read_rows(tmp_path / "s.jsonl"))) == 12
    others = [ask["body"] for ask in fake.seen if "is 12?" not in ask["body"]["prompt"]]
    assert len(others) <= 12 + 8  # asked for ahead: twice as many as are under way
    assert all("logprobs" in body for body in others)  # what the refused question lost, the others keep


def test_a_server_that_decodes_greedily_is_told_of(draw, caplog, tmp_path):
    def same(ask, number):
        return complete(ask | {"body": ask["body"] | {"seed": 1}}, n=1)

    with FakeServer(same) as fake:
        draw(fake)
        assert "all samples of each problem are equal at temperature 0.7" in caplog.text
        caplog.clear()
        draw(fake, temperature=0, path=tmp_path / "greedy.jsonl")
        draw(fake, 1, path=tmp_path / "one.jsonl")
    assert not caplog.messages


@pytest.mark.parametrize(
    "chat, changes",
    [
        (True, {"message": {"role": "assistant", "content": None}, "finish_reason": "length"}),
        (True, {"message": {"role": "assistant", "content": None, "tool_calls": []}, "finish_reason": "tool_calls"}),
        (True, {"message": {"role": "assistant", "content": " \n"}, "finish_reason": "stop"}),
        (False, {"text": "", "finish_reason": "content_filter"}),
    ],
)
def test_a_solution_that_the_server_withholds_is_counted(chat, changes, draw, caplog):
    with FakeServer(lambda ask, number: complete(ask, **changes) if number == 1 else None) as fake:
        rows = draw(fake, 2, chat=chat, concurrent=1)
    assert [row["solution"].strip() == "" for row in rows] == [False] * 2 + [True] * 2 + [False] * 6
    told = f"2 of 10 solutions of the server are empty (finish_reason: {changes['finish_reason']} 2): filtered, a call"
    assert told in caplog.text and "does the server sample?" not in caplog.text


def test_solutions_that_are_all_empty_say_nothing_about_sampling(draw, caplog):
    with FakeServer(lambda ask, number: complete(ask, text="", finish_reason="content_filter")) as fake:
        draw(fake, 2)
    assert "10 of 10 solutions of the server are empty (finish_reason: content_filter 10)" in caplog.text
    assert "does the server sample?" not in caplog.text


@pytest.mark.parametrize(
    "message", ["Unsupported parameter: 'n'", "n must be 1 when using greedy sampling", "\n no, \\n not so", None]
)
def test_where_n_is_refused_there_is_one_request_a_sample(message, draw):
    """Named in the message (vLLM does so for greedy sampling), in none, or passed over (transformers serve)."""

    def answer(ask, number):
        if message is None:
            return complete(ask, n=1)
        return refuse(400, message) if ask["body"].get("n", 1) > 1 else None

    with FakeServer(answer) as fake:
        rows = draw(fake, 3, batch_size=3, questions=["?", "!"])
    assert [row["solution"].split()[-1] for row in rows] == list("012345")  # each with a seed of its own
    assert all("n" not in ask["body"] and "logprobs" in ask["body"] for ask in fake.seen[-3:])  # not tried again


@pytest.mark.parametrize("status, message, requests", [(400, "logprobs is not supported", 2), (422, "sorry", 5)])
def test_where_likelihoods_are_refused_they_are_none(status, message, requests, draw):
    with FakeServer(lambda ask, number: refuse(status, message) if "logprobs" in ask["body"] else None) as fake:
        rows = draw(fake, 3, batch_size=3, questions=["?"])
    assert [row["log_likelihood"] for row in rows] == [None] * 3 and len(fake.seen) == requests


@pytest.mark.parametrize("logprobs, expected", [
    ({"token_logprobs": [None, -0.5]}, (None, 7)), (None, (None, 7)), ({"token_logprobs": [-0.25, -0.5]}, (-0.75, 2)),
])  # fmt: skip
def test_a_likelihood_with_a_gap_is_none_and_one_choice_takes_its_length_from_usage(logprobs, expected, draw):
    with FakeServer(lambda ask, number: complete(ask, text="a\ud83d", logprobs=logprobs)) as fake:
        (row,) = draw(fake, 1, questions=["?"])
    assert (row["log_likelihood"], row["tokens"]) == expected and row["solution"] == "a?"  # half a character


@pytest.fixture(scope="module")
def serve():
    """The address of `transformers serve` with the shipped policy, on a free port of loopback."""
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason=f"transformers serve needs {package}")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(shipped("policy"))]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health"):
                    break
            except OSError:
                assert process.poll() is None, "transformers serve ended"
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def test_a_real_transformers_serve_solves_problems_of_the_world(serve, draw, tmp_path):
    """It ignores n and logprobs, and samples only if told so beside the temperature. Greedy, it writes what we do."""
    from minrm import sample

    problems, policy = generate(6, seed=3, split="evaluation"), str(shipped("policy"))
    options = {"model": policy, "questions": [problem.question for problem in problems], "max_new_tokens": 100}
    sampling = json.dumps({"eos_token_id": 0, "pad_token_id": 0, "do_sample": True, "top_k": 0})
    rows = draw(serve, 4, temperature=1, fields={"generation_config": sampling}, concurrent=4, **options)
    assert [(row["problem"], row["sample"]) for row in rows] == [(p, s) for p in range(6) for s in range(4)]
    assert all(row["log_likelihood"] is None and 0 < row["tokens"] <= 100 for row in rows)
    assert len({row["solution"] for row in rows}) > 6  # they differ within a problem
    right = [final_answer(row["solution"]) == problems[row["problem"]].answer for row in rows]
    assert sum(right) >= 6  # of 24, of which the policy gets about 14; by chance it would be one
    greedy = draw(serve, 1, temperature=0, path=tmp_path / "greedy.jsonl", **options)
    ours = sample(policy, options["questions"], 1, max_new_tokens=100, temperature=0, progress=False)
    same = [a["solution"] == b["solution"] for a, b in zip(greedy, ours, strict=True)]
    assert (
        sum(same) >= 4
    )  # it computes in half precision, and of two opening words, about as likely, it may take the other
    assert [final_answer(row["solution"]) for row in greedy] == [final_answer(row["solution"]) for row in ours]


def test_a_real_server_names_what_it_refuses(serve, draw):
    with pytest.raises(InputError, match=r"Server is pinned to '.*'; requested 'nobody'"):
        draw(serve, model="nobody")
    with pytest.raises(InputError, match=r"Unexpected fields in the request: \{'top_k'\}"):
        draw(serve, model=str(shipped("policy")), fields={"top_k": 1})
