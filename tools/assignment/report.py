"""What `record.py` recorded, as a figure and as tables between the marks of `book/instructors.md`.

Each unit's file holds the within-problem AUC and the best-of-N of every problem. Both variants of one seed share their
head and the order of their rows, so they are compared in pairs: of the same seed, on the same problem.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from minrm.errors import InputError
from minrm.metrics import Estimate, over_seeds, paired_difference
from minrm.notebook.panels import panels

PAGE = Path(__file__).parents[2] / "book" / "instructors.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
COUNTS = {4: 1, 16: 2, 64: 3}  # N: its place among record.COUNTS
Runs = dict[tuple[int, int], dict[str, dict[int, dict[str, Any]]]]  # (rows, updates): variant: seed: the unit


def report(folder: Path, page: Path = PAGE) -> None:
    """Draw the figure into the folder of the units, and put the tables and the figure between the page's marks."""
    cells = compared(read(folder))
    if not cells:
        raise InputError(f"{folder} holds no unit of both variants; run tools/assignment/record.py first")
    drawn = [row | {"panel": f"ORM, {row['rows']:,} rows"} for row in lines(cells)]
    figure = panels(drawn, "updates of 32 rows (log scale)", "right above wrong in a problem (%)", log=True)
    figure.savefig(folder / "auc.png", dpi=110)
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    if not begin or END not in rest:
        raise InputError(f"{page} has no line {BEGIN} with {END} below it; the tables stand between them")
    link = Path(os.path.relpath(folder / "auc.png", page.parent)).as_posix()
    text = "\n".join([told(cells), "", f"![{alt(cells)}]({link})", "", *tables(cells)])
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(f"{page.name}: {told(cells)}")


def read(folder: Path) -> Runs:
    """The units that are there."""
    runs: Runs = {}
    for path in sorted(folder.glob("*.json")):
        unit = json.loads(path.read_text(encoding="utf-8"))
        of_cell = runs.setdefault((unit["rows"], unit["updates"]), {"every": {}, "final": {}})
        of_cell[unit["variant"]][unit["seed"]] = unit
    return dict(sorted(runs.items()))


def compared(runs: Runs) -> list[dict[str, Any]]:
    """For each amount of data and length of training, both variants and their difference, over the seeds of both."""
    cells = []
    for (rows, updates), variants in runs.items():
        seeds = sorted(set(variants["every"]) & set(variants["final"]))
        if not seeds:
            continue
        every, final = ([variants[name][seed] for seed in seeds] for name in ("every", "final"))
        cell: dict[str, Any] = {"rows": rows, "updates": updates, "seeds": len(seeds)}
        cell["minutes"] = sum(unit["minutes"] for unit in every + final)
        for what, values in _measures().items():
            pairs = [(_estimate(values(e)), _estimate(values(f))) for e, f in zip(every, final, strict=True)]
            gaps = [paired_difference(f.per_problem, e.per_problem) for e, f in pairs]
            cell[what] = {
                "every": over_seeds([e for e, _ in pairs]),
                "final": over_seeds([f for _, f in pairs]),
                "gap": over_seeds(gaps),
                "pairs": pairs,
            }
        cells.append(cell)
    return cells


def lines(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figure's table: rows, line, x, mean, low, high of the AUC."""
    drawn = []
    for cell in cells:
        for name in ("every", "final"):
            e = cell["AUC"][name]
            place = {"rows": cell["rows"], "line": f"{name} token", "x": cell["updates"]}
            drawn.append(place | {"mean": e.mean, "low": e.low, "high": e.high})
    return drawn


def tables(cells: list[dict[str, Any]]) -> list[str]:
    """Two Markdown tables, as lines: the AUC, and the best of N."""
    out = [
        "| rows | updates | within-problem AUC, every token | final token | final - every |",
        "|--:|--:|---|---|---|",
    ]
    for cell in cells:
        values = (_with(cell["AUC"][name]) for name in ("every", "final"))
        out.append(
            f"| {cell['rows']:,} | {cell['updates']} | {' | '.join(values)} | {_with(cell['AUC']['gap'], '+')} |"
        )
    named = [f"best of {n}: every → final, final - every" for n in COUNTS]
    out += ["", f"| rows | updates | {' | '.join(named)} |", "|--:|--:|---|---|---|"]
    for cell in cells:
        best = [cell[f"best of {n}"] for n in COUNTS]
        values = (f"{b['every'].mean:.3f} → {b['final'].mean:.3f}, {_with(b['gap'], '+')}" for b in best)
        out.append(f"| {cell['rows']:,} | {cell['updates']} | {' | '.join(values)} |")
    return out


def told(cells: list[dict[str, Any]]) -> str:
    """One sentence: how many runs, seeds and problems, and how often which variant is ahead clear of chance."""
    gaps = [cell["AUC"]["gap"] for cell in cells]
    ahead = sum(gap.low > 0 for gap in gaps), sum(gap.high < 0 for gap in gaps)
    runs, minutes = 2 * sum(cell["seeds"] for cell in cells), sum(cell["minutes"] for cell in cells)
    seeds, problems = max(cell["seeds"] for cell in cells), gaps[0].problems
    chosen = cells[0]["best of 4"]["gap"].problems
    return (
        f"{runs} runs, {seeds} seeds, {problems} problems ({chosen} for best-of-N), {minutes:.0f} minutes. "
        f"Of {len(cells)} combinations the final token alone has the higher within-problem AUC in {ahead[0]}, "
        f"every token in {ahead[1]}, with an "
        f"interval clear of 0; open: {len(cells) - sum(ahead)}. "
        f"The mean of all {len(cells)} differences, final - every: "
        + ", ".join(f"{what} {_with(pooled(cells, what), '+')}" for what in _measures())
        + "."
    )


def pooled(cells: list[dict[str, Any]], what: str) -> Estimate:
    """The mean difference over all combinations: they share seeds and problems, so each is first averaged over them."""
    gaps = []
    for of_seed in zip(*(cell[what]["pairs"] for cell in cells), strict=False):
        every, final = (np.mean([pair[k].per_problem for pair in of_seed], axis=0) for k in (0, 1))
        gaps.append(paired_difference(final, every))
    return over_seeds(gaps)


def alt(cells: list[dict[str, Any]]) -> str:
    """The figure in words."""
    first, last = cells[0], cells[-1]
    ends = (
        f"with {cell['rows']:,} rows and {cell['updates']} updates {cell['AUC']['every'].mean:.2f} for every token and "
        f"{cell['AUC']['final'].mean:.2f} for the final token"
        for cell in (first, last)
    )
    return f"Within-problem AUC against the number of updates, a panel for each amount of data: {'; '.join(ends)}."


def _measures() -> dict[str, Any]:
    best = {f"best of {n}": lambda unit, place=place: np.array(unit["best"])[:, place] for n, place in COUNTS.items()}
    return {"AUC": lambda unit: unit["auc"], **best}


def _estimate(values: Any) -> Estimate:
    return Estimate.over_problems(values)


def _with(estimate: Estimate, sign: str = "") -> str:
    """A mean with its interval."""
    return f"{estimate.mean:{sign}.3f} ({estimate.low:{sign}.3f} to {estimate.high:{sign}.3f})"
