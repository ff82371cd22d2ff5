"""Over-optimisation: what choosing harder and harder by a proxy does to the goal that the proxy stands for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minrm.errors import InputError
from minrm.metrics.estimates import Estimate

Array = np.ndarray


def kl_of_best_of_n(n: Any) -> Any:
    """KL(best-of-n || policy) in nats if no two samples ever tie: log n - (n-1)/n, for a count n or an array of them.

    The quantile of the chosen among all samples has density n u^(n-1), whatever the score. With samples that repeat it
    is an upper bound (Beirami et al. 2024). Raises InputError for n below 1.
    """
    counts = np.asarray(n, dtype=np.float64)
    if (counts < 1).any():
        raise InputError(f"n={counts.min():g}, but best-of-n chooses among at least one sample")
    return (np.log(counts) - (counts - 1) / counts)[()]


def kl_with_repeats(scores: Any, n: Any) -> Array:
    """KL(best-of-n || policy) in nats, exact, of a policy that draws one of these M samples evenly, each time anew.

    scores: [M], of one problem; n: K counts. Equal scores tie, and the same text has always the same score: each group
    of size m is drawn with P = m/M and chosen with Q = F^n - (F - P)^n, where F is the share of scores up to and with
    its own. Within a group the choice is as in the policy, so KL = sum of Q log(Q/P). Returns [K].
    """
    values = np.asarray(scores, dtype=np.float64)
    counts = np.atleast_1d(np.asarray(n, dtype=np.float64))[:, None]
    kl_of_best_of_n(counts)  # refuses n below 1
    _, size = np.unique(values, return_counts=True)
    drawn, upto = size / values.size, np.cumsum(size) / values.size  # [groups], scores ascending
    chosen = upto**counts - np.concatenate([[0], upto[:-1]]) ** counts  # [K, groups]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(chosen > 0, chosen * np.log(chosen / drawn), 0.0)
    return terms.sum(axis=1)


@dataclass(frozen=True)
class GaoFit:
    """A fit of R(d) = d (alpha - beta d) to the gain over one sample; intervals are 95 %, over problems and seeds.

    d: [K], roots of the KL in nats. gain: what was measured, [K]. fitted: the curve at d, [K]. residual: gain - fitted.
    """

    d: Array
    gain: Estimate
    fitted: Array
    residual: Estimate
    alpha: Estimate
    beta: Estimate

    @property
    def peak(self) -> float:
        """The distance d at which the curve turns, alpha / (2 beta); NaN where it never does."""
        return self.alpha.mean / (2 * self.beta.mean) if self.beta.mean > 0 else float("nan")


def fit_gao(gold: Any, n: Any, draws: int = 1000, seed: int = 0) -> GaoFit:
    """Fit the form of Gao et al. (2022) for best-of-n to gold values, by least squares: it is linear in alpha and beta.

    gold: [seeds, problems, K], what the chosen of n was worth, per problem: `best_of_n(...).per_problem` of each seed;
    n: K rising counts that begin with 1. The gain is over n = 1. Intervals: `draws` bootstrap samples of problems and
    of seeds, both with replacement, drawn with `seed`. Raises InputError if the shapes or counts do not fit.
    """
    values, counts = np.asarray(gold, dtype=np.float64), np.asarray(n)
    if values.ndim != 3 or counts.shape != values.shape[2:]:
        raise InputError(f"gold {values.shape} and n {counts.shape} must be [seeds, problems, K] and [K]")
    if len(counts) < 3 or counts[0] != 1 or (np.diff(counts) <= 0).any():
        raise InputError(f"n={counts.tolist()}, but it must be three or more rising counts, of which the first is 1")
    gains, rng = values - values[:, :, :1], np.random.default_rng(seed)
    d = np.sqrt(kl_of_best_of_n(counts))
    form = np.stack([d, -(d**2)], axis=1)  # [K, 2]: R(d) = alpha d - beta d^2
    runs, problems = gains.shape[:2]
    again = np.stack([  # [draws, K]
        gains[rng.integers(runs, size=runs)].mean(axis=0)[rng.integers(problems, size=problems)].mean(axis=0)
        for _ in range(draws)
    ])  # fmt: skip
    both = np.concatenate([gains.mean(axis=(0, 1))[None], again])  # the measured one first
    alpha_beta = np.linalg.lstsq(form, both.T, rcond=None)[0]  # [2, 1 + draws]
    fitted = (form @ alpha_beta).T
    estimates = [_percentiles(part) for part in (both, both - fitted, *alpha_beta)]
    return GaoFit(d, estimates[0], fitted[0], *estimates[1:])


def mean_minus_std(scores: Any, weight: float = 1.0) -> Array:
    """The judges' mean less `weight` standard deviations between them: low where they disagree.

    scores: [judges, P, N] probabilities; returns [P, N], cut to [0, 1]. After Coste et al. (2023), whose
    uncertainty-weighted score subtracts a multiple of the variance. Raises InputError for fewer than two judges.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 3 or len(values) < 2:
        raise InputError(f"scores has shape {values.shape}, but must be [judges, P, N] of two judges or more")
    return (values.mean(axis=0) - weight * values.std(axis=0)).clip(0, 1)


def _percentiles(values: Array) -> Estimate:
    """The first row as the mean, the others as its bootstrap samples."""
    mean, (low, high) = values[0], np.percentile(values[1:], [2.5, 97.5], axis=0)
    return Estimate(mean[()], np.minimum(low, mean)[()], np.maximum(high, mean)[()])
