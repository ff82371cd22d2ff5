"""How good scores are, before anything is chosen by them: AUC, calibration, the first error's F1, preferences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minrm.errors import InputError, check_numbers
from minrm.metrics.estimates import Estimate


def within_problem_auc(scores: Any, correct: Any) -> Estimate:
    """How often a right solution outscores a wrong one of the same problem, ties half; the mean over problems.

    scores, correct: [P, N], or P arrays of any lengths. Problems whose samples are all right or all wrong have no pair
    and are left out. A score that knows only how hard a problem is gets 0.5 here, and much more in `pooled_auc`.
    Raises InputError if no problem counts.
    """
    rows = _pairs_of_rows(scores, correct)
    values = [_auc(score, good) for score, good in rows if 0 < good.sum() < len(good)]
    if not values:
        raise InputError(f"none of {len(rows)} problems has both right and wrong solutions; sample more of each")
    return Estimate.over_problems(values)


def equal_length_auc(scores: Any, correct: Any, lengths: Any) -> Estimate:
    """How often a right solution outscores a wrong one of the same problem *and the same length*; mean over problems.

    Of a problem: Σ ([s_i > s_j] + ½ [s_i = s_j]) / number of pairs, over all pairs of a right solution i and a wrong
    one j with l_i = l_j. Length itself gets 0.5 here, so a score above it has seen more than the length.

    scores, correct: as in `within_problem_auc`; lengths: alike, in any unit (the course counts words). Problems without
    such a pair are left out. Raises InputError if no problem counts, or the shapes differ.
    """
    rows, values = _pairs_of_rows(scores, correct), []
    for problem, ((score, good), length) in enumerate(zip(rows, map(np.asarray, lengths), strict=True)):
        if length.shape != good.shape:
            raise InputError(f"problem {problem}: lengths {length.shape} and correct {good.shape} must pair up")
        groups = [length == value for value in np.unique(length)]
        mixed = [(score[same], good[same]) for same in groups if 0 < good[same].sum() < same.sum()]
        if mixed:
            pairs = [own.sum() * (~own).sum() for _, own in mixed]
            values.append(np.average([_auc(*group) for group in mixed], weights=pairs))
    if not values:
        raise InputError(f"none of {len(rows)} problems has a right and a wrong solution of equal length; sample more")
    return Estimate.over_problems(values)


def pooled_auc(scores: Any, correct: Any) -> float:
    """How often a right solution outscores a wrong one of any problem, ties half: what most papers report.

    scores, correct: as in `within_problem_auc`. Knowing the problem's difficulty raises this AUC. Raises InputError.
    """
    rows = _pairs_of_rows(scores, correct)
    score, good = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    if good.all() or not good.any():
        raise InputError(f"all {len(good)} solutions are {'right' if good.all() else 'wrong'}; an AUC needs both")
    return _auc(score, good)


@dataclass(frozen=True)
class Calibration:
    """A reliability table: edges [bins + 1], a row for each bin that is not empty, and the expected calibration error.

    The error is Σ_b count_b / total · |observed_b - predicted_b| (Guo et al. 2017, eq. 3).
    """

    edges: np.ndarray
    table: list[dict[str, float]]
    error: float

    def rows(self) -> list[dict[str, float]]:
        """Rows from, to, count, predicted (mean), observed (share), low, high, as `figures.calibration_plot` takes."""
        return self.table


def calibration(probabilities: Any, outcomes: Any, bins: int = 10) -> Calibration:
    """A reliability table: do things that get 70 % happen 70 % of the time? With the expected calibration error.

    probabilities, outcomes: of one shape, values in [0, 1]; an outcome is 0 or 1, or a soft label between. bins: how
    many, of equal width; the last one holds 1. Samples count as independent: where many share a problem, the true
    intervals are wider. Raises InputError if shapes or values do not fit.
    """
    p, happened = (np.asarray(values, dtype=np.float64).ravel() for values in (probabilities, outcomes))
    if len(p) != len(happened) or not len(p) or not ((p >= 0) & (p <= 1)).all():  # NaN fails too
        raise InputError(f"{len(p)} probabilities and {len(happened)} outcomes must pair up, one at least, in [0, 1]")
    check_numbers(1, bins=bins)
    edges, table = np.linspace(0, 1, bins + 1), []
    index = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    for b in np.unique(index):
        predicted, observed = p[index == b], Estimate.over_problems(happened[index == b])
        row = {"from": float(edges[b]), "to": float(edges[b + 1]), "count": len(predicted)}
        row |= {"predicted": float(predicted.mean()), "observed": observed.mean}
        table.append(row | {"low": observed.low, "high": observed.high})
    gaps = sum(row["count"] * abs(row["observed"] - row["predicted"]) for row in table)
    return Calibration(edges, table, gaps / len(p))


@dataclass(frozen=True)
class FirstErrorF1:
    """Accuracy of finding the first error, over solutions with one and over those without, and their harmonic mean."""

    erroneous: Estimate
    correct: Estimate
    f1: float


def first_error_f1(
    step_scores: Sequence[Any], labels: Sequence[Sequence[float | None]], threshold: float = 0.5
) -> FirstErrorF1:
    """ProcessBench's F1 of the first error (Zheng et al. 2024, section 4.1).

    step_scores: for each solution, P(good) of each step; labels: 1 good, 0 bad, None after the first error (soft labels
    below one half are bad). The prediction is the first step scored below the threshold, or "none". It must name
    exactly the first bad step of an erroneous solution, and "none" of an error-free one; f1 is the harmonic mean of the
    two accuracies. ProcessBench chooses the threshold on other data (`first_error_threshold`). Raises InputError if a
    solution has other than one score a step, or no label, or one of the two kinds of solutions is missing.
    """
    hits: dict[bool, list[bool]] = {True: [], False: []}  # solutions with an error, and without
    for row, (scores, truth) in enumerate(zip(step_scores, labels, strict=True)):
        score = np.asarray(scores, dtype=np.float64)
        if score.shape != (len(truth),) or np.isnan(score).any():
            raise InputError(f"solution {row}: {score.size} step scores for {len(truth)} labels; one each, without NaN")
        if all(label is None for label in truth):
            raise InputError(f"solution {row}: no step has a label; leave the solution out")
        error = _first_below([1.0 if label is None else label for label in truth], 0.5)
        hits[error is not None].append(_first_below(score, threshold) == error)
    if not hits[True] or not hits[False]:
        kinds = f"{len(hits[True])} erroneous and {len(hits[False])} error-free solutions"
        raise InputError(f"{kinds}; F1 needs both kinds")
    erroneous, correct = Estimate.over_problems(hits[True]), Estimate.over_problems(hits[False])
    total = erroneous.mean + correct.mean
    return FirstErrorF1(erroneous, correct, 2 * erroneous.mean * correct.mean / total if total else 0.0)


def first_error_threshold(step_scores: Sequence[Any], labels: Sequence[Sequence[float | None]]) -> float:
    """The threshold at which `first_error_f1` is highest on these solutions, to be used on other solutions.

    ProcessBench's rule for scores that are no labels: chosen on GSM8K, used on every subset (Zheng et al. 2024, section
    4.1). Arguments and errors are those of `first_error_f1`. The search is exact: a solution whose first error is step
    e is judged rightly by the thresholds above the score of e, up to the least score before e; an error-free one by
    those up to its least score. F1 is constant between the ends of these intervals. Of the stretches with the highest
    F1, the one whose middle is nearest to one half is chosen; its middle is returned.
    """
    first_error_f1(step_scores, labels)  # checks them
    ranges: dict[bool, list[tuple[float, float]]] = {True: [], False: []}  # above, up to; as in first_error_f1
    for scores, truth in zip(step_scores, labels, strict=True):
        error = _first_below([1.0 if label is None else label for label in truth], 0.5)
        above = -np.inf if error is None else float(scores[error])
        ranges[error is not None].append((above, float(min(scores[:error], default=np.inf))))
    ends = np.unique([0.0, 1.0, *(end for side in ranges.values() for one in side for end in one if 0 < end < 1)])
    middles = (ends[:-1] + ends[1:]) / 2
    thresholds = np.where(middles > ends[:-1], middles, ends[1:])  # between neighbouring floats there is no middle
    erroneous, correct = (
        _held(np.array([one for one in side if one[0] < one[1]]), thresholds) / len(side)
        for side in (ranges[True], ranges[False])
    )
    total = erroneous + correct
    f1 = 2 * erroneous * correct / np.where(total > 0, total, 1)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(thresholds[best[np.abs(thresholds[best] - 0.5).argmin()]])


def _held(ranges: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the ranges (above, up to) [R, 2] hold each threshold [K]."""
    above, up_to = np.sort(ranges.reshape(-1, 2), axis=0).T
    return np.searchsorted(above, thresholds) - np.searchsorted(up_to, thresholds)


