"""The checks of chapter 10: rewards against those of the other solutions, and two estimates of the KL divergence."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, close, compare, exercise

Array = np.ndarray


@exercise
def check_leave_one_out(leave_one_out: Callable[[Array], Array]) -> None:
    """Try `leave_one_out(rewards)`: each reward less the mean of the *other* rewards of its question, [Q, G] → [Q, G].

    Nothing is divided by a standard deviation (RLOO, Ahmadian et al. 2024).
    """
    rng = np.random.default_rng(0)
    cases = [(np.array(rows),) for rows in ([[1.0, 0, 0, 0]], [[1.0, 0, 1], [0, 0, 0], [0.5, 1, 0]])]
    cases += [(rng.random(shape).round(2),) for shape in ((2, 2), (3, 5), (4, 8))]
    otherwise = "take the first question: for each solution write down the others' rewards, and their mean"
    compare("leave_one_out", leave_one_out, cases, _leave_one_out, _LEAVE_ONE_OUT, otherwise, same=close)
    print("✓ leave_one_out compares each solution with the others of its question, and divides by nothing.")


@exercise
def check_kl_estimates(kl_estimates: Callable[[Array, Array], tuple[Array, Array]]) -> None:
    """Try `kl_estimates(log_p, log_q)`: Schulman's k1 and k3 of KL(p || q) at each sampled token, two arrays [T].

    log_p, log_q: log-probabilities of the tokens under the policy and under its start.
    """
    rng = np.random.default_rng(1)
    cases = [tuple(np.log(np.array(p)) for p in rows) for rows in (([0.5], [0.25]), ([0.5, 0.2, 0.9], [0.5, 0.4, 0.3]))]
    cases += [tuple(np.log(rng.uniform(0.02, 1, (2, size)).round(2))) for size in (3, 4, 6)]
    otherwise = "take the first token: r is q / p; k1 is -log r, and k3 is r - 1 - log r"
    compare("kl_estimates", kl_estimates, cases, _kl_estimates, _KL_ESTIMATES, otherwise, same=_close_pairs)
    print("✓ kl_estimates gives k1, which may be negative, and k3, which may not.")


def _less(baseline: Callable[[Array], Any]) -> Callable[[Array], Array]:
    return lambda rewards: rewards - baseline(rewards)


def _of_others(rewards: Array) -> Array:
    return (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)


_leave_one_out = _less(_of_others)


def _divided(ddof: int, values: Callable[[Array], Array] = _leave_one_out) -> Callable[[Array], Array]:
    """Divided by the standard deviation of the group, as GRPO does."""
    return lambda rewards: values(rewards) / (rewards.std(axis=1, ddof=ddof, keepdims=True) + 1e-6)


_of_group = _less(lambda rewards: rewards.mean(axis=1, keepdims=True))
_DIVIDED = "here the difference is divided by the standard deviation of the group; leave it as it is"
_LEAVE_ONE_OUT: list[Mistake] = [
    (_of_group, "the solution's own reward is in this mean; take the mean of the other G - 1"),
    *((_divided(ddof, values), _DIVIDED) for ddof in (0, 1) for values in (_leave_one_out, _of_group)),
    (_less(lambda rewards: (rewards.sum(axis=1, keepdims=True) - rewards) / rewards.shape[1]),
        "the others' rewards are added up, but divided by G; there are G - 1 of them"),
    (_less(lambda rewards: rewards.sum(axis=1, keepdims=True) - rewards),
        "that subtracts the sum of the others' rewards; subtract their mean"),
    (_less(lambda rewards: rewards.mean()), "that is the mean of all questions; each question has its own"),
    (_less(lambda rewards: rewards.mean(axis=0)),
        "that is the mean over questions; the others of the same question stand in its row (axis=1)"),
    (_less(lambda rewards: (rewards.sum() - rewards) / (rewards.size - 1)),
        "the others are those of the same question, not of the whole batch"),
    (_of_others, "that is the baseline; return the reward less the baseline"),
    (lambda rewards: -_leave_one_out(rewards), "wrong sign: a reward above the others' has a positive advantage"),
]  # fmt: skip


def _close_pairs(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))


def _k3(log_r: Array) -> Array:
    return np.exp(log_r) - 1 - log_r


def _pair(k1: Callable[[Array], Any], k3: Callable[[Array], Any] = _k3) -> Callable[[Array, Array], tuple[Any, Any]]:
    """Two estimates from log r, r = q / p."""
    return lambda log_p, log_q: (k1(log_q - log_p), k3(log_q - log_p))


_kl_estimates = _pair(np.negative)
_KL_ESTIMATES: list[Mistake] = [
    (lambda log_p, log_q: _kl_estimates(log_q, log_p),
        "p and q are the other way round: the samples come from p, and r = q / p"),
    (_pair(np.positive), "k1 has the wrong sign: it is log p - log q, whose mean over samples from p is the KL"),
    (_pair(np.abs), "k1 may be negative; take no absolute value"),
    (_pair(np.negative, lambda log_r: _k3(-log_r)), "the ratio of k3 is r = q / p, not p / q"),
    (_pair(np.negative, lambda log_r: np.exp(log_r) - log_r), "the -1 of k3 is missing: r - 1 - log r"),
    (_pair(np.negative, lambda log_r: np.exp(log_r) - 1), "the logarithm of k3 is missing: r - 1 - log r"),
    (_pair(np.negative, lambda log_r: np.exp(log_r) - 1 + log_r), "k3 subtracts the logarithm: r - 1 - log r"),
    (_pair(np.negative, lambda log_r: log_r**2 / 2), "that is k2, half the square of log r; k3 is r - 1 - log r"),
    (lambda log_p, log_q: tuple(np.exp(log_p) * own for own in _kl_estimates(log_p, log_q)),
        "the tokens are sampled from p already; do not weigh them by p once more"),
    (lambda log_p, log_q: tuple(np.mean(own) for own in _kl_estimates(log_p, log_q)),
        "these are means over the tokens; return a value for each"),
    (lambda log_p, log_q: tuple(np.sum(own) for own in _kl_estimates(log_p, log_q)),
        "these are sums over the tokens; return a value for each"),
    (lambda log_p, log_q: tuple(own / np.log(2) for own in _kl_estimates(log_p, log_q)),
        "these are bits; with the natural logarithm they are nats"),
    (lambda log_p, log_q: _kl_estimates(log_p, log_q)[::-1], "first k1, then k3"),
    (lambda log_p, log_q: _kl_estimates(log_p, log_q)[0], "that is k1 alone; return k1 and k3"),
    (lambda log_p, log_q: _kl_estimates(log_p, log_q)[1], "that is k3 alone; return k1 and k3"),
]  # fmt: skip
