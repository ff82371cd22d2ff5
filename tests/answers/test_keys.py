"""Equal answers share a key, different ones do not, and no text breaks the comparison or takes long."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minrm.answers import answer_key, same_answer

# Each line: ways to write one answer. Lines differ from each other.
NUMBERS = [
    ["18", "18.0", "18.", "$18", "\\$18", "$18$", "18%", "18\\%", "+18", "18 eggs", "18 \\text{ cm}", "18cm", "x=18",
     "**18**", "\\(18\\)", "18 miles per hour", "18^\\circ", "18°", "(18)", "\\text{18}", "18 cm^2", "x = 18", "{18}",
     "= 18", "18 duck eggs", "18 dollars a day", "18 km/h", "18 \\mathrm{~cm}^{3}", "18 m", "18 square feet", "１８",
     "18 people", "18 years old", "18 in", "18 degrees Celsius", "Area = 18", "\\boxed{18}", "36/2", "1.8 × 10",
     "2·3²"],
    ["-18", "−18", "- 18", "-18.00", "-$18", "$-18$"],
    ["1,200", "1200", "$1,200.00", "1{,}200", "1 200", "1.2 thousand", "1,\\!200", "1\\,200", "x = 1,200"],
    ["1/2", "0.5", ".5", "\\frac12", "\\frac{1}{2}", "\\dfrac{1}{2}", "50/100", "1 / 2", "\\frac{1}{2} hours", "½"],
    ["-3/4", "-\\frac{3}{4}", "-0.75"],
    ["1 1/2", "1\\frac{1}{2}", "1.5", "3/2", "1½"],
    ["1/3", "0.\\overline{3}", "0.\\bar{3}", "0.33\\overline{3}"], ["0.333"], ["0.333333333333333"], ["0.333..."],
    ["25/3"], ["8.333333333333334"], ["0.05"], ["0.04999999999999999"],
    ["2 million", "2,000,000", "2e6", "2 million dollars", "2 \\times 10^6"], ["5 dozen", "60 eggs"],
    ["12345678901234567891", "12,345,678,901,234,567,891"], ["12345678901234567890"],
    ["2^{1000}", "2**1000", "4^{500}"], ["2^{1000}-1"], ["\\frac{1}{2^{100}}", "2^{-100}"], ["\\frac{1}{2^{101}}"],
    ["10^{50}", "1" + "0" * 50, "1e50"], ["2^3", "2**3", "8"], ["23"],
    ["0", "-0", "0.00", "\\frac{0}{5}"], ["12,34", "12, 34"], ["1234"], ["0,123"], ["123"], ["12.34"],
]  # fmt: skip
PARTS = [
    ["(1, 2)", "(1,2)", "\\left(1, 2\\right)", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1.0, 4/2)", "(x,y)=(1,2)",
     "\\langle 1, 2 \\rangle", "\\begin{bmatrix}1\\\\{2}\\end{bmatrix}"],
    ["(y,x)=(1,2)"], ["(5,120)", "(5, 120)"], ["5120"], ["[0,100]", "[0, 100]"], ["100"],
    ["[1, 2)", "[1,2)", "\\left[1, 2\\right)", "x \\in [1, 2)"], ["[1, 2]"], ["(1, 2]"],
    ["\\{1, 2\\}", "1, 2", "2, 1", "1 and 2", "x = 1 or x = 2", "\\{2,1\\}", "{1, 2}", "x = 1, 2", "$1$ and $2$"],
    ["(2, 1)"], ["x=1, y=2", "y = 2, x = 1", "x=1 and y=2"], ["x=2, y=1"], ["1, 1, 2"],
    ["1 < x < 3", "3 > x > 1", "1<x<3", "1 \\lt x \\lt 3"],
    ["1 \\le x < 3", "1 ≤ x < 3", "3 > x \\geq 1", "1 \\leqslant x < 3"],
    ["x < 1 or x > 3", "x > 3 or x < 1"], ["x < 1 and x > 3"], ["x \\ne 3", "x ≠ 3", "x != 3"],
    ["\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
     "\\mathbf{M} = \\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}"],
    ["(0,12)\\cup(12,100)", "(12, 100) ∪ (0, 12)", "(0,12) U (12,100)"], ["(-\\infty, 0)", "(-∞,0)"],
    ["x + y = 5", "5 = y + x"], ["1011_2", "1011_{2}"], ["1011"], ["1011_3"],
    ["7 pm", "7:00 PM", "7 p.m."], ["7 am"], ["7"], ["1:20", "1 : 20"], ["2:40"], ["1/20"],
]  # fmt: skip
WORDS = [
    ["hyperbola", "Hyperbola", "\\text{hyperbola}", "hyperbola."], ["Two lines"], ["E", "(E)", "\\text{(E)}"],
    ["B", "(B)", "b", "\\textbf{(B)}"], ["no"], ["on"], ["1/0"], ["softball, kickball"], ["kickball, softball"],
    ["ABC"], ["CAB"], ["C, A, B"], ["A, B, C"], ["5 or more"], ["9 remainder 2", "9 Remainder 2"], ["9 remainder 3"],
    ["9"], ["1 in 3"], ["1 in 2"], ["1"], ["3 squared"], ["3"], ["2 thirds"], ["2 fifths"], ["2"], ["3 times"],
    ["3 pairs"], ["5 choose 2"], ["5 over 2"], ["5 feet 3 inches"], ["5 feet", "5"], ["5, 3"],
    ["5 hours and 3 minutes"],
    ["3-5"], ["3–5"], ["-2"], ["1/2/2020"], ["1.2.3"], ["3 and 1/2"], ["3, 1/2"], ["~4"], ["4 t"], ["4"],
    ["4^\\circ 15'"],
    ["0.(3)"], ["2 hundredths"], ["10 percent", "10"], ["10 per thousand"], ["5 minus"],
]  # fmt: skip


def groups_hold(groups):
    of_groups = [{answer_key(way) for way in ways} for ways in groups]
    assert [of_group for of_group in of_groups if len(of_group) != 1] == []
    assert len(set.union(*of_groups)) == len(groups)


@pytest.mark.parametrize("groups", [NUMBERS, PARTS, WORDS], ids=["numbers", "parts", "words"])
def test_ways_to_write_one_answer_agree_and_others_differ(groups):
    groups_hold(groups)


@pytest.mark.parametrize("nothing", [None, "", " ", ".", "$", "**", "\\text{}"])
def test_no_answer_is_the_same_as_nothing(nothing):
    assert answer_key(nothing) is None
    assert not same_answer(nothing, nothing)
    assert not same_answer(nothing, "0")


NUMBER = st.one_of(
    st.integers(-(10**6), 10**6).map(Fraction),
    st.integers(-(10**25), 10**25).map(Fraction),
    st.fractions(max_denominator=10**6),
    st.builds(Fraction, st.integers(-(10**20), 10**20), st.integers(0, 20).map(lambda digits: 10**digits)),
)


def written(value, draw):
    """One of the ways to write a number."""
    over, under = value.as_integer_ratio()
    ways = [str(value), f"\\frac{{{over}}}{{{under}}}", f"{3 * over}/{3 * under}"]
    if under == 1:
        ways.append(f"{over}.0")
    return draw.choice(ways)


@given(NUMBER, NUMBER, st.randoms(use_true_random=False))
def test_different_numbers_differ_however_they_are_written(a, b, draw):
    assert same_answer(written(a, draw), written(b, draw)) == (a == b)
    assert not same_answer(written(a, draw), written(a + Fraction(1, 10**30), draw))


@given(
    st.lists(NUMBER, min_size=2, max_size=4),
    st.lists(NUMBER, min_size=2, max_size=4),
    st.randoms(use_true_random=False),
)
def test_points_intervals_and_sets_differ_if_a_part_or_a_bracket_does(a, b, draw):
    shapes = [("(", ")"), ("[", "]"), ("[", ")"), ("\\{", "\\}")]

    def text(values, shape):
        return shape[0] + draw.choice([", ", ","]).join(str(value) for value in values) + shape[1]

    for shape in shapes:
        assert same_answer(text(a, shape), text(b, shape)) == (set(a) == set(b) if "\\" in shape[0] else a == b)
        other = draw.choice([one for one in shapes if one != shape])
        assert not same_answer(text(a, shape), text(a, other))


RESPELLINGS = [  # from the inside to the outside
    lambda text: text.replace("\\frac", "\\dfrac"), lambda text: text.replace(",", ", "),
    lambda text: text.replace("(", "\\left(").replace(")", "\\right)"), lambda text: text.replace("-", "−"),
    lambda text: text.replace("}{", "} {"), lambda text: text.replace(" ", "\\, "), lambda text: f"{{{text}}}",
    lambda text: f"\\boxed{{{text}}}", lambda text: f"${text}$", lambda text: f"\\({text}\\)",
    lambda text: f"**{text}**", lambda text: f"x = {text}", lambda text: f"= {text}", lambda text: f"{text}.",
    lambda text: f"  {text} ",
]  # fmt: skip
SOME_RESPELLINGS = st.sets(st.integers(0, len(RESPELLINGS) - 1)).map(
    lambda some: [RESPELLINGS[i] for i in sorted(some)]
)
UNITS = [
    "eggs",
    "cm",
    "\\text{ cm}",
    "dollars",
    "\\%",
    "hours",
    "cm^2",
    "^\\circ",
    "square inches",
    "\\mathrm{~kg}",
    "km/h",
]


@given(NUMBER, SOME_RESPELLINGS, st.sampled_from(["", *UNITS]), st.randoms(use_true_random=False))
def test_respelling_changes_no_number_and_known_units_are_left_out(value, respellings, unit, draw):
    answer = text = written(value, draw)
    text = f"{text} {unit}".strip()
    for respell in respellings:
        text = respell(text)
    assert same_answer(text, answer)


@given(
    st.sampled_from(
        ["(1,2)", "[0,100)", "(1,2)\\cup(3,4)", "\\{1,-2\\}", "x+1", "\\frac{x-1}{2}", "\\sqrt{2}", "(x-1)^2"]
    ),
    SOME_RESPELLINGS,
)
def test_respelling_changes_no_other_answer(answer, respellings):
    text = answer
    for respell in respellings:
        text = respell(text)
    assert same_answer(text, answer)


TEXTS = st.text() | st.text(alphabet="0123456789.,/()[]{}\\ $%-xe^_=<!|√") | st.lists(
    st.sampled_from(["\\frac", "{", "}", "\\sqrt", "12", "x", "(", ")", ",", "=", " ", "^", "\\cup", "\\pm", "and",
    "cm",
                     "\\sin", "|", "\\text{", "&", "\\\\", "\\begin{pmatrix}", "\\end{pmatrix}", "-", "/", "!", "°"]),
    max_size=30,
).map("".join)  # fmt: skip


@given(TEXTS)
@settings(deadline=1000)
def test_no_text_breaks_the_key_and_equal_texts_share_it(text):
    key = answer_key(text)
    assert key is None or (key and key == answer_key(f"  {text}\n"))
    assert same_answer(text, text) == (key is not None)


@pytest.mark.parametrize(
    "text",
    ["9" * 5000, "0." + "3" * 400, "1e999", "(" * 499, "{" * 499, "-" * 499, "1," * 249, "a " * 249, "\\frac" * 99,
     "[{" * 249, '{"a":[' * 80 + "1" + "]}" * 80, '{"a":' * 100_000, "(1," * 9 + "2" + ")" * 9, "=1" * 249, "<x" * 249,
     "\\cup" * 120, "\\begin{pmatrix}" * 30, "5 " + "per " * 120, "**" * 249, "1,234" * 99, "\\text{" * 70, "x:" * 249,
     "1 " * 249, "5 " + "eggs" * 120, "and " * 120, "√" * 499, "|" * 499, "!" * 499, "\\sin" * 120, "_{" * 249],
)  # fmt: skip
def test_long_and_deep_answers_have_a_key_at_once(text):
    answer_key.cache_clear()
    started = time.process_time()
    with ThreadPoolExecutor(1) as pool:  # a thread's stack is smaller, and has no signals for timeouts
        assert pool.submit(answer_key, text).result() == answer_key(text + " ")
    assert time.process_time() - started < 2


def test_agreement_is_the_equality_of_keys_in_any_order():
    pool = [way for group in NUMBERS + PARTS + WORDS for way in group]
    draw = random.Random(0)
    for a, b in [draw.choices(pool, k=2) for _ in range(2000)]:
        assert same_answer(a, b) == same_answer(b, a) == (answer_key(a) == answer_key(b))
