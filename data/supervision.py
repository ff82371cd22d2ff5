"""Every token against the final token only: which supervision wins, and when? Recorded for the instructors' page.

Both variants, from five seeds, with three amounts of data and three training lengths. The lengths are numbers of
updates of equal batches, whatever the variant and the amount of data, so compute is equal. A seed leaves a row for each
of its runs in `supervision/`: the within-problem AUC and the best-of-N of each problem. The last unit draws the figure
and writes the tables between the marks of `book/instructors.md`.
"""

from __future__ import annotations

import json
import random
import runpy
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from runs import DTYPE

from minrm import OutcomeRewardModel, best_of_n, every_token, train
from minrm.metrics import Estimate, over_seeds, paired_difference, within_problem_auc
from minrm.notebook.panels import panels
from minrm.rows import read_rows, write_rows
from minrm.world import CORRUPTED, evaluation, generate, write
from minrm.world.recorded_runs import SEEDS

ROOT = Path(__file__).parents[1]
ROWS, UPDATES = (1_600, 4_800, 14_400), (50, 150, 450)  # each amount holds the one before; one pass over each
BATCH, COUNTS, SAMPLES = 32, [1, 4, 16, 64], 64  # rows in an update; N of best-of-N; samples of each problem
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
Row = dict[str, Any]


def record(seed: int, out: Path, scale: Any) -> None:
    """Both supervisions of an outcome reward model, from this seed: what their scores are worth on each problem."""
    sizes = ((32,), (2,)) if scale.small else (ROWS, UPDATES)
    # the answer of the exercise, which lies with the instructor's kit alone
    final_token = runpy.run_path(str(ROOT / "tools" / "assignment" / "reference.py"))["final_token"]
    variants = {"every": every_token, "final": final_token}
    rows = training_rows(out, max(sizes[0]))
    work = out / "work" / f"supervision-{seed}.jsonl"
    work.parent.mkdir(exist_ok=True)
    done = [json.loads(line) for line in work.read_text().splitlines()] if work.exists() else []
    for updates, size, variant in list(product(sizes[1], sizes[0], variants))[len(done) :]:
        began = time.monotonic()
        model = OutcomeRewardModel.from_base(out / "policy", seed=seed)
        model.model.set_attn_implementation("eager")  # as in runs.py
        settings: dict[str, Any] = {"epochs": epochs_for(size, updates), "batch_size": BATCH, "learning_rate": 1e-3}
        settings |= {"seed": seed, "supervised": variants[variant], "progress": False, "resume": False, "dtype": DTYPE}
        train(model, rows[:size], out / "work" / f"supervision-{seed}", **settings)
        run = {"variant": variant, "rows": size, "updates": updates, "seed": seed}
        done.append(run | worth(model, out) | {"minutes": round((time.monotonic() - began) / 60, 2)})
        with open(work, "a") as file:
            file.write(json.dumps(done[-1]) + "\n")
    (out / "supervision").mkdir(exist_ok=True)
    write_rows(done, out / "supervision" / f"{seed}.parquet")


