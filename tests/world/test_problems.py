"""A problem, and its checker against solutions that a person judged; planted mistakes: test_classroom.py."""

from hypothesis import given
from hypothesis import strategies as st

from minrm.rows import check_row
from minrm.text import join_steps
from minrm.world import ERRORS, Event, Problem

TOM_AND_MIA = Problem("Mia", "Tom", "pens", 9, (Event("buys", 5), Event("gives", 2, 4)), "inconsistent", 3, True)


def check(*steps, answer):
    return TOM_AND_MIA.errors(join_steps([*steps[:-1], f"{steps[-1]}\n\n# Answer\n\n{answer}"]))


def test_a_problem_reads_as_english_and_knows_its_answer():
    assert TOM_AND_MIA.question == (
        "Tom has 9 pens. That is 3 more than Mia has. Mia buys 5 pens. "
        "Mia gives 2 pens to each of 4 friends. How many pens does Mia have now?"
    )
    assert TOM_AND_MIA.answer == str(9 - 3 + 5 - 2 * 4)
    assert TOM_AND_MIA.traps == ("inversion", "once")


def test_a_comparison_means_what_it_says():
    for more, wording, start in (True, "consistent", 12), (False, "consistent", 6), (False, "inconsistent", 12):
        assert Problem("Mia", "Tom", "pens", 9, (Event("buys", 5),), wording, 3, more).start == start
    assert TOM_AND_MIA.start == 6


def test_a_solution_is_judged_as_a_row_that_outcome_and_process_models_learn_from():
    wrong = "Step: 1: 9 - 3 = 6\nStep: 2: 6 + 5 = 12\nStep: 3: 12 - 2 = 10\n\n# Answer\n\n10"
    row = TOM_AND_MIA.judge(wrong)
    steps = ["9 - 3 = 6", "6 + 5 = 12", "12 - 2 = 10\n\n# Answer\n\n10"]
    assert row == {"question": TOM_AND_MIA.question, "answer": "3", "solution": wrong} | {
        "steps": steps, "labels": [1, 0, 0], "correct": False,
    }  # fmt: skip
    check_row(row, "outcome", "here")
    check_row(row, "process", "here")
    assert TOM_AND_MIA.judge("# Answer\n\n3")["correct"] and TOM_AND_MIA.judge("")["steps"] == []


def test_right_solutions_in_every_order_and_way():
    assert check("Then 3 more than Mia: 9 - 3 = 6", "6 + 5 = 11", "Now 11 - 8 = 3", answer="3") == [None] * 3
    assert check("Mia has 3 fewer: 9 - 3 = 6", "6 + 5 = 11", "4 * 2 = 8", "11 - 8 = 3", answer="3") == [None] * 4
    assert check("9 - 3 = 6", "Then buys 5: 6 + 5 = 11", "2 * 4 = 8", "gives 8: 11 - 8 = 3", answer="3") == [None] * 4
    assert check("9 - 3 = 6", "buys 5: 5 + 6 = 11", "gives 8: 11 - 8 = 3", answer="3") == [None] * 3
    assert check("4 * 2 = 8", "9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == [None] * 4
    assert check("2 * 4 = 8", "9 - 3 = 6", "5 + 6 = 11", "11 - 8 = 3", answer="3") == [None] * 4
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == [None] * 3


def test_a_step_after_a_wrong_one_can_be_good_again():
    assert check("9 + 3 = 12", "12 + 5 = 17", "17 - 8 = 9", answer="9") == ["inversion", None, None]
    assert check("9 - 3 = 7", "7 + 5 = 12", "12 - 8 = 4", answer="4") == ["slip", None, None]
    assert check("2 * 4 = 7", "9 - 3 = 6", "6 + 5 = 11", "11 - 7 = 4", answer="4") == ["slip", None, None, None]


def test_each_kind_of_mistake_is_named_at_its_own_step():
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 - 2 = 9", answer="9") == [None, None, "once"]
    assert check("Mia has 3 more: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["contradiction", None, None]
    assert check("Mia has 3 more: 9 + 3 = 12", "12 + 5 = 17", "17 - 8 = 9", answer="9") == ["inversion", None, None]
    assert check("9 - 3 = 6", "6 - 8 = 2", answer="2") == [None, "slip"]
    assert check("9 - 3 = 6", "6 + 5 = 11", answer="11") == [None, "skip"]
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="4") == [None, None, "answer"]
    assert check("9 + 5 = 14", "14 - 8 = 6", answer="6") == ["unfounded", "skip"]
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 - 7 = 4", answer="4") == [None, None, "unfounded"]
    assert check("Let me think.", "9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["unreadable"] + [None] * 3
    assert check("Tom has 3 fewer: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["misnamed", None, None]
    assert check("3 more than Tom: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["misnamed", None, None]
    assert check("3 fewer than Mia: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["contradiction", None, None]
    for claim in ("loses 5", "gives 5", "buys 4", "finds 5"):
        assert check("9 - 3 = 6", f"{claim}: 6 + 5 = 11", "11 - 8 = 3", answer="3") == [None, "contradiction", None]
    assert check("buys 3: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == ["unfounded", None, None]
    assert check("9 - 3 = 6", "6 + 5 = 11", "gives 8: 4 * 2 = 8", "11 - 8 = 3", answer="3")[2] == "unfounded"
    assert check("9 - 3 = 6", "6 - 5 = 1", answer="1") == [None, "turned"]
    assert check("9 - 3 = 6", "loses 5: 6 - 5 = 1", answer="1") == [None, "turned"]
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 - 5 = 6", "6 - 8 = 0", answer="0")[2:] == ["unfounded", "slip"]
    assert check("9 - 3 = 6", "6 + 5 = 11", "11 + 5 = 16", "16 - 8 = 8", answer="8") == [None, None, "twice", None]
    assert check("9 - 3 = 6", "6 + 5 = 11", "1 * 2 = 2", "11 - 2 = 9", answer="9") == [None, None, "once", None]
    assert check("9 - 3 = 6", "6 + 5 = 11", "4 * 3 = 9", "11 - 9 = 2", answer="2")[2:] == ["unfounded", None]
    assert check("9 - 4 = 5", "5 + 5 = 10", "10 - 8 = 2", answer="2") == ["unfounded", None, None]


@given(st.text() | st.text("Step: 123\n#Answer+-*=hasmorefewMi 0987").map(lambda t: "Step: 1: " + t))
def test_the_checker_never_raises_whatever_the_text(text):
    assert all(error is None or error in ERRORS for error in TOM_AND_MIA.errors(text))
