"""One model behind an address that speaks OpenAI's API: what it is asked, what it may refuse, what its errors mean.

The `openai` package is the client: it waits and asks again after 408, 409, 429, 5xx and dropped connections
(exponential back-off with jitter, or as long as Retry-After says, up to a minute). The pause of a busy server that
wants more than that is made here, and told. Nothing else needs the client, so it is no dependency of the package: `pip
install openai`. `minrm.cli.endpoint` samples through this.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

from minrm.cli.replies import Solution, long_pause, solutions_in, told_by
from minrm.errors import InputError

# What a server may refuse; we then go on without it. One that does not say what it refuses loses them in this order.
OPTIONAL = ("logprobs", "n", "seed")
_HOUR = 3600  # in seconds; a pause that ends later than this after the request was first sent ends the run

log = logging.getLogger(__name__)


class Server:
    """One model behind one address."""

    def __init__(
        self, url: str, model: str, chat: bool, asked: dict, fields: dict, retries: int, timeout: float
    ) -> None:
        try:
            import openai
        except ImportError:
            raise InputError("to ask a server takes the package openai: pip install openai") from None
        self.openai, self.model, self.chat, self.asked, self.fields = openai, model, chat, asked, fields
        self.key = os.environ.get("OPENAI_API_KEY", "").strip()  # a file's last newline often comes along
        if not (self.key.isascii() and self.key.isprintable()):  # the client's own error would quote it
            raise InputError(
                "the key in OPENAI_API_KEY has characters that no key has (line breaks, accents); set the right one"
            )
        self.url, self.timeout, self.retries = _address(url), timeout, retries
        self.client = openai.OpenAI(
            base_url=self.url,
            api_key=self.key or "none",
            max_retries=retries,
            timeout=openai.Timeout(timeout, connect=10),
        )
        self.refused: set[str] = set()
        self.answered = self.tried = False
        self.quiet_until = 0.0  # by time.monotonic(): a pause that the user was told of
        self.offered = self._models()
        if not model:
            raise InputError(f"{self.url}: name a model; {self._offer()}")

    def solutions(self, prompt: str, count: int, seed: int, name: str = "the request") -> list[Solution]:
        """`count` solutions with their log-likelihood and number of tokens; in one request if the server can.

        name: what an error calls the request, should the server refuse it.
        """
        found: list[Solution] = []
        while len(found) < count:
            wanted = 1 if "n" in self.refused else count - len(found)
            answer = self._ask(prompt, wanted, (seed + len(found)) % 2**31, name)
            try:
                new = solutions_in(answer, wanted)
            except ValueError:
                told = f"an answer without choices that can be read, {self._hidden(str(answer))[:80]}"
                raise InputError(f"{self.url}: {told}; is this an OpenAI-compatible server?") from None
            if len(new) < wanted:
                self.refused.add("n")  # silently
            found += new
        return found

    def _ask(self, prompt: str, count: int, seed: int, name: str) -> dict[str, Any]:
        """The server's answer. A field of OPTIONAL that it refuses is left out from then on, if it answers without.

        If not, the question was what it refused, and the other questions keep their fields.
        """
        refused = set(self.refused)
        while True:
            optional = {"n": count, "seed": seed, "logprobs": True if self.chat else 1}
            sent = {key: optional[key] for key in OPTIONAL if key not in refused and (key != "n" or count > 1)}
            body = {key: value for key, value in (self.asked | sent | self.fields).items() if value is not None}
            trying = "n" in sent and not self.tried  # llama.cpp refuses n as if it were its own failure: do not insist
            patience = 0 if self._unknown() and not self.answered else 2 if trying else self.retries
            try:
                answer = self._send(prompt, body, min(patience, self.retries))
            except (self.openai.BadRequestError, self.openai.UnprocessableEntityError) as error:
                named = [key for key in sent if re.search(rf"(?<![\w\\]){key}(?!\w)", told_by(error))]
                if self._unknown() or not (named or sent):
                    raise self._explained(error, name) from error
                refused |= set(named or list(sent)[:1])
                count = 1 if "n" in refused else count
            except self.openai.OpenAIError as error:
                final = getattr(error, "status_code", 500) in (401, 403, 404) or long_pause(error)
                if final or not trying or self._unknown():
                    raise self._explained(error) from error
                self.tried = True
                if getattr(error, "status_code", None) == 500:
                    refused.add("n")
                    count = 1
            else:
                self.answered = self.tried = True
                self.refused |= refused
                return answer

    def _send(self, prompt: str, body: dict[str, Any], patience: int) -> dict[str, Any]:
        """What the server answers to one request, which is sent again `patience` times, and after each long pause."""
        client = self.client.with_options(max_retries=patience)
        deadline = time.monotonic() + _HOUR
        while True:
            try:
                answer: Any
                if self.chat:
                    turns: Any = [{"role": "user", "content": prompt}]
                    answer = client.chat.completions.create(model=self.model, messages=turns, extra_body=body)
                else:
                    answer = client.completions.create(model=self.model, prompt=prompt, extra_body=body)
                known = hasattr(answer, "model_dump")  # else a page; what is amiss in a known one, solutions_in tells
                return answer.model_dump(exclude_none=True, warnings=False) if known else {"a page": answer}
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                told = f"an answer that is cut off, or no JSON ({error})"
                raise InputError(f"{self.url}: {told}; see the server's log, then call again, it goes on") from error
            except self.openai.APIStatusError as error:
                pause = long_pause(error)
                if not (pause and patience) or time.monotonic() + pause > deadline:
                    raise
                if time.monotonic() >= self.quiet_until:  # once, not in each thread
                    self.quiet_until = time.monotonic() + pause
                    told = self._hidden(told_by(error))
                    log.warning("%s: %s; it asks for a pause of %.0f seconds, then it goes on", self.url, told, pause)
                time.sleep(pause)

    def _models(self) -> list[str]:
        """What the server offers, as far as it says. Raises InputError where nobody answers, or the key is unknown."""
        try:
            found = self.client.with_options(max_retries=0).models.list()
            return [str(model.id) for model in found.data]
        except (self.openai.APIConnectionError, self.openai.AuthenticationError) as error:
            raise self._explained(error) from error
        except (self.openai.OpenAIError, AttributeError, TypeError, ValueError):
            return []  # not every server has the list, has it in JSON, or shows it to every key that may ask

    def _offer(self) -> str:
        return f"it offers {', '.join(self.offered[:8])}" if self.offered else "it does not say what it offers"

    def _unknown(self) -> bool:
        return bool(self.offered) and self.model not in self.offered

    def _hidden(self, text: str) -> str:
        """The beginning of what a server says, without the key."""
        return (text.replace(self.key, "…") if self.key else text)[:300]

    def _explained(self, error: Exception, name: str = "the request") -> InputError:
        """One line: what happened and what to do, never with the key."""
        text = self._hidden(told_by(error))
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
        elif status in (400, 422):
            told = f"refuses {name} ({text}); mend the question, the prompt or the fields that it names"
        elif pause := long_pause(error):
            told = f"{text}; it asks for a pause of {pause:.0f} seconds; call again after that, it goes on"
        elif status == 429:
            told = f"{text}, also when asked again; call again with fewer requests at a time (concurrent), it goes on"
        else:
            told = f"{text}, also when asked again; see the server's own log, then call again, it goes on"
        return InputError(f"{self.url}: {told}")


def _address(url: str) -> str:
    """The base of the API: /v1 is added where nothing follows the host. Raises InputError."""
    found = urlsplit(url.strip())
    if found.scheme not in ("http", "https") or not found.netloc:
        raise InputError(
            f"endpoint {url!r} is no address; it begins with http:// or https://, http://localhost:8000/v1"
        )
    return url.strip().rstrip("/") + ("/v1" if found.path in ("", "/") else "")
