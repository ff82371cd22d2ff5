"""N solutions for each question from a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, `transformers serve`.

Such an engine generates where the policy is too large for `minrm.sampling`. The `openai` client waits and asks again
after 408, 409, 429, 5xx and dropped connections (exponential back-off, or as long as Retry-After says).
"""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minrm.errors import InputError
from minrm.loading import progress_bar
from minrm.rows import RunFile
from minrm.sampling import COT, request, resume

OPTIONAL = ("logprobs", "n", "seed")  # fields that a server may refuse; left out in this order where it names none
log = logging.getLogger(__name__)


def sample_from(
    url: str, model: str, questions: Sequence[str], n: int, *, path: str | Path, prompt: str = COT, chat: bool = False,
    temperature: float = 0.7, max_new_tokens: int = 256, seed: int = 0, batch_size: int = 16,
    fields: dict[str, Any] | None = None, concurrent: int = 8, retries: int = 10, timeout: float = 600,
    progress: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """`n` solutions for each of `questions`, as rows like those of `sample`, appended in order to the file `path`.

    url: such as http://localhost:8000/v1; a run may go on at another. prompt: goes raw to /completions; with chat it is
    the user's turn for /chat/completions. batch_size: solutions in one request. fields: of each request, beside ours or
    in place of them (None leaves one out). concurrent: requests at a time. retries: of a request. timeout: seconds. The
    key is read from OPENAI_API_KEY, and neither stored nor printed. log_likelihood: the sum of what the server reports
    for the tokens, None where it reports nothing. Each request has a seed made of `seed` and its place; whether a seed
    fixes the solution depends on the server. Raises InputError.
    """
    questions, settings = request(questions, n, prompt, temperature, max_new_tokens, seed, batch_size)
    if concurrent < 1:
        raise InputError(f"concurrent is {concurrent}; it should be at least 1 request at a time")
    run = RunFile(path, {"model": model, "api": "chat" if chat else "completions", "fields": fields or {}, **settings})
    done = len(resume(run, len(questions) * n, n, batch_size=1))
    run.keep(done // n * n + done % n // batch_size * batch_size)  # whole requests
    units = [(problem, start) for problem in range(len(questions)) for start in range(0, n, batch_size)]
    units = [(problem, start) for problem, start in units if problem * n + start >= len(run.rows)]
    if not units:
        return run.rows
    body = {"temperature": temperature, "top_p": 1, "max_tokens": max_new_tokens}
    server = Server(url, model, chat, body, fields or {}, retries, timeout)

    def solve(unit: tuple[int, int]) -> list[dict[str, Any]]:
        problem, start = unit
        text = prompt.replace("{question}", questions[problem])  # which may hold other braces
        own_seed, count = seed * 1_000_003 + problem * n + start, min(batch_size, n - start)
        solutions = server.solutions(text, count, own_seed, f"question {problem + 1}")
        return [
            {"problem": problem, "sample": start + k, "question": questions[problem], **solution}
            for k, solution in enumerate(solutions)
        ]

    with progress_bar(len(questions) * n, "sampling", " solutions", shown=progress, start=len(run.rows)) as bar:
        for new in _in_order(solve, units, concurrent):
            run.append(new)
            bar.update(len(new))
    different = {(row["problem"], row["solution"]) for row in run.rows}
    if temperature and n > 1 and len(different) == len(questions):
        log.warning("all samples of each problem are equal at temperature %g: does the server sample?", temperature)
    if server.withheld:
        cause = "filtered, or all tokens went into hidden reasoning; an empty solution counts as wrong"
        log.warning("the server withheld %d of %d solutions: %s", len(server.withheld), len(run.rows), cause)
    return run.rows


def _in_order(solve: Any, units: list, concurrent: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of each unit, in order. The first goes alone: it shows which fields the server takes.

    Only a few answers wait for those before them, since they are lost where one fails. These threads are daemons
    (those of concurrent.futures are not), so Ctrl-C need not wait for answers.
    """
    yield solve(units[0])
    waiting: deque[Any] = deque()
    with ThreadPool(concurrent) as pool:
        for unit in units[1:]:
            waiting.append(pool.apply_async(solve, (unit,)))
            if len(waiting) == 2 * concurrent:
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()


class Server:
    """One model behind one address. withheld: the requests whose solutions the server kept back."""

    def __init__(
        self, url: str, model: str, chat: bool, body: dict, fields: dict, retries: int, timeout: float
    ) -> None:
        try:
            import openai
        except ImportError:
            raise InputError("a server is asked with the package openai: pip install openai") from None
        key = os.environ.get("OPENAI_API_KEY", "").strip()  # a file's last newline often comes along
        if not (key.isascii() and key.isprintable()):  # the client's own error would quote it
            raise InputError("the key in OPENAI_API_KEY has characters that no key has (line breaks, accents)")
        address = urlsplit(url.strip())
        if address.scheme not in ("http", "https") or not address.hostname:
            raise InputError("the endpoint is no address; it begins with http:// or https://: http://localhost:8000/v1")
        address = address._replace(path=address.path.rstrip("/") or "/v1")
        user, _, host = address.netloc.rpartition("@")
        self.where = address._replace(netloc=host, query="").geturl()  # for messages, without a password
        self.secrets = [text for text in (key, user, address.password, address.query) if text]
        self.openai, self.model, self.chat, self.body, self.fields = openai, model, chat, body, fields
        limits: dict[str, Any] = {"timeout": openai.Timeout(timeout, connect=10), "max_retries": retries}
        self.client = openai.OpenAI(base_url=address.geturl(), api_key=key or "none", **limits)
        self.refused, self.withheld, self.answered = set[str](), list[str](), False
        self.offered: list[str] = []
        try:
            self.offered = [str(found.id) for found in self.client.with_options(max_retries=0).models.list().data]
        except (openai.APIConnectionError, openai.AuthenticationError) as error:
            raise self._explained(error, "") from error
        except (openai.OpenAIError, AttributeError, TypeError, ValueError):
            pass  # not every server has this list, or shows it to every key
        if not model:
            raise InputError(f"{self.where}: name the model, one of {', '.join(self.offered) or 'those it serves'}")

    def solutions(self, prompt: str, count: int, seed: int, name: str = "the request") -> list[dict[str, Any]]:
        """`count` times solution, log_likelihood and tokens, from one request if the server can. name: for errors."""
        solutions: list[dict[str, Any]] = []
        while len(solutions) < count:
            wanted = 1 if "n" in self.refused else count - len(solutions)
            reply = self._ask(prompt, wanted, (seed + len(solutions)) % 2**31, name)
            try:
                choices = reply["choices"][:wanted]
                spent = reply.get("usage", {}).get("completion_tokens") if len(reply["choices"]) == 1 else None
                solutions += [self._read(choice, spent, name) for choice in choices]
                if not choices:
                    raise LookupError
            except (AttributeError, LookupError, TypeError):
                shown = self._hidden(str(reply))[:80]
                raise InputError(f"{self.where}: no readable choices in {shown}; does it speak OpenAI's API?") from None
            if len(choices) < wanted:
                self.refused.add("n")  # refused without a word
        return solutions

    def _read(self, choice: dict[str, Any], spent: int | None, name: str) -> dict[str, Any]:
        text = choice["text"] if "text" in choice else choice["message"].get("content")
        if text is None or choice.get("finish_reason") == "content_filter":
            self.withheld.append(name)
        logprobs = choice.get("logprobs") or {}
        values = logprobs.get("token_logprobs") or [token.get("logprob") for token in logprobs.get("content") or []]
        complete = bool(values) and None not in values
        return {
            "solution": (text or "").encode("utf-8", "replace").decode(),  # a token may end in half a character
            "log_likelihood": float(sum(values)) if complete else None,
            "tokens": len(values) if complete else spent,
        }

    def _ask(self, prompt: str, count: int, seed: int, name: str) -> dict[str, Any]:
        """The server's reply. A field of OPTIONAL that it refuses is left out from then on, if it answers without."""
        refused, reply = set(self.refused), None
        text: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        create: Any = self.client.chat.completions.create if self.chat else self.client.completions.create
        while True:
            optional = {"logprobs": True if self.chat else 1, "n": count, "seed": seed}
            sent = {key: optional[key] for key in OPTIONAL if key not in refused and (key != "n" or count > 1)}
            body = {key: value for key, value in (self.body | sent | self.fields).items() if value is not None}
            try:
                reply = create(model=self.model, **text, extra_body=body)
                fields = reply.model_dump(exclude_none=True, warnings=False)
            except (ValueError, AttributeError) as error:  # broken JSON; a page, which the client returns as a text
                shown = self._hidden(str(reply or error))[:80]
                raise InputError(f"{self.where}: no JSON but {shown}; does it speak OpenAI's API?") from error
            except self.openai.OpenAIError as error:
                status = getattr(error, "status_code", 0)
                named = [key for key in sent if re.search(rf"(?<![\w\\]){key}(?!\w)", _message(error))]
                if status in (400, 422) and sent and self.model in (self.offered or [self.model]):
                    refused |= set(named or list(sent)[:1])
                elif status == 500 and "n" in sent and not self.answered:  # some engines refuse n by a failure
                    refused.add("n")
                else:
                    raise self._explained(error, name) from error
                count = 1 if "n" in refused else count
            else:
                self.answered = True
                self.refused |= refused
                return fields

    def _hidden(self, text: str) -> str:
        """The beginning of a server's message, without key and password."""
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text[:300]

    def _explained(self, error: Any, name: str) -> InputError:
        """One line: what happened and what to do."""
        text, status = self._hidden(_message(error)), getattr(error, "status_code", 0)
        if isinstance(error, self.openai.APITimeoutError):
            line = "no answer in time; ask for fewer or shorter solutions in a request"
        elif isinstance(error, self.openai.APIConnectionError):
            line = f"nothing answers ({text}); start the server there, or mend the address"
        elif status in (401, 403):
            line = f"{text}; set OPENAI_API_KEY to a key that this server knows"
        elif self.offered and self.model not in self.offered:
            line = f"no model {self.model!r} there, but {', '.join(self.offered[:8])} ({text})"
        elif status == 404:
            line = f"{text}; does the address end in /v1? A server that has only chat is asked with --chat"
        elif status in (400, 422):
            line = f"refuses {name} ({text}); mend the question, the prompt or the fields that it names"
        else:
            line = f"{text}, also when asked again; see its log, or lower --concurrent, then call again to go on"
        return InputError(f"{self.where}: {line}")


def _message(error: Any) -> str:
    """The message of an error in one line: the server's, where it answered; else the cause of a dropped connection."""
    body, status = getattr(error, "body", None), getattr(error, "status_code", "")
    text = body.get("message") or body.get("detail") if isinstance(body, dict) else None
    return f"{status} {' '.join(str(text or error.__cause__ or error).split())}".strip()
