"""The checks of chapter 6: the loss of pairs, pairs from a ranking, majorities that go in a circle; and a guess of how
many labels a model needs, which is then measured.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, permutations, product
from numbers import Integral
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, WrongAnswer, close, compare, exercise, must_be_function

Rewards = Sequence[float]
Shares = Sequence[Sequence[float]]


@exercise
def check_pair_loss(pair_loss: Callable[[Rewards, Rewards], float]) -> None:
    """Try `pair_loss(chosen, rejected)`: the mean of -log P(chosen ≻ rejected) over pairs of rewards, two lists.

    Finite for every gap, also of a thousand to either side.
    """
    must_be_function("pair_loss", pair_loss)
    cases: list[tuple[Any, ...]] = [
        ([1.0], [1.0]), ([2.0, 0.0], [0.0, 1.0]), ([0.5, -1.0, 3.0, 2.0], [1.5, -3.0, 2.0, 2.5]),
        ([1000.0], [0.0]), ([0.0, 2.0], [1000.0, 2.0]), ([-1000.0, 1.0], [-1040.0, 41.0]),
    ]  # fmt: skip
    otherwise = "take this input pair by pair: the gap, P = 1 / (1 + exp(-gap)), its logarithm"
    compare("pair_loss", _nan_if_too_large(pair_loss), cases, _pair_loss, _PAIR_LOSS, otherwise, same=close)
    print("✓ pair_loss is right for small gaps, and finite and right for very large ones.")


@exercise
def check_ranked_pairs(ranked_pairs: Callable[[str, list[str], list[int]], list[dict[str, str]]]) -> None:
    """Try `ranked_pairs(prompt, responses, ranks)`: every pair of responses of which one is ranked better.

    ranks: 1 is the best; equal ranks give no pair. Pairs are dictionaries with `prompt`, `chosen` and `rejected`.
    """
    cases: list[tuple[Any, ...]] = [
        ("Q", ["a", "b", "c"], [1, 2, 3]), ("Q", ["a", "b", "c", "d"], [2, 4, 1, 3]),
        ("Which?", ["a", "b", "c", "d"], [1, 2, 2, 3]), ("Q", ["a", "b"], [1, 1]), ("Q", ["a", "b", "c"], [9, 1, 9]),
    ]  # fmt: skip
    otherwise = "list the pairs of this input by hand: which two have different ranks, and which is better?"
    compare("ranked_pairs", ranked_pairs, cases, _ranked_pairs, _RANKED_PAIRS, otherwise, same=_same_pairs)
    print("✓ ranked_pairs makes one pair of every two responses with different ranks.")


@exercise
def check_cycles(cycles: Callable[[Shares], float]) -> None:
    """Try `cycles(p)`: the share of all threes of responses whose majorities go in a circle.

    p: a table, `p[a][b]` the share of people who prefer a to b, one half on the diagonal; a tie is no majority.
    """
    rng, one = random.Random(0), {(0, 1): 0.75, (1, 2): 0.75, (2, 0): 0.75}
    tables = [one | {(3, 0): 0.75, (3, 1): 0.75, (3, 2): 0.75}, one, dict.fromkeys(one, 0.25)]
    tables += [{(0, 1): 0.75, (1, 2): 0.75, (0, 2): 0.75}, {(0, 1): 0.75, (1, 2): 0.75}]
    tables += [{pair: rng.choice((0.1, 0.5, 0.75)) for pair in combinations(range(n), 2)} for n in (4, 5, 6, 6)]
    cases = [(_table(1 + max(map(max, shares)), shares),) for shares in tables]
    otherwise = "go through the threes of this table by hand: is a ahead of b, b of c, and c of a, or all the reverse?"
    compare("cycles", cycles, cases, _cycles, _CYCLES, otherwise, same=close)
    print("✓ cycles finds every circle once, whichever way it goes, and takes no tie for a majority.")


@exercise
def check_labels_needed(
    labels_needed: int, measure: Callable[[int], float], counts: Sequence[int], target: float
) -> None:
    """Try `labels_needed`, a guess: with how many labels does a model reach the target?

    measure: trains on so many labels, and returns what should reach the target, such as an AUC. It is called only once
    there is a guess: for the smallest of the counts, then the next, until one reaches the target. A guess passes within
    a factor of two.
    """
    if not isinstance(labels_needed, Integral) or isinstance(labels_needed, bool) or labels_needed < 1:
        raise WrongAnswer(f"labels_needed is {labels_needed!r}; expected a whole number of labels, 1 or more")
    below, reached = 0, None
    for count in sorted(counts):
        value = float(measure(count))
        print(f"{count:,} labels: {value:.3f}, {'at least' if value >= target else 'below'} {target:.3f}")
        if value >= target:
            reached = count
            break
        below = count
    if labels_needed * 2 < below:
        raise WrongAnswer(f"{labels_needed:,} labels are too few: even {below:,} do not reach {target:.3f}")
    if reached is not None and labels_needed > 2 * reached:
        raise WrongAnswer(f"{labels_needed:,} labels are too many: {reached:,} reach {target:.3f}")
    between = f"between {below:,} and {reached:,}" if reached is not None else f"more than {below:,}"
    print(f"✓ labels_needed: it takes {between} labels, and you said {labels_needed:,}.")


def _nan_if_too_large(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, nan where plain Python stops at a number too large or a logarithm of 0; numpy only warns there."""

    def tried(*args: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(*args)
        except (ArithmeticError, ValueError) as error:  # a ValueError may also be about something else
            if isinstance(error, ArithmeticError) or "math domain" in str(error) or "positive input" in str(error):
                return float("nan")
            raise

    return tried


def _losses(chosen: Rewards, rejected: Rewards) -> Any:
    return np.logaddexp(0, np.subtract(rejected, chosen))


def _pair_loss(chosen: Rewards, rejected: Rewards) -> float:
    return float(_losses(chosen, rejected).mean())


def _by_p(chosen: Rewards, rejected: Rewards, least: float = 0.0) -> float:
    """The loss by the logarithm of a rounded P, which may be cut off near its ends."""
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(np.subtract(rejected, chosen)))
        return float(-np.log(p.clip(least, 1 - least)).mean())


