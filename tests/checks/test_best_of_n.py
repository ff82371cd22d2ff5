"""The checks of chapter 7, against answers that a learner would write."""

import statistics
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from hints import trial

from minrm import best_of_n, pass_at_n
from minrm.checks import check_expected_best, check_paired, check_rivals, check_tokens_to_reach


def listed(worth, mean=np.mean):
    """What all subsets of n samples are worth; `worth` is given their scores and outcomes as arrays."""

    def expected_best(scores, correct, n):
        scores, correct = np.array(scores), np.array(correct, dtype=float)
        return mean([worth(scores[list(some)], correct[list(some)]) for some in combinations(range(len(scores)), n)])

    return expected_best


def by_ranks(scores, correct, n):
    table = pd.DataFrame({"score": scores, "correct": np.array(correct, dtype=float)}).sort_values("score")
    shared = table.groupby("score").correct.transform("mean")
    chance = [comb(rank, n - 1) / comb(len(table), n) for rank in range(len(table))]
    return float((shared * chance).sum())


def ranks_unshared(scores, correct, n):
    order = np.argsort(scores, kind="stable")
    return sum(correct[k] * comb(rank, n - 1) for rank, k in enumerate(order)) / comb(len(scores), n)


def with_return(scores, correct, n):
    table = pd.DataFrame({"score": scores, "correct": np.array(correct, dtype=float)}).groupby("score").correct
    upto = (table.size().cumsum() / len(scores)) ** n
    return (table.mean() * upto.diff().fillna(upto)).sum()


test_expected_best = trial(
    check_expected_best,
    [
        listed(lambda s, c: c[s == s.max()].mean()),
        by_ranks,
        lambda scores, correct, n: best_of_n([scores], [correct], n).mean,
    ],
    [
        (listed(lambda s, c: c[s.argmax()]), "the first of them takes all"),
        (ranks_unshared, "the last takes all"),
        (with_return, "a sample can be drawn twice"),
        (listed(lambda s, c: max(zip(s, c, strict=True))[1]), "a right one is always preferred"),
        (listed(lambda s, c: c[s == s.max()].min()), "a tie with a wrong one is lost"),
        (lambda scores, correct, n: pass_at_n([correct], n).mean, "that is pass@N"),
        (listed(lambda s, c: c[s.argmin()]), "that is the worst-scored"),
        (lambda s, c, n: np.mean([c[k] for k in range(n) if s[k] == max(s[:n])]), "only the first n samples"),
        (lambda s, c, n: np.mean([b for a, b in zip(s, c, strict=True) if a == max(s)]), "whatever n is"),
        (lambda scores, correct, n: sum(correct) / len(correct), "the scores are not used"),
        (listed(lambda s, c: c[s == s.max()].mean(), mean=sum), "that is a sum over the subsets"),
        (lambda scores, correct, n: scores.sort(), "changed its arguments"),
        (lambda scores, correct, n: max(scores), "list the subsets of this input by hand"),
    ],
)


def paired_by_pandas(a, b):
    gap = pd.Series(a) - pd.Series(b)
    return gap.mean(), gap.sem()


def paired_by_lists(a, b):
    gap = [x - y for x, y in zip(a, b, strict=True)]
    return sum(gap) / len(gap), statistics.stdev(gap) / len(gap) ** 0.5


def sem(values):
    return values.std(ddof=1) / len(values) ** 0.5


test_paired = trial(
    check_paired,
    [paired_by_pandas, paired_by_lists],
    [
        (lambda a, b: (a.mean() - b.mean(), (sem(a) ** 2 + sem(b) ** 2) ** 0.5), "two unpaired means"),
        (lambda a, b: (a.mean() - b.mean(), sem(a) + sem(b)), "errors of a and b are added up"),
        (lambda a, b: ((a - b).mean(), (a - b).std() / len(a) ** 0.5), "divide the squares by P - 1"),
        (lambda a, b: ((a - b).mean(), (a - b).std(ddof=1)), "the root of P"),
        (lambda a, b: ((a - b).mean(), (a - b).var(ddof=1) / len(a)), "that is the square of the error"),
        (lambda a, b: ((a - b).mean(), 1.96 * sem(a - b)), "half the interval"),
        (lambda a, b: ((b - a).mean(), sem(b - a)), "the sign is the other way round"),
        (lambda a, b: (a - b).mean(), "that is the mean alone"),
        (lambda a, b: sem(a - b), "that is the standard error alone"),
        (lambda a, b: (sem(a - b), (a - b).mean()), "first the mean"),
        (lambda a, b: ((a - b).mean(), sem(a) - sem(b)), "not a difference of errors"),
        (lambda a, b: (np.median(a - b), sem(a - b)), "in a column"),
    ],
)


def first(target, tokens, accuracy):
    for cost, share in zip(tokens, accuracy, strict=True):
        if share >= target:
            return cost
    return None


def forgets_return(target, tokens, accuracy):
    first(target, tokens, accuracy)


def first_by_pandas(target, tokens, accuracy):
    reached = pd.Series(accuracy, index=tokens).loc[lambda share: share >= target]
    return None if reached.empty else reached.index.min()


test_tokens_to_reach = trial(
    check_tokens_to_reach,
    [first, first_by_pandas],
    [
        (lambda t, tokens, a: tokens[min(np.searchsorted(a, t), len(a) - 1)] if max(a) >= t else None, "by halves"),
        (lambda t, tokens, a: next((x for x, y in zip(tokens, a, strict=True) if y > t), None), "at least, not more"),
        (lambda t, tokens, a: tokens[0] if a[0] >= t else None, "only the first entry is looked at"),
        (forgets_return, "nothing came back"),
        (lambda t, tokens, a: tokens[np.argmax(a)], "where the curve is highest"),
        (lambda t, tokens, a: max((x for x, y in zip(tokens, a, strict=True) if y >= t), default=None), "last place"),
        (lambda t, tokens, a: tokens[np.argmax(np.array(a) >= t)], "argmax of all False is 0"),
        (lambda t, tokens, a: first(t, tokens, a) or tokens[-1], "never reaches the target"),
        (lambda t, tokens, a: first(t, range(len(a)), a), "the place in the list"),
        (lambda t, tokens, a: first(t, a, a), "that is the accuracy"),
        (lambda t, tokens, a: [x for x, y in zip(tokens, a, strict=True) if y >= t], "these are all the places"),
        (lambda t, tokens, a: tokens[0], "go along the curve from the left"),
    ],
)


test_rivals = trial(
    check_rivals,
    [([0.5], [0.6] * 4), [(0.5, 1.0), (0.6, 0.7)], ([np.float64(0.9), 0.8], [0.85] * 20), ([0.0001], [0.5] * 50)],
    [
        (([0.6] * 4, [0.5]), "products 0.13 and 0.5, minima 0.6 and 0.5: they disagree the other way round"),
        (([0.9, 0.9], [0.5, 0.5]), "the minimum does not prefer the second"),
        (([0.5, 0.9], [0.5, 0.6]), "the minimum does not prefer the second"),
        (([0.5, 0.5], [0.9, 0.9]), "the product does not prefer the first"),
        (([0.25], [0.5, 0.5]), "the product does not prefer the first"),
        (([], [0.5]), "the first list is []; expected a probability for each step"),
        (([0.5], [0.5, 1.5]), "the second list is [0.5, 1.5]"),
        (([0.5], ["good"]), "the second list is ['good']"),
        ([0.5, 0.6], "expected two lists of step scores"),
        (([0.5], [0.6], [0.7]), "expected two lists of step scores"),
        (0.5, "expected two lists of step scores"),
    ],
)
