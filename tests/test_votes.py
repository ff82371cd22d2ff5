"""The arithmetic of one problem's vote, in whole numbers and at sizes where enumeration is out of reach."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from minrm.votes import halved_pascal, plurality


def counted(sizes, free, n):
    """P(the first answer wins among n) in exact fractions: answers are added one at a time, ties are counted."""
    total = Fraction(0)
    for votes in range(1, min(sizes[0], n) + 1):
        states = {(0, 0): 1}  # (samples drawn, rivals that tie) -> ways
        for size in sizes[1:]:
            new: dict[tuple[int, int], int] = {}
            for (drawn, ties), ways in states.items():
                for take in range(min(size, votes) + 1):
                    state = (drawn + take, ties + (take == votes))
                    new[state] = new.get(state, 0) + ways * comb(size, take)
            states = new
        for (drawn, ties), ways in states.items():
            left = n - votes - drawn
            if 0 <= left <= free:
                total += Fraction(comb(sizes[0], votes) * ways * comb(free, left), ties + 1)
    return total / comb(sum(sizes) + free, n)


@pytest.mark.parametrize(
    ("sizes", "free"),
    [([20, 18, 18, 5, 1, 1, 1], 6), ([3] + [3] * 12, 0), ([1] * 30, 10), ([40, 60], 0), ([2, 30, 9], 25)],
)
def test_plurality_equals_exact_fractions(sizes, free):
    keys = np.array([key for key, size in enumerate(sizes) for _ in range(size)] + [-1] * free)
    counts = np.arange(1, len(keys) + 1)
    got = plurality(keys, 0, counts, halved_pascal(len(keys)))
    np.testing.assert_allclose(got, [float(counted(sizes, free, int(n))) for n in counts], rtol=1e-11, atol=1e-14)


def test_the_chances_of_all_answers_sum_to_the_chance_of_any_vote():
    rng = np.random.default_rng(0)
    keys = rng.geometric(0.2, 400) - 1
    keys[rng.random(400) < 0.1] = -1
    counts = np.array([1, 2, 5, 50, 399, 400])
    table = halved_pascal(400)
    total = sum(plurality(keys, int(key), counts, table) for key in np.unique(keys[keys >= 0]))
    none = int((keys < 0).sum())
    np.testing.assert_allclose(total, [1 - comb(none, int(n)) / comb(400, int(n)) for n in counts], rtol=1e-11)
