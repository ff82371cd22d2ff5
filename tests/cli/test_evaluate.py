import numpy as np
import pytest

from minrm.cli.evaluate import format_table, measure
from minrm.errors import InputError
from minrm.selection import best_of_n, majority_vote


def outcome_rows(problems=4, samples=8, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for problem in range(problems):
        for _ in range(samples):
            answer = str(rng.integers(1, 4))
            solution = f"Step: 1: x\n\n# Answer\n\n{answer}"
            row = {"question": f"q{problem}", "solution": solution, "answer": "2", "correct": answer == "2"}
            rows.append(row | {"score": rng.random(), "scored_by": "orm"})
    return rows


def test_the_table_holds_what_selection_computes():
    rows = outcome_rows()
    table, notes = measure(rows, "r")
    scores = np.array([row["score"] for row in rows]).reshape(4, 8)
    correct = np.array([row["correct"] for row in rows]).reshape(4, 8)
    answers = [[row["solution"][-1] for row in rows[8 * p : 8 * p + 8]] for p in range(4)]
    means = {(row["way"], row["n"]): row["mean"] for row in table}
    for n in (1, 2, 4, 8):
        assert means["ORM", n] == pytest.approx(best_of_n(scores, correct, n).mean)
        assert means["vote", n] == pytest.approx(majority_vote(answers, ["2"] * 4, n).mean)
        assert means["one sample", n] == pytest.approx(correct.mean())
    assert "4 problems, the first 8 solutions of each: 32 of 32 rows" in notes[0] and "AUC within a problem" in notes[1]


def test_an_answer_that_only_some_rows_know_is_the_problems():
    """RLHFlow's rows: right solutions have it, wrong ones have null; of a problem without a right one no vote is."""
    rows = [row | {"answer": row["answer"] if row["correct"] else None} for row in outcome_rows()]
    assert measure(rows, "r") == measure(outcome_rows(), "r")
    wrong = [row | {"answer": None, "correct": False} for row in rows[:8]]
    votes = [row["mean"] for row in measure(rows[8:] + wrong, "r")[0] if row["way"] == "vote"]
    known = [row["mean"] for row in measure(rows[8:], "r")[0] if row["way"] == "vote"]
    assert votes == pytest.approx([mean * 3 / 4 for mean in known])


def test_rows_in_any_order_of_problems_give_the_same_table():
    rows = outcome_rows()
    mixed = [rows[8 * p + s] for s in range(8) for p in range(4)]
    assert measure(rows, "r")[0] == measure(mixed, "r")[0]


def test_an_empty_solution_whose_reward_is_null_is_chosen_last():
    rows = [row | {"score": None if row["correct"] else 1.0, "scored_by": "bradley_terry"} for row in outcome_rows()]
    means = {(row["way"], row["n"]): row["mean"] for row in measure(rows, "r")[0]}
    assert means["Bradley–Terry", 8] == 0 < means["pass@N", 8]


def test_problems_with_unequal_counts_are_cut_to_the_smallest_and_this_is_said():
    table, notes = measure(outcome_rows()[:-3], "r")
    assert notes[0] == "4 problems, the first 5 solutions of each: 20 of 29 rows"
    assert max(row["n"] for row in table) == 4


def test_process_rows_give_step_accuracy_and_the_first_error():
    rows = [{"labels": [1, 0, None], "step_scores": [0.9, 0.2, 0.9]}, {"labels": [1, 1], "step_scores": [0.9, 0.4]}]
    table, notes = measure(rows, "r")
    means = {row["way"]: row["mean"] for row in table}
    assert means["steps judged rightly, mean per solution"] == pytest.approx((1 + 0.5) / 2)
    assert means["first error found"] == 1 and means["no error found where there is none"] == 0
    assert "4 labelled steps, 75.0% of them good" in notes[0] and "pooled 0.750" in notes[1]


def test_pairs_give_the_accuracy_of_preferences():
    rows = [{"chosen_score": 1.0, "rejected_score": 0.0}, {"chosen_score": -1.0, "rejected_score": 0.0}]
    assert measure(rows, "r")[0][0]["mean"] == 0.5


def test_unscored_rows_are_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="x.jsonl: has question; to evaluate, score outcome rows"):
        measure([{"question": "?"}], "x.jsonl")


@pytest.mark.parametrize(
    "rows, told",
    [
        (outcome_rows()[:1] + [{"question": "?"}], "row 2: has no answer, correct, score, scored_by, solution, which"),
        ([{"chosen_score": 1.0, "rejected_score": 0.0}, {"chosen_score": 1.0}], "row 2: has no rejected_score"),
        ([{"labels": [1, 0], "step_scores": [0.5]}], "row 1: 2 labels but 1 step scores"),
    ],
)
def test_a_row_that_differs_from_the_first_is_named(rows, told):
    with pytest.raises(InputError, match=f"x.jsonl, {told}"):
        measure(rows, "x.jsonl")


def test_the_text_has_a_line_for_each_way_and_a_column_for_each_n():
    lines = format_table(measure(outcome_rows(), "r")[0]).splitlines()
    assert lines[0].split() == ["N", "1", "2", "4", "8"] and len(lines) == 6
    assert "95 %" in format_table(measure([{"chosen_score": 1.0, "rejected_score": 0.0}] * 3, "r")[0])
