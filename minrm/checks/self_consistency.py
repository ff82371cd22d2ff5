"""The checks of chapter 2: the vote of two, where the vote ends, and the winner of a vote with weights."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, close, compare, exercise

Answers = Sequence[str | None]


@exercise
def check_vote_of_two(vote_of_two: Callable[[Answers, str], float]) -> None:
    """Try `vote_of_two(answers, truth)`: how often the vote of two of one problem's samples gives the truth.

    All pairs of different samples count alike, a tie counts one half, and None (no answer) casts no vote.
    """
    rng = random.Random(0)
    cases = [(answers, "6") for answers in (["6", "6", "10"], ["6", "6", "10", "2"], ["6", None, "10", "6"])]
    cases += [([rng.choice(("6", "10", "2", None)) for _ in range(7)], "6") for _ in range(6)]
    otherwise = "list the pairs of this input by hand, and write beside each what it is worth: 1, one half or 0"
    compare("vote_of_two", vote_of_two, cases, _of_two, _VOTE_OF_TWO, otherwise, same=close)
    print("✓ vote_of_two counts every pair once, shares ties, and lets samples without an answer cast no vote.")


@exercise
def check_vote_in_the_end(vote_in_the_end: Callable[[Any, Any], float]) -> None:
    """Try `vote_in_the_end(answers, truth)`: the share of problems that a vote of all samples wins.

    Both are object arrays, [P, N] (None: no answer was read) and [P]. Answers that lead together share the win.
    """
    rng = random.Random(1)
    rows = [["6", "6", "10", "2", None], ["6", "10", "10", "2", "2"], [None, None, None, "6", "10"], ["6"] * 5]
    cases: list[tuple[Any, ...]] = [(rows[:count], ["6"] * count) for count in (1, 2, 4)]
    for _ in range(4):
        drawn = [[rng.choice(("6", "6", "10", "2", None)) for _ in range(8)] + ["10"] for _ in range(5)]
        cases.append((drawn, rng.choices(("6", "10"), k=5)))
    cases = [tuple(np.array(argument, dtype=object) for argument in case) for case in cases]
    otherwise = "look at one row: which answer leads, how many lead with it, and what does the truth get of the win?"
    compare("vote_in_the_end", vote_in_the_end, cases, _in_the_end, _VOTE_IN_THE_END, otherwise, same=close)
    print("✓ vote_in_the_end finds the answers that lead, and shares the win among them.")


@exercise
def check_winner(winner: Callable[[Answers, Sequence[float]], str]) -> None:
    """Try `winner(answers, weights)`: the answer of one problem's samples whose weights, added up, are the largest.

    A sample without an answer (None) casts no vote, whatever its weight.
    """
    rng = random.Random(2)
    cases: list[tuple[Any, ...]] = [
        (["6", "10", "10", "6", "6"], [0.4, 0.9, 0.8, 0.1, 0.2]), (["10", "6", "6", "2"], [0.7, 0.5, 0.4, 0.3]),
        (["6", None, None, "10"], [0.5, 0.6, 0.7, 0.1]), ([None, "2", "6", "6", "6"], [0.9, 0.8, 0.1, 0.2, 0.1]),
    ]  # fmt: skip
    for _ in range(6):
        answers = [rng.choice(("6", "10", "2", None)) for _ in range(9)] + ["6"]
        cases.append((answers, [round(rng.random(), 3) for _ in answers]))
    otherwise = "add up the weights of each answer by hand: which sum is the largest?"
    compare("winner", winner, cases, _winner, _WINNER, otherwise)
    print("✓ winner adds up the weights of each answer, and lets samples without an answer cast no vote.")


def _pairs(worth: Callable[[tuple[str | None, ...], str], float]) -> Callable[[Answers, str], float]:
    """The mean worth of all pairs of different samples."""
    return lambda answers, truth: float(np.mean([worth(pair, truth) for pair in combinations(answers, 2)]))


def _said(row: Iterable[str | None]) -> list[str | None]:
    return [answer for answer in row if answer is not None]


def _worth(pair: Iterable[str | None], truth: str) -> float:
    votes = _said(pair)
    return votes.count(truth) / len(votes) if votes else 0.0


_of_two = _pairs(_worth)
_TIE = "a tie is decided by a coin: where the two differ and one is right, the pair is worth one half"
_RIVAL = "None is no rival: beside a sample without an answer the other sample decides alone, and need not share"
_VOTE_OF_TWO: list[Mistake] = [
    (_pairs(lambda pair, truth: _worth(pair, truth) == 1), f"{_TIE}, not lost"),
    (_pairs(lambda pair, truth: pair == (truth, truth)), f"{_TIE}, not lost"),
    (_pairs(lambda pair, truth: truth in pair), f"{_TIE}, not won"),
    (lambda answers, truth: list(answers).count(truth) / len(answers), _RIVAL),
    (lambda answers, truth: np.mean([_worth(pair, truth) for pair in product(answers, repeat=2)]),
        "here a sample is paired with itself; a pair holds two different samples"),
    (lambda answers, truth: _of_two(_said(answers), truth),
        "samples without an answer are drawn too: keep them in the pairs, where they cast no vote"),
    (lambda answers, truth: sum(_worth(pair, truth) for pair in combinations(answers, 2)),
        "that is a sum over the pairs; divide it by their number"),
    (_pairs(lambda pair, truth: 0.5 if pair == (None, None) else _worth(pair, truth)),
        "where neither of the two has an answer, nothing is won: such a pair is worth 0"),
]  # fmt: skip


def _leaders(row: list[str | None]) -> list[str | None]:
    return [answer for answer in set(row) if row.count(answer) == max(map(row.count, row))]


def _mean(worth: Callable[[list[str | None], str], float]) -> Callable[[Any, Any], float]:
    """The mean over problems of what a row of answers is worth."""
    return lambda answers, truth: float(np.mean([worth(list(row), true) for row, true in zip(answers, truth)]))  # noqa: B905


def _share(row: Iterable[str | None], true: str) -> float:
    leaders = _leaders(_said(row))
    return (true in leaders) / len(leaders)


_in_the_end = _mean(_share)
_NONE = "None is counted as an answer here; a sample without an answer casts no vote"
_SHARE = "where several answers lead together, a coin decides, so each wins its share"
_VOTE_IN_THE_END: list[Mistake] = [
    (_mean(lambda row, true: _share(row, true) == 1), f"{_SHARE}; such a problem is not lost"),
    (_mean(lambda row, true: true in _leaders(_said(row))), f"{_SHARE}; such a problem is not won outright"),
    (_mean(lambda row, true: Counter(_said(row)).most_common(1)[0][0] == true),
        f"{_SHARE}; here the one that was met first takes all"),
    (_mean(lambda row, true: max(sorted(set(map(str, _said(row)))), key=_said(row).count) == true),
        f"{_SHARE}; here the first in the alphabet takes all"),
    (_mean(lambda row, true: (true in _leaders(row)) / len(_leaders(row))), _NONE),
    (_mean(lambda row, true: Counter(row).most_common(1)[0][0] == true), _NONE),
    (_mean(lambda row, true: row.count(true) / len(row)),
        "that is how often one sample is right; a vote asks which answer is given most often"),
    (_mean(lambda row, true: true in row), "that is pass@N, whether a right answer is there; it must lead to win"),
    (_mean(lambda row, true: row.count(true) > len(row) / 2), "more than half is not needed: the most votes win"),
    (lambda answers, truth: [_share(row, true) for row, true in zip(answers, truth, strict=True)],
        "these are the problems one by one; return their mean"),
    (lambda answers, truth: _in_the_end(answers, truth) * len(truth),
        "that is the number of problems won; divide it by the number of problems"),
]  # fmt: skip


def _sums(answers: Answers, weights: Sequence[float], none: bool = False) -> dict[str | None, float]:
    """The added weights of each answer, `none`: of None too."""
    sums: dict[str | None, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if none or answer is not None:
            sums[answer] = sums.get(answer, 0.0) + weight
    return sums


def _largest(sums: dict[str | None, float]) -> str | None:
    return max(sums, key=sums.__getitem__)


def _winner(answers: Answers, weights: Sequence[float], none: bool = False) -> str | None:
    return _largest(_sums(answers, weights, none))


def _product(answers: Answers, weights: Sequence[float]) -> dict[str | None, float]:
    """The multiplied weights of each answer."""
    return {a: math.prod(w for b, w in zip(answers, weights, strict=True) if a == b) for a in _said(answers)}


_LAST = "the last weight of each answer is kept, since `=` writes over what was there; add up with `+=`"
_ONE = "that is the answer of the single heaviest sample (best-of-N); a vote adds up the weights of equal answers"
_WINNER: list[Mistake] = [
    (lambda answers, weights: answers[int(np.argmax(weights))], _ONE),
    (lambda answers, weights: max((w, a) for a, w in zip(answers, weights, strict=True) if a is not None)[1], _ONE),
    (lambda answers, weights: Counter(_said(answers)).most_common(1)[0][0], "the weights are not used: this answer is "
        "given most often, but its weights add up to less"),
    (lambda answers, weights: _largest({a: s / list(answers).count(a) for a, s in _sums(answers, weights).items()}),
        "that is the largest mean weight; add up, since many samples are to count for more than one"),
    (lambda answers, weights: _largest({a: w for a, w in zip(answers, weights, strict=True) if a is not None}), _LAST),
    (lambda answers, weights: _largest(dict(zip(answers, weights, strict=True))), _LAST),
    (lambda *args: _largest(_product(*args)), "the weights of equal answers are multiplied; a vote adds them up"),
    (lambda answers, weights: _said(answers)[0], "the first answer wins everywhere, as if all sums were equal; did you "
        "multiply by a sum that begins at 0?"),
    (lambda answers, weights: _winner(answers, weights, none=True),
        "None has won; a sample without an answer casts no vote, whatever its weight"),
    (lambda *args: _largest({answer: -total for answer, total in _sums(*args).items()}),
        "that is the smallest sum; return the largest"),
    (lambda *args: max(_sums(*args).values()), "that is the sum; return the answer it belongs to"),
    (lambda *args: (_winner(*args), max(_sums(*args).values())),
        "that is the answer with its sum; return the answer alone"),
    (_sums, "these are the sums of all answers; return the answer whose sum is the largest"),
]  # fmt: skip
