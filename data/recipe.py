"""How everything in this folder was made, from nothing, through the package's public functions: `make data`.

Five units, each at most 30 minutes on two cores: policy, evaluation, training, verifier, measure. A unit whose
result is there is not run again; one that was stopped goes on where it was. To run one anew, remove its files, or build
into another folder with `make data OUT=folder`. `make data QUICK=1` goes the same way in two minutes, in small.
"""

from __future__ import annotations

import argparse
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import measure

from minrm import ProcessRewardModel, sample, train
from minrm.classroom import CORRUPTED, write
from minrm.policy import train_policy
from minrm.problems import generate, read_problem
from minrm.rows import read_rows, write_rows
from minrm.sampling import DIRECT
from minrm.text import final_answer, split_steps


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    steps: int = 14000  # of the policy's training, 32 texts each
    layers: int = 4
    problems: int = 300  # for evaluation …
    samples: int = 256  # … each with so many solutions
    training_problems: int = 6000
    training_samples: int = 4
    epochs: int = 2


FULL, QUICK = Scale(), Scale(150, 2, 12, 16, 40, 4, 1)


def policy(out: Path, scale: Scale) -> None:
    """The small language model, from nothing."""
    train_policy(out / "policy", steps=scale.steps, layers=scale.layers)
    shutil.rmtree(out / "policy" / "checkpoints")


def evaluation(out: Path, scale: Scale) -> None:
    """Problems that nothing is trained on, with a direct answer, a greedy solution and many samples each."""
    problems = generate(scale.problems, seed=2, split="evaluation")
    questions = [problem.question for problem in problems]
    common = {"max_new_tokens": 80, "seed": 3, "batch_size": 512}
    work = out / "work"
    direct = sample(out / "policy", questions, 1, path=work / "direct.jsonl", prompt=DIRECT, temperature=0, **common)
    greedy = sample(out / "policy", questions, 1, path=work / "greedy.jsonl", temperature=0, **common)
    rows = sample(out / "policy", questions, scale.samples, path=work / "evaluation.jsonl", temperature=0.7, **common)
    table = [
        {"question": p.question, "answer": p.answer, "direct": d["solution"], "greedy": g["solution"]}
        for p, d, g in zip(problems, direct, greedy, strict=True)
    ]
    write_rows(table, out / "problems.parquet")
    write_rows((_judged(row) for row in rows), out / "evaluation.parquet")


def training(out: Path, scale: Scale) -> None:
    """Problems that the policy has not read, with a few samples each: what verifiers are trained on.

    The few solutions in which a step has no text are left out: there would be nothing to supervise.
    """
    questions = [problem.question for problem in generate(scale.training_problems, seed=4, split="train")]
    options = {"temperature": 1.0, "max_new_tokens": 80, "seed": 5, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.training_samples, path=out / "work" / "training.jsonl", **options)
    whole = [row for row in rows if row["solution"].strip() and all(map(str.strip, split_steps(row["solution"])))]
    print(f"{len(rows) - len(whole)} of {len(rows)} solutions have a step without text and are left out")
    write_rows(({"question": row["question"]} | _judged(row) for row in whole), out / "training.parquet")


def verifier(out: Path, scale: Scale) -> None:
    """One process reward model, to see that the world is fit for verifiers; its scores on the evaluation samples."""
    rows = [
        {"question": row["question"], "steps": split_steps(row["solution"]), "labels": row["labels"]}
        for _, row in read_rows(out / "training.parquet")
    ]
    rows += corrupted(len(rows), seed=6)
    model = ProcessRewardModel.from_base(out / "policy")
    train(model, rows, out / "work" / "verifier", epochs=scale.epochs, batch_size=64, learning_rate=1e-3)
    questions = [row["question"] for _, row in read_rows(out / "problems.parquet")]
    samples = [row for _, row in read_rows(out / "evaluation.parquet")]
    written = [row for row in samples if row["solution"].strip()]  # the others have no step to score
    asked = [questions[row["problem"]] for row in written]
    scores = iter(model.step_scores(asked, [row["solution"] for row in written], progress=True))
    found = [np.float32(next(scores)).tolist() if row["solution"].strip() else [] for row in samples]
    write_rows(({"step_scores": steps} for steps in found), out / "work" / "verifier.parquet")


def corrupted(n: int, seed: int) -> list[dict]:
    """Process rows in the class's hand with many more mistakes, labelled by the exact checker."""
    rng = random.Random(seed)
    rows = []
    for problem in generate(n, seed + 1, split="train"):
        solution, _ = write(problem, rng, CORRUPTED)
        labels = [int(good) for good in problem.check_steps(solution)]
        rows.append({"question": problem.question, "steps": split_steps(solution), "labels": labels})
    return rows


UNITS = {
    "policy": (policy, "policy/model.safetensors"),
    "evaluation": (evaluation, "evaluation.parquet"),
    "training": (training, "training.parquet"),
    "verifier": (verifier, "work/verifier.parquet"),
    "measure": (measure, "measured.json"),
}


def _judged(row: dict) -> dict:
    """A sampled solution with what the exact checker says of its outcome and of each step."""
    problem = read_problem(row["question"])
    labels = [int(good) for good in problem.check_steps(row["solution"])]
    kept = {key: row[key] for key in ("problem", "solution")}
    outcome = {"correct": final_answer(row["solution"]) == problem.answer, "labels": labels}
    return kept | outcome | {"log_likelihood": np.float32(row["log_likelihood"]).item(), "tokens": row["tokens"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="the folder to build in")
    parser.add_argument("--quick", action="store_true", help="the same way in two minutes, in small")
    parser.add_argument("--unit", choices=UNITS, action="append", help="only this unit")
    options = parser.parse_args()
    if options.quick and options.out == Path(__file__).parent:
        options.out = options.out / "work" / "quick"  # never over the shipped files
    for name in options.unit or UNITS:
        unit, result = UNITS[name]
        if (options.out / result).exists():
            print(f"{name}: {result} is there; remove it to run this unit again", flush=True)
            continue
        print(f"{name}: {unit.__doc__}", flush=True)
        unit(options.out, QUICK if options.quick else FULL)


if __name__ == "__main__":
    main()
