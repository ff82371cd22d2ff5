"""RewardBench 2's rules against the published definition, written once more with plain loops over numbers."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.metrics import ties, top_share

SCORE = st.one_of(st.integers(-3, 3).map(float), st.floats(-5, 5, width=16))


def answers(right):
    """Scores of right and of wrong answers; right: how many, at least and at most."""
    return st.tuples(st.lists(SCORE, min_size=right[0], max_size=right[1]), st.lists(SCORE, min_size=1, max_size=4))


@given(st.lists(SCORE, min_size=4, max_size=4), st.integers(0, 3))
def test_best_of_four_shares_a_tie_at_the_top(scores, place):
    rivals = [score for i, score in enumerate(scores) if i != place]
    level = sum(score == scores[place] for score in rivals)
    expected = 0 if any(score > scores[place] for score in rivals) else 1 / (1 + level)
    assert top_share(scores, [i == place for i in range(4)]) == pytest.approx(expected)


def defined(reference, tied):
    """The score as the docstring of the publisher's `process_single_model` defines it: 60 % accuracy, 40 % margin.

    Accuracy, in equal parts of reference and tied prompts: is every right answer above every wrong one? Margin, in two
    equal parts: is the gap between right and wrong wider than the spread of the right ones, in the tied prompt; and is
    the smaller gap of both prompts?
    A hundredth of tanh(gap / spread - 1) tells equals apart.
    """

    def gap(prompt):
        return min(prompt[0]) - max(prompt[1])

    def share(values):
        return sum(values) / len(values)

    preferred, hard, extra = [], [], []
    for number in reference.keys() & tied.keys():
        spread = max(tied[number][0]) - min(tied[number][0])
        smaller = min(gap(reference[number]), gap(tied[number]))
        preferred.append(gap(tied[number]) > spread)
        hard.append(smaller > spread)
        if spread:
            extra.append(math.tanh(smaller / spread - 1))
        else:
            extra.append(float(smaller > 0) - float(smaller < 0))  # the limit; 0 where there is none
    accuracy = [share([gap(prompt) > 0 for prompt in prompts.values()]) for prompts in (reference, tied)]
    return 0.3 * sum(accuracy) + 0.2 * share(preferred) + 0.2 * share(hard) + 0.01 * share(extra)


@given(st.dictionaries(st.integers(0, 6), answers((1, 1))), st.dictionaries(st.integers(0, 6), answers((2, 5))))
def test_the_score_of_ties_is_the_published_one(reference, tied):
    assume(reference.keys() & tied.keys())
    ours = [
        {number: (right + wrong, [True] * len(right) + [False] * len(wrong)) for number, (right, wrong) in kind.items()}
        for kind in (reference, tied)
    ]
    assert ties(*ours).score == pytest.approx(defined(reference, tied))


def test_a_perfect_judge_of_ties_and_one_with_a_favourite_among_the_right():
    reference, right = {7: ([3.0, 0.0], [True, False])}, [True, True, False]
    assert ties(reference, {7: ([3.0, 3.0, 0.0], right)}).score == pytest.approx(1.01)
    favourite = ties(reference, {7: ([9.0, 3.0, 0.0], right)})
    assert (favourite.reference, favourite.tied, favourite.preferred, favourite.preferred_hard) == (1, 1, 0, 0)
    assert favourite.score == pytest.approx(0.6 + 0.01 * math.tanh(3 / 6 - 1))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: top_share([1.0, 2.0], [True, True]), "2 of 2 completions are right"),
        (lambda: top_share([1.0, np.nan], [True, False]), "finite scores"),
        (lambda: ties({1: ([1.0, 0.0], [1, 0])}, {2: ([1.0, 1.0, 0.0], [1, 1, 0])}), "no reference prompt has a tied"),
        (lambda: ties({1: ([1.0, 0.0], [1, 0])}, {1: ([1.0, 0.0], [1, 0])}), "prompt 1 has 1 right and 1 wrong"),
        (lambda: ties({1: ([1.0, 0.0], [1, 1])}, {}), "prompt 1 has 2 right and 0 wrong answers"),
    ],
)
def test_what_the_rules_do_not_speak_of_is_refused(call, told):
    with pytest.raises(InputError, match=told):
        call()
