"""P8: how time and memory grow with the number of rows that are scored, prepared and evaluated; a process for each."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {
    "full": {
        "score": [1_000, 2_000, 4_000, 8_000, 16_000, 32_000],
        "prepare": [1_000, 10_000, 30_000, 100_000],
        "evaluate": [1_000, 10_000, 30_000, 100_000],
    },
    "quick": {"score": [250, 500], "prepare": [1_000, 4_000], "evaluate": [1_000, 4_000]},
    "tiny": {"score": [8], "prepare": [8], "evaluate": [8]},
}


def job(task: str, rows: int, folder: str) -> Callable[[], Any]:
    """The call that does a task on so many rows, which lie in a file there; prepared here, timed elsewhere."""
    return {"score": _score, "prepare": _prepare, "evaluate": _evaluate}[task](rows, Path(folder))


def _solutions(rows: int) -> list[dict[str, Any]]:
    """Four solutions of each problem, one of them right, all different."""
    from random import Random

    from minrm.text import split_steps
    from minrm.world import FLAWLESS, generate, write

    result = []
    for problem in generate(-(-rows // 4), seed=5):
        right = write(problem, Random(0), FLAWLESS)[0]
        for sample in range(4):
            solution = right if sample == 0 else f"{right}{sample}"
            steps = split_steps(solution)
            row = {"question": problem.question, "solution": solution, "answer": problem.answer, "correct": sample == 0}
            result.append(
                row | {"steps": steps, "labels": [1] * len(steps), "problem": len(result) // 4, "sample": sample}
            )
    return result[:rows]


def _score(rows: int, folder: Path) -> Callable[[], Any]:
    from minrm import ProcessRewardModel, shipped

    model, data = ProcessRewardModel.from_base(shipped("policy")), _solutions(rows)
    questions, solutions = [row["question"] for row in data], [row["solution"] for row in data]
    return lambda: model.step_scores(questions, solutions)


def _written(rows: int, folder: Path, **more: Any) -> Path:
    path = folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(_solutions(rows)):
            extra = {"score": ((number * 7919) % 1000) / 1000, **more} if more else {}
            file.write(json.dumps(row | extra) + "\n")
    return path


def _prepare(rows: int, folder: Path) -> Callable[[], Any]:
    from minrm.cli.prepare import rows_from
    from minrm.rows import write_rows

    path = _written(rows, folder)
    return lambda: write_rows(rows_from("rows", path, schema="process"), folder / "out.jsonl")


def _evaluate(rows: int, folder: Path) -> Callable[[], Any]:
    from minrm.cli.evaluate import measure
    from minrm.cli.inputs import samples

    path = _written(rows, folder, scored_by="orm", scored_with="a bench")
    return lambda: measure(list(samples(path)), path)


def slope(sizes: list[int], seconds: list[float]) -> float:
    """The power of growth: 1 is in proportion."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else float("nan")


def p8(size: str, measured: Callable[[str, int, str], dict[str, float]]) -> dict[str, Any]:
    """A series of each task; measured: runs a job in a fresh process and gives its seconds and its peak_gb."""
    series: dict[str, Any] = {}
    for task, sizes in SIZES[size].items():
        points = []
        for rows in sizes:
            with tempfile.TemporaryDirectory() as folder:
                points.append({"rows": rows, **measured(task, rows, folder)})
        series[task] = {"points": points, "slope": round(slope(sizes, [point["seconds"] for point in points]), 3)}
    return {"what": "time and memory against the number of rows", "series": series}
