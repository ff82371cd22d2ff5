"""The checks of chapter 7: best-of-N of one problem by hand, a paired difference, the tokens to a target; and step
scores on which two aggregates disagree.
"""

import math
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, WrongAnswer, close, compare, exercise, short

Numbers = Sequence[float]


@exercise
def check_expected_best(expected_best: Callable[[Numbers, Sequence[bool], int], float]) -> None:
    """Try `expected_best(scores, correct, n)`: how often the best-scored of n samples of one problem is right.

    All subsets of n different samples count alike; samples that share a subset's best score are chosen equally often.
    """
    rng = random.Random(0)
    cases: list[tuple[Any, ...]] = [
        ([0.9, 0.2, 0.4, 0.6], [False, True, True, True], 2), ([0.3, 0.9, 0.5, 0.1], [True, False, True, False], 1),
        ([0.5, 0.8, 0.8, 0.1], [True, False, True, False], 3),
        ([0.7, 0.7, 0.7, 0.2, 0.7], [True, False, False, True, False], 2),
    ]  # fmt: skip
    for n in (2, 3, 4, 6):
        scores = [rng.choice((0.1, 0.4, 0.7, 0.9)) for _ in range(7)]
        cases.append((scores, [rng.random() < 0.4 for _ in scores], n))
    otherwise = "list the subsets of this input by hand: which sample has the best score in each, and is it right?"
    compare("expected_best", expected_best, cases, _expected, _EXPECTED_BEST, otherwise, same=close)
    print("✓ expected_best averages over every subset, and lets tied scores share.")


@exercise
def check_paired(paired: Callable[[Numbers, Numbers], tuple[float, float]]) -> None:
    """Try `paired(a, b)`: the mean of a - b over the same problems, and the standard error of that mean.

    The standard error is the standard deviation of the differences (divided by P - 1) over the root of their number P.
    """
    rng = random.Random(1)
    rows = [([1.0, 0.5, 1.0, 0.0], [0.0, 0.5, 1.0, 0.0]), ([0.9, 0.1, 0.8, 0.4, 0.6], [1.0, 0.3, 0.7, 0.5, 0.9])]
    for _ in range(4):
        hard = [rng.random() for _ in range(8)]
        a, b = ([round(0.7 * p + 0.3 * rng.random(), 3) for p in hard] for _ in range(2))
        rows.append((a, b))
    cases = [tuple(map(np.array, row)) for row in rows]
    otherwise = "write the differences of this input in a column: what is their mean, and how far do they scatter?"
    compare("paired", paired, cases, _paired, _PAIRED, otherwise, same=close)
    print("✓ paired takes the differences first, and their scatter after.")


@exercise
def check_tokens_to_reach(tokens_to_reach: Callable[[float, Numbers, Numbers], float | None]) -> None:
    """Try `tokens_to_reach(target, tokens, accuracy)`: the fewest tokens at which the accuracy is at least the target.

    tokens rises from entry to entry; accuracy may rise and fall. None where it never reaches the target.
    """
    four, five = [20, 40, 80, 160], [90, 180, 360, 720, 1440]
    cases: list[tuple[Any, ...]] = [
        (0.7, four, [0.6, 0.65, 0.72, 0.75]), (0.7, four, [0.6, 0.7, 0.7, 0.71]),
        (0.8, five, [0.6, 0.79, 0.85, 0.82, 0.7]), (0.75, five, [0.6, 0.8, 0.7, 0.76, 0.5]),
        (0.5, five[:3], [0.6, 0.8, 0.7]), (0.9, four, [0.6, 0.65, 0.72, 0.75]),
    ]  # fmt: skip
    otherwise = "go along the curve from the left: where is it at least the target for the first time?"
    compare("tokens_to_reach", tokens_to_reach, cases, _reach, _TOKENS_TO_REACH, otherwise)
    print("✓ tokens_to_reach finds where the curve first reaches the target, and says None where it never does.")


