"""Active learning (Lightman et al. 2023, §4): which solutions are worth a label? Recorded for chapter 8.

A process reward model starts from 4,000 labelled solutions of `training.parquet`. In each of three rounds 2,000 more of
the others are labelled by the exact checker, and it is trained anew on all. *Chosen*: four fifths are the wrong
solutions that convince it most, the rest those that convince it most of what is left. *Random*: as many, drawn. The
last round's scores are in `runs/`, what every round is worth in the settings beside them.
"""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from runs import Row, recorded_run, train_judge
from variants import SHARE

from minrm import best_of_n
from minrm.metrics import within_problem_auc
from minrm.rows import read_rows
from minrm.world import evaluation
from minrm.world.recorded_runs import seeds_of

ROUNDS, LABELS, WRONG = 3, 2000, 0.8  # a round's labels, and the share of them that goes to wrong solutions
SAMPLES = 64  # of each evaluation problem, in the rounds before the last


def active(name: str, seed: int, out: Path, scale: Any) -> None:
    """A process reward model whose labels are chosen by what convinces it, or drawn, in three rounds from a seed."""
    training = list(read_rows(out / "training.parquet"))
    labelled = training[::SHARE]
    pool = [row for index, row in enumerate(training) if index % SHARE]
    random.Random(seed).shuffle(pool)
    labels, epochs = (len(labelled) // 2, 1) if scale.small else (LABELS, 3)
    rounds: list[Row] = []
    for _ in range(ROUNDS):
        rounds.append({"labels": len(labelled)})
        model, _ = train_judge(name, seed, out, labelled, epochs)
        rounds[-1] |= worth(model, out)
        chosen = convincing(model, pool, labels) if name == "prm_active" else list(range(labels))
        labelled = labelled + [pool[index] for index in chosen]
        pool = [row for index, row in enumerate(pool) if index not in set(chosen)]
    recorded_run(name, seed, out, labelled, epochs, rounds=rounds)


def convincing(model: Any, pool: list[Row], count: int) -> list[int]:
    """Which `count` solutions of the pool are labelled next: the most convincing wrong ones, and some others."""
    scores = model.score([row["question"] for row in pool], [row["solution"] for row in pool])
    order = np.argsort(-scores, kind="stable").tolist()
    wrong = [index for index in order if not pool[index]["correct"]][: int(WRONG * count)]
    rest = [index for index in order if index not in set(wrong)]
    return wrong + rest[: count - len(wrong)]


def worth(model: Any, out: Path) -> Row:
    """Of the first samples of each problem: the within-problem AUC, and best-of-N."""
    world = evaluation(out)
    questions, solutions, correct = (x[:, :SAMPLES] for x in (world.questions, world.solutions, world.correct))
    scores = model.score(questions.ravel().tolist(), solutions.ravel().tolist()).reshape(correct.shape)
    best = best_of_n(scores, correct, correct.shape[1])
    return {"auc": within_problem_auc(scores, correct).mean, f"best of {correct.shape[1]}": best.mean}


UNITS = {
    f"{name}-{seed}": (partial(active, name, seed), f"runs/{name}-{seed}.parquet")
    for name in ("prm_active", "prm_random")
    for seed in seeds_of(name)
}
