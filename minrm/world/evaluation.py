"""The evaluation set of the embedded world: problems that nothing was trained on, with sampled solutions of each."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from minrm.text import final_answer
from minrm.world.shipped import find


class Evaluation(NamedTuple):
    """P problems and N solutions of each, sampled at temperature 0.5; arrays [P, N] in the order of `recorded_scores`.

    problems: P rows with question, answer (the true one), direct and greedy (what the policy wrote without steps, and
    without sampling). answers: what each solution gives, or None. labels: for each solution, 1 or 0 for each step, from
    the exact checker. log_likelihood: of the solution, in nats at temperature 1. tokens: the solution's length.
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
        return self.correct & np.vectorize(all, otypes=[bool])(self.labels)

    def samples(self) -> list[dict[str, Any]]:
        """P·N rows in order: problem (its number), then what the arrays hold of one sample."""
        names = ("problem", "question", "solution", "answer", "correct", "labels", "log_likelihood", "tokens")
        columns = [array.ravel().tolist() for array in (np.indices(self.correct.shape)[0], *self[1:])]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def evaluation(folder: str | Path | None = None) -> Evaluation:
    """The shipped problems and samples, or those of another folder that the recipe has filled."""
    files = ("problems.parquet", "evaluation.parquet")
    problems, samples = (pq.read_table(find(name, folder)).to_pylist() for name in files)
    answer_of = {solution: final_answer(solution) for solution in {row["solution"] for row in samples}}

    def array(values: Iterable[Any], kind: Any = object) -> np.ndarray:
        return np.fromiter(values, kind, len(samples)).reshape(len(problems), -1)

    return Evaluation(
        problems,
        questions=array(problems[row["problem"]]["question"] for row in samples),
        solutions=array(row["solution"] for row in samples),
        answers=array(answer_of[row["solution"]] for row in samples),
        correct=array((row["correct"] for row in samples), bool),
        labels=array(row["labels"] for row in samples),
        log_likelihood=array((row["log_likelihood"] for row in samples), float),
        tokens=array((row["tokens"] for row in samples), int),
    )