_TOO_LARGE = "exp grows too large or P is rounded to 0 here; write -log P so that exp is never given a positive number"
_CLIPPED = "P was cut off at an end: the loss is then flat where the model is most wrong, and nothing is learnt there"
_PAIR_LOSS: list[Mistake] = [
    (lambda c, r: _pair_loss(r, c), "that is the loss if the rejected ones should win: the gap is chosen - rejected"),
    (lambda c, r: float(_losses(c, r).sum()), "that is the sum over the pairs; return their mean"),
    (lambda c, r: -_pair_loss(c, r), "that is the log-likelihood, which is negative; the loss is minus that"),
    (lambda c, r: _losses(c, r), "these are the losses one by one; return their mean"),
    (lambda c, r: _pair_loss([float(np.mean(c))], [float(np.mean(r))]), "take each pair's loss first, then the mean"),
    (lambda c, r: _pair_loss(c, r) / np.log(2), "that is in bits; take the natural logarithm"),
    (lambda c, r: float(np.exp(-_losses(c, r)).mean()), "that is the mean of P; return minus its logarithm"),
    (lambda c, r: float(-np.log(np.exp(-_losses(c, r)).mean())), "take the logarithm of each P first, then the mean"),
    (lambda c, r: float(np.greater(c, r).mean()), "that is how often the chosen one wins, which has no slope"),
    *((partial(_by_p, least=10.0**-digits), _CLIPPED) for digits in (*range(3, 17), 20, 30, 100, 300)),
    (_by_p, _TOO_LARGE),
    (lambda c, r: float("nan"), _TOO_LARGE),
]


