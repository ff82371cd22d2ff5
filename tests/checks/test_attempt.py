"""How checks try what they are given."""

import re

import numpy as np
import pytest

import minrm.checks
from minrm.checks.attempt import LONGEST, attempt, call, close, compare

CHECKS = [getattr(minrm.checks, name) for name in minrm.checks.__all__]


def refused(check, answer):
    with pytest.raises(AssertionError) as caught:
        check(answer)
    return str(caught.value)


def stops(*arguments):
    raise KeyError("labels")


@pytest.mark.parametrize("check", CHECKS)
def test_no_check_accepts_nothing_or_the_input_an_exception_or_a_result(check, capsys):
    name = check.__name__.removeprefix("check_")
    assert check.__doc__.startswith(f"Try `{name}(")
    assert refused(check, lambda *arguments: None) and refused(check, lambda *arguments: arguments[0])
    assert f"the check was given 18; give it the function itself, `{name}`" in refused(check, 18)
    assert ") stopped with KeyError: 'labels'" in refused(check, stops)
    assert refused(check, lambda *arguments: arguments) == refused(check, lambda *arguments: arguments)
    assert capsys.readouterr().out == ""


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
