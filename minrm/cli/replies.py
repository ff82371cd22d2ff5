"""What stands in the replies of a server that speaks OpenAI's API: solutions, or an error and a pause asked for.

`minrm.cli.server` asks, and decides what to do; here replies are only read, as engines and the proxies before them write.
"""

from __future__ import annotations

import json
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

# Seconds. A longer Retry-After the client need not honour: openai 1.98 asks again within seconds, 2.54 and 3.57 give up
# at once above 120.
_CLIENT_WAITS = 60

Solution = tuple[str, float | None, int | None]  # text, log-likelihood in nats, number of tokens


def solutions_in(answer: dict[str, Any], wanted: int) -> list[Solution]:
    """The first `wanted` choices of an answer, or as many as it has. Raises ValueError if it is none of the API's."""
    try:
        choices = answer["choices"]
        spent = (answer.get("usage") or {}).get("completion_tokens") if len(choices) == 1 else None
        found = [_read_choice(choice, spent) for choice in choices[:wanted]]
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError("something else stands where choices should") from error
    if not found:
        raise ValueError("no choices")
    return found


def told_by(error: Exception) -> str:
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


def long_pause(error: Exception) -> float:
    """Seconds that a busy server asks for, if they are more than the client itself waits; else 0.

    Retry-After holds a number or a date (RFC 9110, section 10.2.3).
    """
    response = getattr(error, "response", None)
    if response is None or response.status_code not in (429, 503):
        return 0
    told = response.headers.get("retry-after", "")
    try:
        pause = float(told) if re.fullmatch(r"[\d.]+", told) else parsedate_to_datetime(told).timestamp() - time.time()
    except ValueError:
        return 0
    return pause if pause > _CLIENT_WAITS else 0


def _read_choice(choice: dict[str, Any], spent: int | None) -> Solution:
    """Log-probabilities come as a list of numbers, or of objects (chat)."""
    text = choice["text"] if "text" in choice else (choice.get("message") or {}).get("content")
    text = (text or "").encode("utf-8", "replace").decode()  # half a character of a cut token cannot be written
    told = choice.get("logprobs") or {}
    values = told.get("token_logprobs") or [token.get("logprob") for token in told.get("content") or []]
    if values and None not in values:
        return text, float(sum(values)), len(values)
    return text, None, spent
