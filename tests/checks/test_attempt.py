"""How checks try what they are given."""

import re

import numpy as np
import pytest

import minrm.checks
from minrm.checks.attempt import LONGEST, attempt, call, close, compare

CHECKS = [getattr(minrm.checks, name) for name in minrm.checks.__all__]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", [lambda *given: None, lambda *given: given[0]])
def test_no_check_accepts_nothing_or_the_input_unchanged(check, answer, capsys):
    with pytest.raises(AssertionError):
        check(answer)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("check", CHECKS)
def test_the_result_in_place_of_the_function_is_told_so(check):
    name = check.__name__.removeprefix("check_")
    with pytest.raises(AssertionError, match=f"the check was given 18; give it the function itself, `{name}`"):
        check(18)


@pytest.mark.parametrize("check", CHECKS)
def test_an_exception_is_a_hint_with_its_message(check):
    def answer(*given):
        raise KeyError("labels")

    with pytest.raises(AssertionError, match=r"\) stopped with KeyError: 'labels'"):
        check(answer)


@pytest.mark.parametrize("check", CHECKS)
def test_two_calls_say_the_same(check):
    said = []
    for _ in range(2):
        with pytest.raises(AssertionError) as refused:
            check(lambda *given: given)
        said.append(str(refused.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_tells_what_it_wants(check):
    name = check.__name__.removeprefix("check_")
    assert check.__doc__.startswith(f"Try `{name}(")
    assert "AssertionError" in check.__doc__


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

    with pytest.raises(AssertionError, match=re.escape("half(4) gave 3, wanted is 2.0: think")):
        compare("half", half, [(4,), (6,)], lambda value: value / 2, [], "think")


def test_the_mistake_that_explains_all_results_goes_before_one_that_explains_the_first():
    mistakes = [(lambda value: value - 2, "by two"), (lambda value: value**0.5, "a root")]
    with pytest.raises(AssertionError, match="a root"):
        compare("half", lambda value: value**0.5, [(4,), (16,)], lambda value: value / 4, mistakes, "think")
    with pytest.raises(AssertionError, match="by two"):
        compare("half", lambda value: 2, [(4,), (16,)], lambda value: value / 4, mistakes, "think")


def test_a_long_input_is_cut():
    said = call("f", ([1] * 1000,))
    assert said.endswith("…)") and len(said) == LONGEST + 3


def test_numbers_of_numpy_are_shown_as_plain_ones():
    assert call("f", (np.float64(0.5), [np.int64(-3)])) == "f(0.5, [-3])"


def test_numbers_are_close_and_shapes_must_agree():
    assert close(0.5, 0.5 + 1e-9) and not close(0.5, 0.51) and not close([0.5], 0.5)
