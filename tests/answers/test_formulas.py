"""Formulas that are equal share a key; what would grow without end is left alone."""

import logging
import random
import time
from itertools import combinations

import pytest

pytest.importorskip("math_verify", reason="formulas need the extra [math]")

from minrm.answers import answer_key, same_answer

FORMULAS = [
    ["\\frac{32}{3}\\pi", "32π/3", "\\frac{32\\pi}{3}", "32\\pi/3"],
    ["\\frac{\\sqrt{2}}{2}", "\\sqrt2/2", "\\frac{1}{\\sqrt{2}}", "sqrt(2)/2", "√2/2", "\\sqrt{\\frac12}"],
    ["(x-1)(x+1)", "x^2-1", "-1+x^2", "y = x^2 - 1", "f(x)=x^2-1"],
    ["(x - 2y^2)/y", "\\frac{x-2y^2}{y}", "\\frac{x}{y}-2y"],
    ["2^8", "256", "16^2"],
    ["10!", "3628800", "3,628,800"],
    ["\\binom{5}{2}", "10"],
    ["2+3i", "3i+2"],
    ["e^{i\\pi}", "-1", "\\cos \\pi"],
    ["\\log_2 8", "3", "\\sqrt[3]{27}"],
    ["1 \\pm \\sqrt{2}", "1+\\sqrt{2}, 1-\\sqrt 2", "\\{1-\\sqrt{2}, 1+\\sqrt{2}\\}"],
    ["(-\\infty, 0) \\cup (1, \\infty)", "(1,∞) ∪ (-∞,0)"],
    ["\\frac13\\begin{pmatrix} 2 \\\\ -2 \\end{pmatrix}", "\\begin{pmatrix} 2/3 \\\\ -2/3\\end{pmatrix}", "(2/3,-2/3)"],
    ["5x"], ["5"], ["5y"], ["x"], ["e"], ["i"], ["-\\frac{a}{b}"], ["\\frac{a}{b}"], ["99^{99}"], ["99^{98}"],
    ["(1+\\sqrt2)(1-\\sqrt2)+2", "1"], ["\\sqrt{2}-\\sqrt{8}+\\sqrt{2}", "0"],
]  # fmt: skip


def test_equal_formulas_share_a_key_and_different_ones_do_not():
    keys = [{answer_key(way) for way in ways} for ways in FORMULAS]
    assert [key for key in keys if len(key) != 1] == []
    assert len(set.union(*keys)) == len(FORMULAS)


def test_keys_agree_with_the_verdicts_of_math_verify():
    """A second way: math-verify's own comparison, on pairs that it decides without reading sets as intervals."""
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)
    ways = [way for group in FORMULAS[:4] for way in group[:2] if way.isascii()]
    parsed = {way: parse(f"${way}$", parsing_timeout=None) for way in ways}
    for a, b in combinations(ways, 2):
        assert same_answer(a, b) == verify(parsed[a], parsed[b], timeout_seconds=None), (a, b)


@pytest.mark.parametrize(
    "text",
    ["9^{9^{9}}", "9^{9^{9^{9}}}", "10000000!", "(9^{999})!", "x^{10000000}", "\\binom{100000000}{50000000}",
     "\\sum_{k=1}^{100000000} k", "\\int_0^1 e^{x^2} dx", "((((((((((((((1))))))))))))))+x", "2^{2^{2^{2^{2^{2}}}}}",
     "1/0+x", "\\frac{x}{0}", "\\lim_{x\\to 0} x"],
)  # fmt: skip
def test_what_would_grow_or_has_no_value_is_compared_as_text_at_once(text):
    started = time.process_time()
    assert same_answer(text, text)
    assert time.process_time() - started < 5  # minutes to years, were it evaluated


def test_pieces_of_latex_in_any_order_never_raise():
    pieces = [
        *"{}()[],+-*/^_!=<|&$%.:", "1", "23", "99999", "x", "i", " ", "\\frac", "\\sqrt", "\\pi", "\\infty",
        "\\cup", "\\\\", "\\begin{pmatrix}", "\\end{pmatrix}", "\\sum", "\\int", "\\log", "\\binom", "\\pm", "\\le",
        "\\left", "\\right", "\\lfloor", "\\gcd", "\\lim", "\\det", "\\text{a}", "and", "dollars", "\u0663", "²",
    ]  # fmt: skip
    draw = random.Random(0)
    for _ in range(200):
        text = "".join(draw.choices(pieces, k=draw.randint(1, 16)))
        key = answer_key(text)
        assert key is None or (key and key.strip() == key), text
