"""Smaller recorded runs that differ in their labels only: chapter 5 asks who should label the steps.

The process reward models learn from the same solutions, a sixth of `training.parquet`, in the same order and with as
many updates; the labels are those of the exact checker, the same until the first error, or made from rollouts of the
policy. The outcome reward model gets as many *labels*, which for one label a solution takes more solutions, and as many
updates. Nothing corrupted is added: rollouts cost too much to label what the policy would not write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from runs import MODELS, Row, evaluation_scores, outcome_rows, process_rows

from minrm import train
from minrm.rows import read_rows, write_rows
from minrm.sources.rollouts import hard_labels, rollout_labels
from minrm.text import labels_until_first_error
from minrm.world import read_problem
from minrm.world.recorded_runs import VARIANT_SEEDS

SHARE, BATCH = 6, 64  # one solution in six; rows in an update
LABELS: dict[str, Callable[[Row, Row], list[Any]]] = {  # (solution, its rollouts) → a label for each step
    "prm_checker": lambda row, rolled: row["labels"],
    "prm_first_error": lambda row, rolled: labels_until_first_error(row["labels"]),
    "prm_rollouts_hard": lambda row, rolled: hard_labels([rolled["soft"]])[0],
    "prm_rollouts_soft": lambda row, rolled: rolled["soft"],
}


def rollouts(out: Path, scale: Any) -> None:
    """Four rollouts from each step of one training solution in six: `row` of `training.parquet`, and `soft` labels."""
    training = [row for _, row in read_rows(out / "training.parquet")]
    places = range(0, len(training), SHARE)
    questions = [training[place]["question"] for place in places]
    solutions = [training[place]["solution"] for place in places]
    answers = [read_problem(question).answer for question in questions]
    options = {"temperature": 1.0, "max_new_tokens": 80, "seed": 10, "batch_size": 512}
    path = out / "work" / "rollouts.jsonl"
    soft = rollout_labels(out / "policy", questions, solutions, answers, n=4, path=path, **options)
    write_rows(({"row": p, "soft": own} for p, own in zip(places, soft, strict=True)), out / "rollouts.parquet")


def run(variant: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from these labels and this seed: trained, and its scores of the evaluation samples."""
    training, rolled = ([row for _, row in read_rows(out / f"{name}.parquet")] for name in ("training", "rollouts"))
    few = [training[own["row"]] for own in rolled]
    kind = variant.partition("_")[0]
    if kind == "prm":
        rows = process_rows([_labelled(row, LABELS[variant](row, own)) for row, own in zip(few, rolled, strict=True)])
    else:
        more = few + [row for first in range(1, SHARE) for row in training[first::SHARE]]
        rows = outcome_rows([_labelled(row, []) for row in more[: sum(len(row["labels"]) for row in few)]])
    epochs = 3 * scale.epochs * _batches(few) / _batches(rows)  # as many updates for every variant
    settings = {"epochs": epochs, "batch_size": BATCH, "learning_rate": 1e-3, "seed": seed}
    model = MODELS[kind].from_base(out / "drilled", seed=seed)
    name = f"{variant}-{seed}"
    began = time.monotonic()
    result = train(model, rows, out / "work" / name, **settings)
    labels = sum(len(row["labels"]) - row["labels"].count(None) for row in rows) if kind == "prm" else len(rows)
    settings |= {"rows": len(rows), "labels": labels, "minutes": round((time.monotonic() - began) / 60, 1)}
    write_rows(evaluation_scores(model, kind, out), out / "runs" / f"{name}.parquet")
    (out / "runs" / f"{name}.json").write_text(json.dumps(settings | {"history": result.history}, indent=1) + "\n")


def _labelled(row: Row, labels: list[Any]) -> Row:
    """As `runs.solutions` gives them, with these labels."""
    return {"problem": read_problem(row["question"]), "labels": labels} | {k: row[k] for k in ("solution", "correct")}


def _batches(rows: list[Row]) -> int:
    return -(-len(rows) // BATCH)


UNITS = {"rollouts": (rollouts, "rollouts.parquet")} | {
    f"{variant}-{seed}": (partial(run, variant, seed), f"runs/{variant}-{seed}.json")
    for seed in VARIANT_SEEDS
    for variant in (*LABELS, "orm_equal_labels")
}
