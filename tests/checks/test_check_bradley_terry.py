"""The checks of chapter 6, against answers that a learner would write."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hints import trial

from minrm import bradley_terry_loss
from minrm.checks import check_cycles, check_labels_needed, check_pair_loss, check_ranked_pairs


def loss_by_hand(chosen, rejected):
    total = 0.0
    for a, b in zip(chosen, rejected, strict=True):
        gap = a - b
        total += math.log1p(math.exp(-gap)) if gap > 0 else math.log1p(math.exp(gap)) - gap
    return total / len(chosen)


def loss_by_numpy(chosen, rejected):
    gap = np.array(chosen) - np.array(rejected)
    return np.mean(np.maximum(-gap, 0) + np.log1p(np.exp(-np.abs(gap))))


def loss_by_package(chosen, rejected):
    return bradley_terry_loss(torch.tensor(chosen), torch.tensor(rejected)).item()


def by_p(sigmoid, log=math.log):
    return lambda chosen, rejected: sum(-log(sigmoid(a, b)) for a, b in zip(chosen, rejected)) / len(chosen)  # noqa: B905


def p_by_exp(a, b):
    return math.exp(a) / (math.exp(a) + math.exp(b))


def p_by_gap(a, b):
    return 1 / (1 + np.exp(b - a))


test_pair_loss = trial(
    check_pair_loss,
    [loss_by_hand, loss_by_numpy, loss_by_package],
    [
        (by_p(p_by_exp), "exp grows too large or P is rounded to 0"),
        (by_p(lambda a, b: 1 / (1 + math.exp(b - a))), "exp grows too large or P is rounded to 0"),
        (by_p(p_by_gap, np.log), "exp grows too large or P is rounded to 0"),
        (lambda c, r: np.log1p(np.exp(np.subtract(r, c))).mean(), "exp grows too large or P is rounded to 0"),
        (by_p(p_by_gap, lambda p: np.log(p + 1e-12)), "P was cut off at an end"),
        (by_p(p_by_gap, lambda p: np.log(np.clip(p, 1e-7, 1 - 1e-7))), "P was cut off at an end"),
        (lambda chosen, rejected: loss_by_hand(rejected, chosen), "the gap is chosen - rejected"),
        (lambda chosen, rejected: loss_by_hand(chosen, rejected) * len(chosen), "that is the sum over the pairs"),
        (lambda chosen, rejected: -loss_by_hand(chosen, rejected), "the loss is minus that"),
        (lambda c, r: [loss_by_hand([a], [b]) for a, b in zip(c, r)], "the losses one by one"),  # noqa: B905
        (lambda c, r: loss_by_hand([sum(c) / len(c)], [sum(r) / len(r)]), "take each pair's loss first"),
        (lambda chosen, rejected: loss_by_hand(chosen, rejected) / math.log(2), "that is in bits"),
        (lambda c, r: np.mean(np.array(c) > np.array(r)), "which has no slope"),
        (lambda chosen, rejected: chosen.append(rejected.pop()), "changed its arguments"),
        (lambda chosen, rejected: chosen - rejected, "stopped with TypeError"),
        (lambda chosen, rejected: np.reshape(chosen, (7, 7)), "stopped with ValueError"),
        (lambda chosen, rejected: loss_by_hand(chosen, rejected) + 0.5, "take this input pair by pair"),
    ],
)


def a_pair(prompt, better, worse):
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def pairs_by_loops(prompt, responses, ranks):
    made = []
    for i in range(len(responses)):
        for j in range(len(responses)):
            if ranks[i] < ranks[j]:
                made.append(a_pair(prompt, responses[i], responses[j]))
    return made


def pairs_by_sorting(prompt, responses, ranks):
    order = np.argsort(ranks, kind="stable")
    return [a_pair(prompt, responses[i], responses[j]) for i, j in combinations(order, 2) if ranks[i] != ranks[j]]


def by_position(prompt, responses, ranks):
    return [a_pair(prompt, a, b) for a, b in combinations(responses, 2)]


def in_the_list_only(prompt, responses, ranks):
    both = combinations(zip(responses, ranks, strict=True), 2)
    return [a_pair(prompt, a, b) for (a, i), (b, j) in both if i < j]


def ties_too(prompt, responses, ranks):
    both = permutations(zip(responses, ranks, strict=True), 2)
    return [a_pair(prompt, a, b) for (a, i), (b, j) in both if i <= j]


def neighbours(prompt, responses, ranks):
    order = [responses[i] for i in np.argsort(ranks, kind="stable")]
    return [a_pair(prompt, a, b) for a, b in zip(order, order[1:])]  # noqa: B905


def of_the_best(prompt, responses, ranks):
    best = ranks.index(min(ranks))
    return [a_pair(prompt, responses[best], r) for i, r in enumerate(responses) if i != best]


test_ranked_pairs = trial(
    check_ranked_pairs,
    [pairs_by_loops, pairs_by_sorting],
    [
        (lambda prompt, texts, ranks: pairs_by_loops(prompt, texts, [-r for r in ranks]), "rank 1 is the best"),
        (lambda *args: sum((pairs_by_loops(*args), pairs_by_loops(*args)), []), "list the pairs of this input"),
        (lambda p, texts, ranks: [a_pair(p, a, b) for a, b in permutations(texts, 2)], "each pair comes twice"),
        (by_position, "the order of the list says nothing"),
        (in_the_list_only, "the better response may stand later in the list"),
        (ties_too, "equal ranks are no preference"),
        (neighbours, "only neighbours in the ranking are paired"),
        (of_the_best, "only the best is paired"),
        (lambda *args: [(x["chosen"], x["rejected"]) for x in pairs_by_loops(*args)], "return dictionaries"),
        (lambda *args: [], "no pair at all"),
        (lambda *args: pairs_by_loops(*args)[0], "list the pairs of this input"),
        (lambda *args: print(pairs_by_loops(*args)), "nothing came back"),
    ],
)


def circles(p, threes, ahead=lambda share: share > 0.5):
    return [ahead(p[a][b]) and ahead(p[b][c]) and ahead(p[c][a]) for a, b, c in threes]


def cycles_by_threes(p, ahead=lambda share: share > 0.5):
    found = 0
    threes = list(combinations(range(len(p)), 3))
    for a, b, c in threes:
        found += any(circles(p, [(a, b, c), (c, b, a)], ahead))
    return found / len(threes)


def cycles_by_matrix(p):
    ahead = (np.array(p) > 0.5).astype(float)
    return np.trace(ahead @ ahead @ ahead) / 3 / math.comb(len(p), 3)


def cycles_by_wins(p):
    """A circle is a three in which each one wins once."""

    def round_in(three):
        return all(sum(p[a][b] > 0.5 for b in three if b != a) == 1 for a in three)

    return np.mean([round_in(three) for three in combinations(range(len(p)), 3)])


test_cycles = trial(
    check_cycles,
    [cycles_by_threes, cycles_by_matrix, cycles_by_wins],
    [
        (lambda p: np.mean(circles(p, combinations(range(len(p)), 3))), "may go the other way round too"),
        (lambda p: np.mean(circles(p, permutations(range(len(p)), 3))), "count each three once"),
        (lambda p: cycles_by_matrix(p) * 3 * math.comb(len(p), 3) / len(p) ** 3, "taken twice in a three"),
        (lambda p: cycles_by_threes(p, lambda share: share >= 0.5), "one half is a tie"),
        (lambda p: cycles_by_matrix(p) * math.comb(len(p), 3), "that is how many there are"),
        (lambda p: 1 - cycles_by_threes(p), "the share without a circle"),
        (lambda p: float(cycles_by_threes(p) > 0), "whether there is one at all"),
        (lambda p: 0.0, "go through the threes of this table by hand"),
        (lambda p: p[0].sort(), "changed its arguments"),
    ],
)


def learning_curve(count):
    """.5 with one label, a tenth more with ten times as many."""
    return 0.5 + 0.1 * math.log10(count)


COUNTS = [4000, 250, 1000, 500, 2000]

test_labels_needed = trial(
    check_labels_needed,
    [500, 1000, np.int64(2000), 250],
    [
        (200, "200 labels are too few: even 500 do not reach 0.790"),
        (2001, "2,001 labels are too many: 1,000 reach 0.790"),
        (0, "labels_needed is 0; expected a whole number"),
        (1e3, "labels_needed is 1000.0; expected a whole number"),
        (True, "labels_needed is True; expected"),
        ("many", "labels_needed is 'many'; expected"),
    ],
    learning_curve, COUNTS, 0.79,
)  # fmt: skip


def test_nothing_is_measured_before_there_is_a_guess_and_nothing_beyond_the_target(capsys):
    measured = []

    def measure(count):
        measured.append(count)
        return learning_curve(count)

    check_labels_needed(..., measure, COUNTS, 0.79)
    assert measured == []
    check_labels_needed(1000, measure, COUNTS, 0.79)
    assert measured == [250, 500, 1000]
    assert "1,000 labels: 0.800, at least 0.790" in capsys.readouterr().out


def test_a_target_that_no_count_reaches_leaves_large_guesses_open(capsys):
    check_labels_needed(1_000_000, learning_curve, COUNTS, 0.9)
    assert "it takes more than 4,000 labels, and you said 1,000,000" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="too few: even 4,000"):
        check_labels_needed(1000, learning_curve, COUNTS, 0.9)
