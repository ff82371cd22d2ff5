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
from pathlib import Path
from typing import Any

import numpy as np

from minrm import BradleyTerryRewardModel, OutcomeRewardModel, ProcessRewardModel, train
from minrm.rows import read_rows, write_rows
from minrm.text import final_answer, split_steps
from minrm.world import CORRUPTED, Problem, generate, read_problem, write, write_sums
from minrm.world.recorded_runs import KINDS, SEEDS

MODELS: dict[str, Any] = {
    "orm": OutcomeRewardModel,
    "prm": ProcessRewardModel,
    "bradley_terry": BradleyTerryRewardModel,
}
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
    train(model, rows, out / "work" / "drilled", batch_size=64, learning_rate=1.5e-3)
    model.model.half()
    model.save_pretrained(out / "drilled")


def run(kind: str, seed: int, out: Path, scale: Any) -> None:
    """A reward model from a seed: trained, and its scores of the evaluation samples."""
    rows = ROWS[kind](solutions(out))
    model = MODELS[kind].from_base(out / "drilled", seed=seed)
    name = f"{kind}-{seed}"
    settings = {"epochs": scale.epochs, "batch_size": 64, "learning_rate": 1e-3, "seed": seed}
    began = time.monotonic()
    result = train(model, rows, out / "work" / name, **settings)
    settings |= {"rows": len(rows), "minutes": round((time.monotonic() - began) / 60, 1), "history": result.history}
    if seed == 0:
        model.model.half()
        model.save_pretrained(out / "models" / kind)  # the scores below are those of the file, up to its rounding
        model.float()
    write_rows(evaluation_scores(model, kind, out), out / "runs" / f"{name}.parquet")
    (out / "runs" / f"{name}.json").write_text(json.dumps(settings, indent=1) + "\n")


def evaluation_scores(model: Any, kind: str, out: Path) -> list[Row]:
    """Of every evaluation sample, in order: `step_scores` of a process reward model, `score` of the others."""
    questions = [row["question"] for _, row in read_rows(out / "problems.parquet")]
    asked = [(questions[row["problem"]], row["solution"]) for _, row in read_rows(out / "evaluation.parquet")]
    return [{"step_scores" if kind == "prm" else "score": value} for value in scores(model, kind, asked)]


def scores(model: Any, kind: str, asked: list[tuple[str, str]]) -> list[Any]:
    """Of each (question, solution), in float32: a number, or of "prm" P(+) of each step.

    Many solutions are the same text: each is scored once. One without text has no step, and the lowest score.
    """
    different = list(dict.fromkeys(pair for pair in asked if pair[1].strip()))
    score = model.step_scores if kind == "prm" else model.score
    found = [np.float32(value).tolist() for value in score(*zip(*different, strict=True), progress=True)]
    of = dict(zip(different, found, strict=True))
    nothing = [] if kind == "prm" else min(found)
    return [of.get(pair, nothing) for pair in asked]


def solutions(out: Path) -> list[Row]:
    """What every model learns from: `problem, solution, correct, labels`, sampled ones and corrupted ones."""
    sampled = [
        {"problem": read_problem(row["question"])} | {key: row[key] for key in ("solution", "correct", "labels")}
        for _, row in read_rows(out / "training.parquet")
    ]
    return sampled + corrupted(len(sampled), seed=6)


def corrupted(n: int, seed: int) -> list[Row]:
    """Solutions in the class's hand with many more mistakes, four of each problem, judged by the exact checker."""
    rng = random.Random(seed)
    problems = generate(-(-n // 4), seed + 1, split="train")
    return [judged(problem, write(problem, rng, CORRUPTED)[0]) for problem in problems for _ in range(4)][:n]


def judged(problem: Problem, solution: str) -> Row:
    """A solution with what the exact checker says of its outcome and of each step."""
    labels = [int(good) for good in problem.check_steps(solution)]
    right = final_answer(solution) == problem.answer
    return {"problem": problem, "solution": solution, "correct": right, "labels": labels}


def outcome_rows(solved: list[Row]) -> list[Row]:
    return [
        {"question": row["problem"].question, "answer": row["problem"].answer}
        | {key: row[key] for key in ("solution", "correct")}
        for row in solved
    ]


def process_rows(solved: list[Row]) -> list[Row]:
    return [
        {"question": row["problem"].question, "steps": split_steps(row["solution"]), "labels": row["labels"]}
        for row in solved
    ]


def pair_rows(solved: list[Row], seed: int = 8) -> list[Row]:
    """Right over wrong of the same problem, drawn from all such pairs: half as many as solutions, so that every model
    reads equally many texts."""
    rng = random.Random(seed)
    sides: dict[str, tuple[list[str], list[str]]] = {}
    for row in solved:
        sides.setdefault(row["problem"].question, ([], []))[row["correct"]].append(row["solution"])
    pairs = [
        {"prompt": question, "chosen": right, "rejected": wrong}
        for question, (wrongs, rights) in sides.items()
        for right in rights
        for wrong in wrongs
    ]
    rng.shuffle(pairs)
    return pairs[: len(solved) // 2]


ROWS = {"orm": outcome_rows, "prm": process_rows, "bradley_terry": pair_rows}
RUNS = {"drilled": (drilled, "drilled/model.safetensors")} | {
    f"{kind}-{seed}": (partial(run, kind, seed), f"runs/{kind}-{seed}.json") for seed in SEEDS for kind in KINDS
}
