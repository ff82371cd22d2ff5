"""The checks of chapter 10, against answers that a learner would write."""

import numpy as np
import torch
from hints import trial

from minrm.checks import check_kl_estimates, check_leave_one_out
from minrm.using import advantages, kl_estimate


def by_loop(rewards):
    return [[own - np.mean([*row[:k], *row[k + 1 :]]) for k, own in enumerate(row)] for row in rewards]


def by_package(rewards):
    size = rewards.shape[1]
    return advantages(torch.tensor(rewards), normalise=False) * size / (size - 1)


def by_sums(rewards):
    others = rewards.sum(1, keepdims=True) - rewards
    return rewards - others / (rewards.shape[1] - 1)


def mean(rewards, axis=1):
    return rewards.mean(axis=axis, keepdims=True)


test_leave_one_out = trial(
    check_leave_one_out,
    [by_loop, by_package, by_sums],
    [
        (lambda r: r - mean(r), "own reward is in this mean"),
        (lambda r: advantages(torch.tensor(r)).numpy(), "divided by the standard deviation"),
        (lambda r: (r - mean(r)) / (r.std(axis=1, keepdims=True) + 1e-6), "divided by the standard deviation"),
        (lambda r: by_sums(r) / (r.std(axis=1, ddof=1, keepdims=True) + 1e-6), "divided by the standard deviation"),
        (lambda r: r - (r.sum(1, keepdims=True) - r) / r.shape[1], "there are G - 1 of them"),
        (lambda r: r - (r.sum(1, keepdims=True) - r), "subtract their mean"),
        (lambda r: r - r.mean(), "each question has its own"),
        (lambda r: r - mean(r, axis=0), "stand in its row"),
        (lambda r: r - (r.sum() - r) / (r.size - 1), "not of the whole batch"),
        (lambda r: r - by_sums(r), "that is the baseline"),
        (lambda r: -by_sums(r), "has a positive advantage"),
        (lambda r: 2 * r, "write down the others' rewards"),
        (lambda r: r.sort(), "changed its arguments"),
    ],
)


def k1(log_p, log_q):
    return log_p - log_q


def k3(log_p, log_q):
    return np.expm1(log_q - log_p) - (log_q - log_p)


def both(log_p, log_q):
    return k1(log_p, log_q), k3(log_p, log_q)


def with_package(log_p, log_q):
    return [(log_p - log_q).tolist(), kl_estimate(torch.tensor(log_p), torch.tensor(log_q)).tolist()]


test_kl_estimates = trial(
    check_kl_estimates,
    [both, with_package, lambda p, q: np.stack(both(p, q))],
    [
        (lambda p, q: both(q, p), "the other way round"),
        (lambda p, q: (q - p, k3(p, q)), "k1 has the wrong sign"),
        (lambda p, q: (abs(p - q), k3(p, q)), "take no absolute value"),
        (lambda p, q: (p - q, k3(q, p)), "the ratio of k3 is r = q / p"),
        (lambda p, q: (p - q, k3(p, q) + 1), "the -1 of k3 is missing"),
        (lambda p, q: (p - q, np.exp(q) / np.exp(p) - 1), "the logarithm of k3 is missing"),
        (lambda p, q: (p - q, np.exp(q - p) - 1 + q - p), "k3 subtracts the logarithm"),
        (lambda p, q: (p - q, (q - p) ** 2 / 2), "that is k2"),
        (lambda p, q: [np.exp(p) * own for own in both(p, q)], "by p once more"),
        (lambda p, q: [own.mean() for own in both(p, q)], "means over the tokens"),
        (lambda p, q: [own.sum() for own in both(p, q)], "sums over the tokens"),
        (lambda p, q: [own / np.log(2) for own in both(p, q)], "these are bits"),
        (lambda p, q: (k3(p, q), k1(p, q)), "first k1"),
        (k1, "that is k1 alone"),
        (k3, "that is k3 alone"),
        (lambda p, q: (p, q), "take the first token"),
    ],
)
