"""A server's address and the `openai` client, which asks again after 408, 409, 429, 5xx and dropped connections."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from minrm.errors import InputError

REMEDIES = {  # of an error, by the status of the reply
    400: "mend the question, the prompt or the fields that the server names",
    401: "set OPENAI_API_KEY to a key that this server knows",
    404: "check the model's name, and that the address ends in /v1; for a server with chat alone, add --chat",
}
REMEDIES |= {403: REMEDIES[401], 422: REMEDIES[400]}
LATER = "see the server's log, or lower --concurrent, then call again to go on"
UNREACHED = "start the server there, mend the address, or ask for fewer or shorter solutions at a time"


class Client:
    """The `openai` client of one address. Its errors become one line with a remedy, without key and password."""

    def __init__(self, url: str, retries: int, timeout: float) -> None:
        try:
            import openai
        except ImportError:
            raise InputError("asking a server needs the package openai: pip install openai") from None
        key = os.environ.get("OPENAI_API_KEY", "").strip()  # a file's last newline often comes along
        if not (key.isascii() and key.isprintable()):  # the client's own error would quote it
            raise InputError("the key in OPENAI_API_KEY has characters that no key has (line breaks, accents)")
        wrong = "the endpoint is no address; it must begin with http:// or https://, as http://localhost:8000/v1 does"
        try:
            address = urlsplit(url.strip())
            ours = address.scheme in ("http", "https") and address.hostname and (address.port or True)
        except ValueError:  # brackets or a port that are none; the error would quote a password before it
            ours = False
        if not ours:
            raise InputError(wrong) from None
        self.address = address = address._replace(path=address.path.rstrip("/") or "/v1")
        user, _, host = address.netloc.rpartition("@")
        self.where = address._replace(netloc=host, query="", fragment="").geturl()  # for messages, without a password
        parts = [key, user, address.password or "", address.query, address.fragment]
        parts += [value for _, value in parse_qsl(f"{address.query}&{address.fragment}")]
        forms = {form for part in parts for form in (part, unquote(part)) if len(form) > 3}  # a version is no secret
        self.secrets = sorted(forms, key=len, reverse=True)
        limits: dict[str, Any] = {"timeout": openai.Timeout(timeout, connect=10), "max_retries": retries}
        self.client = openai.OpenAI(base_url=address.geturl(), api_key=key or "none", **limits)
        self.openai: Any = openai

    def models(self) -> list[str]:
        """The names of the models that the server lists; none where it has no list. Raises InputError."""
        try:
            return [str(entry.id) for entry in self.client.with_options(max_retries=0).models.list().data]
        except (self.openai.APIConnectionError, self.openai.AuthenticationError) as error:
            raise self.explained(error) from error
        except (self.openai.OpenAIError, AttributeError, RecursionError, TypeError, ValueError):
            return []  # not every server has this list, or shows it to every key

    def post(self, path: str, body: dict[str, Any], remedy: str = "") -> Any:
        """The reply, as JSON, of a path beside /v1. Raises InputError, from the client's own error."""
        root = self.address.path.removesuffix("/v1")
        try:
            return self.client.post(self.address._replace(path=root + path).geturl(), body=body, cast_to=object)
        except (self.openai.OpenAIError, RecursionError, ValueError) as error:
            refused = getattr(error, "status_code", 0) in (400, 404, 405, 413, 422, 501)
            raise self.explained(error, remedy=remedy if refused else "") from error

    def explained(self, error: Any, place: str = "", remedy: str = "") -> InputError:
        """One line: what happened and what to do; remedy: in place of the usual one."""
        status, body = getattr(error, "status_code", 0), getattr(error, "body", None)
        text = " ".join(f"{status or ''} {body or error.__cause__ or error}".split())  # a lost connection has a cause
        for secret in self.secrets:
            text = text.replace(secret, "…")
        unreached = isinstance(error, self.openai.APIConnectionError)
        remedy = remedy or (UNREACHED if unreached else REMEDIES.get(status, LATER))
        return InputError(f"{self.where}{place}: {text[:300]}; {remedy}")


def in_order(solve: Any, starts: Sequence[int], concurrent: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of each request, in order. The first goes alone: it shows which fields the server takes.

    Few answers wait for those before them, since they are lost where one fails. These threads are daemons (those of
    concurrent.futures are not), so Ctrl-C need not wait.
    """
    if starts:
        yield solve(starts[0])
    waiting: deque[Any] = deque()
    with ThreadPool(concurrent) as pool:
        for start in starts[1:]:
            waiting.append(pool.apply_async(solve, (start,)))
            if len(waiting) == 2 * concurrent:
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()
