"""The recorded runs: each reward model from several seeds, by one recipe. Chapters 4 to 8 are drawn from them.

All start from the policy, and learn from the same solutions, each read once: those sampled for `training.parquet`, and
several times as many in the class's hand with many more mistakes. New rows help a reward model much more than passes
over the same ones, and these cost nothing but time. A run leaves its scores of the evaluation samples in `runs/`, row
for row, with its settings and training curve; that of seed 0 leaves its checkpoint in `models/`.
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
import torch

from minrm import BradleyTerryRewardModel, OutcomeRewardModel, ProcessRewardModel, train
from minrm.rows import read_rows, write_rows
from minrm.world import CORRUPTED, evaluation, generate, write
from minrm.world.recorded_runs import KINDS, SEEDS

MODELS: dict[str, Any] = {
    "orm": OutcomeRewardModel,
    "prm": ProcessRewardModel,
    "bradley_terry": BradleyTerryRewardModel,
}
BATCH, RATE = 64, 5e-4  # rows in an update, and the peak of the learning rate
DTYPE = (
    "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
)  # elsewhere it is emulated, four times slower
TEMPERATURE = 0.5  # of the solutions that are chosen from
Row = dict[str, Any]


def run(kind: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from a seed: trained, and its scores of the evaluation samples."""
    rows = solutions(out, scale.corrupted)
    rows = pair_rows(rows) if kind == "bradley_terry" else rows
    recorded_run(kind, seed, out, rows, epochs=1)


def train_judge(name: str, seed: int, out: Path, rows: list[Row], epochs: float) -> tuple[Any, Row]:
    """A reward model trained on the rows, and how: its settings. A name begins with the kind of its model."""
    model = MODELS[_kind(name)].from_base(out / "policy", seed=seed)
    settings: Row = {"epochs": epochs, "batch_size": BATCH, "learning_rate": RATE, "seed": seed, "dtype": DTYPE}
    model.model.set_attn_implementation("eager")  # of the fused attention, bfloat16's way back is the slow one
    began = time.monotonic()
    result = train(model, rows, out / "work" / f"{name}-{seed}-{len(rows)}", **settings)
    minutes = round((time.monotonic() - began) / 60, 1)
    model = MODELS[_kind(name)].from_pretrained(result.output_dir, dtype="float32")
    return model, settings | {"rows": len(rows), "minutes": minutes, "history": result.history}


def recorded_run(name: str, seed: int, out: Path, rows: list[Row], epochs: float, **notes: Any) -> Any:
    """The model trained on the rows. Leaves scores, settings and notes in `runs/`; of the three kinds a checkpoint too.

    Where checkpoint and settings are there, only the scores are made.
    """
    kind, settings = _kind(name), out / "runs" / f"{name}-{seed}.json"
    place = checkpoint(kind, seed, out) if name == kind else None
    if place and place.exists() and settings.exists():
        model = MODELS[kind].from_pretrained(place, dtype="float32")
    else:
        model, how = train_judge(name, seed, out, rows, epochs)
        if place:
            model.model.half()
            model.save_pretrained(place)  # the scores below are those of the file, up to its rounding
            model.float()
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(json.dumps(notes | how, indent=1) + "\n")
    world = evaluation(out)
    digits = 3 if name == kind else 2  # most files are of label sources and proxies: with 2 they take a third less
    values = scores(model, kind, world.questions.ravel().tolist(), world.solutions.ravel().tolist(), digits)
    column = "step_scores" if kind == "prm" else "score"
    write_rows(({column: value} for value in values), out / "runs" / f"{name}-{seed}.parquet")
    return model


def checkpoint(kind: str, seed: int, out: Path) -> Path:
    """Where the model of this seed is kept: that of seed 0 is shipped."""
    return out / "models" / kind if seed == 0 else out / "work" / "models" / f"{kind}-{seed}"


def _kind(name: str) -> str:
    return next(kind for kind in MODELS if name.startswith(kind))


def scores(model: Any, kind: str, questions: list[str], solutions: list[str], digits: int = 3) -> list[Any]:
    """Of each solution, in float32: a number, or of "prm" P(+) of each step. `compact`."""
    score = model.step_scores if kind == "prm" else model.score
    return [compact(value, kind, digits).tolist() for value in score(questions, solutions, progress=True)]


def compact(value: Any, kind: str, digits: int) -> np.ndarray:
    """A reward, or the log-odds of a probability, rounded to these decimals, which halves the file; as float32."""
    if kind == "bradley_terry":
        return np.float32(np.round(value, digits))
    p = np.clip(value, 1e-12, 1 - 1e-12)
    return np.float32(1 / (1 + np.exp(-np.round(np.log(p / (1 - p)), digits))))


def solutions(out: Path, corrupted: int) -> list[Row]:
    """What every model learns from, *outcome* and *process* rows in one: sampled solutions, then corrupted ones.

    The corrupted ones are kept in `work/`: a minute for each of many runs.
    """
    kept = out / "work" / f"corrupted-{corrupted}.parquet"
    if not kept.exists():
        rng = random.Random(6)
        problems = generate(-(-corrupted // 2), seed=7, split="train")  # two solutions of each
        rows = [problem.judge(write(problem, rng, CORRUPTED)[0]) for problem in problems for _ in range(2)]
        write_rows(rows[:corrupted], kept)
    return [*read_rows(out / "training.parquet"), *read_rows(kept)]


def pair_rows(rows: list[Row], seed: int = 8) -> list[Row]:
    """Right over wrong of the same problem, in any order: as many as there are, at most half as many as solutions, so
    that no model reads more texts than another. (Here 37,000 of 124,000: most corrupted solutions lack a partner.)"""
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


RUNS = {f"{kind}-{seed}": (partial(run, kind, seed), f"runs/{kind}-{seed}.parquet") for seed in SEEDS for kind in KINDS}
