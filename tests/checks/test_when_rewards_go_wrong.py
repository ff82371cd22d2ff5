"""The checks of chapter 8, against answers that a learner would write."""

import math
from itertools import combinations, product
from math import comb

import numpy as np
from hints import trial

from minrm import best_of_n
from minrm.checks import check_best_count, check_expected_score, check_kl_of_two_grades, check_padded
from minrm.metrics import kl_of_best_of_n, kl_with_repeats
from minrm.text import split_steps


def best_by_ranks(scores, n):
    ordered = sorted(scores)
    return sum(s * comb(r, n - 1) for r, s in enumerate(ordered)) / comb(len(scores), n)


def best_by_package(scores, n):
    return best_of_n([scores], [scores], n).mean


def best_by_list(scores, n):
    found = [max(subset) for subset in combinations(scores, n)]
    return sum(found) / len(found)


test_expected_score = trial(
    check_expected_score,
    [best_by_ranks, best_by_package, best_by_list],
    [
        (lambda s, n: np.mean([max(d) for d in product(s, repeat=n)]), "can be drawn twice"),
        (lambda s, n: sum((k / len(s)) ** n - ((k - 1) / len(s)) ** n for k in range(1, len(s) + 1)), "by hand"),
        (lambda s, n: np.mean([max(d) for d in combinations(set(s), n)]), "equal scores count once"),
        (lambda s, n: np.mean([max(d) for d in set(combinations(sorted(s), n))]), "subsets with the same scores"),
        (lambda s, n: max(s), "the highest of all"),
        (lambda s, n: max(s[:n]), "the highest of the first n"),
        (lambda s, n: sum(s) / len(s), "that is the mean score"),
        (lambda s, n: sum(sorted(s, reverse=True)[:n]) / n, "the mean of the n highest"),
        (lambda s, n: np.mean([min(d) for d in combinations(s, n)]), "the lowest of each subset"),
        (lambda s, n: np.mean([sum(d) for d in combinations(s, n)]), "are added up"),
        (lambda s, n: sum(max(d) for d in combinations(s, n)), "divide it by their number"),
        (lambda s, n: [max(d) for d in combinations(s, n)], "return their mean"),
        (lambda s, n: np.quantile(s, n / (n + 1)), "that is a quantile"),
        (lambda s, n: s.sort(), "changed its arguments"),
    ],
)


def grades(share, n):
    none = (1 - share) ** n
    return (1 - none) * math.log((1 - none) / share) + none * (n - 1) * math.log(1 - share)


def grades_by_package(share, n):
    yes = round(share * 100)
    return kl_with_repeats([1] * yes + [0] * (100 - yes), n)[0]


def grades_by_arrays(share, n):
    p = np.array([share, 1 - share])
    q = np.array([1 - p[1] ** n, p[1] ** n])
    return float((q * (np.log(q) - np.log(p))).sum())


def yes(share, n):
    return 1 - (1 - share) ** n


def kl(q, p):
    return q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))


test_kl_of_two_grades = trial(
    check_kl_of_two_grades,
    [grades, grades_by_package, grades_by_arrays],
    [
        (lambda share, n: kl_of_best_of_n(n), "the bound for scores that never tie"),
        (lambda share, n: yes(share, n) * np.log(yes(share, n) / share), "the term of a yes alone"),
        (lambda share, n: np.log(yes(share, n) / share), "weigh it by how often"),
        (lambda share, n: -np.log(share), "the limit for large n"),
        (lambda share, n: kl(share, yes(share, n)), "KL(policy || best-of-n)"),
        (lambda share, n: grades(share, n) / np.log(2), "these are bits"),
        (lambda share, n: -grades(share, n), "never below 0"),
        (lambda share, n: kl(share**n, share), "one is enough"),
        (lambda share, n: kl(n * share, share) if n * share < 1 else -math.log(share), "counts the expected yeses"),
        (yes, "that is how often a yes is chosen"),
        (lambda share, n: sum(q * math.log(q) for q in (yes(share, n), 1 - yes(share, n))), "share below it"),
        (lambda share, n: share * n, "how much likelier it became"),
        (lambda share, n: math.log(0), "stopped with ValueError"),
    ],
)


