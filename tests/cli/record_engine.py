"""Writes vllm.json: what vLLM really answers about three tiny models, for the tests. To be run by hand.

    PYTHONPATH=.:tests python tests/cli/record_engine.py /path/to/vllm "its versions, as the file shall tell them"

The server is started with the command that we print, and --dtype float32 --enforce-eager (no compilation).
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from served import KINDS, RECORD, SOLUTIONS, tiny
from tiny import QUESTION

from minrm.inference.engines import engine_command

PORT = 8199
URL = f"http://127.0.0.1:{PORT}"
EXTRA = ["--dtype", "float32", "--enforce-eager", "--host", "127.0.0.1", "--port", str(PORT), "--served-model-name"]


def ask(path, body=None):
    """Status and reply of one request."""
    data = json.dumps(body).encode() if body else None
    asked = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=120) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def record(vllm, name):
    """The exchanges about one model: as we ask, and as one may ask by mistake."""
    with tempfile.TemporaryDirectory() as folder:
        model = tiny(name)
        model.save_pretrained(folder)
        command = [vllm, *shlex.split(engine_command(model, folder))[1:], *EXTRA, name]
        process = subprocess.Popen(command, start_new_session=True)
        try:
            for _ in range(200):
                time.sleep(3)
                try:
                    _, listed = ask("/v1/models")
                    break
                except OSError:
                    assert process.poll() is None, "the server ended"
            rows = [ids for ids, _ in model.encode([QUESTION] * len(SOLUTIONS), SOLUTIONS)]
            task = "classify" if name == "bradley_terry" else "token_classify"
            usual = {"model": name, "input": rows, "task": task}
            bodies = [usual | {"use_activation": name != "bradley_terry"}, usual]
            bodies += [usual | {"use_activation": name == "bradley_terry"}, usual | {"input": [[5] * 600]}]
            bodies += [usual | {"task": "classify" if task != "classify" else "token_classify"}]
            exchanges = [{"path": "/pooling", "body": body, "reply": ask("/pooling", body)} for body in bodies]
            exchanges += [{"path": "/v1/score", "body": {"items": rows}, "reply": ask("/v1/score", {"items": rows})}]
            version = ask("/version")[1]["version"]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    models = {"data": [{"id": entry["id"]} for entry in listed["data"]]}
    options = [part if part != folder else "FOLDER" for part in command[1:]]
    return {"vllm": version, "command": shlex.join(["vllm", *options]), "models": models, "exchanges": exchanges}


if __name__ == "__main__":
    recorded = {"with": sys.argv[2]} | {name: record(sys.argv[1], name) for name in KINDS}
    RECORD.write_text(json.dumps(recorded) + "\n")
