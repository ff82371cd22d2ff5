"""Batches for scoring: rows of like length together, within a budget of tokens, and none beyond what the model reads.

Ids come in from `backbone.encode`, padded tensors and row numbers go out to the `score` of the models; what comes of
them is read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from minrm.backbone import pad, progress_bar
from minrm.errors import InputError


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
