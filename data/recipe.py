"""How everything in this folder was made, from nothing, through the package's public functions: `make data`.

Units, each at most 30 minutes on two cores but the first: policy, evaluation, training, a run for each reward model and
seed (orm-0, prm-0, …), rollouts, other runs for chapters 5 and 8, active learning, far, searches, training against
rewards, supervision-0 to -4 and supervision (for the instructors' page), measure. A unit whose result is there is not
run again; one that was stopped goes on where it was. To run one anew, remove its files, or build into another folder
with `make data OUT=folder`. `make data QUICK=1` goes the same way in three minutes, in small.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from active import UNITS as ACTIVE
from measure import measure
from policy_training import LAPSES, train_policy
from reinforcement import UNITS as REINFORCEMENT
from runs import MODELS, RUNS, TEMPERATURE, scores
from searches import UNITS as SEARCHES
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

    steps: int = 16000  # of the policy's training, 32 texts each
    layers: int = 4
    problems: int = 300  # for evaluation …
    samples: int = 256  # … each with so many solutions
    training_problems: int = 6000
    training_samples: int = 4
    corrupted: int = 100_000  # solutions that reward models learn from beside the sampled ones
    small: bool = False


FULL, QUICK = Scale(), Scale(150, 2, 12, 16, 40, 4, 200, small=True)


def policy(out: Path, scale: Scale) -> None:
    """The small language model, from nothing.

    It reads texts of a class that lapses more than it does later; then, at half the learning rate, of the class itself.
    """
    first = out / "work" / "policy"
    if not (first / "model.safetensors").exists():
        train_policy(first, scale.steps, layers=scale.layers, habits=LAPSES)
    train_policy(out / "policy", scale.steps * 3 // 4, first, learning_rate=1e-3, seed=100)


def evaluation(out: Path, scale: Scale) -> None:
    """Problems that nothing is trained on, with a direct answer, a greedy solution and many samples each."""
    problems = generate(scale.problems, seed=2, split="evaluation")
    questions = [problem.question for problem in problems]
    common = {"max_new_tokens": 100, "seed": 3, "batch_size": 512}
    work = out / "work"
    direct = sample(out / "policy", questions, 1, path=work / "direct.jsonl", prompt=DIRECT, temperature=0, **common)
    greedy = sample(out / "policy", questions, 1, path=work / "greedy.jsonl", temperature=0, **common)
    common |= {"temperature": TEMPERATURE, "path": work / "evaluation.jsonl"}
    rows = sample(out / "policy", questions, scale.samples, **common)
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
    options = {"temperature": 1.0, "max_new_tokens": 100, "seed": 5, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.training_samples, path=out / "work" / "training.jsonl", **options)
    whole = [row for row in rows if row["solution"].strip() and all(map(str.strip, split_steps(row["solution"])))]
    print(f"{len(rows) - len(whole)} of {len(rows)} solutions have a step without text and are left out")
    names = ("question", "answer", "solution", "steps", "labels", "correct", "log_likelihood", "tokens")
    write_rows((_judged(row, names) for row in whole), out / "training.parquet")


def far(out: Path, scale: Scale) -> None:
    """Problems with other names, things and verbs and larger numbers: do votes and verifiers hold? For chapter 7.

    The policy has read few of them, the reward models none.

    A third as many as for evaluation, with a quarter of the samples each. The checkpoints of seed 0 score them: these
    three alone are files, so the scores are of one training run each, and intervals are over problems only.
    """
    questions = [problem.question for problem in generate(scale.problems // 3, 9, "evaluation", far=True)]
    options = {"temperature": TEMPERATURE, "max_new_tokens": 100, "seed": 10, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.samples // 4, path=out / "work" / "far.jsonl", **options)
    table = [_judged(row, ("problem", "question", "solution", "tokens", "correct", "labels")) for row in rows]
    for kind, model in MODELS.items():
        judge = model.from_pretrained(out / "models" / kind, dtype="float32")
        values = scores(judge, kind, [row["question"] for row in rows], [row["solution"] for row in rows])
        for row, value in zip(table, values, strict=True):
            row[kind] = value
    write_rows(table, out / "far.parquet")


UNITS = {
    "policy": (policy, "policy/model.safetensors"),
    "evaluation": (evaluation, "evaluation.parquet"),
    "training": (training, "training.parquet"),
    **RUNS,
    **VARIANTS,
    **ACTIVE,
    "far": (far, "far.parquet"),
    **SEARCHES,
    **REINFORCEMENT,
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
    parser.add_argument("--quick", action="store_true", help="the same way in three minutes, in small")
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
