"""How checks try what they are given, and how a notebook shows what they say."""

import re

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import minrm.checks
from minrm.checks import check_choose, check_final_token, check_last_number, check_next_beams
from minrm.checks.attempt import LONGEST, WrongAnswer, attempt, call, close, compare, exercise

ALL = [getattr(minrm.checks, name) for name in minrm.checks.__all__]
CHECKS = [check for check in ALL if check.__doc__.startswith(f"Try `{check.__name__.removeprefix('check_')}(")]
GRADED = (check_final_token, check_choose, check_next_beams)  # an empty answer has no points
VALUES = [check for check in ALL if check not in CHECKS]  # of these the answer is a value, not a function


def refused(check, answer):
    with pytest.raises(AssertionError) as caught:
        check(answer)
    assert type(caught.value) is WrongAnswer
    return str(caught.value)


def stops(*arguments):
    raise KeyError("labels")


def forgets_return(*arguments):
    arguments[0]


def empty(solution):
    """The last number of a text."""
    ...


def test_a_check_whose_answer_is_a_value_names_it():
    assert {check.__name__ for check in VALUES} == {
        "check_fooling", "check_article_labels", "check_labels_needed", "check_rivals", "check_padded",
    }  # fmt: skip
    assert all(check.__doc__.startswith(f"Try `{check.__name__.removeprefix('check_')}`, ") for check in VALUES)


@pytest.mark.parametrize("check", CHECKS)
def test_no_check_accepts_nothing_or_the_input_an_exception_or_a_result(check, capsys):
    name = check.__name__.removeprefix("check_")
    assert refused(check, forgets_return) and refused(check, lambda *arguments: arguments[0])
    assert f"the check was given 18; give it the function itself, `{name}`" in refused(check, 18)
    assert ") stopped with KeyError: 'labels'" in refused(check, stops)
    assert refused(check, lambda *arguments: arguments) == refused(check, lambda *arguments: arguments)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("check", [check for check in ALL if check not in GRADED])
def test_while_the_answer_is_empty_a_check_asks_for_it_and_gives_no_tick(check, capsys):
    name, none = check.__name__.removeprefix("check_"), [None] * 5
    for answer in (..., [1, ...], empty, lambda *arguments: ..., lambda: None):
        check(answer, *none[: check.__wrapped__.__code__.co_argcount - 1])
        assert capsys.readouterr().out.startswith(f"✎ {name} is still empty: ")


@pytest.mark.parametrize("check", GRADED)
def test_an_empty_answer_that_is_graded_is_refused(check):
    assert "nothing came back" in refused(check, lambda *arguments: None)


def test_a_function_that_does_something_is_not_empty(capsys):
    tried = []
    check = exercise(lambda answer: tried.append(answer))
    begun = [forgets_return, lambda: 0, lambda: "", lambda text: text, print, 18, [], "...", (lambda: (yield))]
    for answer in begun:
        check(answer)
    assert tried == begun and capsys.readouterr().out == ""


def test_a_notebook_shows_the_hint_alone():
    cells = [
        "from minrm.checks import check_last_number, check_final_token",
        'def last_number(solution):\n    """The last number of a text."""\n    ...',
        "check_last_number(last_number)",
        "check_last_number(lambda solution: solution[0])",
        "check_final_token(lambda mask: mask.final())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=600, kernel_name="python3", allow_errors=True).execute()
    *_, asked, wrong, stopped = [cell.outputs for cell in notebook.cells]
    assert [output.output_type for output in asked] == ["stream"]
    for (error,), answer in ((wrong, lambda solution: solution[0]), (stopped, lambda mask: mask.final())):
        assert error.output_type == "error" and error.ename == "WrongAnswer"
        assert error.traceback == ["✗ " + error.evalue]
        check = check_last_number if error in wrong else check_final_token
        assert error.evalue == refused(check, answer)


def test_a_changed_argument_is_refused_and_the_caller_keeps_its_own():
    own = [3, 1, 2]

    def smallest(values):
        values.sort()
        return values[0]

    with pytest.raises(AssertionError, match=re.escape("smallest([3, 1, 2]) changed its arguments, to [1, 2, 3]")):
        attempt("smallest", smallest, own)
    assert own == [3, 1, 2]


def test_a_wrong_value_before_an_exception_is_what_is_told():
    def half(value):
        return {4: 3}[value]

    with pytest.raises(AssertionError, match=re.escape("half(4) gave 3, expected 2.0: think")):
        compare("half", half, [(4,), (6,)], lambda value: value / 2, [], "think")


def test_the_mistake_that_explains_all_results_goes_before_one_that_explains_the_first():
    mistakes = [(lambda value: value - 2, "by two"), (lambda value: value**0.5, "a root")]
    with pytest.raises(AssertionError, match="a root"):
        compare("half", lambda value: value**0.5, [(4,), (16,)], lambda value: value / 4, mistakes, "think")
    with pytest.raises(AssertionError, match="by two"):
        compare("half", lambda value: 2, [(4,), (16,)], lambda value: value / 4, mistakes, "think")


def test_arguments_are_shown_short_and_numbers_of_numpy_as_plain_ones():
    long = call("f", ([1] * 1000,))
    assert long.endswith("…)") and len(long) == LONGEST + 3
    assert call("f", (np.float64(0.5), [np.int64(-3)])) == "f(0.5, [-3])"


def test_numbers_are_close_and_shapes_must_agree():
    assert close(0.5, 0.5 + 1e-9) and not close(0.5, 0.51) and not close([0.5], 0.5)
