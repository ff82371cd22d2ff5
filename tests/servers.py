"""A small server on loopback that speaks as much of OpenAI's API as we use, and errs when it is told to."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(ThreadingHTTPServer):
    """A server that prints nothing about a client that hung up, since another test reads stderr."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class FakeServer:
    """`with FakeServer(answer) as fake`: fake.url, and fake.seen, a list of requests (path, body, headers).

    answer(ask, number) gives (status, JSON or text, headers) for the request of that number, from 0; None for what
    `complete` says; "drop" hangs up. models: what /v1/models lists; listing: its whole answer instead.
    """

    def __init__(self, answer=lambda ask, number: None, models=("m",), listing=None):
        self.answer, self.seen, self.lock = answer, [], threading.Lock()
        self.listing = listing or (200, {"object": "list", "data": [{"id": name} for name in models]}, {})

    def __enter__(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(*fake.listing)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ask = {"path": self.path, "body": body, "headers": self.headers}
                with fake.lock:
                    number = len(fake.seen)
                    fake.seen.append(ask)
                answer = fake.answer(ask, number)
                if answer == "drop":
                    self.connection.close()
                else:
                    self.reply(*(answer or complete(ask)))

            def reply(self, status, content, headers):
                text = isinstance(content, str)
                data = (content if text else json.dumps(content)).encode()
                headers = {"Content-Type": "text/html" if text else "application/json", **headers}
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(data))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def complete(ask, n=None, **changes):
    """An answer as an engine gives it: each text has the seed in it; two tokens, of -0.25 and -0.5 nats.

    changes: of every choice, such as finish_reason.
    """
    body, chat = ask["body"], ask["path"].endswith("/chat/completions")
    prompt = body["messages"][-1]["content"] if chat else body["prompt"]
    choices = []
    for index in range(n or body.get("n", 1)):
        text = f"Step: 1: {len(prompt)}\n\n# Answer\n\n{body.get('seed', 0) + index}"
        choice = {"index": index, "finish_reason": "stop", "logprobs": None}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        if body.get("logprobs"):
            listed = {"content": [{"token": "x", "logprob": value} for value in (-0.25, -0.5)]}
            choice["logprobs"] = listed if chat else {"tokens": ["x", "y"], "token_logprobs": [-0.25, -0.5]}
        choices.append(choice | changes)
    return 200, {"id": "1", "object": "x", "created": 0, "choices": choices, "usage": {"completion_tokens": 7}}, {}


def refuse(status, message, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"error": {"message": message, "type": "error"}}, headers
