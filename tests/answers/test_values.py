"""Values are exact where they can be; symbols take enough places; what would grow is text at once."""

import time
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.answers import answer_key, same_answer, values


@given(st.integers(2, 500), st.integers(2, 500), st.integers(2, 5), st.randoms(use_true_random=False))
def test_roots_agree_exactly_if_their_powers_do(a, b, index, draw):
    root = "\\sqrt" if index == 2 else f"\\sqrt[{index}]"
    ways = [f"{root}{{{a}}}", f"{a}^{{1/{index}}}", f"\\frac{{{root}{{{a * 3**index}}}}}{{3}}"]
    assert same_answer(*draw.sample(ways, 2))
    assert same_answer(ways[0], f"{root}{{{b}}}") == (a == b)
    nearest = Fraction(round(a ** (1 / index)))
    assert same_answer(ways[0], str(nearest)) == (nearest**index == a)


def test_any_two_symbols_take_all_four_pairs_of_signs():
    """So |xy| and xy, or |x + y| and |x| + |y|, differ at some place."""
    letters = "abcdefghjklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZαβγδθλμσφω"
    for a, b in combinations(letters, 2):
        signs = {(x > 0, y > 0) for x, y in zip(values._values(a), values._values(b), strict=True)}
        assert len(signs) == 4, (a, b)


@pytest.mark.parametrize(
    "text",
    ["9^{9^{9}}", "9^{9^{9^{9}}}", "10000000!", "(9^{999})!", "x^{10000000}", "\\binom{100000000}{50000000}",
     "\\sum_{k=1}^{100000000} k", "\\int_0^1 e^{x^2} dx", "2^{2^{2^{2^{2^{2}}}}}", "1/0+x", "\\frac{x}{0}", "0^0",
     "\\lim_{x\\to 0} x", "^".join("x" * 60), "x^{" * 60 + "x" + "}" * 60, "^".join("2" * 200), "x!", "\\tan 90^\\circ",
     "(" * 30 + "x" + ")" * 30 + "+1", "e^{10^{10}}", "e^{e^{e^{e^x}}}", "\\ln 0", "+".join(["2^{x}"] * 90),
     "+".join(["\\sin x"] * 60), "\\sin " * 60 + "x", "\\frac{1}{" * 60 + "x" + "}" * 60, "√" * 60 + "2"],
)  # fmt: skip
def test_what_would_grow_or_has_no_value_is_compared_as_text_at_once(text):
    answer_key.cache_clear()
    started = time.process_time()
    assert values.formula_key(text.replace("\\ln", "ln")) is None
    assert same_answer(text, f" {text} ")
    assert time.process_time() - started < 2  # minutes to years, were it evaluated


@pytest.mark.parametrize(
    "text", ["x^{x}", "\\ln(\\ln(x))", "(1+\\frac1x)^x", "e^{-x^2}", "(\\sqrt2+\\sqrt3)^{500}", "2^{9000}"]
)
def test_what_has_a_value_takes_less_than_a_second(text):
    started = time.process_time()
    assert values.formula_key(text) is not None
    assert time.process_time() - started < 1
