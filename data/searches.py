"""Search with a reward model, recorded for chapter 9: what it solves, and what it costs in tokens.

The judges of a seed lead beam search and diverse verifier tree search on the evaluation problems with the most
calculations, with 2 to 32 beginnings, of which half are kept. One small search is mostly chance, so those with fewer
than 16 beginnings are repeated until together they have 16. A row is one problem: whether the best solution is right
and sound, whether any finished one is right, how many different answers were finished, the tokens that the policy wrote
and the judge read. What they are compared with are samples of the same problems at the same temperature, with the
scores of the same judges.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from runs import MODELS, Row, checkpoint

from minrm import sample, search
from minrm.rows import read_rows, write_rows
from minrm.text import final_answer
from minrm.world import read_problem
from minrm.world.recorded_runs import SEEDS

PROBLEMS, COUNTS, WIDTH, SAMPLES = 100, (2, 4, 8, 16, 32), 2, 64
EQUAL = 16  # beginnings of repeated searches together
TEMPERATURE = 0.65  # tried on development problems: .5 leaves too few ideas to a search, .8 too many bad ones
JUDGES = ("prm", "orm")
WAYS = {  # name: (judge, one tree for all or many)
    "beam search (PRM)": ("prm", False),
    "tree search (PRM)": ("prm", True),
    "beam search (ORM)": ("orm", False),
}


def searches(seed: int, out: Path, scale: Any) -> None:
    """Beam search and tree search with the judges of this seed, and the samples that they are compared with."""
    problems = longest(out, scale)
    judges = {kind: MODELS[kind].from_pretrained(checkpoint(kind, seed, out), dtype="float32") for kind in JUDGES}
    rows: list[Row] = []
    for way, (kind, diverse) in WAYS.items():
        for n in COUNTS[:1] if scale.small else COUNTS:
            rows += [{"way": way, **row} for row in searched(judges[kind], kind, n, diverse, seed, out, problems)]
    write_rows(rows, out / "searches" / f"{seed}.parquet")
    write_rows(_samples(seed, out, problems, judges), out / "searches" / f"samples-{seed}.parquet")


def searched(judge: Any, name: str, n: int, diverse: bool, seed: int, out: Path, problems: list[Row]) -> list[Row]:
    """The best solution of each problem and its price, in as many searches as are needed. name: of the judge."""
    rows: list[Row] = []
    for run in range(max(1, EQUAL // n)):
        options: Row = {"width": WIDTH, "diverse": diverse, "temperature": TEMPERATURE}
        options |= {"max_steps": 9, "step_tokens": 32, "seed": seed + 100 * run}
        options |= {"path": out / "work" / f"search-{name}-{diverse:d}-{n}-{seed}-{run}.jsonl"}
        found = search(out / "policy", judge, [row["question"] for row in problems], n, **options)
        rows += [{"n": n, "run": run, **row} for row in _best(found, problems)]
    return rows


def longest(out: Path, scale: Any) -> list[Row]:
    """The evaluation problems with most calculations (each makes one number of two), with their number, `problem`."""
    rows = [row | {"problem": number} for number, row in enumerate(read_rows(out / "problems.parquet"))]
    rows.sort(key=lambda row: -len(re.findall(r"\d+", row["question"])))
    return rows[: 12 if scale.small else PROBLEMS]


def _best(found: list[Row], problems: list[Row]) -> list[Row]:
    """Of each problem the best solution and its price."""
    finished: dict[int, list[Row]] = {}
    for row in found:
        finished.setdefault(row["problem"], []).append(row)
    best = []
    for place, own in finished.items():
        judged = read_problem(problems[place]["question"]).judge(own[0]["solution"])
        answers = {final_answer(row["solution"]) for row in own}
        best.append(
            {"problem": problems[place]["problem"], "solution": own[0]["solution"], "score": own[0]["score"]}
            | {"correct": judged["correct"], "sound": judged["correct"] and all(judged["labels"])}
            | {"candidates": own[0]["candidates"], "answers": len(answers)}
            | {"reached": problems[place]["answer"] in answers}
            | {name: own[0][name] for name in ("generated", "scored")}
        )
    return best


def _samples(seed: int, out: Path, problems: list[Row], judges: dict[str, Any]) -> list[Row]:
    """Whole solutions of the problems, as many of each, with the scores of the judges."""
    questions = [row["question"] for row in problems]
    options = {"temperature": TEMPERATURE, "max_new_tokens": 100, "seed": 20 + seed, "batch_size": 512}
    rows = sample(out / "policy", questions, SAMPLES, path=out / "work" / f"search-samples-{seed}.jsonl", **options)
    asked, written = ([row[name] for row in rows] for name in ("question", "solution"))
    scores = {kind: judge.score(asked, written, progress=True).tolist() for kind, judge in judges.items()}
    table = []
    for at, row in enumerate(rows):
        judged = read_problem(row["question"]).judge(row["solution"])
        table.append(
            {"problem": problems[row["problem"]]["problem"], "answer": final_answer(row["solution"])}
            | {"correct": judged["correct"], "steps": len(judged["steps"]), "tokens": row["tokens"]}
            | {"read": len(judges["prm"].tokenize(row["question"], row["solution"])[0])}
            | {kind: own[at] for kind, own in scores.items()}
        )
    return table


UNITS = {f"searches-{seed}": (partial(searches, seed), f"searches/samples-{seed}.parquet") for seed in SEEDS}
