"""Which rows go through a model together: of like length, so that little is padding, and within a budget of tokens."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from minrm.errors import InputError, check_numbers


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row indices in batches whose padded size (rows × longest) stays within `budget` tokens; a longer row goes alone.

    The longest rows come first, so that little is padding and memory peaks at the start.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def token_budget(model: Any) -> int:
    """How many padded tokens to send through a model at once.

    On a GPU as many as half of its free memory holds, by the widest layer; elsewhere as many as make a hidden state of
    2^20 numbers, since larger tensors no longer fit into a processor's caches and a pass runs no faster.
    """
    config = model.config.get_text_config()
    width = config.hidden_size
    if model.device.type != "cuda":
        return max(512, 2**20 // width)
    free, _ = torch.cuda.mem_get_info(model.device)
    free += torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)  # PyTorch's own
    widest = max(4 * width, getattr(config, "intermediate_size", None) or 0)
    return min(2**16, max(1024, free // 2 // (16 * widest * model.dtype.itemsize)))


def length_limit(model: Any) -> int | None:
    """The most tokens that the model was made to read; None where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def checked_budget(model: Any, rows: Sequence[Sequence[int]], budget: int | None, numbers: Sequence[int] = ()) -> int:
    """The budget in tokens, by default what suits the model. numbers: of the rows, for messages, by default from 1.

    Raises InputError for an impossible budget, and for a row beyond the model's limit.
    """
    check_numbers(1, batch_tokens=budget)
    limit = length_limit(model)
    for number, row in zip(numbers or range(1, len(rows) + 1), rows, strict=True):
        if limit and len(row) > limit:
            counts = f"{len(row)} tokens, but the model reads at most {limit}"
            raise InputError(f"row {number}: {counts}; shorten it, leave it out, or take a model that reads more")
    return token_budget(model) if budget is None else budget
