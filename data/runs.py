"""The recorded runs: each reward model from several seeds, by one recipe. Chapters 4 to 8 are drawn from them.

All start from the policy after it has judged pages of sums, and learn from the same solutions: those sampled for
`training.parquet`, and as many in the class's hand with many more mistakes. A run leaves its scores of the evaluation
samples in `runs/`, row for row, with its settings and training curve; that of seed 0 leaves its checkpoint in
`models/`.
"""

from __future__ import annotations

import json
import random
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from minrm import BradleyTerryRewardModel, OutcomeRewardModel, ProcessRewardModel, train
from minrm.rows import read_rows, write_rows
from minrm.world import CORRUPTED, evaluation, generate, write, write_sums
from minrm.world.recorded_runs import KINDS, SEEDS

MODELS: dict[str, Any] = {
    "orm": OutcomeRewardModel,
    "prm": ProcessRewardModel,
    "bradley_terry": BradleyTerryRewardModel,
}
BATCH = 64  # rows in an update
Row = dict[str, Any]


def drilled(out: Path, scale: Any) -> None:
    """The policy, taught to judge sums: what every reward model starts from.

    Among solutions, slips are too rare to be found out: models that start from the policy itself learn every
    misconception, but still let pass most additions that are wrong.
    """
    rng = random.Random(5)
    pages = [write_sums(rng) for _ in range(scale.pages)]
    rows = [{"question": "Are these right?", "steps": steps, "labels": labels} for steps, labels in pages]
    model = ProcessRewardModel.from_base(out / "policy")
    train(model, rows, out / "work" / "drilled", batch_size=BATCH, learning_rate=1.5e-3)
    model.model.half()
    model.save_pretrained(out / "drilled")


def run(kind: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from a seed: trained, and its scores of the evaluation samples."""
    rows = solutions(out)
    rows = pair_rows(rows) if kind == "bradley_terry" else rows
    recorded_run(kind, seed, out, rows, scale.epochs, checkpoint=seed == 0)


def recorded_run(
    name: str, seed: int, out: Path, rows: list[Row], epochs: float, checkpoint: bool = False, **notes: Any
) -> None:
    """Train on the rows, and leave scores, settings and notes in `runs/`. A name begins with the kind of its model."""
    kind = next(kind for kind in MODELS if name.startswith(kind))
    model = MODELS[kind].from_base(out / "drilled", seed=seed)
    settings: Row = {"epochs": epochs, "batch_size": BATCH, "learning_rate": 1e-3, "seed": seed}
    began = time.monotonic()
    result = train(model, rows, out / "work" / f"{name}-{seed}", **settings)
    settings |= {"rows": len(rows), **notes, "minutes": round((time.monotonic() - began) / 60, 1)}
    if checkpoint:
        model.model.half()
        model.save_pretrained(out / "models" / kind)  # the scores below are those of the file, up to its rounding
        model.float()
    world = evaluation(out)
    values = scores(model, kind, world.questions.ravel().tolist(), world.solutions.ravel().tolist())
    column = "step_scores" if kind == "prm" else "score"
    write_rows(({column: value} for value in values), out / "runs" / f"{name}-{seed}.parquet")
    text = json.dumps(settings | {"history": result.history}, indent=1)
    (out / "runs" / f"{name}-{seed}.json").write_text(text + "\n")


def scores(model: Any, kind: str, questions: list[str], solutions: list[str]) -> list[Any]:
    """Of each solution, in float32: a number, or of "prm" P(+) of each step."""
    score = model.step_scores if kind == "prm" else model.score
    return [np.float32(value).tolist() for value in score(questions, solutions, progress=True)]


def solutions(out: Path) -> list[Row]:
    """What every model learns from, *outcome* and *process* rows in one: sampled solutions, then as many corrupted."""
    sampled = list(read_rows(out / "training.parquet"))
    rng = random.Random(6)
    problems = generate(-(-len(sampled) // 4), seed=7, split="train")  # four solutions of each
    corrupted = [problem.judge(write(problem, rng, CORRUPTED)[0]) for problem in problems for _ in range(4)]
    return sampled + corrupted[: len(sampled)]


def pair_rows(rows: list[Row], seed: int = 8) -> list[Row]:
    """Right over wrong of the same problem, drawn from all such pairs: half as many as solutions, so that every model
    reads equally many texts."""
    sides: dict[str, tuple[list[str], list[str]]] = {}
    for row in rows:
        sides.setdefault(row["question"], ([], []))[row["correct"]].append(row["solution"])
    pairs = [
        {"prompt": question, "chosen": right, "rejected": wrong}
        for question, (wrongs, rights) in sides.items()
        for right, wrong in product(rights, wrongs)
    ]
    random.Random(seed).shuffle(pairs)
    return pairs[: len(rows) // 2]


RUNS = {"drilled": (drilled, "drilled/model.safetensors")} | {
    f"{kind}-{seed}": (partial(run, kind, seed), f"runs/{kind}-{seed}.json") for seed in SEEDS for kind in KINDS
}
