"""The check of "Spend 500 labels", against answers that a learner would write, whatever the seed."""

import numpy as np
import pytest
from hints import trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import choose as reference

from minrm.checks import check_choose


def by_numpy(scores, correct, count):
    order, share = np.argsort(scores)[::-1], count * 4 // 5
    wrong = [place for place in order if not correct[place]]
    first = wrong[:share]
    return np.array(first + [place for place in order if place not in first][: count - len(first)], dtype=int)


def ranked(scores, places, descending=True):
    return sorted(places, key=scores.__getitem__, reverse=descending)


def no_care_for_right_answers(scores, correct, count):
    return ranked(scores, range(len(scores)))[:count]


def lowest(scores, correct, count):
    wrong = ranked(scores, [k for k, right in enumerate(correct) if not right], descending=False)[: count * 4 // 5]
    return wrong + ranked(scores, set(range(len(scores))) - set(wrong))[: count - len(wrong)]


def wrong_alone(scores, correct, count):
    return ranked(scores, [k for k, right in enumerate(correct) if not right])[:count]


def the_rest_right_alone(scores, correct, count):
    wrong = wrong_alone(scores, correct, count * 4 // 5)
    right = ranked(scores, [k for k, right in enumerate(correct) if right])
    return wrong + right[: count - len(wrong)]


def the_rest_at_hand(scores, correct, count):
    wrong = wrong_alone(scores, correct, count * 4 // 5)
    right = ranked(scores, [k for k, right in enumerate(correct) if right], descending=False)
    return wrong + right[: count - len(wrong)]


def no_care_for_few(scores, correct, count):
    wrong = wrong_alone(scores, correct, count * 4 // 5)
    return wrong + ranked(scores, set(range(len(scores))) - set(wrong))[: count - count * 4 // 5]


def empties(scores, correct, count):
    places = reference(scores, correct, count)
    scores.clear()
    return places


WRONG = [
    (no_care_for_right_answers, "of the chosen end wrong; expected 8, four fifths (count * 4 // 5)"),
    (lowest, "a wrong solution with the score"),
    (the_rest_at_hand, "a right solution with the score"),
    (wrong_alone, "the labels beyond the four fifths go to the highest scores that are left, right or wrong"),
    (the_rest_right_alone, "the labels beyond the four fifths"),
    (no_care_for_few, "a pool with too few wrong solutions (30 solutions, "),
    (lambda *pool: reference(*pool)[:-1], "that is 9 labels; expected 10"),
    (lambda *pool: reference(*pool)[:-1] * 2, "one place is there twice"),
    (lambda *pool: [place - 30 for place in reference(*pool)], "the pool has the places 0 to 29"),
    (lambda scores, *rest: [scores[k] for k in reference(scores, *rest)], "a place is a whole number"),
    (lambda scores, *rest: [k in reference(scores, *rest) for k in range(len(scores))], "yes or no to every solution"),
    (lambda *pool: None, "nothing came back"),
    (empties, "changed its argument"),
    (lambda scores, correct: [], "TypeError"),
]
test_choose = trial(check_choose, [reference, by_numpy], WRONG)


@pytest.mark.parametrize("answer", [reference, by_numpy])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_a_right_answer_passes_whatever_the_seed(answer, seed):
    check_choose(answer, seed)


@pytest.mark.parametrize("answer", [wrong for wrong, _ in WRONG if wrong is not no_care_for_few])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10)
def test_a_wrong_one_fails_whatever_the_seed_also_without_the_edges(answer, seed):
    with pytest.raises(AssertionError):
        check_choose(answer, seed, edges=False)


def test_what_is_wrong_at_the_edges_alone_passes_without_them():
    check_choose(no_care_for_few, edges=False)
