"""The checks of chapter 2, against answers that a learner would write."""

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
from hints import trial

from minrm import majority_vote
from minrm.checks import check_vote_in_the_end, check_vote_of_two, check_winner


def of_two(tie=0.5, alone=1.0, none=0.0, drawn=None, mean=True):
    """The mean worth of all pairs, with what a tie, a sample beside None, and two of None are worth."""

    def vote_of_two(answers, truth):
        total, pairs = 0.0, 0
        for i in range(len(answers)):
            for j in drawn(i, len(answers)) if drawn else range(i + 1, len(answers)):
                a, b = answers[i], answers[j]
                pairs += 1
                if a is None and b is None:
                    total += none
                elif a == b:
                    total += a == truth
                elif a == truth or b == truth:
                    total += alone if a is None or b is None else tie
        return total / pairs if mean else total

    return vote_of_two


def of_two_by_counting(answers, truth):
    right, empty, all_ = list(answers).count(truth), list(answers).count(None), len(answers)
    pairs = all_ * (all_ - 1) / 2
    rivals = all_ - right - empty
    return (right * (right - 1) / 2 + right * empty + right * rivals / 2) / pairs


def of_two_by_package(answers, truth):
    return majority_vote([answers], [truth], 2).mean


test_vote_of_two = trial(
    check_vote_of_two,
    [of_two(), of_two_by_counting, of_two_by_package],
    [
        (of_two(tie=0), "is worth one half, not lost"),
        (lambda answers, truth: np.mean([a == b == truth for a, b in combinations(answers, 2)]), "one half, not lost"),
        (of_two(tie=1), "is worth one half, not won"),
        (of_two(alone=0.5), "None is no rival"),
        (lambda answers, truth: np.mean([a == truth for a in answers]), "None is no rival"),
        (of_two(drawn=lambda i, n: range(n)), "a sample is paired with itself"),
        (lambda answers, truth: of_two()([a for a in answers if a], truth), "samples without an answer are drawn too"),
        (of_two(mean=False), "that is a sum over the pairs"),
        (of_two(none=0.5), "such a pair is worth 0"),
        (lambda answers, truth: answers.remove(truth), "changed its arguments"),
        (lambda answers, truth: Counter(a for a in answers if a)[truth] ** 2, "list the pairs of this input by hand"),
    ],
)


def in_the_end(share):
    return lambda answers, truth: np.mean([share([a for a in row if a], true) for row, true in zip(answers, truth)])  # noqa: B905


def with_none(share):
    return lambda answers, truth: np.mean([share(list(row), true) for row, true in zip(answers, truth)])  # noqa: B905


def shared(row, true):
    counts = Counter(row)
    leaders = [a for a in counts if counts[a] == max(counts.values())]
    return leaders.count(true) / len(leaders)


def ends_by_pandas(answers, truth):
    won = []
    for row, true in zip(answers, truth, strict=True):
        modes = pd.Series(row).dropna().mode()
        won.append((modes == true).mean())
    return sum(won) / len(won)


def ends_by_package(answers, truth):
    return majority_vote(answers, truth, answers.shape[1]).mean


test_vote_in_the_end = trial(
    check_vote_in_the_end,
    [in_the_end(shared), ends_by_pandas, ends_by_package],
    [
        (in_the_end(lambda row, true: Counter(row).most_common(1)[0][0] == true), "was met first takes all"),
        (lambda a, t: np.mean([pd.Series(row).mode()[0] == true for row, true in zip(a, t)]), "in the alphabet"),  # noqa: B905
        (in_the_end(lambda row, true: shared(row, true) == 1), "such a problem is not lost"),
        (in_the_end(lambda row, true: shared(row, true) > 0), "such a problem is not won outright"),
        (with_none(shared), "None is counted as an answer"),
        (with_none(lambda row, true: max(row, key=row.count) == true), "None is counted as an answer"),
        (lambda answers, truth: (answers == truth[:, None]).mean(), "how often one sample is right"),
        (lambda answers, truth: (answers == truth[:, None]).any(axis=1).mean(), "that is pass@N"),
        (with_none(lambda row, true: row.count(true) > len(row) / 2), "more than half is not needed"),
        (lambda a, t: [shared([x for x in row if x], true) for row, true in zip(a, t)], "the problems one by one"),  # noqa: B905
        (lambda answers, truth: in_the_end(shared)(answers, truth) * len(truth), "the number of problems won"),
        (lambda answers, truth: answers == truth, "which answer leads"),
    ],
)


def sums(answers, weights, none=False):
    added = {}
    for answer, weight in zip(answers, weights, strict=True):
        if none or answer is not None:
            added[answer] = added.get(answer, 0) + weight
    return added


def winner(answers, weights, pick=max):
    added = sums(answers, weights)
    return pick(added, key=added.get)


def winner_by_pandas(answers, weights):
    return pd.Series(weights).groupby(np.array(answers, dtype=object)).sum().idxmax()


def overwritten(answers, weights):
    table = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            table[answer] = weight
    return max(table, key=table.get)


def multiplied(answers, weights, start=1):
    table = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            table[answer] = table.get(answer, start) * weight
    return max(table, key=table.get)


def by_mean(answers, weights):
    table = pd.DataFrame({"answer": answers, "weight": weights})
    return table.groupby("answer").weight.mean().idxmax()


test_winner = trial(
    check_winner,
    [winner, winner_by_pandas],
    [
        (lambda answers, weights: answers[np.argmax(weights)], "the single heaviest sample (best-of-N)"),
        (lambda answers, weights: max(zip(weights, answers))[1], "the single heaviest sample (best-of-N)"),  # noqa: B905
        (lambda answers, weights: Counter(a for a in answers if a).most_common(1)[0][0], "the weights are not used"),
        (by_mean, "the largest mean weight"),
        (overwritten, "the last weight of each answer is kept"),
        (lambda a, w: max(dict(zip(a, w)), key=dict(zip(a, w)).get), "the last weight of each answer is kept"),  # noqa: B905
        (multiplied, "the weights of equal answers are multiplied"),
        (lambda *args: multiplied(*args, start=0), "a sum that begins at 0"),
        (lambda a, w: max(sums(a, w, none=True), key=sums(a, w, none=True).get), "None has won"),
        (lambda answers, weights: winner(answers, weights, min), "that is the smallest sum"),
        (lambda answers, weights: max(sums(answers, weights).values()), "return the answer it belongs to"),
        (lambda a, w: max(sums(a, w).items(), key=lambda item: item[1]), "return the answer alone"),
        (sums, "these are the sums of all answers"),
        (lambda answers, weights: sums(answers)[0], "stopped with TypeError"),
        (lambda answers, weights: int(winner(answers, weights)), "which sum is the largest?"),
    ],
)
