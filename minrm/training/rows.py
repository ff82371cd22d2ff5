"""What training reads: rows of a model's schema come in, tensors go out, and what cannot be trained on is refused.

All before the first update, so that a bad row costs nothing. What a model cannot use is left out, counted and told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.reward_model import length_limit
from minrm.rows import numbered
from minrm.training.checkpoints import first_process

log = logging.getLogger("minrm")


class Prepared(NamedTuple):
    """rows: as the model prepared them; dropped: how many it could not use; questions: what each of the rows asks."""

    rows: list[dict[str, Any]]
    dropped: int
    questions: list[str]


def collator(model: Any, supervised: Callable[[Tensor], Tensor]) -> Callable[[list], dict[str, Any]]:
    """The model's `collate`, told which tokens an outcome reward model learns from; no other model has that choice."""
    if isinstance(model, OutcomeRewardModel):
        return partial(model.collate, supervised=supervised)
    if supervised is not every_token:
        raise InputError(f"supervised is for an outcome reward model; {type(model).__name__} has no such choice")
    return model.collate


def check_supervision(collate: Callable, rows: list, eval_rows: list, size: int) -> None:
    """A row, even an update, may be without a supervised token; the whole may not: its loss of 0 would look learnt."""
    for name, whole in ("dataset", rows), ("eval_dataset", eval_rows):
        batches = (collate(whole[start : start + size]) for start in range(0, len(whole), size))
        if whole and not any(batch["count"] for batch in batches):  # stops at the first batch that has one
            raise InputError(f"{name}: supervised is false on every token; make it true on those to learn from")


def prepared(model: Any, dataset: Any, max_length: int | None, name: str) -> Prepared:
    """Rows as tensors, how many were dropped, and the question (or prompt) of those that were not.

    max_length: in tokens, None for the model's own limit. name: of the argument, for errors. Raises InputError if
    nothing is left to train on.
    """
    if isinstance(dataset, str | Path):
        raise InputError(f"{name} is the name {str(dataset)!r}; wanted its rows: a list of dicts or a datasets.Dataset")
    if hasattr(dataset, "iloc"):
        raise InputError(f'{name} is a {type(dataset).__name__}; pass df.to_dict("records"), its rows as dicts')
    limit = max_length or length_limit(model.model)
    given = list(dataset)  # it may be read only once
    rows = model.prepare(given, limit, name)
    if not rows:
        raise InputError(f"{name} is empty; training needs at least one row")
    dropped = [number for number, row in enumerate(rows, start=1) if row is None]
    reason = f"longer than {limit} tokens, and spoilt if cut there, or without any label"
    if len(dropped) == len(rows):
        raise InputError(f"{name}: none of its {len(rows)} rows can be used ({reason}); check max_length and labels")
    if dropped and first_process():
        numbers = ", ".join(map(str, dropped[:8])) + (", …" if len(dropped) > 8 else "")
        log.warning("%s: dropped %d of %d rows, %s (rows %s)", name, len(dropped), len(rows), reason, numbers)
    asked = [row.get("question") or row["prompt"] for _, row in numbered(given)]
    kept = [(row, question) for row, question in zip(rows, asked, strict=True) if row is not None]
    return Prepared([row for row, _ in kept], len(dropped), [question for _, question in kept])
