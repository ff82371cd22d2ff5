"""Equal answers share a key, different ones do not, and no text breaks the comparison."""

import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minrm.answers import answer_key, keys, same_answer

# Each line: ways to write one answer. Lines differ from each other.
NUMBERS = [
    ["18", "18.0", "18.", "$18", "\\$18", "$18$", "18%", "18\\%", "+18", "18 eggs", "18 \\text{ cm}", "18cm", "x=18",
     "**18**", "\\(18\\)", "18 miles per hour", "18^\\circ", "18°", "(18)", "\\text{18}", "18 cm^2", "x = 18"],
    ["-18", "−18", "- 18", "-18.00", "-$18"],
    ["1,200", "1200", "$1,200.00", "1{,}200", "1 200", "1.2 thousand", "1,\\!200"],
    ["1/2", "0.5", ".5", "\\frac12", "\\frac{1}{2}", "\\dfrac{1}{2}", "50/100", "1 / 2", "\\frac{1}{2} hours"],
    ["-3/4", "-\\frac{3}{4}", "-0.75"],
    ["1 1/2", "1\\frac{1}{2}", "1.5", "3/2"],
    ["25/3", "8.333333333333334", "8.333333333333333333"],
    ["0.05", "0.04999999999999999"],
    ["2 million", "2,000,000", "2e6"],
    ["12345678901234567891", "12,345,678,901,234,567,891"],
    ["12345678901234567890"],
    ["0", "-0", "0.00"],
    ["0.333"],
    ["1/3"],
]  # fmt: skip
PARTS = [
    ["(1, 2)", "(1,2)", "\\left(1, 2\\right)", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1.0, 4/2)"],
    ["[1, 2)", "[1,2)", "\\left[1, 2\\right)", "x \\in [1, 2)"],
    ["[1, 2]"],
    ["(1, 2]"],
    ["\\{1, 2\\}", "1, 2", "2, 1", "1 and 2", "x = 1 or x = 2", "\\{2,1\\}"],
    ["(2, 1)"],
    ["1 < x < 3", "3 > x > 1", "1<x<3"],
    ["1 \\le x < 3", "1 ≤ x < 3", "3 > x \\geq 1"],
    ["\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "M = \\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}"],
]
WORDS = [["hyperbola", "Hyperbola", "\\text{hyperbola}", "hyperbola."], ["Two lines"], ["E", "(E)", "\\text{(E)}"],
         ["no"], ["on"], ["5 or more"], ["1/0"], ["softball, kickball"]]  # fmt: skip


def groups_hold(groups):
    of_groups = [{answer_key(way) for way in ways} for ways in groups]
    assert [of_group for of_group in of_groups if len(of_group) != 1] == []
    assert len(set.union(*of_groups)) == len(groups)


def test_numbers_sets_points_intervals_and_words_group_without_any_parser(monkeypatch):
    monkeypatch.setattr(keys, "_evaluator", lambda: None)
    answer_key.cache_clear()
    groups_hold(NUMBERS + PARTS + WORDS)
    answer_key.cache_clear()


@pytest.mark.parametrize(("a", "b"), [("18", "-18"), ("0.5", "5"), ("5", "5x"), ("20%", "0.2"), ("1200", "1.2")])
def test_different_answers_stay_apart(a, b):
    assert not same_answer(a, b)


@pytest.mark.parametrize("nothing", [None, "", " ", ".", "$", "**"])
def test_no_answer_is_the_same_as_nothing(nothing):
    assert answer_key(nothing) is None
    assert not same_answer(nothing, nothing)
    assert not same_answer(nothing, "0")


def test_the_key_of_a_number_is_what_a_reader_would_write():
    texts = ("$1,200.00", "18 eggs", "\\frac34", "-0.50")
    assert [answer_key(text) for text in texts] == ["1200", "18", "0.75", "-0.5"]


@given(st.integers(), st.integers(1, 10**6))
def test_every_way_to_write_a_fraction_has_the_key_of_its_exact_value(numerator, denominator):
    value = Fraction(numerator, denominator)
    sign, size = "-" * (numerator < 0), abs(numerator)
    key = answer_key(f"{sign}{size}/{denominator}")
    assert key == answer_key(f"{sign}\\frac{{{size}}}{{{denominator}}}") == answer_key(f"${value}$")
    assert abs(Fraction(key) - value) <= abs(value) * Fraction(1, 10**11)
    if value.denominator == 1:
        assert key == str(value.numerator)


@given(st.integers(-(10**15), 10**15))
def test_thousands_separators_change_nothing(number):
    assert answer_key(f"${number:,}.00".replace("$-", "-$")) == str(number)


@given(st.text() | st.text(alphabet="0123456789.,/()[]{}\\ $%-xe^_="))
@settings(deadline=None)
def test_no_text_breaks_the_key_and_equal_texts_share_it(text):
    key = answer_key(text)
    assert key is None or (key and key == answer_key(f"  {text}\n"))


@pytest.mark.parametrize(
    "text",
    ["9" * 5000, "0." + "3" * 5000, "1e999", "(" * 199, "{" * 199, "-" * 199, "1," * 99, "a " * 99, "\\frac" * 39],
)
def test_long_and_deep_answers_have_a_key(text):
    assert answer_key(text) == answer_key(text + " ")


def test_answers_are_compared_in_threads_too():
    pytest.importorskip("math_verify")
    answer_key.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(same_answer, ["\\frac{\\sqrt{8}}{2}"] * 4, ["\\sqrt{2}"] * 4))


def test_without_math_verify_formulas_compare_as_text_and_one_warning_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "minrm.answers.formulas", None)  # the import raises ImportError
    keys._evaluator.cache_clear()
    answer_key.cache_clear()
    with pytest.warns(UserWarning, match=r"math-verify is not installed.*pip install 'minrm\[math\]'") as warned:
        assert same_answer("\\sqrt{2}+x", "\\sqrt{2}+x")
        assert not same_answer("\\sqrt{8}", "2\\sqrt{2}")
        assert same_answer("18.0", "$18")
    assert len(warned) == 1
    keys._evaluator.cache_clear()
    answer_key.cache_clear()
