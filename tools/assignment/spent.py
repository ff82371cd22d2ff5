"""The reference results of "Spend 500 labels": the student's notebook with the reference answer.

`python tools/assignment/spent.py` runs its code cells as they are handed out, a few minutes on one core, and writes the
tables between the marks of `book/instructors.md`. Run it again when the data or the notebook has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import torch
from reference import choose
from rubric import SPEND

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "instructors.md"
BEGIN, END = "<!-- spent: begin -->", "<!-- spent: end -->"


def run(**scale: int) -> dict[str, Any]:
    """The names that the notebook leaves when its function is the reference's. scale: constants in place of its own."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in nbformat.read(SPEND.notebook, as_version=4).cells:
        if cell.id == SPEND.cell:
            names[SPEND.function] = choose
        elif cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), names)
        if cell.id == "scale":
            names |= scale
    return names


def report(names: dict[str, Any]) -> str:
    """What a run of the notebook found, as Markdown: how it was run, what was labelled, and what that was worth."""
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


if __name__ == "__main__":
    matplotlib.use("agg")
    torch.set_num_threads(1)
    text = report(run())
    print(text)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{rest[rest.index(END) :]}", encoding="utf-8")