def epochs_for(rows: int, updates: int) -> float:
    """How often to go through the rows for so many updates. Counts are rounded: a quarter keeps them off the edge."""
    return (updates - 0.25) / -(-rows // BATCH)


def training_rows(out: Path, size: int) -> list[Row]:
    """Outcome rows in one fixed order: what the policy wrote and what a class with more mistakes wrote, by turns."""
    sampled = list(read_rows(out / "training.parquet"))
    random.Random(0).shuffle(sampled)
    rng, rows = random.Random(1), []
    for row, problem in zip(sampled, generate(-(-size // 2), seed=7, split="train"), strict=False):
        rows += [row, problem.judge(write(problem, rng, CORRUPTED)[0])]
    return rows


def worth(model: OutcomeRewardModel, out: Path) -> Row:
    """Of the first samples of each problem: the within-problem AUC, and the best-of-N for each count."""
    world = evaluation(out)
    questions, solutions, correct = (x[:, :SAMPLES] for x in (world.questions, world.solutions, world.correct))
    scores = model.score(questions.ravel().tolist(), solutions.ravel().tolist()).reshape(correct.shape)
    counts = [n for n in COUNTS if n <= correct.shape[1]]
    estimates = {"auc": within_problem_auc(scores, correct), "best": best_of_n(scores, correct, counts)}
    return {name: estimate.per_problem.round(3).tolist() for name, estimate in estimates.items()}


def report(out: Path, scale: Any = None) -> None:
    """Every token against the final token only: the figure, and the tables of the instructors' page."""
    runs = [row for path in sorted((out / "supervision").glob("*.parquet")) for row in read_rows(path)]
    sizes = sorted({(run["rows"], run["updates"]) for run in runs})
    counts = COUNTS[1 : len(runs[0]["best"][0])]
    measures: dict[str, Callable] = {"AUC": lambda run: run["auc"]}
    measures |= {f"best of {n}": lambda run, k=k: np.array(run["best"])[:, k] for k, n in enumerate(counts, 1)}
    table = {what: _compare(runs, sizes, measure) for what, measure in measures.items()}
    drawn = [
        e.row(panel=f"ORM, {rows:,} rows", line=line, x=updates)
        for (rows, updates), cell in zip(sizes, table["AUC"], strict=False)
        for line, e in zip(("every token", "final token"), cell, strict=False)
    ]
    figure = panels(drawn, "updates of 32 rows (log scale)", "right above wrong in a problem (%)", log=True)
    figure.savefig(out / "supervision" / "auc.png", dpi=110)
    summary = _summary(runs, table)
    print(summary)
    if out.resolve() == ROOT / "data":
        page = ROOT / "book" / "instructors.md"
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        image = f"![{_alt(sizes, table['AUC'])}](../data/supervision/auc.png)"
        lines = [BEGIN, summary, "", image, "", *_tables(sizes, table), END]
        page.write_text(before + "\n".join(lines) + rest.partition(END)[2], encoding="utf-8")


def _compare(runs: list[Row], sizes: list[tuple[int, int]], measure: Callable) -> list[tuple[Estimate, ...]]:
    """(every, final, final - every) for each size, and last for the mean over all sizes.

    Both variants of a seed share their head and the order of their rows, so they are compared in pairs: of the same
    seed, on the same problem. The sizes share seeds and problems, so for the last each is first averaged over them.
    """
    of = {(run["variant"], run["seed"], run["rows"], run["updates"]): measure(run) for run in runs}
    seeds = sorted({run["seed"] for run in runs})
    every, final = (
        np.array([[of[variant, seed, *size] for seed in seeds] for size in sizes]) for variant in ("every", "final")
    )
    return [
        (
            over_seeds([Estimate.over_problems(row) for row in e]),
            over_seeds([Estimate.over_problems(row) for row in f]),
            over_seeds([paired_difference(last, all_) for last, all_ in zip(f, e, strict=True)]),
        )
        for e, f in [*zip(every, final, strict=True), (every.mean(axis=0), final.mean(axis=0))]
    ]


def _summary(runs: list[Row], table: dict[str, list[tuple[Estimate, ...]]]) -> str:
    """How many runs, seeds and problems, and how often which variant is ahead clear of chance."""
    gaps = [gap for *_, gap in table["AUC"][:-1]]
    ahead, behind = sum(gap.low > 0 for gap in gaps), sum(gap.high < 0 for gap in gaps)
    means = ", ".join(f"{what} {_interval(cells[-1][2], '+')}" for what, cells in table.items())
    return (
        f"{len(runs)} runs, {len({run['seed'] for run in runs})} seeds, {len(runs[0]['auc'])} problems "
        f"({len(runs[0]['best'])} for best-of-N), {sum(run['minutes'] for run in runs):.0f} minutes. "
        f"Of {len(gaps)} combinations the final token alone has the higher within-problem AUC in {ahead}, "
        f"every token in {behind}, with an interval clear of 0; open: {len(gaps) - ahead - behind}. "
        f"The mean of all {len(gaps)} differences, final - every: {means}."
    )


def _alt(sizes: list[tuple[int, int]], cells: list[tuple[Estimate, ...]]) -> str:
    """The figure in words: its first and its last points."""
    ends = "; ".join(
        f"with {sizes[k][0]:,} rows and {sizes[k][1]} updates {cells[k][0].mean:.2f} for every token and "
        f"{cells[k][1].mean:.2f} for the final token"
        for k in (0, len(sizes) - 1)
    )
    return f"Within-problem AUC against the number of updates, a panel for each amount of data: {ends}."


def _tables(sizes: list[tuple[int, int]], table: dict[str, list[tuple[Estimate, ...]]]) -> list[str]:
    """Two Markdown tables, as lines: the AUC, and the best of N."""
    best = {what: cells for what, cells in table.items() if what != "AUC"}
    names = " | ".join(f"{what}: every → final, final - every" for what in best)
    first = [
        "| rows | updates | within-problem AUC, every token | final token | final - every |",
        "|--:|--:|---|---|---|",
    ]
    second = ["", f"| rows | updates | {names} |", "|--:|--:|---|---|---|"]
    for k, (rows, updates) in enumerate(sizes):
        every, final, gap = table["AUC"][k]
        first.append(f"| {rows:,} | {updates} | {_interval(every)} | {_interval(final)} | {_interval(gap, '+')} |")
        cells = (cells[k] for cells in best.values())
        shown = (f"{every.mean:.3f} → {final.mean:.3f}, {_interval(gap, '+')}" for every, final, gap in cells)
        second.append(f"| {rows:,} | {updates} | {' | '.join(shown)} |")
    return first + second


def _interval(e: Estimate, sign: str = "") -> str:
    return f"{e.mean:{sign}.3f} ({e.low:{sign}.3f} to {e.high:{sign}.3f})"


UNITS = {f"supervision-{seed}": (partial(record, seed), f"supervision/{seed}.parquet") for seed in SEEDS}
UNITS |= {"supervision": (report, "supervision/auc.png")}
