"""N solutions for each question from a server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, `transformers serve`.

Where the policy is too large for `minrm.sampling`, engines that exist do the generation; this file asks them, many
questions at a time, and writes the same rows into the same kind of file.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from minrm.cli.server import Server
from minrm.errors import InputError
from minrm.loading import progress_bar
from minrm.run_files import append, resume
from minrm.sampling import COT, request
from minrm.shards import part, place

log = logging.getLogger(__name__)


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
        if path and not rows:  # a shard of nothing
            append(Path(path), "samples", header, [])
        return rows
    asked = {"temperature": temperature, "top_p": 1, "max_tokens": max_new_tokens}
    server = Server(url, model, chat, asked, fields or {}, retries, timeout)

    def solve(unit: int) -> list[dict[str, Any]]:
        problem, start = unit // parts, unit % parts * batch_size
        numbers = range(start, min(start + batch_size, n))
        text = prompt.replace("{question}", questions[problem])
        own = seed * 1_000_003 + problem * n + start
        found = server.solutions(text, len(numbers), own, f"question {problem + 1}")
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
                append(Path(path), "samples", header, new)
            rows += new
            bar.update(len(new))
    _warn_if_greedy(rows, temperature)
    return rows


def _each(solve: Any, units: range, concurrent: int) -> Iterator[list[dict[str, Any]]]:
    """The units' rows in their order. The first alone: it shows what the server takes, and fails before the others.

    The file is in order, so an answer waits for those before it; only a few do, as they are lost where one fails. The
    pool's threads end with the program, so that Ctrl-C need not wait for answers.
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


def _warn_if_greedy(rows: list[dict[str, Any]], temperature: float) -> None:
    texts: dict[int, set[str]] = {}
    for row in rows:
        texts.setdefault(row["problem"], set()).add(row["solution"])
    if temperature and len(rows) >= 2 * len(texts) and all(len(found) == 1 for found in texts.values()):
        log.warning(
            "all solutions of a problem are equal at temperature %g: the server seems not to sample", temperature
        )
