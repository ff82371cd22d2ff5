"""How everything in this folder was made, from nothing, through the package's public functions: `make data`.

Units, each at most 30 minutes on two cores: policy, evaluation, training, drilled, a run for each reward model and
seed (orm-0, prm-0, …), rollouts, smaller runs for chapters 5 and 8, longer, supervision-0 to -4 and supervision (for
the instructors' page), measure. A unit whose result is there is not run again; one that was stopped goes on where it
was. To run one anew, remove its files, or build into another folder with `make data OUT=folder`. `make data QUICK=1`
goes the same way in a few minutes, in small.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import measure
from policy_training import train_policy
from runs import MODELS, RUNS, scores
from supervision import UNITS as SUPERVISION
from variants import UNITS as VARIANTS

from minrm import sample
from minrm.rows import write_rows
from minrm.sampling import DIRECT
from minrm.text import split_steps
from minrm.world import generate, read_problem


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    steps: int = 12000  # of the policy's training, 32 texts each
    layers: int = 4
    problems: int = 300  # for evaluation …
    samples: int = 256  # … each with so many solutions
    training_problems: int = 6000
    training_samples: int = 4
    pages: int = 40000  # of seven sums
    epochs: int = 2


FULL, QUICK = Scale(), Scale(150, 2, 12, 16, 40, 4, 100, 1)


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
    names = ("problem", "solution", "correct", "labels", "log_likelihood", "tokens")
    write_rows((_judged(row, names) for row in rows), out / "evaluation.parquet")


def training(out: Path, scale: Scale) -> None:
    """Problems that the policy has not read, with a few samples each: *outcome* and *process* rows in one.

    The few solutions in which a step has no text are left out: there would be nothing to supervise.
    """
    questions = [problem.question for problem in generate(scale.training_problems, seed=4, split="train")]
    options = {"temperature": 1.0, "max_new_tokens": 80, "seed": 5, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.training_samples, path=out / "work" / "training.jsonl", **options)
    whole = [row for row in rows if row["solution"].strip() and all(map(str.strip, split_steps(row["solution"])))]
    print(f"{len(rows) - len(whole)} of {len(rows)} solutions have a step without text and are left out")
    names = ("question", "answer", "solution", "steps", "labels", "correct", "log_likelihood", "tokens")
    write_rows((_judged(row, names) for row in whole), out / "training.parquet")


def longer(out: Path, scale: Scale) -> None:
    """Problems one event longer than any that was trained on: how far do votes and verifiers reach? For chapter 7.

    A third as many as for evaluation, with a quarter of the samples each. The checkpoints of seed 0 score them: these
    three alone are files, so the scores are of one training run each, and intervals are over problems only.
    """
    questions = [problem.question for problem in generate(scale.problems // 3, 9, "evaluation", longer=True)]
    options = {"temperature": 0.7, "max_new_tokens": 120, "seed": 10, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.samples // 4, path=out / "work" / "longer.jsonl", **options)
    table = [_judged(row, ("problem", "question", "solution", "tokens", "correct", "labels")) for row in rows]
    for kind, model in MODELS.items():
        judge = model.from_pretrained(out / "models" / kind, dtype="float32")
        values = scores(judge, kind, [row["question"] for row in rows], [row["solution"] for row in rows])
        for row, value in zip(table, values, strict=True):
            row[kind] = value
    write_rows(table, out / "longer.parquet")


UNITS = {
    "policy": (policy, "policy/model.safetensors"),
    "evaluation": (evaluation, "evaluation.parquet"),
    "training": (training, "training.parquet"),
    **RUNS,
    **VARIANTS,
    "longer": (longer, "longer.parquet"),
    **SUPERVISION,
    "measure": (measure, "measured.json"),
}


def _judged(row: dict, names: tuple[str, ...]) -> dict:
    """These columns of a sampled solution and of the exact checker's verdict."""
    likelihood = np.float32(row["log_likelihood"]).item()
    judged = row | read_problem(row["question"]).judge(row["solution"]) | {"log_likelihood": likelihood}
    return {name: judged[name] for name in names}


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
        first = getattr(unit, "func", unit).__doc__.partition("\n")[0]
        print(f"{name}: {first}", flush=True)
        unit(options.out, QUICK if options.quick else FULL)


if __name__ == "__main__":
    main()
