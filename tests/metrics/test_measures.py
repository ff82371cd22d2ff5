"""Metrics against all pairs, scikit-learn, and numbers worked out by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.metrics import (
    calibration,
    equal_length_auc,
    first_error_f1,
    first_error_threshold,
    pooled_auc,
    preference_accuracy,
    within_problem_auc,
)

SAMPLES = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=20)


def pairwise_auc(scores, correct):
    right = [s for s, c in zip(scores, correct, strict=True) if c]
    wrong = [s for s, c in zip(scores, correct, strict=True) if not c]
    return sum((a > b) + 0.5 * (a == b) for a in right for b in wrong) / (len(right) * len(wrong))


@given(SAMPLES.filter(lambda rows: len({c for _, c in rows}) == 2))
@settings(deadline=None)
def test_auc_equals_the_count_over_all_pairs(rows):
    scores, correct = zip(*rows, strict=True)
    expected = pytest.approx(pairwise_auc(scores, correct))
    assert pooled_auc([scores], [correct]) == within_problem_auc([scores], [correct]).mean == expected


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 2)), max_size=20), max_size=4))
@settings(deadline=None)
def test_auc_at_equal_length_equals_the_count_over_all_pairs_of_one_length(problems):
    values = []
    for rows in problems:
        pairs = [(a, b) for a, right, n in rows for b, other, m in rows if right and not other and n == m]
        if pairs:
            values.append(sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs))
    scores, correct, lengths = ([[row[k] for row in rows] for rows in problems] for k in range(3))
    if values:
        assert equal_length_auc(scores, correct, lengths).per_problem == pytest.approx(values)
    else:
        with pytest.raises(InputError, match=f"none of {len(problems)} problems"):
            equal_length_auc(scores, correct, lengths)


def test_length_itself_is_worth_nothing_at_equal_length():
    rng = np.random.default_rng(3)
    lengths = rng.integers(5, 9, (50, 40))
    correct = rng.random(lengths.shape) < lengths / 10
    assert within_problem_auc(lengths, correct).mean > 0.6
    assert equal_length_auc(lengths, correct, lengths).mean == 0.5


def test_problems_of_one_kind_are_left_out_and_the_rest_counted():
    scores = [[0.1, 0.9], [0.1, 0.9], [0.9, 0.1, 0.3], [0.5, 0.5]]  # problems may have any number of samples
    correct = [[0, 1], [1, 1], [0, 1, 0], [1, 0]]
    estimate = within_problem_auc(scores, correct)
    assert estimate.problems == 3
    np.testing.assert_allclose(estimate.per_problem, [1.0, 0.0, 0.5])
    assert estimate.mean == 0.5 and estimate.low < 0.5 < estimate.high


def test_a_score_of_difficulty_alone_fools_the_pooled_auc_only():
    rng = np.random.default_rng(1)
    ease = rng.random((200, 1))
    correct = rng.random((200, 30)) < ease
    scores = np.broadcast_to(ease, correct.shape)
    assert within_problem_auc(scores, correct).mean == 0.5
    assert pooled_auc(scores, correct) > 0.8


def test_calibration_by_hand():
    table = calibration([0.1, 0.3, 0.6, 0.6, 1.0], [0, 1, 1, 0, 1], bins=2)
    assert [row["count"] for row in table.rows()] == [2, 3]
    assert [row["predicted"] for row in table.rows()] == pytest.approx([0.2, 2.2 / 3])
    assert [row["observed"] for row in table.rows()] == pytest.approx([0.5, 2 / 3])
    assert table.error == pytest.approx(0.4 * 0.3 + 0.6 * (2.2 - 2) / 3)
    assert all(row["low"] < row["observed"] < row["high"] for row in table.rows())


def test_calibration_equals_scikit_learns_and_a_plain_loop():
    sklearn = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(2)
    given_, happened = rng.random(500), rng.random(500) < 0.5
    table = calibration(given_, happened, bins=10)
    observed, predicted = sklearn.calibration_curve(happened, given_, n_bins=10)
    assert [row["observed"] for row in table.rows()] == pytest.approx(observed)
    assert [row["predicted"] for row in table.rows()] == pytest.approx(predicted)
    loop = sum(
        abs(given_[inside].sum() - happened[inside].sum()) / 500
        for inside in (np.floor(given_ * 10) == b for b in range(10))
    )
    assert table.error == pytest.approx(loop)


def test_empty_bins_and_edges():
    table = calibration([0.0, 0.5, 1.0], [0, 1, 1], bins=4)
    rows = table.rows()  # an edge belongs to the bin on its right; 1 to the last
    assert [row["from"] for row in rows] == [0.0, 0.5, 0.75] and [row["count"] for row in rows] == [1, 1, 1]
    assert rows[0]["observed"] == 0.0 and table.error == pytest.approx((0 + 0.5 + 0) / 3)


def test_first_error_f1_by_hand():
    scores = [[0.9, 0.2, 0.1], [0.9, 0.9], [0.3, 0.9], [0.9, 0.8], [0.9, 0.4]]
    labels = [[1, 0, None], [1, 0], [1, 1], [1, 1], [1, 1]]
    result = first_error_f1(scores, labels)
    assert result.erroneous.mean == 0.5 and result.correct.mean == pytest.approx(1 / 3)
    assert result.f1 == pytest.approx(2 * 0.5 / 3 / (0.5 + 1 / 3))
    assert (result.erroneous.problems, result.correct.problems) == (2, 3)


@given(
    st.lists(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 1])), min_size=1, max_size=5), min_size=1),
    st.floats(0, 1),
)
@settings(deadline=None)
def test_first_error_f1_is_processbenchs(solutions, threshold):
    kinds: dict[bool, list[bool]] = {True: [], False: []}
    for steps in solutions:  # labels and predictions as ProcessBench writes them: an index, or -1
        label = next((i for i, (_, good) in enumerate(steps) if not good), -1)
        prediction = next((i for i, (score, _) in enumerate(steps) if score < threshold), -1)
        kinds[label != -1].append(prediction == label)
    args = [[s for s, _ in steps] for steps in solutions], [[g for _, g in steps] for steps in solutions], threshold
    if not kinds[True] or not kinds[False]:
        with pytest.raises(InputError, match="needs both kinds"):
            first_error_f1(*args)
        return
    a, b = np.mean(kinds[True]), np.mean(kinds[False])
    assert first_error_f1(*args).f1 == pytest.approx(2 * a * b / (a + b) if a + b else 0.0)


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]) | st.floats(0, 1), st.sampled_from([0, 1])),
            min_size=1,
            max_size=4,
        ),
        min_size=2,
        max_size=6,
    ).filter(lambda rows: len({all(good for _, good in steps) for steps in rows}) == 2)
)
def test_no_threshold_has_a_higher_f1_than_the_one_that_is_chosen(solutions):
    scores, labels = ([[step[part] for step in steps] for steps in solutions] for part in (0, 1))
    chosen = first_error_threshold(scores, labels)
    values = sorted({0.0, 1.0, *(score for row in scores for score in row)})
    tried = [*values, *((a + b) / 2 for a, b in pairwise(values))]  # each score, and a number between neighbours
    assert 0 <= chosen <= 1
    assert first_error_f1(scores, labels, chosen).f1 == pytest.approx(
        max(first_error_f1(scores, labels, threshold).f1 for threshold in tried)
    )


def test_of_equally_good_thresholds_the_middle_of_a_gap_is_chosen():
    assert first_error_threshold([[0.9, 0.2], [0.8, 0.7]], [[1, 0], [1, 1]]) == pytest.approx(0.45)


def test_soft_step_labels_are_bad_below_one_half():
    result = first_error_f1([[0.9, 0.1], [0.9, 0.9]], [[0.8, 0.2], [0.5, 1.0]])
    assert (result.erroneous.mean, result.correct.mean, result.f1) == (1.0, 1.0, 1.0)


def test_preference_accuracy_counts_ties_half():
    estimate = preference_accuracy([2.0, 1.0, 0.0, -5.0], [1.0, 1.0, 3.0, -9.0])
    assert estimate.mean == 2.5 / 4 and estimate.low < 0.625 < estimate.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: within_problem_auc([[1.0, 2.0]], [[1]]), r"problem 0: scores \(2,\) and correct \(1,\)"),
        (lambda: within_problem_auc([[1.0, 2.0], [1.0, np.nan]], [[1, 0], [1, 0]]), "problem 1: .*NaN"),
        (lambda: within_problem_auc([[1.0, 2.0]], [[1, 0.5]]), "must be 0 or 1"),
        (lambda: within_problem_auc([[1.0, 2.0]], [[1, 1]]), "none of 1 problems"),
        (lambda: equal_length_auc([[1.0, 2.0]], [[1, 0]], [[1]]), r"problem 0: lengths \(1,\) and correct \(2,\)"),
        (lambda: pooled_auc([[1.0, 2.0]], [[1, 1]]), "all 2 solutions are right"),
        (lambda: calibration([0.5], [1, 0]), "1 probabilities and 2 outcomes"),
        (lambda: calibration([1.5], [1]), r"in \[0, 1\]"),
        (lambda: calibration([0.5], [np.nan]), r"in \[0, 1\]"),
        (lambda: first_error_f1([[0.5]], [[1, 0]]), "solution 0: 1 step scores for 2 labels"),
        (lambda: first_error_f1([[0.5]], [[None]]), "solution 0: no step has a label"),
        (lambda: first_error_f1([[np.nan]], [[1]]), "solution 0: .*NaN"),
        (lambda: first_error_f1([[0.5]], [[1]]), "0 erroneous and 1 error-free"),
        (lambda: preference_accuracy([1.0], [1.0, 2.0]), r"chosen \(1,\) and rejected \(2,\)"),
        (lambda: preference_accuracy([1.0, np.nan], [1.0, 2.0]), "NaN"),
        (lambda: preference_accuracy([], []), "no problems"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
