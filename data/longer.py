"""Problems one event longer than any that was trained on: how far do votes and verifiers reach? For chapter 7.

The policy solves them, the checkpoints of seed 0 score what it wrote, and the exact checker judges it. Only these three
are files, so the scores are of one training run each: intervals are over problems alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs import MODELS, scores

from minrm import sample
from minrm.rows import write_rows
from minrm.world import generate


def longer(out: Path, scale: Any) -> None:
    """Longer problems, a third as many as for evaluation with a quarter of the samples each, and their scores."""
    problems = generate(scale.problems // 3, seed=9, split="evaluation", longer=True)
    questions = [problem.question for problem in problems]
    options = {"temperature": 0.7, "max_new_tokens": 120, "seed": 10, "batch_size": 512}
    rows = sample(out / "policy", questions, scale.samples // 4, path=out / "work" / "longer.jsonl", **options)
    table = [row | problems[row["problem"]].judge(row["solution"]) for row in rows]
    names = ["problem", "question", "solution", "tokens", "correct", "labels", *MODELS]
    for kind, model in MODELS.items():
        judge = model.from_pretrained(out / "models" / kind, dtype="float32")
        values = scores(judge, kind, [row["question"] for row in rows], [row["solution"] for row in rows])
        for row, value in zip(table, values, strict=True):
            row[kind] = value
    write_rows(({name: row[name] for name in names} for row in table), out / "longer.parquet")
