"""Scored rows → the table and the figure: how often each way of choosing is right, for every N.

Rows come from `minrm score`. Solutions with a known outcome give the figure of the field (best-of-N beside votes,
after Lightman et al. 2023, figure 3, with the ceiling added); process rows give the accuracy of steps and the F1 of
the first error (ProcessBench, Zheng et al. 2024); pairs give the accuracy of preferences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from minrm.errors import InputError
from minrm.metrics import Estimate, first_error_f1, pooled_auc, preference_accuracy, within_problem_auc
from minrm.rows import Rows, numbered
from minrm.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
from minrm.text import final_answer

Row = dict[str, Any]


def evaluate(rows: Rows, path: Any) -> tuple[list[Row], list[str]]:
    """A table (way, n, mean, low, high; shares from 0 to 1) and sentences about what is not in it.

    rows: numbered as `read_rows` gives them from `path`, or plain. Best-of-N is called after the model that scored.
    Raises InputError for rows without the fields that are needed.
    """
    given = list(numbered(rows))
    fields = set(given[0][1]) if given else set()
    for measure, needed in _MEASURES.items():
        if needed <= fields:
            _check(given, needed, path)
            return measure([row for _, row in given])
    if fields == {"scores"}:
        raise InputError(f"{path} is one shard of scored rows; put all together with minrm join, and evaluate that")
    raise InputError(
        f"{path}: has {', '.join(sorted(fields)) or 'no rows'}; to evaluate, score outcome rows (question, solution, "
        "answer, correct), process rows or pairs with minrm score"
    )


def _check(given: list[tuple[int, Row]], needed: set[str], path: Any) -> None:
    for number, row in given:
        if missing := needed - row.keys():
            raise InputError(
                f"{path}, row {number}: has no {', '.join(sorted(missing))}, which the first row has; "
                "score rows of one kind in one file"
            )
        if "labels" in needed and len(row["labels"]) != len(row["step_scores"]):
            raise InputError(
                f"{path}, row {number}: {len(row['labels'])} labels but {len(row['step_scores'])} step scores; "
                "each step needs one of each: prepare and score the rows again"
            )


def _choices(rows: list[Row]) -> tuple[list[Row], list[str]]:
    way = rows[0]["scored_by"]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["question"]].append(row)
    size = min(map(len, groups.values()))
    notes = [f"{len(groups)} problems with {size} solutions each"]
    most = max(map(len, groups.values()))
    if most > size:
        notes = [f"{len(groups)} problems with {size} to {most} solutions; the first {size} of each are used"]
    kept = [group[:size] for group in groups.values()]
    scores = np.array([[row["score"] for row in group] for group in kept])
    correct = np.array([[row["correct"] for row in group] for group in kept], dtype=bool)
    answers = [[final_answer(row["solution"]) for row in group] for group in kept]
    # an unknown answer is one that no solution gave: a vote is then wrong, as it should be
    truth = [next((row["answer"] for row in group if row["answer"] is not None), "") for group in groups.values()]
    counts = [2**k for k in range(size.bit_length()) if 2**k <= size]
    found = {
        "one sample": best_of_n(np.zeros_like(scores), correct, counts),
        "vote": majority_vote(answers, truth, counts),
        way: best_of_n(scores, correct, counts),
        "weighted vote": weighted_vote(answers, scores, truth, counts, reward=way == "Bradley–Terry"),
        "pass@N": pass_at_n(correct, counts),
    }
    table = [
        {"way": name, "n": n, "mean": mean, "low": low, "high": high}
        for name, e in found.items()
        for n, mean, low, high in zip(counts, e.mean, e.low, e.high, strict=True)
    ]
    if 0 < correct.mean() < 1:
        try:
            within = within_problem_auc(scores, correct)
            told = f"{within.mean:.3f} ({within.low:.3f} to {within.high:.3f}, {within.problems} problems)"
        except InputError as error:
            told = f"none: {error}"
        notes.append(f"AUC within a problem {told}; pooled {pooled_auc(scores, correct):.3f}")
    return table, notes


def _steps(rows: list[Row]) -> tuple[list[Row], list[str]]:
    pairs = [
        (s > 0.5, label)
        for row in rows
        for s, label in zip(row["step_scores"], row["labels"], strict=True)
        if label is not None
    ]
    said, true = np.array([pair[0] for pair in pairs]), np.array([pair[1] >= 0.5 for pair in pairs])
    notes = [f"{len(rows)} solutions, {len(true)} labelled steps, {true.mean():.1%} of them good"]
    if 0 < true.mean() < 1:
        values = [
            s for row in rows for s, label in zip(row["step_scores"], row["labels"], strict=True) if label is not None
        ]
        notes.append(f"AUC of steps {pooled_auc([values], [true]):.3f}")
    # a solution's steps are not independent of each other: the interval is over solutions
    shares = []
    for row in rows:
        judged = [
            (s > 0.5) == (label >= 0.5)
            for s, label in zip(row["step_scores"], row["labels"], strict=True)
            if label is not None
        ]
        if judged:
            shares.append(float(np.mean(judged)))
    accuracy = Estimate.over_problems(np.array(shares))
    table = [
        {
            "way": "steps judged rightly, mean per solution",
            "n": None,
            "mean": accuracy.mean,
            "low": accuracy.low,
            "high": accuracy.high,
        }
    ]
    notes.append(
        f"steps judged rightly, pooled {np.mean(said == true):.3f}; "
        f"always saying the commoner label {max(true.mean(), 1 - true.mean()):.3f}"
    )
    try:
        first = first_error_f1([row["step_scores"] for row in rows], [row["labels"] for row in rows])
        for name, e in (("first error found", first.erroneous), ("no error found where there is none", first.correct)):
            table.append({"way": name, "n": None, "mean": e.mean, "low": e.low, "high": e.high})
        notes.append(f"F1 of the first error {first.f1:.3f}")
    except InputError as error:
        notes.append(f"no F1 of the first error: {error}")
    return table, notes


def _preferences(rows: list[Row]) -> tuple[list[Row], list[str]]:
    chosen, rejected = (np.array([row[name] for row in rows]) for name in ("chosen_score", "rejected_score"))
    e = preference_accuracy(chosen, rejected)
    table = [{"way": "chosen above rejected", "n": None, "mean": e.mean, "low": e.low, "high": e.high}]
    return table, [f"{len(rows)} pairs; a coin would be right in half of them"]


_MEASURES: dict[Callable[[list[Row]], tuple[list[Row], list[str]]], set[str]] = {
    _preferences: {"chosen_score", "rejected_score"},
    _steps: {"labels", "step_scores"},
    _choices: {"question", "solution", "answer", "correct", "score", "scored_by"},
}


def as_text(table: list[Row]) -> str:
    """The table in plain text: a line for each way, a column for each N, with intervals where there is one column."""
    counts = sorted({row["n"] for row in table if row["n"] is not None})
    width = max(len(row["way"]) for row in table)
    if not counts:
        return "\n".join(
            f"{r['way']:<{width}}  {r['mean']:.3f}  (95 %: {r['low']:.3f} to {r['high']:.3f})" for r in table
        )
    lines = [f"{'N':<{width}}" + "".join(f"{n:>8}" for n in counts)]
    for way in dict.fromkeys(row["way"] for row in table):
        means = {row["n"]: row["mean"] for row in table if row["way"] == way}
        lines.append(f"{way:<{width}}" + "".join(f"{means[n]:>8.3f}" for n in counts))
    return "\n".join(lines)