@exercise
def check_rivals(rivals: tuple[Numbers, Numbers]) -> None:
    """Try `rivals`, two lists of step scores: the product prefers the first solution, the minimum the second.

    Each list holds P(good) of a solution's steps, numbers between 0 and 1; the lists may differ in length.
    """
    lists = isinstance(rivals, list | tuple) and all(isinstance(own, list | tuple) for own in rivals)
    if not lists or len(rivals) != 2:
        raise WrongAnswer(f"rivals is {short(repr(rivals))}; expected two lists of step scores")
    for place, own in zip(("first", "second"), rivals, strict=True):
        if not own or not all(isinstance(p, int | float) and 0 <= p <= 1 for p in own):
            raise WrongAnswer(f"the {place} list is {short(repr(own))}; expected a probability for each step")
    first, second = rivals
    products, minima = (math.prod(first), math.prod(second)), (min(first), min(second))
    shown = f"products {products[0]:.3g} and {products[1]:.3g}, minima {minima[0]:.3g} and {minima[1]:.3g}"
    if products[0] < products[1] and minima[0] > minima[1]:
        raise WrongAnswer(f"{shown}: they disagree the other way round; the product has to prefer the first")
    if not products[0] > products[1]:
        raise WrongAnswer(
            f"{shown}: the product does not prefer the first. Each step is a factor; what makes it small?"
        )
    if not minima[0] < minima[1]:
        raise WrongAnswer(f"{shown}: the minimum does not prefer the second. Which step of a solution does it look at?")
    print(f"✓ rivals: {shown}. The two aggregates disagree.")


def _over(worth: Callable[[list[tuple[float, bool]]], float]) -> Callable[[Numbers, Sequence[bool], int], float]:
    """The mean worth of all subsets of n samples, each a (score, right)."""
    return lambda scores, correct, n: float(
        np.mean([worth(list(subset)) for subset in combinations(zip(scores, correct, strict=True), n)])
    )


def _top(subset: list[tuple[float, bool]]) -> list[bool]:
    return [right for score, right in subset if score == max(subset)[0]]


def _first_n(scores: Numbers, correct: Sequence[bool], n: int | None) -> float:
    return float(np.mean(_top(list(zip(scores[:n], correct[:n], strict=True)))))


def _with_return(scores: Numbers, correct: Sequence[bool], n: int) -> float:
    """As if the same sample could be drawn twice."""
    s, right = np.array(scores), np.array(correct)
    chances = [np.mean(s <= score) ** n - np.mean(s < score) ** n for score in set(scores)]
    return float(sum(p * right[s == score].mean() for p, score in zip(chances, set(scores), strict=True)))


_expected = _over(lambda subset: float(np.mean(_top(subset))))
_TIE = "where samples share the best score, one is drawn at random: each counts for its share"
_EXPECTED_BEST: list[Mistake] = [
    (_over(lambda subset: max(subset, key=lambda pair: pair[0])[1]), f"{_TIE}; here the first of them takes all"),
    (_over(lambda subset: sorted(subset, key=lambda pair: pair[0])[-1][1]), f"{_TIE}; here the last takes all"),
    (_over(lambda subset: max(subset)[1]), f"{_TIE}; here a right one is always preferred"),
    (_over(lambda subset: all(_top(subset))), f"{_TIE}; here a tie with a wrong one is lost"),
    (_over(lambda subset: any(right for _, right in subset)), "that is pass@N, whether any is right; the one "
        "with the best score must be right"),
    (_over(lambda subset: min(subset, key=lambda pair: pair[0])[1]), "that is the worst-scored; the best is chosen"),
    (_first_n, "only the first n samples are looked at; average over all subsets of n"),
    (lambda scores, correct, n: _first_n(scores, correct, None),
        "that is the best of all the samples, whatever n is; average over the subsets of n"),
    (_with_return, "here a sample can be drawn twice; a subset holds n different ones"),
    (lambda scores, correct, n: float(np.mean(correct)), "that is one sample drawn at random: the scores are not used"),
    (lambda *args: _expected(*args) * math.comb(len(args[0]), args[2]),
        "that is a sum over the subsets; divide by their number"),
]  # fmt: skip


