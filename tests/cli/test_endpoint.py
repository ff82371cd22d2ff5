"""Solutions from a server: the rows, their order, their file; going on after an interruption; a real engine."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from servers import FakeServer, complete, refuse

from minrm import shipped
from minrm.cli.endpoint import sample_from
from minrm.cli.preparing import prepare
from minrm.errors import InputError
from minrm.run_files import read_samples
from minrm.shards import join
from minrm.text import final_answer
from minrm.world import generate

QUESTIONS = [problem.question for problem in generate(5, seed=1)]


def draw(fake, n=5, **options):
    options = {"batch_size": 2, "progress": False, "retries": 3} | options
    return sample_from(fake.url, "m", options.pop("questions", QUESTIONS), n, **options)


def test_rows_come_in_order_although_answers_do_not(tmp_path):
    def slower_at_first(ask, number):
        time.sleep(max(0, 8 - number) * 0.03)

    with FakeServer(slower_at_first) as fake:
        rows = draw(fake, path=tmp_path / "s.jsonl", concurrent=6)
        assert len(fake.seen) == 15 and {ask["body"].get("n", 1) for ask in fake.seen} == {1, 2}
    assert [(row["problem"], row["sample"]) for row in rows] == [(p, s) for p in range(5) for s in range(5)]
    assert all(row["question"] == QUESTIONS[row["problem"]] for row in rows)
    assert all(f"Step: 1: {len(row['question']) + 1}\n" in row["solution"] for row in rows)  # its own question's answer
    assert read_samples(tmp_path / "s.jsonl")[1] == rows


def test_requests_are_under_way_at_the_same_time_and_no_more_than_asked_for():
    under_way, most = [], []

    def count(ask, number):
        under_way.append(number)
        most.append(len(under_way))
        time.sleep(0.05)
        under_way.remove(number)

    with FakeServer(count) as fake:
        draw(fake, concurrent=3)
    assert max(most) == 3


def test_each_request_has_a_seed_of_its_own_that_the_run_decides():
    def seeds(**options):
        with FakeServer() as fake:
            draw(fake, **options)
            return [ask["body"]["seed"] for ask in sorted(fake.seen, key=lambda ask: str(ask["body"]["seed"]))]

    assert seeds() == seeds() and len(set(seeds())) == 15 and not set(seeds()) & set(seeds(seed=1))


def test_the_prompt_goes_raw_to_completions_and_as_a_turn_to_chat():
    for chat in (False, True):
        with FakeServer() as fake:
            rows = draw(fake, 1, chat=chat, prompt="{x} Q: {question}\nA:", temperature=0.3, max_new_tokens=9)
            ask = min(fake.seen, key=lambda ask: ask["at"])
        text = "{x} Q: " + QUESTIONS[0] + "\nA:"
        assert ask["path"] == ("/v1/chat/completions" if chat else "/v1/completions")
        assert ask["body"].get("messages", ask["body"].get("prompt")) == (
            [{"role": "user", "content": text}] if chat else text
        )
        assert {"temperature": 0.3, "max_tokens": 9, "top_p": 1, "model": "m"}.items() <= ask["body"].items()
        assert rows[0]["log_likelihood"] == -0.75 and rows[0]["tokens"] == 2


def test_fields_are_added_to_each_request_or_take_the_place_of_ours(tmp_path):
    with FakeServer() as fake:
        draw(fake, 1, fields={"top_k": -1, "max_tokens": None, "top_p": 0.9}, path=tmp_path / "s.jsonl")
    assert all(ask["body"]["top_k"] == -1 and ask["body"]["top_p"] == 0.9 for ask in fake.seen)
    assert not any("max_tokens" in ask["body"] for ask in fake.seen)
    assert read_samples(tmp_path / "s.jsonl")[0]["fields"]["top_k"] == -1


@pytest.mark.parametrize("answered", [0, 1, 4, 7, 13])
def test_an_interrupted_run_goes_on_and_ends_in_the_same_file(answered, tmp_path):
    with FakeServer() as fake:
        whole = draw(fake, path=tmp_path / "whole.jsonl")

    def fail(ask, number):
        return refuse(400, "out of order") if number >= answered else None

    with FakeServer(fail) as fake, pytest.raises(InputError, match="out of order"):
        draw(fake, path=tmp_path / "s.jsonl", concurrent=1)
    kept = read_samples(tmp_path / "s.jsonl")[1] if answered else []
    assert kept == whole[: len(kept)] and (tmp_path / "s.jsonl").exists() == bool(answered)
    if answered:  # and a kill in the middle of a write
        with open(tmp_path / "s.jsonl", "a") as file:
            file.write(json.dumps(whole[len(kept)], ensure_ascii=False) + "\n" + '{"problem": ')
    with FakeServer() as fake:
        assert draw(fake, path=tmp_path / "s.jsonl") == whole
        assert len(fake.seen) == 15 - answered  # nothing is asked twice
        again = draw(fake, path=tmp_path / "s.jsonl")
        assert again == whole and len(fake.seen) == 15 - answered
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_question_that_is_refused_is_named_and_few_answers_are_lost_by_it(tmp_path):
    questions = [f"How many is {k}?" for k in range(60)]

    def slow_then_refused(ask, number):
        if "is 12?" in ask["body"]["prompt"]:
            time.sleep(0.5)
            return refuse(400, "prompt too long")
        return None

    with FakeServer(slow_then_refused) as fake, pytest.raises(InputError, match=r"refuses question 13 \(400: prompt"):
        draw(fake, 1, questions=questions, path=tmp_path / "s.jsonl", concurrent=4)
    assert len(read_samples(tmp_path / "s.jsonl")[1]) == 12
    others = {ask["body"]["prompt"] for ask in fake.seen if "is 12?" not in ask["body"]["prompt"]}
    assert len(others) <= 12 + 8  # asked for ahead: twice as many as are under way


def test_a_file_that_two_runs_wrote_is_refused(tmp_path):
    path = tmp_path / "s.jsonl"
    with FakeServer() as fake:
        draw(fake, path=path)
        lines = path.read_text().splitlines(keepends=True)
        for text, told in (
            (lines[:8] + lines[7:], "26 rows where its run has 25; did two commands write there at once"),
            (lines[:8] + lines[7:10], r"row 9: sample 1 of problem 1 where sample 2 of problem 1 belongs"),
            (lines[:1] + lines, "26 rows where its run has 25"),
            (lines[:1] + lines[:7], r"row 2: no sample where sample 0 of problem 0 belongs"),
            ([*lines[:3], "[1]\n", *lines[4:7]], r"row 4: no sample where sample 2 of problem 0 belongs"),
            (lines[:7] + lines[8:], r"row 8: sample 2 of problem 1 where sample 1 of problem 1 belongs"),
        ):
            path.write_text("".join(text))
            with pytest.raises(InputError, match=told):
                draw(fake, path=path)
            assert path.read_text() == "".join(text)
        for k in (1, 2):
            draw(fake, path=tmp_path / f"{k}.jsonl", shard=f"{k}/2")
    second = (tmp_path / "2.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "2.jsonl").write_text("".join([*second[:-1], second[-2]]))
    with pytest.raises(InputError, match=r"2\.jsonl, row 14: sample 3 of problem 4 where sample 4 of"):
        join([tmp_path / "1.jsonl", tmp_path / "2.jsonl"], tmp_path / "whole.jsonl")


def test_shards_joined_are_the_file_of_a_whole_run(tmp_path):
    with FakeServer() as fake:
        draw(fake, path=tmp_path / "whole.jsonl")
        for k in (1, 2, 3, 4):
            draw(fake, path=tmp_path / f"{k}.jsonl", shard=f"{k}/4")
        assert len(fake.seen) == 30
    join([tmp_path / f"{k}.jsonl" for k in (4, 1, 3, 2)], tmp_path / "joined.jsonl")
    assert (tmp_path / "joined.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_rows_without_likelihoods_become_training_rows(tmp_path):
    with FakeServer(lambda ask, number: complete(ask, logprobs=False)) as fake:
        rows = draw(fake, path=tmp_path / "s.jsonl")
    assert all(row["log_likelihood"] is None for row in rows)
    found = list(prepare("samples", tmp_path / "s.jsonl", "outcome", None, {}))
    assert [row["question"] for row in found] == [row["question"] for row in rows]
    steps = list(prepare("samples", tmp_path / "s.jsonl", "process", None, {}))
    assert len(steps) == 25 and all(len(row["labels"]) == 1 for row in steps)


def test_a_server_that_decodes_greedily_is_told_of(caplog):
    def same(ask, number):
        return complete(ask | {"body": ask["body"] | {"seed": 1}}, n=1)

    with FakeServer(same) as fake:
        draw(fake)
        assert "all solutions of a problem are equal at temperature 0.7" in caplog.text
        caplog.clear()
        draw(fake, temperature=0)
        draw(fake, 1)
    assert not caplog.messages


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def serve():
    """`transformers serve` with the shipped policy on a free port of loopback: its address."""
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason=f"transformers serve needs {package}")
    port = free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(shipped("policy"))]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.time() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=5):
                    break
            except OSError:
                assert process.poll() is None, "transformers serve ended"
                assert time.time() < deadline, "transformers serve does not answer"
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_a_real_transformers_serve_solves_problems_of_the_world(serve, tmp_path):
    """It ignores n and logprobs, and samples only if told so beside the temperature. Greedy, it writes what we do."""
    problems = generate(6, seed=3, split="evaluation")
    questions = [problem.question for problem in problems]
    policy = str(shipped("policy"))
    end = {"eos_token_id": 0, "pad_token_id": 0}
    sampling = {"generation_config": json.dumps(end | {"do_sample": True, "top_k": 0})}
    options = {"max_new_tokens": 100, "progress": False, "fields": sampling, "temperature": 1}
    rows = sample_from(serve, policy, questions, 4, path=tmp_path / "s.jsonl", concurrent=4, **options)
    assert [(row["problem"], row["sample"]) for row in rows] == [(p, s) for p in range(6) for s in range(4)]
    assert all(row["log_likelihood"] is None and 0 < row["tokens"] <= 100 for row in rows)
    assert len({row["solution"] for row in rows}) > 6  # they differ within a problem
    right = [final_answer(row["solution"]) == problems[row["problem"]].answer for row in rows]
    assert sum(right) >= 6  # of 24, of which the policy gets about 14; by chance it would be one
    assert len(list(prepare("samples", tmp_path / "s.jsonl", "outcome", None, {}))) == 24

    from minrm import sample

    greedy = sample_from(serve, policy, questions, 1, max_new_tokens=100, temperature=0, progress=False)
    ours = sample(policy, questions, 1, max_new_tokens=100, temperature=0, progress=False)
    assert [row["solution"] for row in greedy] == [row["solution"] for row in ours]


def test_a_real_server_names_what_it_refuses(serve):
    with pytest.raises(InputError, match=r"refuses question 1 \(400: Server is pinned to '.*'; requested 'nobody'"):
        sample_from(serve, "nobody", QUESTIONS, 2, progress=False)
    with pytest.raises(InputError, match=r"Unexpected fields in the request: \{'top_k'\}"):
        sample_from(serve, str(shipped("policy")), QUESTIONS, 2, fields={"top_k": 1}, progress=False)
