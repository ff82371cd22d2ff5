"""A short training with a submission's `final_token`, held against the same training with the right one.

Thirty updates from the shipped base. The masks that training makes are other ones than a check draws: real lengths,
whole batches, several calls. With one mask for another the losses part at the first update.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from minrm import OutcomeRewardModel, shipped, train
from minrm.world import read_problem

UPDATES, BATCH = 30, 32
SLACK = 1e-3  # nats: how far rounding may lead two equal trainings apart


class Run(NamedTuple):
    """supervised: tokens of all batches together; solutions: how many there were; losses: of each update."""

    supervised: int
    solutions: int
    losses: list[float]


def run(final_token: Callable[[Tensor], Tensor], seed: int) -> Run:
    """Train on solutions drawn with `seed`, supervised where final_token says."""
    rows = _rows(seed)
    counted = []

    def supervised(mask: Tensor) -> Tensor:
        came = final_token(mask)
        counted.append(int(came.sum()) if isinstance(came, Tensor) else 0)
        return came

    model = OutcomeRewardModel.from_base(shipped("drilled"), seed=0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"batch_size": BATCH, "learning_rate": 1e-3, "log_steps": 1, "progress": False}
        history = train(model, rows, folder, supervised=supervised, save_steps=10 * UPDATES, **options).history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    return Run(sum(counted[-UPDATES:]), len(rows), losses)  # the calls before are those that look at the function


def check_trained(final_token: Callable[[Tensor], Tensor], right: Callable[[Tensor], Tensor], seed: int) -> None:
    """Raise AssertionError unless one token of each solution is supervised, and the losses are those of `right`."""
    try:
        came = run(final_token, seed)
    except Exception as error:
        raise AssertionError(f"training stopped with {type(error).__name__}: {error}") from error
    if came.supervised != came.solutions:
        raise AssertionError(f"{came.supervised} tokens of {came.solutions} solutions were supervised, not one of each")
    wanted = _wanted(right, seed).losses
    apart = [abs(a - b) for a, b in zip(came.losses, wanted, strict=True)]
    if not max(apart) < SLACK:  # so that a loss that is no number fails too
        update = next(number for number, gap in enumerate(apart) if not gap < SLACK)
        gave, other = came.losses[update], wanted[update]
        raise AssertionError(f"the loss of update {update + 1} is {gave:.3f}; with the last tokens it is {other:.3f}")


@cache
def _wanted(right: Callable[[Tensor], Tensor], seed: int) -> Run:
    return run(right, seed)


@cache
def _rows(seed: int) -> list[dict[str, Any]]:
    """Outcome rows; a solution without text has no token to learn from."""
    written = pd.read_parquet(shipped("training.parquet"))
    written = written[written.solution.str.strip() != ""].sample(UPDATES * BATCH, random_state=seed)
    rows = zip(written.question, written.solution, written.correct.tolist(), strict=True)
    return [
        {"question": question, "solution": solution, "answer": read_problem(question).answer, "correct": correct}
        for question, solution, correct in rows
    ]
