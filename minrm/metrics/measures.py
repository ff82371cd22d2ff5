"""How good scores are, before anything is chosen by them.

Does a score tell right from wrong within one problem (AUC), does a probability mean what it says (calibration), does a
process reward model find the first error (ProcessBench, Zheng et al. 2024), does a reward prefer what people prefer?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minrm.errors import InputError
from minrm.metrics.estimates import Estimate

Array = np.ndarray


def within_problem_auc(scores: Any, correct: Any) -> Estimate:
    """How often a right solution outscores a wrong one of the same problem, ties half; the mean over problems.

    scores, correct: [P, N], or P arrays of any lengths. Problems whose samples are all right or all wrong have no pair
    and are left out; `Estimate.problems` says how many counted, `per_problem` their AUCs in order. A score that knows
    only how hard a problem is gets 0.5 here, and much more in `pooled_auc`. Raises InputError if no problem counts.
    """
    rows = _pairs_of_rows(scores, correct)
    values = [_auc(score, good) for score, good in rows if 0 < good.sum() < len(good)]
    if not values:
        raise InputError(f"none of {len(rows)} problems has both right and wrong solutions; sample more of each")
    return Estimate.over_problems(values)


def pooled_auc(scores: Any, correct: Any) -> float:
    """How often a right solution outscores a wrong one of any problem, ties half: what most papers report.

    scores, correct: as in `within_problem_auc`. It mixes knowing the solution with knowing the problem's difficulty.
    """
    rows = _pairs_of_rows(scores, correct)
    score, good = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    if good.all() or not good.any():
        raise InputError(f"all {len(good)} solutions are {'right' if good.all() else 'wrong'}; an AUC needs both")
    return _auc(score, good)


@dataclass(frozen=True)
class Calibration:
    """A reliability table, one entry for each bin: edges [B+1]; the others [B], NaN where a bin is empty.

    predicted: mean probability; observed: share of outcomes, with Wilson's 95 % interval low … high. error: the
    expected calibration error Σ_b count_b / total · |observed_b - predicted_b| (Guo et al. 2017, eq. 3).
    """

    edges: Array
    count: Array
    predicted: Array
    observed: Array
    low: Array
    high: Array
    error: float

    def rows(self) -> list[dict[str, float]]:
        """Rows of the bins that are not empty, to print and to draw (`minrm.notebook.figures.calibration_plot`)."""
        names = ("from", "to", "count", "predicted", "observed", "low", "high")
        columns = (self.edges[:-1], self.edges[1:], self.count, self.predicted, self.observed, self.low, self.high)
        bins = zip(*(column.tolist() for column in columns), strict=True)
        return [row for row in (dict(zip(names, values, strict=True)) for values in bins) if row["count"]]


def calibration(probabilities: Any, outcomes: Any, bins: int | Sequence[float] = 10) -> Calibration:
    """A reliability table: do things that get 70 % happen 70 % of the time? With the expected calibration error.

    probabilities, outcomes: any equal shapes, values in [0, 1]; an outcome is 0 or 1 (soft labels in between do).
    bins: how many of equal width, or B+1 rising edges from 0 to 1; the last bin holds its right edge. The samples count
    as independent here: where many share a problem, the true intervals are wider.
    """
    p, happened = (np.asarray(values, dtype=np.float64).ravel() for values in (probabilities, outcomes))
    if len(p) != len(happened) or not len(p) or not ((p >= 0) & (p <= 1)).all():  # NaN fails too
        raise InputError(f"{len(p)} probabilities and {len(happened)} outcomes must pair up, one at least, in [0, 1]")
    edges = np.linspace(0, 1, bins + 1) if isinstance(bins, int) else np.asarray(bins, dtype=np.float64)
    if len(edges) < 2 or edges[0] != 0 or edges[-1] != 1 or (np.diff(edges) <= 0).any():
        raise InputError(f"bins={bins!r}, but it must be a count of at least 1, or rising edges from 0 to 1")
    index = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(index, minlength=len(edges) - 1)
    table = np.full((4, len(count)), np.nan)
    for b in np.flatnonzero(count):
        inside = Estimate.over_problems(happened[index == b])
        table[:, b] = p[index == b].mean(), inside.mean, inside.low, inside.high
    predicted, observed, low, high = table
    error = float(np.nansum(count * np.abs(observed - predicted)) / len(p))
    return Calibration(edges, count, predicted, observed, low, high, error)


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
    two accuracies. ProcessBench chooses the threshold on other data. Raises InputError if a solution has other than one
    score a step, or no label, or one of the two kinds of solutions is missing.
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


def preference_accuracy(chosen: Any, rejected: Any) -> Estimate:
    """How often the chosen response's reward is above the rejected one's, ties half, with Wilson's interval.

    chosen, rejected: rewards [B]. Raises InputError if the shapes differ or a reward is NaN.
    """
    above, below = np.asarray(chosen, dtype=np.float64), np.asarray(rejected, dtype=np.float64)
    if above.shape != below.shape or above.ndim != 1 or (np.isnan(above) | np.isnan(below)).any():
        raise InputError(f"chosen {above.shape} and rejected {below.shape} must be [pairs] each, without NaN")
    return Estimate.over_problems(np.where(above == below, 0.5, above > below))


def _auc(score: Array, good: Array) -> float:
    """Mann & Whitney (1947): from the mean ranks of the right ones, ties at the middle of their ranks."""
    _, group, size = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(size) - (size - 1) / 2)[group]
    right = good.sum()
    return float((ranks[good].sum() - right * (right + 1) / 2) / (right * (len(good) - right)))


def _first_below(values: Any, threshold: float) -> int | None:
    return next((step for step, value in enumerate(values) if value < threshold), None)


def _pairs_of_rows(scores: Any, correct: Any) -> list[tuple[Array, Array]]:
    rows = []
    for problem, (score, good) in enumerate(zip(scores, correct, strict=True)):
        values, outcomes = np.asarray(score, dtype=np.float64), np.asarray(good)
        pair_up = values.ndim == 1 and values.shape == outcomes.shape
        if not pair_up or np.isnan(values).any() or not np.isin(outcomes, (0, 1)).all():
            shapes = f"scores {values.shape} and correct {outcomes.shape}"
            raise InputError(f"problem {problem}: {shapes} must be [samples] each, without NaN, and correct 0 or 1")
        rows.append((values, outcomes.astype(bool)))
    return rows
