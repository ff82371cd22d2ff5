"""Smaller recorded runs, from three seeds each: other labels (chapter 5), and less or worse to learn from (chapter 8).

**Labels.** These process reward models learn from the same solutions, a sixth of `training.parquet`, in the same order
and with as many updates; the labels are those of the exact checker, those until the first error, or made from rollouts
of the policy. `orm_equal_labels` gets as many *labels*, which for one label a solution takes more solutions, and as
many updates. Nothing corrupted is added: rollouts cost too much to label what the policy would not write.

**Proxies.** `orm_few`, `prm_few`: 500 solutions, read many times. `orm_length`: half of the labels come from a rater
who takes the shorter solution for the right one. `prm_sampled_only` and `prm_corrupted`: equally many solutions and
updates, either all sampled from the policy, or half of them in the class's hand with many more mistakes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from runs import BATCH, Row, recorded_run, solutions

from minrm.rows import read_rows, write_rows
from minrm.sources.rollouts import hard_labels, rollout_labels
from minrm.text import labels_until_first_error
from minrm.world.recorded_runs import VARIANT_SEEDS

SHARE = 6  # one solution in six is labelled by rollouts
LABELS: dict[str, Callable[[Row, Row], list[Any]]] = {  # (solution, its rollouts) → a label for each step
    "prm_checker": lambda row, rolled: row["labels"],
    "prm_first_error": lambda row, rolled: labels_until_first_error(row["labels"]),
    "prm_rollouts_hard": lambda row, rolled: hard_labels([rolled["soft"]])[0],
    "prm_rollouts_soft": lambda row, rolled: rolled["soft"],
}
PROXIES: dict[str, tuple[int, Callable[[list[Row], list[Row]], list[Row]]]] = {  # epochs; (sampled, corrupted) → rows
    "orm_few": (20, lambda sampled, corrupted: sampled[:500]),
    "prm_few": (20, lambda sampled, corrupted: sampled[:500]),
    "orm_length": (2, lambda sampled, corrupted: hurried(sampled[:12000])),
    "prm_sampled_only": (2, lambda sampled, corrupted: sampled[:12000]),
    "prm_corrupted": (2, lambda sampled, corrupted: sampled[:6000] + corrupted[:6000]),
}


def rollouts(out: Path, scale: Any) -> None:
    """Four rollouts from each step of one training solution in six: `row` of `training.parquet`, and `soft` labels."""
    rows = list(read_rows(out / "training.parquet"))[::SHARE]
    questions, texts, answers = ([row[name] for row in rows] for name in ("question", "solution", "answer"))
    options = {"temperature": 1.0, "max_new_tokens": 80, "seed": 10, "batch_size": 512}
    path = out / "work" / "rollouts.jsonl"
    soft = rollout_labels(out / "policy", questions, texts, answers, n=4, path=path, **options)
    write_rows(({"row": i * SHARE, "soft": shares} for i, shares in enumerate(soft)), out / "rollouts.parquet")


def labelled(variant: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from these labels and this seed: trained, and its scores of the evaluation samples."""
    training, rolled = (list(read_rows(out / f"{name}.parquet")) for name in ("training", "rollouts"))
    few = [training[shares["row"]] for shares in rolled]
    if variant in LABELS:
        rows = [row | {"labels": LABELS[variant](row, shares)} for row, shares in zip(few, rolled, strict=True)]
        labels = sum(label is not None for row in rows for label in row["labels"])
    else:
        more = few + [row for first in range(1, SHARE) for row in training[first::SHARE]]
        rows = more[: sum(len(row["labels"]) for row in few)]
        labels = len(rows)
    epochs = 3 * scale.epochs * -(-len(few) // BATCH) / -(-len(rows) // BATCH)  # as many updates for every variant
    recorded_run(variant, seed, out, rows, epochs, labels=labels)


def proxy(name: str, seed: int, out: Path, scale: Any) -> None:
    """A proxy from a seed: trained, and its scores of the evaluation samples."""
    epochs, choose = PROXIES[name]
    both = solutions(out)
    rows = choose(both[: len(both) // 2], both[len(both) // 2 :])
    recorded_run(name, seed, out, rows, epochs if scale.epochs > 1 else 1)  # in small, everything is read once


def hurried(rows: list[Row], share: float = 0.5, seed: int = 9) -> list[Row]:
    """The same solutions, a share of them labelled by length: right if shorter than the median of its problem's.

    Length is counted in words. Where a solution is as long as the median, the rater works it out: the label stays.
    """
    rng = random.Random(seed)
    lengths: dict[str, list[int]] = {}
    for row in rows:
        lengths.setdefault(row["question"], []).append(len(row["solution"].split()))
    labels = []
    for row in rows:
        over = len(row["solution"].split()) - median(lengths[row["question"]])
        by_length = rng.random() < share and over != 0
        labels.append(row | {"correct": over < 0} if by_length else row)
    return labels


UNITS = {"rollouts": (rollouts, "rollouts.parquet")} | {
    f"{name}-{seed}": (partial(unit, name, seed), f"runs/{name}-{seed}.json")
    for unit, names in ((labelled, (*LABELS, "orm_equal_labels")), (proxy, PROXIES))
    for seed in VARIANT_SEEDS
    for name in names
}
