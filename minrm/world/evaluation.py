"""The evaluation set of the embedded world: problems that nothing was trained on, with sampled solutions of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from minrm.text import final_answer
from minrm.world.shipped import shipped


class Evaluation(NamedTuple):
    """P problems and N solutions of each, sampled at temperature 0.7; arrays [P, N] in the order of `recorded_scores`.

    problems: P rows with question, answer (the true one), direct and greedy (what the policy wrote without steps, and
    without sampling). questions, solutions: str. answers: the final answer that each solution gives, None where there
    is none. correct: bool. labels: a list for each solution, 1 or 0 for each step, from the exact checker.
    log_likelihood: of the solution, in nats at temperature 1, float64. tokens: its length, int.
    """

    problems: list[dict[str, Any]]
    questions: np.ndarray
    solutions: np.ndarray
    answers: np.ndarray
    correct: np.ndarray
    labels: np.ndarray
    log_likelihood: np.ndarray
    tokens: np.ndarray

    @property
    def truth(self) -> list[str]:
        """The true answer of each problem, as `majority_vote` takes them: [P]."""
        return [row["answer"] for row in self.problems]

    @property
    def sound(self) -> np.ndarray:
        """Which solutions are right in every step and in the answer: bool [P, N]."""
        good = [all(labels) for labels in self.labels.ravel()]
        return self.correct & np.reshape(good, self.correct.shape)

    def samples(self) -> list[dict[str, Any]]:
        """P·N rows in order: problem (its number), question, solution, answer (that of the solution), correct, labels,
        log_likelihood, tokens."""
        names = ("question", "solution", "answer", "correct", "labels", "log_likelihood", "tokens")
        columns = [array.ravel().tolist() for array in self[1:]]
        each = self.correct.shape[1]
        return [
            {"problem": i // each} | dict(zip(names, values, strict=True))
            for i, values in enumerate(zip(*columns, strict=True))
        ]


def evaluation(folder: str | Path | None = None) -> Evaluation:
    """The shipped problems and samples, or those of another folder that the recipe has filled."""
    problems, samples = (
        pq.read_table(shipped(name) if folder is None else Path(folder) / name)
        for name in ("problems.parquet", "evaluation.parquet")
    )
    rows = problems.to_pylist()
    shape = len(rows), len(samples) // len(rows)  # equally many of each, problem by problem

    def array(values: list[Any], dtype: Any) -> np.ndarray:
        return np.fromiter(values, dtype=dtype, count=len(values)).reshape(shape)

    columns = {name: samples[name].to_pylist() for name in samples.column_names}
    answer_of = {solution: final_answer(solution) for solution in set(columns["solution"])}
    return Evaluation(
        problems=rows,
        questions=array([row["question"] for row in rows for _ in range(shape[1])], object),
        solutions=array(columns["solution"], object),
        answers=array([answer_of[solution] for solution in columns["solution"]], object),
        correct=array(columns["correct"], bool),
        labels=array(columns["labels"], object),
        log_likelihood=array(columns["log_likelihood"], np.float64),
        tokens=array(columns["tokens"], np.int64),
    )
