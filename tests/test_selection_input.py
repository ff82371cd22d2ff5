"""What goes into the ways of choosing and what comes out: answers that are missing, tables, rewards, shapes, errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tiny import random_world

import minrm.selection
from minrm.errors import InputError
from minrm.selection import (
    best_of_n,
    likelihood_scores,
    majority_vote,
    pass_at_n,
    weighted_vote,
)


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


def test_tables_are_read_in_their_order_whatever_their_labels():
    """Sorted and filtered, a table's labels are neither complete nor in order."""
    answers, correct, scores = random_world(problems=12, samples=6)
    answers = [[None if n % 5 == 0 else answer for answer in row] for n, row in enumerate(answers)]
    truth = [row[0] or "1" for row in answers]
    table = pd.DataFrame({"answers": answers, "truth": truth, "scores": list(scores), "correct": list(correct)})
    table = table.sort_values("truth", ascending=False)[2:]
    rows = table.index.to_list()
    assert rows != sorted(rows)
    plain = {name: [table[name][row] for row in rows] for name in table}
    wide = {name: pd.DataFrame(map(list, plain[name]), index=rows) for name in ("answers", "scores", "correct")}
    missing = wide["answers"].astype("string")  # None becomes pandas.NA
    vote = majority_vote(plain["answers"], plain["truth"], [1, 3])
    best = best_of_n(plain["scores"], plain["correct"], 3)
    weighted = weighted_vote(plain["answers"], plain["scores"], plain["truth"], 3)
    named = {name: table[name] for name in table}
    for columns in named, named | wide, named | wide | {"answers": missing}:
        np.testing.assert_array_equal(majority_vote(columns["answers"], columns["truth"], [1, 3]).mean, vote.mean)
        assert best_of_n(columns["scores"], columns["correct"], 3) == best
        assert weighted_vote(columns["answers"], columns["scores"], columns["truth"], 3) == weighted


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_of_n([[1.0, 2.0]], [[True]], 1), r"scores \(1, 2\) and correct \(1, 1\) must pair up"),
        (lambda: best_of_n([[1.0, 2.0], [1.0, np.nan]], [[1, 0], [1, 0]], 1), r"scores\[1, 1\] \(problem 1, sample 1"),
        (lambda: best_of_n([[1.0]], [[True]], 2), "n=2, but there are 1 samples"),
        (lambda: best_of_n([[1.0]], [[True]], 0), "n=0, but"),
        (lambda: best_of_n([[1.0]], [[True]], 1.5), "one whole number"),
        (lambda: best_of_n([[1.0]], [[True]], []), "one whole number"),
        (lambda: best_of_n([1.0], [True], 1), r"shape \(1,\)"),
        (lambda: best_of_n(np.empty((0, 3)), np.empty((0, 3)), 1), "at least one of each"),
        (lambda: best_of_n([[1.0, 2.0], [1.0]], [[1, 0], [1]], 1), "equally many for each problem"),
        (lambda: best_of_n([[1.0]], [[2]], 1), r"correct\[0, 0\].*outside"),
        (lambda: pass_at_n([[0.5]], 1), "only true and false"),
        (lambda: majority_vote([["1"], ["1", "2"]], ["1", "1"], 1), r"equally many.*\[1, 2\]"),
        (lambda: majority_vote([], [], 1), "equally many"),
        (lambda: majority_vote([["1"]], ["1", "2"], 1), "1 problems, but truth of 2"),
        (lambda: majority_vote([["1"]], [None], 1), r"truth\[0\] is missing"),
        (lambda: majority_vote([["1"]], ["1"], 2), "n=2, but"),
        (lambda: weighted_vote([["1"]], [[0.5, 0.5]], ["1"], 1), r"answers \(1, 1\) and scores \(1, 2\)"),
        (lambda: weighted_vote([["1", "2"]], [[0.5, -3.0]], ["1"], 1), r"scores\[0, 1\].*reward=True"),
        (lambda: weighted_vote([["1"]], [[np.inf]], ["1"], 1, reward=True), r"scores\[0, 0\].*is infinite; a reward"),
        (lambda: weighted_vote([["1", "2"]], [[0.1, -np.inf]], ["1"], 1, reward=True), r"scores\[0, 1\].*is infinite"),
        (lambda: best_of_n([[{}]], [[1]], 1), "scores must be numbers"),
        (lambda: weighted_vote([["1"]], [[0.5]], ["1"], 1, draws=0), "draws=0"),
        (lambda: likelihood_scores([[1.0]], [[0]]), r"tokens\[0, 0\].*at least one token"),
        (lambda: likelihood_scores([[1.0]], [[1]], reduce="max"), "'mean'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
