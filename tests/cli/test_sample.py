import json
import signal
import subprocess
import sys
import time

import pytest
from servers import FakeServer

from minrm.cli import __main__ as cli
from minrm.cli.sample import sample
from minrm.rows import read_rows

SECRET = "sk-very-secret-9"


def test_a_server_solves_what_a_file_asks(written, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    questions, out = written(*({"question": f"{k} + {k}?"} for k in range(3))), tmp_path / "s.jsonl"
    fields = ["top_k=-1", "top_p=0.9", "max_tokens=null", "note=as it is", 'chat_template_kwargs={"think": false}']
    with FakeServer() as fake:
        server = {"endpoint": fake.url, "model": "m", "chat": True, "field": fields, "concurrent": 1}
        sample(out, questions, n=2, prompt="{question}\\nAnswer.", progress=False, **server)
    said = capsys.readouterr()
    assert said.out == f"{out}: 6 solutions of 3 problems\n" and said.err == ""
    body = fake.seen[0]["body"]
    assert "max_tokens" not in body and body["top_p"] == 0.9  # ours, left out or replaced
    assert body["top_k"] == -1 and body["note"] == "as it is"
    assert body["chat_template_kwargs"] == {"think": False} and body["messages"][0]["content"] == "0 + 0?\nAnswer."
    assert fake.seen[0]["headers"]["Authorization"] == f"Bearer {SECRET}"
    settings = (tmp_path / "s.settings.json").read_text()
    assert json.loads(settings)["model"] == "m" and SECRET not in settings + out.read_text()
    assert [row["sample"] for row in read_rows(out)] == [0, 1] * 3


def test_a_key_that_is_sent_as_a_field_is_not_stored(tmp_path):
    fields = [f"api_key={SECRET}", f'extra={{"Authorization": "Bearer {SECRET}"}}', "max_tokens=7", "top_k=-1"]
    with FakeServer() as fake:
        server = {"endpoint": fake.url, "model": "m", "field": fields}
        sample(tmp_path / "s.jsonl", world=1, n=1, progress=False, **server)
    assert fake.seen[0]["body"]["api_key"] == SECRET
    stored = json.loads((tmp_path / "s.settings.json").read_text())["fields"]
    assert stored == {"api_key": "…", "extra": {"Authorization": "…"}, "max_tokens": 7, "top_k": -1}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--endpoint", "", "--model", "m"], "--endpoint is empty; is the variable set that it comes from?"),
        (["--endpoint", "http://127.0.0.1:9", "--model", " "], "--model is empty; is the variable set"),
        (["--chat"], "--chat and --set need --endpoint, a server"),
        (["--endpoint", "http://x", "--model", "m", "--dtype", "float32"], "--dtype is for a model that runs"),
        (["--endpoint", "http://127.0.0.1:9", "--model", "m"], "refused; start the server there, mend the address"),
        (["--endpoint", "nowhere", "--model", "m"], "the endpoint is no address"),
        (["--endpoint", "http://x", "--set", "top_k"], "--set top_k: a field is name=value"),
        (["--endpoint", "http://x", "--concurrent", "0"], "Invalid value for '--concurrent'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_line(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["sample", "--world", "2", "-o", str(tmp_path / "s.jsonl"), *arguments])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("minrm: ") and said.count("\n") == 1 and message in said
    assert not list(read_rows(tmp_path / "s.jsonl")) if (tmp_path / "s.jsonl").exists() else True


def test_a_server_that_is_named_without_a_model_says_which_it_has(tmp_path, capsys):
    with FakeServer(models=("a", "b")) as fake, pytest.raises(SystemExit):
        cli.main(["sample", "--world", "2", "-o", str(tmp_path / "s.jsonl"), "--endpoint", fake.url])
    assert "name the model, one of a, b" in capsys.readouterr().err


def test_ctrl_c_does_not_wait_for_answers_and_says_how_to_go_on(tmp_path):
    def hang(ask, number):
        time.sleep(3600 if number >= 2 else 0)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what runs in the background
    path = tmp_path / "s.jsonl"
    with FakeServer(hang) as fake:
        given = ["sample", "--world", "5", "--n", "2", "--concurrent", "2", "--no-progress", "--endpoint", fake.url]
        command = [sys.executable, "-m", "minrm.cli", *given, "--model", "m", "-o", str(path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while len(fake.seen) < 4 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130 and said == "minrm: stopped; give the same command again to go on\n"
    assert len(list(read_rows(path))) >= 2


def test_a_precision_can_be_asked_for(tmp_path):
    out = tmp_path / "s.jsonl"
    sample(out, world=2, n=2, max_new_tokens=60, progress=False, dtype="bfloat16")
    assert json.loads((tmp_path / "s.settings.json").read_text())["dtype"] == "bfloat16"
    assert len(list(read_rows(out))) == 4
