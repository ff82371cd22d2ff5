"""The checks of chapter 8: what a judge expects, how far a judge of two grades can pull, when to stop; and a solution
that fools the mean of its step scores.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, WrongAnswer, close, compare, exercise, wrong_answer
from minrm.text import final_answer, same_answer


@exercise
def check_expected_score(expected_score: Callable[[Sequence[float], int], float]) -> None:
    """Try `expected_score(scores, n)`: the mean over all subsets of n of these scores of the highest in the subset.

    Samples are different ones even where their scores agree.
    """
    rng = random.Random(0)
    cases: list[tuple[Any, ...]] = [
        ([0.1, 0.7, 0.4], 2), ([0.2, 0.9, 0.9, 0.5], 2), ([0.3, 0.6, 0.1], 1), ([0.6, 0.3, 0.8], 3),
    ]  # fmt: skip
    # not more than 5 of 8: with repeats that is 8^5 draws, which a wrong answer may list
    cases += [([round(rng.random(), 2) for _ in range(6)] + [0.5, 0.5], n) for n in (2, 3, 5)]
    otherwise = "list the subsets of this input by hand, and write the highest score beside each"
    compare("expected_score", expected_score, cases, _expected_score, _EXPECTED_SCORE, otherwise, same=close)
    print("✓ expected_score averages the highest score over every subset once.")


@exercise
def check_kl_of_two_grades(kl_of_two_grades: Callable[[float, int], float]) -> None:
    """Try `kl_of_two_grades(share, n)`: KL(best-of-n || policy) in nats under a judge that only says yes or no.

    share: how many of the policy's solutions get a yes, between 0 and 1; each of the n draws is independent.
    """
    cases = [(0.25, 2), (0.5, 4), (0.9, 3), (0.1, 1), (0.05, 20), (0.6, 7)]
    otherwise = "how often is a yes chosen, and a no? Multiply each by the logarithm of how much likelier it became"
    compare("kl_of_two_grades", kl_of_two_grades, cases, _two_grades, _TWO_GRADES, otherwise, same=close)
    print("✓ kl_of_two_grades adds up both grades, each by how much likelier it has become.")


@exercise
def check_best_count(best_count: Callable[[float, float, Sequence[int]], int]) -> None:
    """Try `best_count(alpha, beta, counts)`: the count at which d (alpha - beta d) is highest, d² = log n - (n-1)/n.

    Where beta is not above 0 the curve never turns.
    """
    powers = [2**k for k in range(9)]
    cases: list[tuple[Any, ...]] = [
        (0.35, 0.2, powers), (0.35, 0.09, powers), (0.3, -0.15, powers), (-0.1, 0.2, powers), (0.4, 0.15, [3, 10, 30]),
        (0.3, 0.12, list(range(1, 100))), (0.5, 0.4, list(range(1, 30))),
    ]  # fmt: skip
    otherwise = "work out d and d (alpha - beta d) for each of the counts: where is the curve highest?"
    compare("best_count", best_count, cases, _best_count, _BEST_COUNT, otherwise)
    print("✓ best_count measures the distance in roots of nats, and stops where the curve is highest.")


@exercise
def check_padded(padded: str, prm: Any, question: str, answer: str, wrong: str, by: float = 0.2) -> None:
    """Try `padded`, the solution `wrong` with more steps, as text: the same wrong answer, a mean score higher by `by`.

    Its weakest step must stay below one half, so that the step that breaks is still in it. prm: its
    `step_scores(questions, solutions)` gives P(good) of each step of each. answer: the right answer.
    """
    given, kept = wrong_answer("padded", padded, answer), final_answer(wrong)
    if kept is None or not same_answer(given, kept):
        raise WrongAnswer(f"the final answer of padded is {given}; keep that of the solution given, which is {kept}")
    before, after = prm.step_scores([question] * 2, [wrong, padded])
    means = f"{len(after)} steps with a mean of {np.mean(after):.3f}, before {len(before)} with {np.mean(before):.3f}"
    if not np.min(after) < 0.5:
        hint = "the step that breaks is gone; keep it, and add others"
        raise WrongAnswer(f"the weakest step of padded has a score of {np.min(after):.3f}: {hint}")
    if not np.mean(after) >= np.mean(before) + by:
        raise WrongAnswer(f"{means}, expected {by} more: which steps does the model call good, whatever they are for?")
    print(f"✓ padded has {means}; its minimum is {np.min(after):.3f}. Steps that say nothing lift the mean.")


def _over(subsets: Callable[[Sequence[float], int], Iterable[tuple[float, ...]]], worth: Callable = max) -> Callable:
    """The mean of what each subset is worth."""
    return lambda scores, n: float(np.mean([worth(subset) for subset in subsets(scores, n)]))


_expected_score = _over(combinations)
_EXPECTED_SCORE: list[Mistake] = [
    (_over(lambda scores, n: product(scores, repeat=n)),
        "here a sample can be drawn twice; a subset holds n different samples"),
    (lambda scores, n: _expected_score(sorted(set(scores)), n),
        "equal scores count once here; two samples with the same score are still two"),
    (lambda scores, n: float(np.mean([max(s) for s in set(combinations(sorted(scores), n))])),
        "subsets with the same scores count once here; they are different samples, so keep each"),
    (lambda scores, n: max(scores), "that is the highest of all; most subsets do not hold it"),
    (lambda scores, n: max(scores[:n]), "that is the highest of the first n, one subset of many"),
    (lambda scores, n: float(np.mean(scores)), "that is the mean score; take the highest of each subset"),
    (lambda scores, n: float(np.mean(sorted(scores)[-n:])),
        "that is the mean of the n highest; return the mean of the highest of each n"),
    (_over(combinations, min), "the lowest of each subset is taken; return the highest"),
    (_over(combinations, sum), "the scores of a subset are added up; return its highest"),
    (lambda scores, n: _expected_score(scores, n) * math.comb(len(scores), n),
        "that is a sum over the subsets; divide it by their number"),
    (lambda scores, n: [max(subset) for subset in combinations(scores, n)],
        "these are the subsets one by one; return their mean"),
    (lambda scores, n: float(np.quantile(scores, n / (n + 1))),
        "that is a quantile, which is right only for infinitely many samples; count the subsets"),
]  # fmt: skip


def _kl(yes: float, share: float) -> float:
    """KL between two yes-or-no distributions, in nats; 0 log 0 is 0."""
    return sum(q * math.log(q / p) for q, p in ((yes, share), (1 - yes, 1 - share)) if q > 0)


def _yes(share: float, n: int) -> float:
    return 1 - (1 - share) ** n


def _two_grades(share: float, n: int) -> float:
    return _kl(_yes(share, n), share)


_TWO_GRADES: list[Mistake] = [
    (lambda share, n: math.log(n) - (n - 1) / n,
        "that is the bound for scores that never tie; a judge of two grades ties nearly always"),
    (lambda share, n: _yes(share, n) * math.log(_yes(share, n) / share),
        "that is the term of a yes alone; a no is chosen too, where all n draws are no, and its term is negative"),
    (lambda share, n: math.log(_yes(share, n) / share),
        "that is how much likelier a yes became; weigh it by how often a yes is chosen, and add the no"),
    (lambda share, n: -math.log(share), "that is the limit for large n, where a yes is always found"),
    (lambda share, n: _kl(share, _yes(share, n)),
        "that is KL(policy || best-of-n); the mean is over what best-of-n chooses"),
    (lambda *args: _two_grades(*args) / math.log(2), "these are bits; with the natural logarithm they are nats"),
    (lambda *args: -_two_grades(*args), "the sign is wrong: a divergence is never below 0"),
    (lambda share, n: _kl(share**n, share), "share ** n is the chance that all n draws are a yes; one is enough"),
    (lambda share, n: _kl(min(1.0, n * share), share),
        "n · share counts the expected yeses; the chance of at least one is 1 - (1 - share) ** n"),
    (lambda share, n: _yes(share, n), "that is how often a yes is chosen; return the divergence from the policy"),
    (lambda share, n: _yes(share, n) * math.log(_yes(share, n)) + (1 - share) ** n * n * math.log(1 - share),
        "each logarithm needs the policy's own share below it: log(chosen / share)"),
]  # fmt: skip


def _distance(n: float) -> float:
    return math.sqrt(math.log(n) - (n - 1) / n)


def _gao(alpha: float, beta: float, d: float) -> float:
    return d * (alpha - beta * d)


def _highest(distance: Callable = _distance, curve: Callable = _gao) -> Callable[[float, float, Sequence[int]], int]:
    """The count at which the curve of the distance is highest."""
    return lambda alpha, beta, counts: max(counts, key=lambda n: curve(alpha, beta, distance(n)))


_best_count = _highest()
_BEST_COUNT: list[Mistake] = [
    (_highest(lambda n: _distance(n) ** 2), "d is the root of log n - (n-1)/n; here the root is missing"),
    (_highest(lambda n: math.sqrt(math.log(n))), "the second part is missing: d² is log n - (n-1)/n, not log n"),
    (_highest(math.log), "that is the curve against log n; d is the root of log n - (n-1)/n"),
    (_highest(curve=lambda alpha, beta, d: alpha - beta * d), "the factor d in front is missing"),
    (_highest(curve=lambda alpha, beta, d: d * (alpha + beta * d)), "beta d is subtracted: alpha - beta d"),
    (lambda alpha, beta, counts: min(counts, key=lambda n: abs(_distance(n) - alpha / (2 * beta))),
        "alpha / (2 beta) is no maximum where beta is not above 0; compare the curve's values"),
    (lambda alpha, beta, counts: int(np.argmax([_gao(alpha, beta, _distance(n)) for n in counts])),
        "that is the place in the list; return the count that stands there"),
    (lambda alpha, beta, counts: _distance(_best_count(alpha, beta, counts)),
        "that is the distance d; return the count of samples"),
    (lambda alpha, beta, counts: max(_gao(alpha, beta, _distance(n)) for n in counts),
        "that is the curve's highest value; return the count at which it is reached"),
    (lambda alpha, beta, counts: alpha / (2 * beta), "that is the d at which the curve turns; which count lies there?"),
    (lambda alpha, beta, counts: max(counts), "the largest count is best only where the curve does not turn before it"),
]  # fmt: skip