def distance(n):
    return math.sqrt(math.log(n) - (n - 1) / n)


def count(alpha, beta, counts):
    n = np.array(counts, dtype=float)
    d = np.sqrt(np.log(n) - (n - 1) / n)
    return counts[int((d * (alpha - beta * d)).argmax())]


def count_by_loop(alpha, beta, counts):
    best = counts[0]
    for n in counts[1:]:
        gain, so_far = (alpha * distance(m) - beta * distance(m) ** 2 for m in (n, best))
        if gain > so_far:
            best = n
    return best


def count_by_package(alpha, beta, counts):
    d = np.sqrt(kl_of_best_of_n(counts))
    return dict(zip(d * (alpha - beta * d), counts, strict=True))[max(d * (alpha - beta * d))]


def at(curve):
    return lambda alpha, beta, counts: max(counts, key=lambda n: curve(alpha, beta, n))


test_best_count = trial(
    check_best_count,
    [count, count_by_loop, count_by_package],
    [
        (at(lambda a, b, n: distance(n) ** 2 * (a - b * distance(n) ** 2)), "the root is missing"),
        (at(lambda a, b, n: math.log(n) ** 0.5 * (a - b * math.log(n) ** 0.5)), "not log n"),
        (at(lambda a, b, n: math.log(n) * (a - b * math.log(n))), "the curve against log n"),
        (at(lambda a, b, n: a - b * distance(n)), "the factor d in front is missing"),
        (at(lambda a, b, n: distance(n) * (a + b * distance(n))), "beta d is subtracted"),
        (lambda a, b, c: min(c, key=lambda n: abs(distance(n) - a / 2 / b)), "is no maximum where beta"),
        (lambda a, b, c: c.index(count(a, b, c)), "the place in the list"),
        (lambda a, b, c: distance(count(a, b, c)), "that is the distance d"),
        (lambda a, b, c: max(distance(n) * (a - b * distance(n)) for n in c), "the curve's highest value"),
        (lambda a, b, c: a / 2 / b, "the d at which the curve turns"),
        (lambda a, b, c: c[-1], "the largest count is best only"),
        (lambda a, b, c: c[len(c) // 3], "work out d and"),
    ],
)


def solution(answer, *steps):
    return "\n".join(f"Step: {k}: {step}" for k, step in enumerate(steps, start=1)) + f"\n\n# Answer\n\n{answer}"


class Judge:
    """A model that finds every step good but 2 + 2 = 5 and what is no sum."""

    def step_scores(self, questions, solutions):
        scores = {"2 + 2 = 5": 0.1, "5 + 1 = 6": 0.9, "6 + 0 = 6": 0.8}
        return [np.array([scores.get(step.split("\n")[0], 0.3) for step in split_steps(text)]) for text in solutions]


BROKEN = ("2 + 2 = 5", "5 + 1 = 6")

test_padded = trial(
    check_padded,
    [solution(6, *BROKEN, *["6 + 0 = 6"] * 4), solution("6.0", "6 + 0 = 6", *BROKEN, *["5 + 1 = 6"] * 3)],
    [
        (solution(6, *BROKEN, "6 + 0 = 6"), "3 steps with a mean of 0.600, before 2 with 0.500, expected 0.2 more"),
        (solution(6, *BROKEN, *["so it is 6"] * 9), "expected 0.2 more: which steps does the model call good"),
        (solution(6, *["6 + 0 = 6"] * 5), "has a score of 0.800: the step that breaks is gone"),
        (solution(7, *BROKEN, *["6 + 0 = 6"] * 4), "the final answer of padded is 7; keep that of the solution given"),
        (solution(5, *BROKEN, *["6 + 0 = 6"] * 4), "the final answer of padded is 5, which is right"),
        ("\n".join(BROKEN), "no final answer can be read in padded"),
        ([*BROKEN], "of type list"),
    ],
    Judge(), "What is 2 + 2 + 1?", "5", solution(6, *BROKEN),
)  # fmt: skip
