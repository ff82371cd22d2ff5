"""Ways of choosing, against the enumeration of every subset, closed forms, and draws."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import random_world

import minrm.selection
from minrm.errors import InputError
from minrm.selection import (
    best_of_n,
    changes_against_first,
    likelihood_scores,
    majority_vote,
    pass_at_n,
    weighted_vote,
)  # fmt: skip

SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # few values, so that ties are common
ANSWERS = st.sampled_from(["1", "2", "3", None])


def subsets(n_samples, n):
    return list(itertools.combinations(range(n_samples), n))


def enumerated_best(scores, correct, n):
    """The share of right ones among the tied best, averaged over all subsets, for one problem."""
    shares = []
    for subset in subsets(len(scores), n):
        best = max(scores[i] for i in subset)
        tied = [correct[i] for i in subset if scores[i] == best]
        shares.append(sum(tied) / len(tied))
    return sum(shares) / len(shares)


def enumerated_vote(answers, weights, truth, n):
    shares = []
    for subset in subsets(len(answers), n):
        sums: dict[str, float] = {}
        for i in subset:
            if answers[i] is not None:
                sums[answers[i]] = sums.get(answers[i], 0.0) + weights[i]
        winners = [a for a, total in sums.items() if math.isclose(total, max(sums.values()), rel_tol=1e-12)]
        shares.append((truth in winners) / len(winners) if winners else 0.0)
    return sum(shares) / len(shares)


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=8))
@settings(deadline=None)
def test_best_of_n_equals_enumeration(samples):
    scores, correct = zip(*samples, strict=True)
    counts = range(1, len(scores) + 1)
    got = best_of_n([scores], [correct], list(counts)).mean
    np.testing.assert_allclose(got, [enumerated_best(scores, correct, n) for n in counts], atol=1e-12)


@given(st.lists(st.booleans(), min_size=1, max_size=8))
@settings(deadline=None)
def test_pass_at_n_equals_enumeration(correct):
    counts = range(1, len(correct) + 1)
    got = pass_at_n([correct], list(counts)).mean
    want = [np.mean([any(correct[i] for i in s) for s in subsets(len(correct), n)]) for n in counts]
    np.testing.assert_allclose(got, want, atol=1e-12)


@given(st.lists(ANSWERS, min_size=1, max_size=9))
@settings(deadline=None)
def test_majority_vote_equals_enumeration(answers):
    counts = range(1, len(answers) + 1)
    estimate = majority_vote([answers], ["1"], list(counts))
    want = [enumerated_vote(answers, [1.0] * len(answers), "1", n) for n in counts]
    np.testing.assert_allclose(estimate.mean, want, atol=1e-12)
    assert estimate.draws is None


@given(st.lists(st.tuples(ANSWERS, SCORES), min_size=1, max_size=7))
@settings(deadline=None, max_examples=40)
def test_weighted_vote_agrees_with_enumeration_within_the_error_of_its_draws(samples):
    answers, scores = zip(*samples, strict=True)
    counts = range(1, len(answers) + 1)
    estimate = weighted_vote([answers], [scores], ["1"], list(counts), draws=4000)
    want = [enumerated_vote(answers, scores, "1", n) for n in counts]
    np.testing.assert_allclose(estimate.mean, want, atol=5 * 0.5 / math.sqrt(4000))  # five standard errors
    assert estimate.mean[-1] == pytest.approx(want[-1])  # n = N: only one subset, nothing is left to chance
    assert estimate.mean[0] == pytest.approx(want[0])  # n = 1 is exact
    assert estimate.draws == 4000


@given(st.lists(st.tuples(SCORES, ANSWERS), min_size=2, max_size=12), st.randoms())
@settings(deadline=None)
def test_the_order_of_samples_does_not_matter(samples, random):
    shuffled = random.sample(samples, len(samples))
    counts = list(range(1, len(samples) + 1))
    results = []
    for rows in (samples, shuffled):
        scores, answers = zip(*rows, strict=True)
        correct = [answer == "1" for answer in answers]
        results.append((best_of_n([scores], [correct], counts).mean, majority_vote([answers], ["1"], counts).mean))
    np.testing.assert_allclose(results[0], results[1], atol=1e-12)


def test_majority_vote_agrees_with_its_own_draws_and_with_equal_weights(monkeypatch):
    answers, _, scores = random_world(problems=60)
    counts = [2, 3, 7, 16, 40, 63]
    exact = majority_vote(answers, ["1"] * 60, counts)
    equal = weighted_vote(answers, np.full_like(scores, 0.3), ["1"] * 60, counts)
    monkeypatch.setattr(minrm.selection, "EXACT_UP_TO", 10)
    drawn = majority_vote(answers, ["1"] * 60, counts)
    assert (exact.draws, drawn.draws) == (None, 400)
    for estimate in (drawn, equal):
        np.testing.assert_allclose(estimate.mean, exact.mean, atol=4 * 0.5 / math.sqrt(400 * 60))
    assert not np.array_equal(drawn.mean, exact.mean)


@pytest.mark.parametrize("size", [512, 3000])
def test_votes_on_many_samples_stay_finite_and_in_range(size):
    rng = np.random.default_rng(1)
    answers = rng.integers(0, 40, (2, size)).astype(str).tolist()
    estimate = majority_vote(answers, ["1", "2"], [1, 2, 100, size])
    assert np.isfinite(estimate.mean).all() and (estimate.mean >= 0).all() and (estimate.mean <= 1).all()
    assert (estimate.draws is None) == (size <= 512)


@pytest.mark.parametrize("right", [0, 1, 37, 1024])
def test_pass_at_n_is_the_published_formula_at_any_size(right):
    correct = np.arange(1024) < right
    for n in (1, 2, 100, 987, 988, 1024):  # Chen et al. 2021, eq. 1, in whole numbers
        want = 1 - math.comb(1024 - right, n) / math.comb(1024, n)
        assert pass_at_n([correct], n).mean == pytest.approx(want, rel=1e-10, abs=1e-14)


def test_best_of_n_is_the_published_formula_at_any_size():
    rng = np.random.default_rng(2)
    scores, correct = rng.permutation(1024), rng.random(1024) < 0.3
    ranked = correct[np.argsort(scores)]
    for n in (1, 3, 512, 1023, 1024):
        ways = sum(math.comb(rank, n - 1) for rank in range(1024) if ranked[rank])
        assert best_of_n([scores], [correct], n).mean == pytest.approx(ways / math.comb(1024, n), rel=1e-10)


def test_scores_of_minus_infinity_tie_with_each_other():
    assert best_of_n([[-np.inf, -np.inf, 0.0]], [[1, 0, 0]], [1, 2, 3]).mean == pytest.approx([1 / 3, 1 / 6, 0])


def test_scores_in_place_of_outcomes_give_the_score_of_the_chosen():
    scores = [[0.1, 0.2, 0.9]]
    assert best_of_n(scores, scores, [1, 2, 3]).mean == pytest.approx([0.4, (0.2 + 0.9 + 0.9) / 3, 0.9])


def test_ways_are_compared_in_pairs_with_the_first_and_an_ensemble_with_every_seed():
    rng = np.random.default_rng(3)
    worth = rng.random((30, 8)) < 0.5
    seeds, one = rng.random((3, 30, 8)), rng.random((1, 30, 8))
    first, again, ensemble = changes_against_first({"a": seeds, "a again": seeds, "one": one}, worth, 4)
    assert "change" not in first and first["low"] < first["mean"] < first["high"]
    assert again["mean"] == first["mean"] and again["change"] == 0
    alone = best_of_n(one[0], worth, 4).mean
    assert ensemble["mean"] == pytest.approx(alone)
    assert ensemble["change"] == pytest.approx(alone - np.mean([best_of_n(s, worth, 4).mean for s in seeds]))
    assert ensemble["change_low"] < ensemble["change"] < ensemble["change_high"]


def test_answers_are_grouped_by_their_key_which_is_computed_once(monkeypatch):
    seen = []

    def key(answer):
        seen.append(answer)
        return None if answer is None else answer.rstrip("0").rstrip(".")

    monkeypatch.setattr(minrm.selection, "answer_key", key)
    answers = [["5", "5.0", "6"] * 10 + [None]] * 3
    assert majority_vote(answers, ["5.00"] * 3, 31).mean == 1.0
    assert len([answer for answer in seen if answer in ("5", "5.0", "6")]) == 3


def test_what_was_not_parsed_never_wins():
    assert majority_vote([[None, None, None, "4"]], ["4"], 4).mean == 1.0
    assert majority_vote([[None, None]], ["4"], [1, 2]).mean == pytest.approx([0, 0])
    assert weighted_vote([[None, float("nan"), "4"]], [[0.9, 0.9, 0.1]], ["4"], 3).mean == 1.0
    assert weighted_vote([[None, None]], [[0.9, 0.9]], ["4"], 2).mean == 0.0


def test_an_answer_of_weight_zero_beats_one_that_was_not_given():
    estimate = weighted_vote([["4", "5"]], [[0.0, 0.5]], ["4"], [1, 2])
    assert estimate.mean == pytest.approx([0.5, 0.0])
    assert weighted_vote([["4", "4", "5"]], [[0.0, 0.0, 0.0]], ["4"], 3).mean == 0.5  # equal sums of zero: a tie


def test_rewards_vote_by_their_softmax():
    answers, rewards = [["1", "1", "2"]], [[0.0, 0.0, 0.5]]
    assert weighted_vote(answers, rewards, ["1"], 3, reward=True).mean == 1.0  # 2 e^0 > e^0.5
    assert weighted_vote(answers, [[0.0, 0.0, 0.8]], ["1"], 3, reward=True).mean == 0.0  # 2 e^0 < e^0.8
    shifted = weighted_vote(answers, [[1000.0, 1000.0, 1000.5]], ["1"], 3, reward=True)
    assert shifted.mean == 1.0  # only differences of rewards mean anything
    empty = [[-np.inf, -np.inf, 0.0], [-np.inf] * 3]  # what Bradley–Terry gives to solutions without text
    assert weighted_vote(answers * 2, empty, ["1", "1"], 3, reward=True).per_problem.tolist() == [0.0, 0.5]


def test_draws_are_the_same_for_the_same_seed_and_do_not_depend_on_the_other_counts():
    answers, _, scores = random_world()
    truth = ["1"] * len(answers)
    one = weighted_vote(answers, scores, truth, 8)
    assert one == weighted_vote(answers, scores, truth, 8)
    assert one.mean == weighted_vote(answers, scores, truth, [8, 32]).mean[0]
    assert one.mean != weighted_vote(answers, scores, truth, 8, seed=1).mean


def test_shapes_follow_n():
    _, correct, scores = random_world()
    scalar, array = best_of_n(scores, correct, 4), best_of_n(scores, correct, [4])
    assert isinstance(scalar.mean, float) and isinstance(scalar.low, float) and scalar.per_problem.shape == (40,)
    assert array.mean.shape == array.low.shape == (1,) and array.per_problem.shape == (40, 1)
    assert scalar.low < scalar.mean < scalar.high and scalar.mean == pytest.approx(scalar.per_problem.mean())


def test_likelihood_scores_per_token_and_in_sum_choose_differently():
    loglik, tokens = [[-4.0, -6.0]], [[2, 6]]
    np.testing.assert_allclose(likelihood_scores(loglik, tokens), [[-2.0, -1.0]])
    np.testing.assert_allclose(likelihood_scores(loglik, tokens, reduce="sum"), loglik)
    assert best_of_n(likelihood_scores(loglik, tokens), [[0, 1]], 2).mean == 1.0
    assert best_of_n(likelihood_scores(loglik, tokens, "sum"), [[0, 1]], 2).mean == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_of_n([[1.0, 2.0]], [[True]], 1), r"scores \(1, 2\) and correct \(1, 1\) must pair up"),
        (lambda: best_of_n([[1.0, 2.0], [1.0, np.nan]], [[1, 0], [1, 0]], 1), r"scores\[1, 1\] is NaN"),
        (lambda: best_of_n([[1.0]], [[True]], 2), "n=2, but there are 1 samples"),
        (lambda: best_of_n([[1.0]], [[True]], 0), "n=0, but"),
        (lambda: best_of_n([[1.0]], [[True]], 1.5), "one whole number"),
        (lambda: best_of_n([1.0], [True], 1), r"shape \(1,\)"),
        (lambda: best_of_n(np.empty((0, 3)), np.empty((0, 3)), 1), "at least one of each"),
        (lambda: best_of_n([[1.0]], [[2]], 1), r"must lie in \[0, 1\]"),
        (lambda: pass_at_n([[0.5]], 1), "only true and false"),
        (lambda: majority_vote([["1"], ["1", "2"]], ["1", "1"], 1), r"answers \(2,\)"),
        (lambda: majority_vote([], [], 1), r"answers \(0,\)"),
        (lambda: majority_vote([["1"]], ["1", "2"], 1), r"answers \(1, 1\) and truth \(2,\)"),
        (lambda: majority_vote([["1"], ["2"]], ["1", None], 1), r"truth\[1\] is missing"),
        (lambda: weighted_vote([["1"]], [[0.5, 0.5]], ["1"], 1), r"answers \(1, 1\) and scores \(1, 2\)"),
        (lambda: weighted_vote([["1", "2"]], [[0.5, -3.0]], ["1"], 1), "reward=True"),
        (lambda: likelihood_scores([[1.0]], [[1]], reduce="max"), "'mean'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
