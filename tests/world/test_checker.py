"""The checker against solutions that a person judged; against planted mistakes, see test_classroom.py."""

from hypothesis import given
from hypothesis import strategies as st

from minrm.text import join_steps
from minrm.world import ERRORS, Event, Problem
from minrm.world.problems import calculate

TOM_AND_MIA = Problem("Mia", "Tom", "pens", 9, (Event("buys", 5), Event("gives", 2, 4)), "inconsistent", 3, True)


def solution(*steps: str, answer: str) -> str:
    return join_steps([*steps[:-1], f"{steps[-1]}\n\n# Answer\n\n{answer}"])


def check(*steps, answer):
    return TOM_AND_MIA.errors(solution(*steps, answer=answer))


def test_right_solutions_in_every_order_and_way():
    assert check("Mia has 3 fewer: 9 - 3 = 6", "6 + 5 = 11", "4 * 2 = 8", "11 - 8 = 3", answer="3") == [None] * 4
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
    assert check("Let me think.", "9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3") == [
        "unreadable",
        None,
        None,
        None,
    ]


def test_restating_another_persons_share_is_a_contradiction():
    assert check("Tom has 3 fewer: 9 - 3 = 6", "6 + 5 = 11", "11 - 8 = 3", answer="3")[0] == "contradiction"


def test_check_steps_says_the_same_as_errors():
    text = solution("9 + 3 = 12", "12 + 5 = 17", "17 - 8 = 9", answer="9")
    assert TOM_AND_MIA.check_steps(text) == [False, True, True]


@given(st.text() | st.text("Step: 123\n#Answer+-*=hasmorefewMi 0987").map(lambda t: "Step: 1: " + t))
def test_the_checker_never_raises_whatever_the_text(text):
    found = TOM_AND_MIA.errors(text)
    assert all(error is None or error in ERRORS for error in found)


@given(st.sampled_from("+-*"), st.integers(0, 30), st.integers(0, 30))
def test_calculate_is_what_python_calculates(sign, a, b):
    assert calculate(a, sign, b) == eval(f"{a} {sign} {b}")
