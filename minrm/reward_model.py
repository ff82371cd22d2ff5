"""What the three reward models share: text to ids, padding, batches for scoring, and reading the last token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from minrm.errors import InputError
from minrm.loading import progress_bar
from minrm.text import check_text


def encode(
    tokenizer: Any, questions: Sequence[str], solutions: Sequence[str], rewrite: Callable[[str], str] = str
) -> list[tuple[list[int], list[bool]]]:
    """Ids and solution mask of each pair: the one place where text becomes ids, in training and in scoring.

    The text is question, newline, solution. The two parts are tokenised apart and joined, so the boundary is exact
    whatever the tokenizer merges. A start token comes first where the tokenizer itself adds one; no end token follows,
    so that the last token of the solution is the last token there is. rewrite: applied to each solution once it is
    checked (the process reward model sets its step tokens). Raises InputError, with row numbers from 1.
    """
    check_pairs(questions, solutions)
    if len(questions) == 0:
        return []
    options = {"add_special_tokens": False, "verbose": False}
    start = start_ids(tokenizer)
    distinct = list(dict.fromkeys(questions))  # candidates share their question
    ids = tokenizer([question + "\n" for question in distinct], **options)["input_ids"]
    prefix = {question: start + part for question, part in zip(distinct, ids, strict=True)}
    parts = tokenizer([rewrite(solution) for solution in solutions], **options)["input_ids"]
    return [
        (prefix[question] + part, [False] * len(prefix[question]) + [True] * len(part))
        for question, part in zip(questions, parts, strict=True)
    ]


def start_ids(tokenizer: Any) -> list[int]:
    """The start token, as a list, where the tokenizer itself puts one before a text; else nothing."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []


def check_pairs(questions: Sequence[str], solutions: Sequence[str]) -> None:
    """Refuse what is not two lists of as many texts, and texts that cannot be read. Raises InputError."""
    if isinstance(questions, str) or isinstance(solutions, str):
        raise InputError("wanted two lists of texts, got a single text; put it into a list")
    if len(questions) != len(solutions):
        raise InputError(f"{len(questions)} questions but {len(solutions)} solutions; each solution needs its question")
    for row, (question, solution) in enumerate(zip(questions, solutions, strict=True), start=1):
        check_text(question, f"row {row}", "question")
        check_text(solution, f"row {row}")


def pad(rows: Sequence[Sequence[int] | Tensor], tokenizer: Any, side: str | None = None) -> dict[str, Tensor]:
    """input_ids and attention_mask [B, T] int64 of ids of different lengths, padded on one side (the tokenizer's)."""
    ids = [torch.as_tensor(row) for row in rows]
    ones = [torch.ones_like(row) for row in ids]
    side = side or tokenizer.padding_side
    return {"input_ids": pad_as(ids, tokenizer.pad_token_id, side), "attention_mask": pad_as(ones, 0, side)}


def pad_as(rows: list[Tensor], value: float, side: str) -> Tensor:
    """1-d tensors stacked into [B, T], filled with `value` on that side."""
    return pad_sequence(rows, batch_first=True, padding_value=value, padding_side=side)


def positions(attention_mask: Tensor) -> Tensor:
    """Position ids [B, T] that count real tokens only, so that padding on the left moves nothing."""
    return (attention_mask.cumsum(dim=1) - 1).clamp(min=0)


def last_token(attention_mask: Tensor) -> Tensor:
    """Index [B] of the last real token. By the mask, not by the pad id: pad and end token may be the same."""
    return (attention_mask * torch.arange(attention_mask.shape[1], device=attention_mask.device)).argmax(dim=1)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards the module is as it was."""
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        module.train(training)


def token_batches(lengths: Sequence[int], budget: int, window: int = 8192) -> Iterator[list[int]]:
    """Row numbers in batches whose padded size (rows × longest) stays within `budget` tokens; a longer row goes alone.

    Rows are sorted by length within a window, longest first, so that little is padding and memory peaks at the start.
    Each row number comes exactly once: writing results to `out[batch]` restores the caller's order.
    """
    for start in range(0, len(lengths), window):
        rows = range(start, min(start + window, len(lengths)))
        batch: list[int] = []
        for row in sorted(rows, key=lambda row: -lengths[row]):
            if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
                yield batch
                batch = []
            batch.append(row)
        yield batch


def length_limit(model: PreTrainedModel) -> int | None:
    """The most tokens that the model was made to read; None where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def batches(
    rows: Sequence[Sequence[int]], tokenizer: Any, model: PreTrainedModel, budget: int, name: str = ""
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """The same with the rows' ids, padded and on the model's device; a progress bar is shown where it has a name.

    Raises InputError for a row beyond the model's limit: learned positions end there, others go on unreliably.
    """
    limit, device = length_limit(model), model.device
    for number, row in enumerate(rows, start=1):
        if limit and len(row) > limit:
            remedy = "shorten it, leave it out, or take a model that reads more"
            raise InputError(f"row {number}: {len(row)} tokens, but the model reads at most {limit}; {remedy}")
    with progress_bar(len(rows), name, " rows", shown=bool(name)) as bar:
        for batch in token_batches([len(row) for row in rows], budget):
            inputs = pad([rows[i] for i in batch], tokenizer)
            yield batch, {key: tensor.to(device) for key, tensor in inputs.items()}
            bar.update(len(batch))


def read_out(numbers: Tensor, model: PreTrainedModel) -> Tensor:
    """What `model` computed, as float64 on the CPU (Apple's GPU has none). Raises InputError where it is not finite."""
    found = numbers.cpu().double()
    if found.isfinite().all():
        return found
    if model.dtype in (torch.float16, torch.bfloat16):
        raise InputError(f"scores overflow in {model.dtype}; load the model with dtype='float32'")
    remedy = "train it again with a lower learning rate, or take another checkpoint"
    raise InputError(f"scores are not finite, in {model.dtype}: the weights of this model are spoilt; {remedy}")
