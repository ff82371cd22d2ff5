"""N solutions for each question from a server of OpenAI's API: vLLM, SGLang, llama.cpp, `transformers serve`."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minrm.cli.client import Client, in_order
from minrm.errors import ABOVE_ZERO, InputError, check_numbers
from minrm.files.runs import RunFile
from minrm.loading import progress_bar
from minrm.sampling import COT, request, resume

log = logging.getLogger(__name__)
SECRET = re.compile(r"key|secret|password|credential|authori[sz]ation|(?<!_)token$", re.IGNORECASE)


def sample_from(
    url: str, model: str, questions: Sequence[str], n: int, *, path: str | Path, prompt: str = COT, chat: bool = False,
    temperature: float = 0.7, max_new_tokens: int = 256, seed: int = 0, batch_size: int = 16,
    fields: dict[str, Any] | None = None, concurrent: int = 8, retries: int = 10, timeout: float = 600,
    progress: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows like those of `sample`, `n` solutions for each of `questions`, appended in order to the file `path`.

    prompt: raw text for /completions; with chat it is the user's turn. batch_size: solutions in one request. fields: of
    each request, beside ours or in place of them (None leaves one out). concurrent: requests at a time. timeout:
    seconds. The key is read from OPENAI_API_KEY, and neither stored nor printed. log_likelihood: None where the server
    reports none. finish_reason: the server's, which explains an empty solution. Each request has a seed of its own;
    whether that fixes the solution depends on the server.
    """
    check_numbers(1, concurrent=concurrent)
    check_numbers(0, retries=retries)
    check_numbers(ABOVE_ZERO, whole=False, timeout=timeout)
    questions, settings = request(questions, n, prompt, temperature, max_new_tokens, seed, batch_size)
    body = {"temperature": temperature, "top_p": 1, "max_tokens": max_new_tokens} | (fields or {})

    def solve(start: int) -> list[dict[str, Any]]:
        problem, sample = divmod(start, n)
        text = prompt.replace("{question}", questions[problem])  # which may hold other braces
        count, name = min(batch_size, n - sample), f"question {problem + 1}"
        solutions = server.solutions(text, count, seed * 1_000_003 + start, name)
        place = {"problem": problem, "sample": sample, "question": questions[problem]}
        return [place | {"sample": sample + k} | solution for k, solution in enumerate(solutions)]

    kind = {"model": model, "api": "chat" if chat else "completions", "fields": without_secrets(fields or {})}
    with RunFile(path, kind | settings) as run:
        done = len(resume(run, len(questions) * n, n, batch_size=1))
        run.keep(done // n * n + done % n // batch_size * batch_size)  # whole requests
        starts = [start for first in range(0, len(questions) * n, n) for start in range(first, first + n, batch_size)]
        starts = [start for start in starts if start >= len(run.rows)]
        if not starts:
            return run.rows
        server = Server(url, model, chat, body, retries, timeout)
        with progress_bar(len(questions) * n, "sampling", " solutions", shown=progress, start=len(run.rows)) as bar:
            for new in in_order(solve, starts, concurrent):
                run.append(new)
                bar.update(len(new))
    _warn(run.rows, temperature)
    return run.rows


def without_secrets(value: Any) -> Any:
    """The fields of a request as they are stored: without the values of fields whose names speak of keys."""
    if isinstance(value, dict):
        return {name: "…" if SECRET.search(name) else without_secrets(inner) for name, inner in value.items()}
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _warn(rows: list[dict[str, Any]], temperature: float) -> None:
    """Warn of empty solutions, with the reasons, and of samples that are all equal."""
    there = [row for row in rows if row["solution"].strip()]
    solved = {row["problem"] for row in there}
    if temperature and len(there) > len(solved) == len({(row["problem"], row["solution"]) for row in there}):
        log.warning("all samples of each problem are equal at temperature %g: does the server sample?", temperature)
    if empty := Counter(str(row.get("finish_reason")) for row in rows if not row["solution"].strip()):
        reasons = ", ".join(f"{reason} {count}" for reason, count in empty.most_common())
        cause = "filtered, a call of a tool, or all tokens in hidden reasoning; an empty solution counts as wrong"
        text = "%d of %d solutions of the server are empty (finish_reason: %s): %s"
        log.warning(text, empty.total(), len(rows), reasons, cause)


class Server(Client):
    """One model behind one address, which writes solutions."""

    def __init__(self, url: str, model: str, chat: bool, body: dict, retries: int, timeout: float) -> None:
        super().__init__(url, retries, timeout)
        self.create: Any = self.client.chat.completions.create if chat else self.client.completions.create
        self.model, self.chat, self.body, self.refused = model, chat, body, set[str]()
        models = ", ".join(self.models())
        if not model:
            raise InputError(f"{self.where}: name the model, one of {models or 'those it serves'}")

    def solutions(self, prompt: str, count: int, seed: int, name: str) -> list[dict[str, Any]]:
        """`count` solutions with log_likelihood and tokens, from one request if the server can; name: for errors.

        A server may refuse n, logprobs and seed. The field that it names, else the next one, is left out from then on.
        """
        text = {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        refused, reply, solutions = set(self.refused), None, list[dict[str, Any]]()
        while missing := count - len(solutions):
            optional = {"n": missing, "logprobs": True if self.chat else 1, "seed": (seed + len(solutions)) % 2**31}
            sent = {key: value for key, value in optional.items() if key not in refused}
            body = {key: value for key, value in (sent | self.body).items() if value is not None}
            try:
                reply = self.create(model=self.model, **text, extra_body=body)
                solutions += _read(reply.model_dump(exclude_none=True, warnings=False), missing)
            except self.openai.OpenAIError as error:
                if getattr(error, "status_code", 0) not in (400, 422) or not sent:
                    raise self.explained(error, f", {name}") from error
                named = {key for key in sent if re.search(rf"(?<![\w\\]){key}(?!\w)", str(getattr(error, "body", "")))}
                refused |= named or {next(iter(sent))}
            except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:  # a page, say
                reason = ValueError(f"no solution in {reply or error}")
                raise self.explained(reason, f", {name}", "does it speak OpenAI's API?") from error
            else:  # where a question is refused whatever is sent, no field is to blame
                self.refused |= refused if len(solutions) == count else refused | {"n"}
                refused |= self.refused
        return solutions


def _read(reply: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The first `count` solutions of a reply. Raises a LookupError, TypeError or AttributeError where it has none."""
    choices, solutions = reply["choices"], []
    spent = reply.get("usage", {}).get("completion_tokens") if len(choices) == 1 else None
    for choice in choices[:count]:
        text = choice["text"] if "text" in choice else choice["message"].get("content", "")  # of null it says nothing
        logprobs = choice.get("logprobs") or {}
        values = logprobs.get("token_logprobs") or [token.get("logprob") for token in logprobs.get("content") or []]
        total, tokens = (float(sum(values)), len(values)) if values and None not in values else (None, spent)
        solution = text.encode("utf-8", "replace").decode()  # a token may end in half a character
        row = {"solution": solution, "log_likelihood": total, "tokens": tokens}
        solutions.append(row | {"finish_reason": choice.get("finish_reason")})
    if not solutions:
        raise LookupError
    return solutions