def _error(values: Any, ddof: int = 1) -> float:
    return float(np.std(values, ddof=ddof) / np.sqrt(len(values)))


def _with_mean(error: Callable[[Any, Any], float]) -> Callable[[Any, Any], tuple[float, float]]:
    return lambda a, b: (float(np.mean(a - b)), error(a, b))


_paired = _with_mean(lambda a, b: _error(a - b))
_SCATTER = "that is the scatter of single problems; the mean of P of them scatters less, by the root of P"
_PAIRED: list[Mistake] = [
    (_with_mean(lambda a, b: float(np.hypot(_error(a), _error(b)))), "that is the error of two unpaired means; take "
        "the differences problem by problem first, and what the two share cancels"),
    (_with_mean(lambda a, b: _error(a) + _error(b)), "errors of a and b are added up; take the differences first"),
    (_with_mean(lambda a, b: _error(a) - _error(b)), "an error is not a difference of errors; take the differences of "
        "the problems first"),
    (_with_mean(lambda a, b: _error(a - b, ddof=0)), "divide the squares by P - 1 (ddof=1): the mean is estimated too"),
    (_with_mean(lambda a, b: float(np.std(a - b, ddof=1))), _SCATTER),
    (_with_mean(lambda a, b: float(np.std(a - b, ddof=0))), _SCATTER),
    (_with_mean(lambda a, b: float(np.var(a - b, ddof=1) / len(a))), "that is the square of the error; take its root"),
    (_with_mean(lambda a, b: 1.96 * _error(a - b)), "that is half the interval; return the standard error alone"),
    (lambda a, b: _paired(b, a), "the sign is the other way round: return a - b"),
    (lambda a, b: _paired(a, b)[0], "that is the mean alone; return the mean and its standard error"),
    (lambda a, b: _paired(a, b)[1], "that is the standard error alone; return the mean and its standard error"),
    (lambda a, b: _paired(a, b)[::-1], "first the mean, then its standard error"),
]  # fmt: skip


def _reached(target: float, tokens: Numbers, accuracy: Numbers) -> list[float]:
    return [cost for cost, share in zip(tokens, accuracy, strict=True) if share >= target]


def _reach(target: float, tokens: Numbers, accuracy: Numbers) -> float | None:
    return min(_reached(target, tokens, accuracy), default=None)


_NEVER = "this curve never reaches the target: return None"
_FIRST = "only the first entry is looked at: `return None` belongs after the loop, not inside it"
_TOKENS_TO_REACH: list[Mistake] = [
    (lambda target, tokens, accuracy: tokens[min(int(np.searchsorted(accuracy, target)), len(tokens) - 1)],
        "a search by halves needs a curve that only rises; this one may fall, so go through it entry by entry"),
    (lambda target, tokens, accuracy: _reach(target + 1e-9, tokens, accuracy),
        "reaching the target is enough: at least, not more than"),
    (lambda target, tokens, accuracy: _reach(target, tokens[:1], accuracy[:1]), _FIRST),
    (lambda target, tokens, accuracy: tokens[int(np.argmax(accuracy))], "that is where the curve is highest; where is "
        "it at least the target for the first time?"),
    (lambda target, tokens, accuracy: max(_reached(target, tokens, accuracy), default=None),
        "that is the last place that reaches the target; return the fewest tokens"),
    (lambda target, tokens, accuracy: tokens[int(np.argmax(np.asarray(accuracy) >= target))],
        "this curve never reaches the target, and argmax of all False is 0: return None"),
    (lambda target, tokens, accuracy: min(_reached(target, tokens, accuracy), default=tokens[-1]), _NEVER),
    (lambda target, tokens, accuracy: min(_reached(target, tokens, accuracy), default=float("inf")), _NEVER),
    (lambda target, tokens, accuracy: _reach(target, range(len(tokens)), accuracy),
        "that is the place in the list; return the tokens there"),
    (lambda target, tokens, accuracy: next(iter(_reached(target, accuracy, accuracy)), None),
        "that is the accuracy; return the tokens at which it is reached"),
    (_reached, "these are all the places that reach the target; return the fewest tokens"),
]  # fmt: skip
