"""One model behind an address that speaks OpenAI's API: what it is asked, what it may refuse, what its errors mean.

The `openai` package is the client: it waits and asks again after 408, 409, 429, 5xx and dropped connections
(exponential back-off with jitter, or as long as Retry-After says). Nothing else here needs it, so it is no dependency
of the package: `pip install openai`. `minrm.endpoint` samples through this.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

from minrm.errors import InputError

# What a server may refuse; we then go on without it. One that does not say what it refuses loses them in this order.
OPTIONAL = ("logprobs", "n", "seed")


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
        self.offered = self._models()
        if not model:
            raise InputError(f"{self.url}: name a model; {self._offer()}")

    def solutions(self, prompt: str, count: int, seed: int) -> list[tuple[str, float | None, int | None]]:
        """`count` solutions with their log-likelihood and number of tokens; in one request if the server can."""
        found: list[tuple[str, float | None, int | None]] = []
        while len(found) < count:
            wanted = 1 if "n" in self.refused else count - len(found)
            answer = self._ask(prompt, wanted, (seed + len(found)) % 2**31)
            try:
                new = _read_answer(answer, wanted)
            except (AttributeError, LookupError, TypeError):
                told = f"an answer without choices that can be read, {self._hidden(str(answer))[:80]}"
                raise InputError(f"{self.url}: {told}; is this an OpenAI-compatible server?") from None
            if len(new) < wanted:
                self.refused.add("n")  # silently
            found += new
        return found

    def _ask(self, prompt: str, count: int, seed: int) -> dict[str, Any]:
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
            client = self.client.with_options(max_retries=min(patience, self.retries))
            try:
                answer: Any
                if self.chat:
                    turns: Any = [{"role": "user", "content": prompt}]
                    answer = client.chat.completions.create(model=self.model, messages=turns, extra_body=body)
                else:
                    answer = client.completions.create(model=self.model, prompt=prompt, extra_body=body)
            except (self.openai.BadRequestError, self.openai.UnprocessableEntityError) as error:
                named = [key for key in sent if re.search(rf"(?<![\w\\]){key}(?!\w)", _told(error))]
                if self._unknown() or not (named or sent):
                    raise self._explained(error) from error
                refused |= set(named or list(sent)[:1])
                count = 1 if "n" in refused else count
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                told = f"an answer that is cut off, or no JSON ({error})"
                raise InputError(f"{self.url}: {told}; see the server's log, then call again, it goes on") from error
            except self.openai.OpenAIError as error:
                if not trying or self._unknown() or getattr(error, "status_code", 500) in (401, 403, 404):
                    raise self._explained(error) from error
                self.tried = True
                if getattr(error, "status_code", None) == 500:
                    refused.add("n")
                    count = 1
            else:
                self.answered = self.tried = True
                self.refused |= refused
                known = hasattr(answer, "model_dump")  # else a page; what is amiss in a known one, _read_answer tells
                return answer.model_dump(exclude_none=True, warnings=False) if known else {"a page": answer}

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
        return text.replace(self.key, "…") if self.key else text

    def _explained(self, error: Exception) -> InputError:
        """One line: what happened and what to do, never with the key."""
        text = self._hidden(_told(error))[:300]
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
            told = f"refuses the request ({text}); mend the question, the prompt or the fields that it names"
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


def _told(error: Exception) -> str:
    """What the server says, in one line: of its answer the message, where it has one; of a dropped line the cause."""
    response = getattr(error, "response", None)
    if response is None:
        return " ".join(str(error.__cause__ or error).split())
    found: Any = response.text
    try:
        found = json.loads(found)
        found = found.get("error", found)
        found = found.get("message") or found.get("detail") or found
    except (ValueError, AttributeError):
        pass  # a page, or a text
    return f"{response.status_code}: {' '.join(str(found).split())}"


def _read_answer(answer: dict[str, Any], wanted: int) -> list[tuple[str, float | None, int | None]]:
    """The first `wanted` choices as `_read_choice` reads them. Raises what Python raises where they are something else."""
    choices = answer["choices"]
    spent = (answer.get("usage") or {}).get("completion_tokens") if len(choices) == 1 else None
    if not choices:
        raise LookupError("no choices")
    return [_read_choice(choice, spent) for choice in choices[:wanted]]


def _read_choice(choice: dict[str, Any], spent: int | None) -> tuple[str, float | None, int | None]:
    """Text, log-likelihood, number of tokens. Log-probabilities come as a list of numbers, or of objects (chat)."""
    text = choice["text"] if "text" in choice else (choice.get("message") or {}).get("content")
    text = (text or "").encode("utf-8", "replace").decode()  # half a character of a cut token cannot be written
    told = choice.get("logprobs") or {}
    values = told.get("token_logprobs") or [token.get("logprob") for token in told.get("content") or []]
    if values and None not in values:
        return text, float(sum(values)), len(values)
    return text, None, spent
