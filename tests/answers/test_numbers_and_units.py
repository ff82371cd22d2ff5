"""The key of a number is its exact value, however it is written."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from minrm.answers import answer_key


def test_the_key_of_a_number_is_what_a_reader_would_write():
    texts = ("$1,200.00", "18 eggs", "\\frac34", "-0.50", "2/6", "-0.\\overline{3}")
    assert [answer_key(text) for text in texts] == ["1200", "18", "0.75", "-0.5", "1/3", "-1/3"]


@given(st.integers(), st.integers(1, 10**6))
def test_every_way_to_write_a_fraction_has_the_key_of_its_exact_value(numerator, denominator):
    value = Fraction(numerator, denominator)
    sign, size = "-" * (numerator < 0), abs(numerator)
    key = answer_key(f"{sign}{size}/{denominator}")
    assert key == answer_key(f"{sign}\\frac{{{size}}}{{{denominator}}}") == answer_key(f"${value}$")
    assert Fraction(key) == value


@given(st.integers(-(10**15), 10**15))
def test_thousands_separators_change_nothing(number):
    assert answer_key(f"${number:,}.00".replace("$-", "-$")) == str(number)