def preference_accuracy(chosen: Any, rejected: Any) -> Estimate:
    """How often the chosen response's reward [B] is above the rejected one's [B], ties half, with Wilson's interval."""
    above, below = np.asarray(chosen, dtype=np.float64), np.asarray(rejected, dtype=np.float64)
    if above.shape != below.shape or above.ndim != 1 or (np.isnan(above) | np.isnan(below)).any():
        raise InputError(f"chosen {above.shape} and rejected {below.shape} must be [pairs] each, without NaN")
    return Estimate.over_problems(np.where(above == below, 0.5, above > below))


def _auc(score: np.ndarray, good: np.ndarray) -> float:
    """Mann & Whitney (1947): from the mean ranks of the right ones, ties at the middle of their ranks."""
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    ranks, right = (np.cumsum(size) - (size - 1) / 2)[group], good.sum()
    return float((ranks[good].sum() - right * (right + 1) / 2) / (right * (len(good) - right)))


def _first_below(values: Any, threshold: float) -> int | None:
    return next((step for step, value in enumerate(values) if value < threshold), None)


def _pairs_of_rows(scores: Any, correct: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = []
    for problem, (score, good) in enumerate(zip(scores, correct, strict=True)):
        values, outcomes = np.asarray(score, dtype=np.float64), np.asarray(good)
        if values.shape != outcomes.shape or np.isnan(values).any() or not np.isin(outcomes, (0, 1)).all():
            shapes = f"scores {values.shape} and correct {outcomes.shape}"
            raise InputError(f"problem {problem}: {shapes} must pair up, without NaN, and correct must be 0 or 1")
        rows.append((values, outcomes.astype(bool)))
    return rows
