"""The proxies of chapter 8: reward models trained on less, or on worse, than the recorded runs, from three seeds each.

`orm_few`, `prm_few`: 500 solutions, read many times. `orm_length`: half of the labels come from a rater who takes the
shorter solution for the right one. `prm_sampled_only` and `prm_corrupted`: equally many solutions and updates, either
all sampled from the policy, or half of them in the class's hand with many more mistakes. A run leaves its scores of
the evaluation samples in `runs/`, as those of `runs.py` do, and no checkpoint.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from runs import MODELS, Row, evaluation_scores, outcome_rows, process_rows, solutions

from minrm import train
from minrm.rows import write_rows
from minrm.world.recorded_runs import VARIANT_SEEDS

HURRIED = 0.5  # the share of labels that the rater of `orm_length` gives by length


class Proxy(NamedTuple):
    """What a proxy is trained on: its kind, its rows from the solutions (sampled, corrupted), and for how long."""

    kind: str
    rows: Callable[[list[Row], list[Row]], list[Row]]
    epochs: int


def run(name: str, seed: int, out: Path, scale: Any) -> None:
    """A proxy from a seed: trained, and its scores of the evaluation samples."""
    proxy = PROXIES[name]
    found = solutions(out)
    rows = proxy.rows(found[: len(found) // 2], found[len(found) // 2 :])
    model = MODELS[proxy.kind].from_base(out / "drilled", seed=seed)
    epochs = proxy.epochs if scale.epochs > 1 else 1  # in small, everything is read once
    settings = {"epochs": epochs, "batch_size": 64, "learning_rate": 1e-3, "seed": seed}
    began = time.monotonic()
    result = train(model, rows, out / "work" / f"{name}-{seed}", **settings)
    settings |= {"rows": len(rows), "minutes": round((time.monotonic() - began) / 60, 1), "history": result.history}
    write_rows(evaluation_scores(model, proxy.kind, out), out / "runs" / f"{name}-{seed}.parquet")
    (out / "runs" / f"{name}-{seed}.json").write_text(json.dumps(settings, indent=1) + "\n")


def hurried(rows: list[Row], share: float = HURRIED, seed: int = 9) -> list[Row]:
    """The same solutions, a share of them labelled by length: right if shorter than the median of its problem's.

    Length is counted in words. Where a solution is as long as the median, the rater works it out: the label stays.
    """
    rng = random.Random(seed)
    lengths: dict[str, list[int]] = {}
    for row in rows:
        lengths.setdefault(row["problem"].question, []).append(_words(row))
    middle = {question: median(found) for question, found in lengths.items()}
    labelled = []
    for row in rows:
        over = _words(row) - middle[row["problem"].question]
        by_length = rng.random() < share and over != 0
        labelled.append(row | {"correct": over < 0} if by_length else row)
    return labelled


def _words(row: Row) -> int:
    return len(row["solution"].split())


PROXIES = {
    "orm_few": Proxy("orm", lambda sampled, _: outcome_rows(sampled[:500]), 20),
    "prm_few": Proxy("prm", lambda sampled, _: process_rows(sampled[:500]), 20),
    "orm_length": Proxy("orm", lambda sampled, _: outcome_rows(hurried(sampled[:12000])), 2),
    "prm_sampled_only": Proxy("prm", lambda sampled, _: process_rows(sampled[:12000]), 2),
    "prm_corrupted": Proxy("prm", lambda sampled, corrupted: process_rows(sampled[:6000] + corrupted[:6000]), 2),
}
UNITS = {
    f"{name}-{seed}": (partial(run, name, seed), f"runs/{name}-{seed}.json")
    for seed in VARIANT_SEEDS
    for name in PROXIES
}
