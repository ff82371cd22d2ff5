"""Data in TRL's layouts: *stepwise supervision* and *preference*."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any

from jinja2 import TemplateError

from minrm import loading
from minrm.errors import InputError
from minrm.reward_model import start_ids
from minrm.sources.reading import Row, Rows, Source, collect, get, process_row, texts

Message = dict[str, Any]
_TURN = "\n\nAssistant:"


def trl_stepwise(path: Source = "trl-lib/math_shepherd", split: str = "train", streaming: bool = False) -> Rows:
    """Process data in TRL's layout *stepwise supervision* (prompt, completions, labels) -> process rows.

    labels: true or false, or how good between 0 and 1; null is none. Dropped and counted: rows with a step without
    text.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, labels = (get(record, name, list, where) for name in ("completions", "labels"))
        labels = [int(label) if isinstance(label, bool) else label for label in labels]
        return process_row(texts(record, where, "prompt")[0], steps, labels)

    return collect("TRL stepwise", "process", convert, path, streaming, split=split)


def trl_preference(
    path: Source = "trl-lib/ultrafeedback_binarized",
    split: str = "train",
    tokenizer: Any = None,
    streaming: bool = False,
) -> Rows:
    """Pairs in TRL's layout *preference* (prompt, chosen, rejected) -> pairs {prompt, chosen, rejected}.

    chosen and rejected are texts, or conversations: lists of messages {role, content}. prompt may be missing: then it
    is what both have in common, up to a space or whole messages. A conversation that repeats the prompt
    (UltraFeedback) says it once. The responses are the last messages, by the assistant.

    tokenizer: writes conversations by its chat template; a folder, hub name or tokenizer. Without one a single message
    by the user is the prompt itself, and several are paragraphs `User: …`, `Assistant: …`. Dropped and counted: pairs
    with equal or empty responses or no common prompt, pairs that part before the last message or end with another
    role's, and pairs with a message that is no text or that the template refuses or leaves out.
    """
    write: Callable[[list[Message]], str | None] = transcript
    if tokenizer is not None:
        tokenizer = loading.load_tokenizer(tokenizer)
        if not tokenizer.chat_template:
            raise InputError("the tokenizer has no chat template; leave it out, for a plain transcript")
        write = partial(templated, tokenizer)

    def convert(record: Row, where: str) -> list[Row] | str:
        if all(isinstance(record.get(name) or "", str) for name in ("prompt", "chosen", "rejected")):
            parts: Sequence[str] | str = _texts(record.get("prompt") or "", *texts(record, where, "chosen", "rejected"))
        else:
            chosen, rejected = (_messages(record, name, where) for name in ("chosen", "rejected"))
            prompt = record.get("prompt") or ""
            prompt = prompt if isinstance(prompt, str) else _messages(record, "prompt", where)
            parts = _conversation(prompt, chosen, rejected, write)
        if isinstance(parts, str):
            return parts
        row = dict(zip(("prompt", "chosen", "rejected"), parts, strict=True))
        if row["chosen"].strip() == row["rejected"].strip():
            return "chosen equals rejected"
        if not (row["chosen"].strip() and row["rejected"].strip()):
            return "an empty response"
        return [row] if row["prompt"].strip() else "no common prompt"

    return collect("TRL preference", "pair", convert, path, streaming, split=split)


def _texts(prompt: str, chosen: str, rejected: str) -> Sequence[str]:
    """Prompt and responses of a pair of texts; a prompt that is missing, or repeated, is what they begin with."""
    if not prompt:
        common = os.path.commonprefix([chosen, rejected])
        turn = common.rfind(_TURN) + len(_TURN) if _TURN in common else 0  # of a dialogue as HH-RLHF writes it
        prompt = common[: turn or max(common.rfind(" "), common.rfind("\n")) + 1]
    if chosen.startswith(prompt) and rejected.startswith(prompt):
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    return prompt.rstrip(), chosen.strip(), rejected.strip()


def _messages(record: Row, name: str, where: str) -> list[Message]:
    """The messages of a field, without the keys that a table adds as null; a text is one of the assistant's."""
    if isinstance(text := record.get(name), str):
        return [{"role": "assistant", "content": text}]
    messages = get(record, name, list, where)
    for number, message in enumerate(messages, start=1):
        get(message, "role", str, f"{where}, {name}, message {number}")
    return [{key: part for key, part in message.items() if part is not None} for message in messages]


def _conversation(
    prompt: str | list[Message], chosen: list[Message], rejected: list[Message], write: Any
) -> Sequence[str] | str:
    """Prompt and responses of two conversations, or why they make no pair."""
    if not chosen or not rejected:
        return "an empty conversation"
    if chosen == rejected:
        return "chosen equals rejected"
    shared = [a for a, _ in takewhile(lambda both: both[0] == both[1], zip(chosen[:-1], rejected[:-1], strict=False))]
    if max(len(chosen), len(rejected)) - len(shared) > 1:
        return "the conversations part before the last message"
    if {chosen[-1]["role"], rejected[-1]["role"]} != {"assistant"}:
        return "a response that is not the assistant's"
    roles = [message["role"] for message in shared]
    first = next((place for place, role in enumerate(roles) if role != "system"), len(roles))
    if isinstance(prompt, str):  # the first thing that the user says, unless the conversations repeat it
        prompt = [{"role": "user", "content": prompt}] if prompt.strip() and roles[first:][:1] != ["user"] else []
    context = [*shared[:first], *(message for message in prompt if message not in shared), *shared[first:]]
    if not context:
        return "no common prompt"
    responses = [_content(side[-1]) for side in (chosen, rejected)]
    written = write(context)
    if written is None or None in responses:
        return "a message that is no text, or that the chat template refuses or leaves out"
    return written, *(str(text).strip() for text in responses)


def _content(message: Message) -> str | None:
    """The text of a message, "" where it has none; None where it holds more than text."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    parts = (
        [part.get("text") if isinstance(part, dict) else None for part in content]
        if isinstance(content, list)
        else [None]
    )
    return None if None in parts else "".join(map(str, parts))


def transcript(messages: list[Message]) -> str | None:
    """A conversation in plain text, up to where the assistant answers; None if a message is no text."""
    said = [(_content(message) or "").strip() for message in messages]
    if not all(said):
        return None
    roles = [message["role"].capitalize() for message in messages]
    turns = [f"{role}: {text}" for role, text in zip(roles, said, strict=True)]
    return said[0] if roles == ["User"] else "\n\n".join([*turns, "Assistant:"])


def templated(tokenizer: Any, messages: list[Message]) -> str | None:
    """A conversation by the tokenizer's chat template, up to where the assistant answers; None if it refuses one.

    Without the start token and the last line break: a reward model puts both there itself.
    """
    said = [_content(message) for message in messages]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except (TemplateError, TypeError, ValueError):
        return None
    if any(content is None or content.strip() not in text for content in said):
        return None
    start = tokenizer.bos_token if start_ids(tokenizer) else ""
    return text.removeprefix(start).removesuffix("\n")
