"""The arithmetic of votes for one problem: how often the true answer wins among n of its N samples.

The result is exact, by counting subsets, where samples count alike, and estimated by seeded draws where they carry
weights. Answers come in as one number per sample: equal numbers are equal answers, -1 is no answer and casts no vote.
"""

from collections import Counter
from functools import lru_cache

import numpy as np

Array = np.ndarray


def plurality(keys: Array, true: int, n: Array, table: Array) -> Array:
    """P(the true answer wins the vote among n), [K], for one problem: the sum over its number of votes v.

    keys: [N]; n: [K] counts; table: `halved_pascal(N)`. Of the other n - v samples, each rival holds fewer than v or
    ties at v, and samples without a vote are free. Powers of x count samples; y marks ties, and the integral over y in
    [0, 1] gives the true answer its share 1 / (t + 1) of a tie with t rivals.
    """
    sizes = np.array(sorted(Counter(keys[keys >= 0].tolist()).items()), dtype=int).reshape(-1, 2)
    wins, most = np.zeros(len(n)), int(n.max())
    own = int(sizes[sizes[:, 0] == true, 1].sum())
    for votes in range(1, min(own, most) + 1):
        rivals = sizes[(sizes[:, 0] != true) & (sizes[:, 1] >= votes), 1]
        free = len(keys) - own - int(rivals.sum())  # those who cannot reach `votes`, and those who cast none
        others = table[free, : min(free, most - votes) + 1]
        ways = np.convolve(_behind_or_tied(rivals, votes, most - votes, table), others)
        reached = (n >= votes) & (n - votes < len(ways))
        wins[reached] += table[own, votes] * ways[n[reached] - votes]
    return wins / table[len(keys), n]


def drawn_vote(keys: Array, weights: Array, true: int, n: Array, draws: int, seed: tuple[int, int]) -> Array:
    """The share of drawn subsets, [K], in which the true answer has the largest sum of weights, for one problem.

    keys, weights (>= 0): [N]; n: [K] counts. One permutation is one draw: its first n samples are the subset of size n.
    """
    wins = np.zeros(len(n))
    if true < 0:
        return wins
    kinds = keys.max() + 1
    samples = np.tile(np.arange(len(keys)), (draws, 1))
    order = np.random.default_rng(seed).permuted(samples, axis=1)[:, : n.max()]
    column = np.where(keys < 0, kinds, keys)  # the last one collects the samples without a vote
    cells = column[order] + (kinds + 1) * np.arange(draws)[:, None]
    tiny = np.finfo(float).tiny  # sets an answer of weight 0, which was given, apart from one that was not drawn
    drawn = np.maximum(weights, tiny)[order]
    sums, done = np.zeros(draws * (kinds + 1)), 0
    for size in np.unique(n):
        part = np.s_[:, done:size]  # each n only adds its new samples
        sums += np.bincount(cells[part].ravel(), drawn[part].ravel(), minlength=len(sums))
        votes, done = sums.reshape(draws, -1)[:, :-1], size
        enough = votes.max(axis=1, keepdims=True) * (1 - 1e-12) - size * tiny  # equal sums may differ by rounding
        winners = (votes > 0) & (votes >= enough)
        wins[n == size] = (winners[:, true] / np.maximum(winners.sum(axis=1), 1)).mean()
    return np.where(n == 1, (keys == true).mean(), wins)


def _behind_or_tied(rivals: Array, votes: int, degree: int, table: Array) -> Array:
    """Coefficients in x, up to `degree`, of ∫ Π_k (Σ_{j<v} C(c_k, j) x^j + y C(c_k, v) x^v) dy, over [0, 1]."""
    # every y comes with x^v, so the degree in y is bounded; g Gauss–Legendre nodes are exact up to degree 2g - 1
    points, weights = _nodes(min(len(rivals), degree // votes) // 2 + 1)
    total = np.zeros(min(len(rivals) * votes, degree) + 1)
    for y, weight in zip(points, weights, strict=True):
        product = np.ones(1)
        for size, power in zip(*np.unique(rivals, return_counts=True), strict=True):
            factor = table[size, : votes + 1] * np.where(np.arange(votes + 1) == votes, y, 1.0)
            while power:  # rivals of one size share a factor: its power by repeated squaring
                if power & 1:
                    product = np.convolve(product, factor)[: degree + 1]
                factor, power = np.convolve(factor, factor)[: degree + 1], power >> 1
        total += weight * product
    return total


@lru_cache
def _nodes(count: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2


@lru_cache(maxsize=2)
def halved_pascal(size: int) -> Array:
    """C(c, j) / 2^c for c, j = 0 … size: the powers of two cancel in every ratio and keep all terms below one."""
    table = np.zeros((size + 1, size + 1))
    table[0, 0] = 1.0
    for row in range(1, size + 1):
        table[row] = table[row - 1] / 2
        table[row, 1:] += table[row - 1, :-1] / 2
    return table
