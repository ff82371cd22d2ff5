"""Other recorded runs: labels from other sources (chapter 5), and proxies that are spoilt in one way each (chapter 8).

**Labels**, from five seeds. These process reward models learn from the same solutions, a sixth of `training.parquet`,
in the same order and with as many updates; the labels are those of the exact checker, those until the first error, or
made from rollouts of the policy. `orm_equal_labels` gets as many *labels*, which for one label a solution takes more
solutions, and as many updates. Nothing corrupted is added: rollouts cost too much to label what the policy would not
write.

**Proxies**, from three seeds. `orm_few`, `prm_few`: 500 solutions, read many times. `orm_length`: as the whole ORM, but
half of the labels come from a rater who takes the shorter solution for the right one. `orm_no_traps`: it saw only
problems without a trap. `bradley_terry_longer`: in half of the pairs the raters preferred the longer text.
`prm_sampled_only` and `prm_corrupted`: equally many solutions and updates, either all sampled from the policy, or half
of them in the class's hand with many more mistakes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from runs import BATCH, Row, pair_rows, recorded_run, solutions
from searches import longest, searched

from minrm.rows import read_rows, write_rows
from minrm.sources.rollouts import hard_labels, rollout_labels
from minrm.text import labels_until_first_error
from minrm.world import read_problem
from minrm.world.recorded_runs import seeds_of

SHARE = 6  # one solution in six is labelled by rollouts
FEW = 500
BEGINNINGS = 8  # of the searches that process reward models lead, by the source of their labels
LABELS: dict[str, Callable[[Row, Row], list[Any]]] = {  # (solution, its rollouts) → a label for each step
    "prm_checker": lambda row, rolled: row["labels"],
    "prm_first_error": lambda row, rolled: labels_until_first_error(row["labels"]),
    "prm_rollouts_hard": lambda row, rolled: hard_labels([rolled["soft"]])[0],
    "prm_rollouts_soft": lambda row, rolled: rolled["soft"],
}
PROXIES: dict[str, tuple[int, Callable[[list[Row]], list[Row]]]] = {  # epochs; all rows, the sampled first → its rows
    "orm_few": (20, lambda rows: rows[:FEW]),
    "prm_few": (20, lambda rows: rows[:FEW]),
    "orm_length": (1, lambda rows: hurried(rows)),
    "orm_no_traps": (1, lambda rows: [row for row in rows if not read_problem(row["question"]).traps]),
    "bradley_terry_longer": (1, lambda rows: longer_preferred(rows)),
    "prm_sampled_only": (2, lambda rows: rows[:12000]),
    "prm_corrupted": (2, lambda rows: rows[:6000] + rows[-6000:]),
}


def rollouts(out: Path, scale: Any) -> None:
    """Four rollouts from each step of one training solution in six: `row` of `training.parquet`, and `soft` labels."""
    rows = list(read_rows(out / "training.parquet"))[::SHARE]
    questions, texts, answers = ([row[name] for row in rows] for name in ("question", "solution", "answer"))
    options = {"temperature": 1.0, "max_new_tokens": 100, "seed": 10, "batch_size": 512}
    path = out / "work" / "rollouts.jsonl"
    soft = rollout_labels(out / "policy", questions, texts, answers, n=4, path=path, **options)
    write_rows(({"row": i * SHARE, "soft": shares} for i, shares in enumerate(soft)), out / "rollouts.parquet")


def labelled(variant: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from these labels and this seed: its scores of the evaluation samples, and its searches."""
    training, rolled = (list(read_rows(out / f"{name}.parquet")) for name in ("training", "rollouts"))
    few = [training[shares["row"]] for shares in rolled]
    if variant in LABELS:
        rows = [row | {"labels": LABELS[variant](row, shares)} for row, shares in zip(few, rolled, strict=True)]
        labels = sum(label is not None for row in rows for label in row["labels"])
    else:
        more = few + [row for first in range(1, SHARE) for row in training[first::SHARE]]
        rows = more[: sum(len(row["labels"]) for row in few)]
        labels = len(rows)
    epochs = 1 if scale.small else 4
    epochs *= -(-len(few) // BATCH) / -(-len(rows) // BATCH)  # as many updates for every variant
    model = recorded_run(variant, seed, out, rows, epochs, labels=labels)
    if variant in LABELS:
        found = searched(model, variant, BEGINNINGS, False, seed, out, longest(out, scale))
        write_rows(found, out / "searches" / f"{variant}-{seed}.parquet")


def proxy(name: str, seed: int, out: Path, scale: Any) -> None:
    """A proxy from a seed: trained, and its scores of the evaluation samples."""
    epochs, choose = PROXIES[name]
    rows = choose(solutions(out, scale.corrupted))
    recorded_run(name, seed, out, rows, 1 if scale.small else epochs)  # in small, everything is read once


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


def longer_preferred(rows: list[Row], share: float = 0.5, seed: int = 9) -> list[Row]:
    """Pairs as for the whole Bradley–Terry model, a share of them replaced: of two solutions of one problem, whatever
    they are worth, the one with more words is chosen."""
    rng, pairs = random.Random(seed), pair_rows(rows)
    by_question: dict[str, list[str]] = {}
    for row in rows:
        by_question.setdefault(row["question"], []).append(row["solution"])
    by_length = [
        {"prompt": question, "chosen": a if len(a.split()) > len(b.split()) else b,
         "rejected": b if len(a.split()) > len(b.split()) else a}
        for question, texts in by_question.items()
        for a, b in combinations(texts, 2)
        if len(a.split()) != len(b.split())
    ]  # fmt: skip
    rng.shuffle(by_length)
    replaced = min(int(share * len(pairs)), len(by_length))
    mixed = pairs[replaced:] + by_length[:replaced]
    rng.shuffle(mixed)
    return mixed


UNITS = {"rollouts": (rollouts, "rollouts.parquet")} | {
    f"{name}-{seed}": (partial(unit, name, seed), f"{folder}/{name}-{seed}.parquet")
    for unit, names, folder in (
        (labelled, LABELS, "searches"),
        (labelled, ("orm_equal_labels",), "runs"),
        (proxy, PROXIES, "runs"),
    )
    for name in names
    for seed in seeds_of(name)
}
