"""A short training with a submission's `final_token`, compared with the same training with the reference.

Training makes other masks than a check draws: real lengths, whole batches, several calls. With one wrong mask the
losses differ from the first update on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd
import torch
from reference import final_token as reference
from torch import Tensor

from minrm import OutcomeRewardModel, shipped, train

UPDATES, BATCH = 30, 32
SLACK = 1e-3  # nats: how far rounding may lead two equal trainings apart


def check_trained(final_token: Callable[[Tensor], Tensor], seed: int) -> None:
    """Raise AssertionError unless training with `final_token` gives the losses of training with the reference."""
    try:
        losses = train_losses(final_token, seed)
    except Exception as error:
        raise AssertionError(f"training stopped with {type(error).__name__}: {error}") from error
    for update, (loss, right) in enumerate(zip(losses, _right_losses(seed), strict=True), 1):
        if not abs(loss - right) < SLACK:  # so that a loss that is no number fails too
            raise AssertionError(f"the loss of update {update} is {loss:.3f}; with the last tokens it is {right:.3f}")


def train_losses(final_token: Callable[[Tensor], Tensor], seed: int) -> list[float]:
    """The loss of each update, trained on solutions drawn with `seed`."""
    samples = pd.read_parquet(shipped("training.parquet")).sample(UPDATES * BATCH, random_state=seed)
    rows = samples.to_dict("records")
    model = OutcomeRewardModel.from_base(shipped("policy"), seed=0)
    torch.manual_seed(0)
    options: dict[str, Any] = {"batch_size": BATCH, "learning_rate": 1e-3, "log_steps": 1, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        result = train(model, rows, folder, supervised=final_token, save_steps=10 * UPDATES, **options)
    return [entry["loss"] for entry in result.history if "loss" in entry]


@cache
def _right_losses(seed: int) -> list[float]:
    return train_losses(reference, seed)
