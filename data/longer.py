"""Problems one event longer than any that was trained on: how far do votes and verifiers reach? For chapter 7.

The policy solves them, the checkpoints of seed 0 score what it wrote, and the exact checker judges it. Only these three
are files, so the scores are of one training run each: intervals are over problems alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs import MODELS, judged, scores

from minrm import sample
from minrm.rows import write_rows
from minrm.world import generate


def longer(out: Path, scale: Any) -> None:
    """Longer problems, a third as many as for evaluation with a quarter of the samples each, and their scores."""
    problems = generate(scale.problems // 3, seed=9, split="evaluation", longer=True)
    questions = [problem.question for problem in problems]
    options = {"temperature": 0.7, "max_new_tokens": 120, "seed": 10, "batch_size": 512}
    work = out / "work" / "longer.jsonl"
    rows = sample(out / "policy", questions, scale.samples // 4, path=work, **options)
    table = []
    for row in rows:
        verdict = judged(problems[row["problem"]], row["solution"])
        kept = {key: row[key] for key in ("problem", "question", "solution", "tokens")}
        table.append(kept | {"correct": verdict["correct"], "labels": verdict["labels"]})
    asked = [(row["question"], row["solution"]) for row in rows]
    for kind, model in MODELS.items():
        judge = model.from_pretrained(out / "models" / kind, dtype="float32")
        for row, score in zip(table, scores(judge, kind, asked), strict=True):
            row[kind] = score
    write_rows(table, out / "longer.parquet")