def _ranked(better: Callable[[int, int], bool], ordered: bool = False) -> Callable[..., list[dict[str, str]]]:
    """A pair wherever `better` holds of two ranks; ordered: only of those that stand in this order in the list."""
    twos = combinations if ordered else permutations
    return lambda prompt, responses, ranks: [
        {"prompt": prompt, "chosen": a, "rejected": b}
        for (a, i), (b, j) in twos(zip(responses, ranks, strict=True), 2) if better(i, j)
    ]  # fmt: skip


_ranked_pairs = _ranked(lambda i, j: i < j)


def _same_pairs(a: Any, b: Any) -> bool:
    """Whether the pairs are alike, in any order."""
    a, b = ([sorted(pair.items()) if isinstance(pair, dict) else pair for pair in pairs] for pairs in (a, b))
    return sorted(map(repr, a)) == sorted(map(repr, b))


_RANKED_PAIRS: list[Mistake] = [
    (_ranked(lambda i, j: i > j), "chosen and rejected are the wrong way round: rank 1 is the best"),
    (_ranked(lambda i, j: i <= j, ordered=True), "the list need not begin with the best, and equal ranks give no pair"),
    (_ranked(lambda i, j: i < j, ordered=True), "the better response may stand later in the list: try both orders"),
    (_ranked(lambda i, j: True, ordered=True), "the order of the list says nothing; let the ranks decide"),
    (_ranked(lambda i, j: i <= j), "equal ranks are no preference: such a pair is left out"),
    (_ranked(lambda i, j: i != j), "each pair comes twice, once in either order; return only the order by rank"),
    (_ranked(lambda i, j: j - i == 1), "only neighbours in the ranking are paired; the first beats the third too"),
    (_ranked(lambda i, j: i == 1 < j), "only the best is paired; the second is preferred to the third too"),
    (lambda *args: [(pair["chosen"], pair["rejected"]) for pair in _ranked_pairs(*args)],
        "return dictionaries with `prompt`, `chosen` and `rejected`"),
    (lambda *args: [], "no pair at all; here some ranks differ"),
]  # fmt: skip


def _table(n: int, shares: dict[tuple[int, int], float]) -> list[list[float]]:
    """The table of n responses in which some pairs have these shares, their reverses the rest, all others ties."""
    table = [[0.5] * n for _ in range(n)]
    for (a, b), share in shares.items():
        table[a][b], table[b][a] = share, 1 - share
    return table


def _circles(p: Shares, threes: Any, least: float = 0.51) -> list[bool]:
    """Of each three, whether it goes round in its own order."""
    return [min(p[a][b], p[b][c], p[c][a]) >= least for a, b, c in threes]


def _either_way(p: Shares, least: float = 0.51) -> np.ndarray:
    threes = list(combinations(range(len(p)), 3))
    return np.logical_or(_circles(p, threes, least), _circles(p, [three[::-1] for three in threes], least))


def _cycles(p: Shares) -> float:
    return float(_either_way(p).mean())


_CYCLES: list[Mistake] = [
    (lambda p: float(np.mean(_circles(p, combinations(range(len(p)), 3)))),
        "a circle may go the other way round too: c ahead of b, b of a, a of c"),
    (lambda p: float(np.mean(_circles(p, permutations(range(len(p)), 3)))),
        "each three is taken in all six orders, and a circle shows in three of them; count each three once"),
    (lambda p: float(np.mean(_circles(p, product(range(len(p)), repeat=3)))),
        "the same response is taken twice in a three; `itertools.combinations` does not do that"),
    (lambda p: float(np.mean(_either_way(p, 0.5))), "one half is a tie, not a majority: `>`, not `>=`"),
    (lambda p: sum(_either_way(p)), "that is how many there are; divide it by the number of all threes"),
    (lambda p: 1 - _cycles(p), "that is the share without a circle"),
    (lambda p: float(any(_either_way(p))), "that is whether there is one at all; return the share of threes"),
]  # fmt: skip
