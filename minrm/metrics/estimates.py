"""A mean over problems with its interval: what every measurement of the course returns.

Problems are independent of each other, the N samples of one problem are not: so intervals are over problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minrm.errors import InputError

Z = 1.959963984540054  # the 97.5 % point of the normal distribution
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}  # … of Student's t


@dataclass(frozen=True)
class Estimate:
    """A mean over problems with its 95 % interval: floats, or arrays [K] where n was an array of K counts.

    draws: how many random subsets stand behind each value; None where the expectation is exact. per_problem: what was
    averaged, [P] or [P, K]. least: the least value there can be, 0 for shares and -1 for differences.
    """

    mean: Any
    low: Any
    high: Any
    draws: int | None = None
    per_problem: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    least: float = 0.0

    @property
    def problems(self) -> int:
        """How many problems were averaged over."""
        return len(self.per_problem)

    def row(self, **labels: Any) -> dict[str, Any]:
        """A row of a table: the labels, then mean, low and high."""
        return {**labels, "mean": self.mean, "low": self.low, "high": self.high}

    @classmethod
    def over_problems(cls, values: Any, draws: int | None = None) -> Estimate:
        """Average values in [0, 1] over problems, [P] or [P, K], with Wilson's interval (1927).

        The variance observed between problems stands where Wilson has p(1 - p), its largest possible value. For values
        that are all 0 or 1 it is Wilson's interval exactly; for expectations in between it is narrower. The
        interval stays within [0, 1], contains the mean, and has a width even at 0 and 1. The N samples of a problem
        count as one observation. Raises InputError if there is no problem, or a value is NaN or outside [0, 1].
        """
        values = np.asarray(values, dtype=np.float64)
        if not len(values):
            raise InputError("no problems to average over; give at least one")
        if not ((values > -1e-9) & (values < 1 + 1e-9)).all():  # NaN fails both; rounding may pass 1 by a hair
            raise InputError(f"per-problem values lie in {values.min()} … {values.max()}, but must lie in [0, 1]")
        values = np.clip(values, 0.0, 1.0)
        mean, spread = values.mean(axis=0), values.var(axis=0)
        prior = Z**2 / len(values)  # Wilson's pull towards one half, in units of the sample
        centre = (mean + prior / 2) / (1 + prior)
        half = np.sqrt(prior * (spread + prior / 4)) / (1 + prior)
        low, high = np.minimum(centre - half, mean).clip(0), np.maximum(centre + half, mean).clip(max=1)
        return cls(_plain(mean), _plain(low), _plain(high), draws, values)


def paired_difference(a_per_problem: Any, b_per_problem: Any) -> Estimate:
    """Mean of a - b over the same problems, [P] or [P, K] values in [0, 1], with a 95 % interval within [-1, 1].

    Bonett & Price (2012): the normal interval after two problems are added, one won and one lost by the whole, so that
    it has a width where no problem differs. Raises InputError if the shapes differ, or values lie outside [0, 1].
    """
    a, b = np.asarray(a_per_problem, dtype=np.float64), np.asarray(b_per_problem, dtype=np.float64)
    if a.shape != b.shape:
        raise InputError(f"a {a.shape} and b {b.shape} must hold the same problems, one to one")
    return _differences(Estimate.over_problems(a).per_problem - Estimate.over_problems(b).per_problem)


def _differences(gap: np.ndarray) -> Estimate:
    """The mean of differences, [P] or [P, K], with Bonett and Price's interval."""
    added = np.concatenate([gap, np.ones_like(gap[:1]), -np.ones_like(gap[:1])])
    centre, half = added.mean(axis=0), Z * np.sqrt(added.var(axis=0) / len(added))
    mean = gap.mean(axis=0)
    low, high = (centre - half).clip(-1), (centre + half).clip(max=1)
    return Estimate(_plain(mean), _plain(low), _plain(high), None, gap, least=-1.0)


def over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """One estimate from those of several training runs over the same problems: their mean, with a wider 95 % interval.

    The interval over problems, of values that are first averaged over the runs, and Student's interval over the runs'
    means are added as independent errors are: the root of the sum of squares, on either side. What varies by both
    problem and run counts in both parts, so the interval errs on the wide side. Of estimates that are no means over
    problems (F1 with a bootstrap) the ends of the intervals are averaged. Raises InputError if there is no estimate, or
    the estimates have different numbers of problems or counts.
    """
    shapes = {np.shape(estimate.per_problem) for estimate in estimates}
    if len(shapes) != 1:
        raise InputError(f"estimates over values of shapes {sorted(shapes)}; give one or more over the same problems")
    per_problem = np.mean([estimate.per_problem for estimate in estimates], axis=0)
    least, runs = min(estimate.least for estimate in estimates), len(estimates)
    means = np.array([estimate.mean for estimate in estimates])
    if not per_problem.size:
        whole = Estimate(*np.mean([(one.mean, one.low, one.high) for one in estimates], axis=0))
    else:
        whole = Estimate.over_problems(per_problem) if least == 0 else _differences(per_problem)
    spread = _student(runs - 1) * means.std(axis=0, ddof=1) / np.sqrt(runs) if runs > 1 else 0.0
    low = (whole.mean - np.hypot(whole.mean - whole.low, spread)).clip(min=least)
    high = (whole.mean + np.hypot(whole.high - whole.mean, spread)).clip(max=1)
    return Estimate(whole.mean, _plain(low), _plain(high), estimates[0].draws, per_problem, least)


def curves(ways: Mapping[str, Estimate], counts: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of way, n, mean, low, high: a row for each way and count, as tables and the figures take them.

    counts: the K counts of the estimates [K]. An estimate of a single number is a level: one row whose n is None.
    """
    rows: list[dict[str, Any]] = []
    for way, e in ways.items():
        if np.ndim(e.mean) == 0:
            rows.append(e.row(way=way, n=None))
        else:
            values = zip(counts, e.mean, e.low, e.high, strict=True)
            rows += [Estimate(*map(float, ends)).row(way=way, n=int(n)) for n, *ends in values]  # type: ignore[arg-type]
    return rows


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t: from the table; beyond it by the series of Abramowitz & Stegun (26.7.5)."""
    z, f = Z, freedom
    series = (z**3 + z) / (4 * f) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * f**2)
    series += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * f**3)
    return T.get(f, z + series)


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
