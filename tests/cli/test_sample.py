import json
import os
import signal
import subprocess
import sys
import time

import pytest
from minrm.run_files import read_samples
from servers import FakeServer, refuse

from minrm.cli import app as cli
from minrm.rows import read_rows, write_rows


def run(*arguments, capsys, code=0):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert end.value.code == code, said
    return said


def test_shards_are_sampled_joined_scored_joined_and_evaluated(base, tmp_path, monkeypatch, capsys):
    """The way of many machines beside that of one: the same samples, the same scores."""
    from minrm.cli import files

    monkeypatch.chdir(tmp_path)
    files.new_model("outcome", base).save_pretrained("orm")
    given = ["--world", "6", "--n", "4", "--batch-size", "5", "--max-new-tokens", "60", "--no-progress"]
    run("sample", *given, "-o", "whole.jsonl", capsys=capsys)
    for k in (1, 2, 3):
        said = run("sample", *given, "--shard", f"{k}/3", "-o", f"part-{k}.jsonl", capsys=capsys)
        assert said.out == f"part-{k}.jsonl: {[5, 10, 9][k - 1]} of 24 solutions, shard {k}/3, of 6 problems\n"
    said = run("join", "part-2.jsonl", "part-3.jsonl", "part-1.jsonl", "-o", "samples.jsonl", capsys=capsys)
    assert said.out == "samples.jsonl: 24 rows of 3 shards\n"
    assert (tmp_path / "samples.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    run("prepare", "samples.jsonl", "--source", "samples", "-o", "test.jsonl", capsys=capsys)
    run("score", "orm", "test.jsonl", "-o", "scored.jsonl", "--no-progress", capsys=capsys)
    for k in (1, 2):
        said = run(
            "score", "orm", "test.jsonl", "-o", f"s{k}.jsonl", "--shard", f"{k}/2", "--no-progress", capsys=capsys
        )
        assert said.out == f"s{k}.jsonl: shard {k}/2, 12 of 24 rows scored by orm\n"
    said = run("evaluate", "s1.jsonl", code=2, capsys=capsys)
    assert (
        said.err == "minrm: s1.jsonl is one shard of scored rows; put all together with minrm join, and evaluate that\n"
    )
    run("join", "s1.jsonl", "s2.jsonl", "-o", "joined.parquet", capsys=capsys)
    one, many = (dict(read_rows(tmp_path / name)) for name in ("scored.jsonl", "joined.parquet"))
    assert [row["solution"] for row in one.values()] == [row["solution"] for row in many.values()]
    assert [row["score"] for row in many.values()] == pytest.approx([row["score"] for row in one.values()], abs=1e-6)
    assert "\nORM " in run("evaluate", "joined.parquet", capsys=capsys).out


def test_a_server_solves_what_a_file_asks(tmp_path, capsys):
    write_rows([{"question": f"{k} + {k}?"} for k in range(3)], tmp_path / "q.jsonl")
    with FakeServer() as fake:
        given = ["--endpoint", fake.url, "--model", "m", "--n", "2", "--no-progress", "-o", tmp_path / "s.jsonl"]
        said = run(
            "sample", tmp_path / "q.jsonl", *given, "--chat", "--prompt", "{question}\\nAnswer.", "--set", "top_k=-1",
            "--set", "stop=null", "--set", "note=as it is", "--set", 'chat_template_kwargs={"think": false}',
            capsys=capsys,
        )  # fmt: skip
    assert said.out == f"{tmp_path / 's.jsonl'}: 6 solutions of 3 problems\n" and said.err == ""
    body = min(fake.seen, key=lambda ask: ask["at"])["body"]
    assert body["top_k"] == -1 and "stop" not in body and body["note"] == "as it is"
    assert body["chat_template_kwargs"] == {"think": False} and body["messages"][0]["content"] == "0 + 0?\nAnswer."
    header, rows = read_samples(tmp_path / "s.jsonl")
    assert header["model"] == "m" and header["batch_size"] == 16 and [row["sample"] for row in rows] == [0, 1] * 3


def test_an_endpoint_may_be_sharded(tmp_path, capsys):
    with FakeServer() as fake:
        given = ["sample", "--world", "3", "--n", "2", "--endpoint", fake.url, "--model", "m", "--no-progress"]
        run(*given, "--shard", "2/3", "-o", tmp_path / "s.jsonl", capsys=capsys)
    assert [row["problem"] for row in read_samples(tmp_path / "s.jsonl")[1]] == [1, 1]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["sample", "--world", "2", "--shard", "3/2"], "shard is '3/2'; wanted K/N, the K-th of N parts"),
        (["sample", "--world", "2", "--shard", "half"], "shard is 'half'; wanted K/N"),
        (["score", "policy", "rows.jsonl", "--shard", "0/2"], "shard is '0/2'; wanted K/N"),
        (["score", "no-such-model", "rows.jsonl", "--shard", "2/2"], "neither a folder"),
        (["sample", "--world", "2", "--chat"], "--chat is for a server; give its address with --endpoint"),
        (["sample", "--world", "2", "--set", "top_k=1"], "--set is for a server; give its address with --endpoint"),
        (["sample", "--world", "2", "--endpoint", "http://127.0.0.1:9", "--model", "m"], ":9/v1: nothing answers"),
        (["sample", "--world", "2", "--endpoint", "nowhere", "--model", "m"], "endpoint 'nowhere' is no address"),
        (["sample", "--world", "2", "--endpoint", "http://x", "--set", "top_k"], "--set top_k: a field is name=value"),
        (["sample", "--world", "2", "--endpoint", "http://x", "--concurrent", "0"], "concurrent is 0; wanted"),
        (["join", "rows.jsonl"], "rows.jsonl: its first record does not describe a sampling run or a scoring run"),
        (["join", "none.jsonl"], "none.jsonl: no such file"),
        (["join"], "Missing argument"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_nothing_is_written(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows([{"question": "?", "solution": "!"}], "rows.jsonl")
    said = run(*arguments, "-o", "s.jsonl", code=2, capsys=capsys)
    assert not (tmp_path / "s.jsonl").exists()
    assert told in said.err and said.err.startswith("minrm: ") and said.err.count("\n") == 1


def test_the_key_is_in_no_file_and_on_no_screen(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-9")
    given = ["sample", "--world", "2", "--model", "m", "--n", "2", "--no-progress", "-o", tmp_path / "s.jsonl"]
    with FakeServer() as fake:
        said = run(*given, "--endpoint", fake.url, capsys=capsys)
    assert fake.seen[0]["headers"]["Authorization"] == "Bearer sk-very-secret-9"
    with FakeServer(lambda ask, number: refuse(401, "no sk-very-secret-9 here")) as fake:
        refused = run(*given[:-1], tmp_path / "t.jsonl", "--endpoint", fake.url, code=2, capsys=capsys)
    assert "the key in OPENAI_API_KEY is refused" in refused.err
    for text in (*said, *refused, (tmp_path / "s.jsonl").read_text()):
        assert "secret" not in text


def test_ctrl_c_does_not_wait_for_answers_and_says_how_to_go_on(tmp_path):
    def hang(ask, number):
        time.sleep(60 if number >= 2 else 0)

    path = tmp_path / "s.jsonl"
    with FakeServer(hang) as fake:
        given = ["sample", "--world", "5", "--n", "2", "--concurrent", "2", "--no-progress", "--endpoint", fake.url]
        process = subprocess.Popen(
            [sys.executable, "-c", "from minrm.cli import main; main()", *given, "--model", "m", "-o", str(path)],
            stderr=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip
        deadline = time.time() + 60
        while len(fake.seen) < 4 and time.time() < deadline:
            time.sleep(0.02)
        started = time.time()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert time.time() - started < 15 and process.returncode == 130
    assert said == "minrm: stopped; the same command goes on from there\n"
    assert json.loads(path.read_text().splitlines()[0])["samples"]["n"] == 2 and len(read_samples(path)[1]) >= 2


def test_a_precision_can_be_asked_for(base, tmp_path, monkeypatch, capsys):
    from minrm.cli import files

    monkeypatch.chdir(tmp_path)
    files.new_model("outcome", base).save_pretrained("orm")
    given = ["--world", "2", "--n", "2", "--max-new-tokens", "60", "--no-progress", "--dtype", "bfloat16"]
    run("sample", *given, "-o", "s.jsonl", capsys=capsys)
    assert read_samples("s.jsonl")[0]["dtype"] == "bfloat16"
    run("prepare", "s.jsonl", "--source", "samples", "-o", "test.jsonl", capsys=capsys)
    scores = []
    for dtype in ("float32", "bfloat16"):
        run("score", "orm", "test.jsonl", "-o", f"{dtype}.jsonl", "--no-progress", "--dtype", dtype, capsys=capsys)
        scores.append([row["score"] for _, row in read_rows(tmp_path / f"{dtype}.jsonl")])
    assert scores[0] != scores[1] and scores[0] == pytest.approx(scores[1], abs=0.02)
    said = run("score", "orm", "test.jsonl", "-o", "x.jsonl", "--dtype", "int8", capsys=capsys, code=2)
    assert "it can be float32, bfloat16 or float16" in said.err
    said = run("sample", *given, "-o", "x.jsonl", "--endpoint", "http://x", capsys=capsys, code=2)
    assert "--dtype is for a model that runs here" in said.err
