"""N solutions for each question from a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, `transformers serve`.

Where the policy is too large for `minrm.sampling`, engines that exist do the generation; this file asks them, many
questions at a time, and writes the same rows into the same kind of file. The `openai` package is the client: it waits
and asks again after 408, 409, 429, 5xx and dropped connections (exponential back-off with jitter, or what Retry-After
says). It is no dependency of the package: `pip install openai`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minrm.backbone import progress_bar
from minrm.errors import InputError
from minrm.run_files import append, resume
from minrm.sampling import COT, request
from minrm.shards import part, place

log = logging.getLogger(__name__)
OPTIONAL = ("logprobs", "seed", "n")  # what a server may refuse; we then go on without it


def sample_from(
    url: str,
    model: str,
    questions: Sequence[str],
    n: int,
    *,
    path: str | Path | None = None,
    prompt: str = COT,
    chat: bool = False,
    temperature: float = 0.7,
    max_new_tokens: int = 256,
    seed: int = 0,
    batch_size: int = 16,
    fields: dict[str, Any] | None = None,
    shard: str | None = None,
    concurrent: int = 8,
    retries: int = 10,
    timeout: float = 600,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """`n` solutions for each of `questions` from the server at `url`, as rows and in a file like those of `sample`.

    url: such as http://localhost:8000/v1. model: by the name that the server gives it. prompt: goes raw to
    /completions; with chat it is the user's turn for /chat/completions, and the server's template goes around it.
    batch_size: solutions in one request; 1 after a server refused `n`. concurrent: requests under way at a time.
    fields: more fields of each request, or others in place of ours (None leaves one out). Servers have filters of their
    own that bend the distribution, so for vLLM and SGLang {"top_k": -1}, for llama.cpp {"top_k": 0, "min_p": 0}.
    retries: asked again so many times, which with 10 is about a minute; timeout: seconds for one answer. The key is
    read from the environment variable OPENAI_API_KEY; it is neither stored nor printed.

    log_likelihood: the sum of what the server gives for the solution's tokens, in nats; whether it counts the end
    token, and whether at temperature 1, is the server's affair. None, and `tokens` too, where it gives nothing.

    path, shard: as in `sample`. The address and `concurrent` are not part of the run: it may go on elsewhere. Each
    request has a seed of its own, made of `seed` and its place, so that a resumed run asks what an uninterrupted one
    would have asked. Whether the same seed gives the same solution is the server's affair: engines that batch what
    arrives together (vLLM, SGLang) add numbers in an order that depends on the neighbours, and servers with one random
    state for all (`transformers serve`) repeat themselves only with concurrent=1. The file's rows are in order, always.

    Raises InputError if nothing answers, the model is unknown, the key is refused, or the file holds another run.
    """
    questions, asked_for = request(questions, n, prompt, temperature, max_new_tokens, seed, batch_size)
    if concurrent < 1:
        raise InputError(f"concurrent is {concurrent}; wanted at least 1 request at a time")
    parts = -(-n // batch_size)  # requests for one problem
    mine = part(shard, len(questions) * parts)
    first, last = (at // parts * n + at % parts * batch_size for at in (mine.start, mine.stop))
    header = {
        "model": model, "api": "chat" if chat else "completions", "fields": fields or {}, **asked_for,
        **place(shard, first, last),
    }  # fmt: skip

    def whole(count: int) -> int:  # of the requests' rows, from the first row of this file
        at = first + count
        return max(0, at // n * n + at % n // batch_size * batch_size - first)

    rows = resume(Path(path), "samples", header, last - first, whole) if path else []
    if len(rows) == last - first:
        return rows
    asked = {"temperature": temperature, "top_p": 1, "max_tokens": max_new_tokens}
    server = _Server(url, model, chat, asked, fields or {}, retries, timeout)

    def solve(unit: int) -> list[dict[str, Any]]:
        problem, start = unit // parts, unit % parts * batch_size
        numbers = range(start, min(start + batch_size, n))
        text = prompt.replace("{question}", questions[problem])
        found = server.solutions(text, len(numbers), seed * 1_000_003 + problem * n + start)
        return [
            {"problem": problem, "sample": number, "question": questions[problem], "solution": text,
             "log_likelihood": value, "tokens": tokens}
            for number, (text, value, tokens) in zip(numbers, found, strict=True)
        ]  # fmt: skip

    at = first + len(rows)
    units = range(at // n * parts + at % n // batch_size, mine.stop)
    with progress_bar(last - first, "sampling", " solutions", shown=progress, start=len(rows)) as bar:
        for new in _each(solve, units, concurrent):
            if path:
                append(Path(path), new)
            rows += new
            bar.update(len(new))
    _warn_if_greedy(rows, temperature)
    return rows


def _each(solve: Any, units: range, concurrent: int) -> Iterator[list[dict[str, Any]]]:
    """The units' rows in their order. The first alone: it shows what the server takes, and fails before the others.

    The pool's threads end with the program, so that Ctrl-C need not wait for answers.
    """
    yield solve(units[0])
    with ThreadPool(concurrent) as pool:
        yield from pool.imap(solve, units[1:])


def _warn_if_greedy(rows: list[dict[str, Any]], temperature: float) -> None:
    texts: dict[int, set[str]] = {}
    for row in rows:
        texts.setdefault(row["problem"], set()).add(row["solution"])
    if temperature and len(rows) >= 2 * len(texts) and all(len(found) == 1 for found in texts.values()):
        log.warning(
            "all solutions of a problem are equal at temperature %g: the server seems not to sample", temperature
        )


class _Server:
    """One model behind one address."""

    def __init__(
        self, url: str, model: str, chat: bool, asked: dict, fields: dict, retries: int, timeout: float
    ) -> None:
        try:
            import openai
        except ImportError:
            raise InputError("to ask a server takes the package openai: pip install openai") from None
        self.openai, self.model, self.chat, self.asked, self.fields = openai, model, chat, asked, fields
        self.key = os.environ.get("OPENAI_API_KEY", "")
        self.url, self.timeout = _address(url), timeout
        self.client = openai.OpenAI(
            base_url=self.url,
            api_key=self.key or "none",
            max_retries=retries,
            timeout=openai.Timeout(timeout, connect=10),
        )
        self.refused: set[str] = set()
        self.offered = self._models()
        if not model:
            raise InputError(f"{self.url}: name a model; {self._offer()}")

    def solutions(self, prompt: str, count: int, seed: int) -> list[tuple[str, float | None, int | None]]:
        """`count` solutions with their log-likelihood and number of tokens; in one request if the server can."""
        found: list[tuple[str, float | None, int | None]] = []
        while len(found) < count:
            wanted = 1 if "n" in self.refused else count - len(found)
            answer = self._ask(prompt, wanted, (seed + len(found)) % 2**31)
            choices = answer.get("choices")
            if not choices:
                raise InputError(f"{self.url} answers without choices, {str(answer)[:80]!r}; is it OpenAI-compatible?")
            if len(choices) < wanted:
                self.refused.add("n")  # silently
            spent = (answer.get("usage") or {}).get("completion_tokens") if len(choices) == 1 else None
            found += [_read_choice(choice, spent) for choice in choices[:wanted]]
        return found

    def _ask(self, prompt: str, count: int, seed: int) -> dict[str, Any]:
        """The server's answer. A field of OPTIONAL that it refuses is left out from then on."""
        while True:
            optional = {"n": count, "seed": seed, "logprobs": True if self.chat else 1}
            sent = {key: optional[key] for key in OPTIONAL if key not in self.refused and (key != "n" or count > 1)}
            body = {key: value for key, value in (self.asked | sent | self.fields).items() if value is not None}
            try:
                if self.chat:
                    turns: Any = [{"role": "user", "content": prompt}]
                    answer = self.client.chat.completions.create(model=self.model, messages=turns, extra_body=body)
                else:
                    answer = self.client.completions.create(model=self.model, prompt=prompt, extra_body=body)
            except (self.openai.BadRequestError, self.openai.UnprocessableEntityError) as error:
                named = [key for key in sent if re.search(rf"\b{key}\b", str(error))]
                if self._unknown() or not (named or sent):
                    raise self._explained(error) from error
                self.refused |= set(named or list(sent)[:1])
                if count > 1 and "n" in self.refused:
                    count = 1
            except self.openai.OpenAIError as error:
                raise self._explained(error) from error
            else:
                return answer.model_dump() if hasattr(answer, "model_dump") else {"a page": answer}

    def _models(self) -> list[str]:
        """What the server offers; nothing if it does not say. Raises InputError if nothing answers, or not to our key."""
        try:
            found = self.client.with_options(max_retries=0).models.list()
            return [str(model.id) for model in found.data]
        except (
            self.openai.APIConnectionError,
            self.openai.AuthenticationError,
            self.openai.PermissionDeniedError,
        ) as e:
            raise self._explained(e) from e
        except (self.openai.OpenAIError, AttributeError, TypeError):
            return []  # not every server has the list

    def _offer(self) -> str:
        return f"it offers {', '.join(self.offered[:8])}" if self.offered else "it does not say what it offers"

    def _unknown(self) -> bool:
        return bool(self.offered) and self.model not in self.offered

    def _explained(self, error: Exception) -> InputError:
        """One line: what happened and what to do, never with the key."""
        text = re.sub(r"\s+", " ", str(error))
        text = (text.replace(self.key, "…") if self.key else text)[:300]
        status = getattr(error, "status_code", None)
        if isinstance(error, self.openai.APITimeoutError):
            told = f"no answer within {self.timeout:g} seconds; ask for fewer or shorter solutions at a time"
        elif isinstance(error, self.openai.APIConnectionError):
            told = f"nothing answers ({text.rstrip('.')}); start the server there, or mend the address"
        elif status in (401, 403) and self.key:
            told = "the key in OPENAI_API_KEY is refused; set the right one"
        elif status in (401, 403):
            told = "a key is wanted; set the environment variable OPENAI_API_KEY"
        elif self._unknown():
            told = f"no model {self.model!r} there; {self._offer()} ({text})"
        elif status == 404:
            told = f"nothing at {'/chat' * self.chat}/completions ({text}); " + (
                "does the address end in /v1?"
                if self.chat
                else "a server that has only chat is asked with chat (--chat)"
            )
        else:
            told = f"{text}; what is in the file stays, the same call goes on from there"
        return InputError(f"{self.url}: {told}")


def _address(url: str) -> str:
    """The base of the API: /v1 is added where nothing follows the host. Raises InputError."""
    found = urlsplit(url.strip())
    if found.scheme not in ("http", "https") or not found.netloc:
        raise InputError(
            f"endpoint {url!r} is no address; it begins with http:// or https://, http://localhost:8000/v1"
        )
    return url.strip().rstrip("/") + ("/v1" if found.path in ("", "/") else "")


def _read_choice(choice: dict[str, Any], spent: int | None) -> tuple[str, float | None, int | None]:
    """Text, log-likelihood, number of tokens. Log-probabilities come as a list of numbers, or of objects (chat)."""
    text = choice["text"] if "text" in choice else (choice.get("message") or {}).get("content")
    text = (text or "").encode("utf-8", "replace").decode()  # half a character of a cut token cannot be written
    told = choice.get("logprobs") or {}
    values = told.get("token_logprobs") or [token.get("logprob") for token in told.get("content") or []]
    if values and None not in values:
        return text, float(sum(values)), len(values)
    return text, None, spent
