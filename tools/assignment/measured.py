"""The reference results of the assignments: the student's notebook with the reference answer.

`python tools/assignment/measured.py spend_500_labels` (or `search_with_a_budget`) runs the notebook's code cells as
they are handed out, some minutes on one core, and writes the tables between the marks of that name in
`book/instructors.md`. Run it again when the data or the notebook has changed. (`data/supervision.py` records those of
`final_token`.)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import reference
import torch
from rubric import SEARCH, SPEND, Assignment

PAGE = Path(__file__).parents[2] / "book" / "instructors.md"


def run(assignment: Assignment, **scale: Any) -> dict[str, Any]:
    """The names that the notebook leaves when its function is the reference's. scale: constants in place of its own."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in nbformat.read(assignment.notebook, as_version=4).cells:
        if cell.id == assignment.cell:
            names[assignment.function] = getattr(reference, assignment.function)
        elif cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), names)
        if cell.id == "scale":
            names |= scale
    return names


def of_labels(names: dict[str, Any]) -> str:
    """What a run of *Spend 500 labels* found, as Markdown: what was labelled, and what that was worth."""
    ranks, gap = names["ranks"].set_index("name"), names["gap"]
    best = names["by_n"].pivot(index="n", columns="way", values="mean")
    lines = [
        f"{names['SEEDS']} seeds, {names['LABELS']} labels, {names['PROBLEMS']} problems with 64 samples each.",
        "",
        "| way | round | labels | end wrong | bad steps |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in names["table"].to_dict("records"):
        lines.append(
            f"| {row['way']} | {row['round']} | {row['labels'] // names['SEEDS']} | {row['end wrong']:.2f} "
            f"| {row['bad steps']:.2f} |"
        )
    lines += ["", "| measure | random | chosen | chosen - random |", "|---|--:|--:|---|"]
    means, paired = ranks["mean"], ranks.loc["chosen - random"]
    rows = [("within-problem AUC", means["PRM, random"], means["PRM, chosen"], *paired[["mean", "low", "high"]])]
    for n in names["counts"][1:]:
        rows.append((f"best of {n}", best.loc[n, "PRM, random"], best.loc[n, "PRM, chosen"], *gap.loc[n]))
    for name, random, chosen, mean, low, high in rows:
        lines.append(f"| {name} | {random:.3f} | {chosen:.3f} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return "\n".join(lines)


def of_search(names: dict[str, Any]) -> str:
    """What a run of *Search with a budget* found, as Markdown: what was solved and written, and what was left."""
    table, gap = (names[name].set_index("name") for name in ("table", "gap"))
    lines = [
        f"{names['SEEDS']} seeds, {names['PROBLEMS']} problems, temperature {names['TEMPERATURE']}.",
        "",
        "| beginnings | way | solved | tokens | different answers | a right one among them |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    for n in names["COUNTS"]:
        for way in names["ways"]:
            row, left = table.loc[f"PRM, {way}, {n}"], names["variety"][way, n]
            lines.append(
                f"| {n} | {way} | {row['mean']:.3f} | {row['tokens']:.0f} | {left['different answers']:.2f} "
                f"| {left['a right one among them']:.3f} |"
            )
    lines += ["", "| beginnings | beam search - best-of-N |", "|--:|---|"]
    for n in names["COUNTS"]:
        mean, low, high = gap.loc[f"beam search - best-of-N, {n}"][["mean", "low", "high"]]
        lines.append(f"| {n} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return "\n".join(lines)


REPORTS = {SPEND.name: (SPEND, of_labels), SEARCH.name: (SEARCH, of_search)}

if __name__ == "__main__":
    matplotlib.use("agg")
    torch.set_num_threads(1)
    assignment, report = REPORTS[sys.argv[1]]
    text = report(run(assignment))
    print(text)
    begin, end = (f"<!-- {assignment.name}: {mark} -->" for mark in ("begin", "end"))
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{rest[rest.index(end) :]}", encoding="utf-8")
