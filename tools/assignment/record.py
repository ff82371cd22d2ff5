"""Which supervision wins, and when? Every token against the final token only, recorded for the instructor's page.

Both variants, from five seeds, with three amounts of data and three training lengths. The lengths are numbers of
updates of equal batches, the same whatever the variant and the amount of data, so compute is equal. A unit is one
training run; it leaves a JSON file with the within-problem AUC and the best-of-N of each problem, and one that is there
is not run again. `--report` draws the figure and writes the tables between the marks of `book/instructors.md`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from reference import final_token

from minrm import OutcomeRewardModel, best_of_n, every_token, shipped, train
from minrm.metrics import within_problem_auc
from minrm.rows import read_rows
from minrm.text import final_answer
from minrm.world import CORRUPTED, generate, read_problem, write

RECORDED = Path(__file__).parent / "recorded"
VARIANTS = {"every": every_token, "final": final_token}
COUNTS = [1, 4, 16, 64]
BATCH = 32
Row = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    seeds: int = 5
    rows: tuple[int, ...] = (1_600, 6_400, 25_600)  # each holds the one before; half sampled, half corrupted
    updates: tuple[int, ...] = (50, 200, 800)  # one pass over each of the above
    problems: int = 300
    samples: int = 64  # the first ones of each problem


FULL, QUICK = Scale(), Scale(2, (64, 128), (2, 4), 12, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RECORDED, help="the folder of the units' files")
    parser.add_argument("--quick", action="store_true", help="the same way in a minute, in small; needs --out")
    parser.add_argument("--unit", action="append", help="only this unit, such as final-6400-200-0")
    parser.add_argument("--share", default="1/1", help="2/3: the second of three processes that run side by side")
    parser.add_argument("--report", action="store_true", help="figure and tables from the files that are there")
    options = parser.parse_args()
    if options.quick and options.out == RECORDED:
        parser.error("--quick records something else: give a folder with --out")
    if options.report:
        from report import report  # draws

        report(options.out)
    else:
        record(options.out, QUICK if options.quick else FULL, options.unit, options.share)


def record(out: Path, scale: Scale = FULL, only: list[str] | None = None, share: str = "1/1") -> None:
    """Run every unit whose file is not there yet, the short ones first. share: the part of a process among several."""
    units = {"-".join(map(str, unit)): unit for unit in _units(scale)}
    if unknown := set(only or []) - set(units):
        raise SystemExit(f"no unit is called {', '.join(sorted(unknown))}; the first is {next(iter(units))}")
    part, of = map(int, share.split("/"))
    mine = list(only or units)[part - 1 :: of]
    wanted = [name for name in mine if not (out / f"{name}.json").exists()]
    out.mkdir(parents=True, exist_ok=True)
    print(f"{len(mine)} units, {len(wanted)} to run", flush=True)
    if not wanted:
        return
    pool, evaluation = _pool(max(scale.rows)), _evaluation(scale)
    for number, name in enumerate(wanted, 1):
        began = time.monotonic()
        result = run(*units[name], pool, evaluation)
        minutes = round((time.monotonic() - began) / 60, 2)
        written = out / f"{name}.part"
        written.write_text(json.dumps(result | {"minutes": minutes}) + "\n")
        written.replace(out / f"{name}.json")  # whole or not at all
        print(f"{number}/{len(wanted)} {name}: AUC {np.mean(result['auc']):.3f}, {minutes} min", flush=True)


def run(variant: str, rows: int, updates: int, seed: int, pool: list[Row], evaluation: dict[str, Any]) -> Row:
    """One training run, and what its scores are worth on each problem."""
    model = OutcomeRewardModel.from_base(shipped("drilled"), seed=seed)
    settings: dict[str, Any] = {"epochs": epochs_for(rows, updates), "batch_size": BATCH, "learning_rate": 1e-3}
    settings |= {"seed": seed, "supervised": VARIANTS[variant], "save_steps": updates, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        result = train(model, pool[:rows], folder, **settings)
    given = model.score(*zip(*evaluation["asked"], strict=True))
    scores, correct = np.append(given, 0.0)[evaluation["place"]], evaluation["correct"]  # [problems, samples]
    found = {"auc": within_problem_auc(scores, correct), "best": best_of_n(scores, correct, COUNTS)}
    unit = {"variant": variant, "rows": rows, "updates": int(result.history[-1]["step"]), "seed": seed}
    return unit | {name: estimate.per_problem.round(3).tolist() for name, estimate in found.items()}


def epochs_for(rows: int, updates: int) -> float:
    """How often to go through the rows for so many updates. Counts are rounded: a quarter keeps them off the edge."""
    return (updates - 0.25) / -(-rows // BATCH)


def _units(scale: Scale) -> Iterator[tuple[str, int, int, int]]:
    for updates, seed, rows, variant in product(scale.updates, range(scale.seeds), scale.rows, VARIANTS):
        yield variant, rows, updates, seed


def _pool(size: int) -> list[Row]:
    """Outcome rows in one fixed order: what the policy wrote and what a class with more mistakes wrote, by turns."""
    sampled = [row for _, row in read_rows(shipped("training.parquet"))]
    random.Random(0).shuffle(sampled)
    rng, rows = random.Random(1), []
    for row, problem in zip(sampled, generate(-(-size // 2), seed=7, split="train"), strict=False):
        rows.append(_outcome(read_problem(row["question"]), row["solution"]))
        rows.append(_outcome(problem, write(problem, rng, CORRUPTED)[0]))
    return rows


def _outcome(problem: Any, solution: str) -> Row:
    right = final_answer(solution) == problem.answer
    return {"question": problem.question, "solution": solution, "answer": problem.answer, "correct": right}


def _evaluation(scale: Scale) -> dict[str, Any]:
    """The different texts to score, where each sample's text stands among them, and which samples are right.

    A sample without text has nothing to score: its place is -1, behind all others.
    """
    problems = [row["question"] for _, row in read_rows(shipped("problems.parquet"))][: scale.problems]
    samples = [row for _, row in read_rows(shipped("evaluation.parquet"))]
    each = len(samples) // (samples[-1]["problem"] + 1)
    kept = [row for i in range(len(problems)) for row in samples[i * each : i * each + scale.samples]]
    texts = [(problems[row["problem"]], row["solution"]) for row in kept]
    asked = [text for text in dict.fromkeys(texts) if text[1].strip()]
    number = {text: i for i, text in enumerate(asked)}
    shape = len(problems), scale.samples
    place = np.array([number.get(text, -1) for text in texts]).reshape(shape)
    return {"asked": asked, "place": place, "correct": np.array([row["correct"] for row in kept]).reshape(shape)}


if __name__ == "__main__":
    main()
