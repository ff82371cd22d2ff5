"""Formulas that are equal share a key, different ones do not; what is unclear, grows or has no value is text."""

import logging
import random
import time
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.answers import answer_key, same_answer

FORMULAS = [
    ["\\frac{32}{3}\\pi", "32π/3", "\\frac{32\\pi}{3}", "32\\pi/3"], ["2pi", "2\\pi", "2π cm", "\\frac{4\\pi}{2}"],
    ["\\frac{\\sqrt{2}}{2}", "\\sqrt2/2", "\\frac{1}{\\sqrt{2}}", "sqrt(2)/2", "√2/2", "\\sqrt{\\frac12}",
     "\\cos 45^\\circ", "\\sin\\frac\\pi4", "\\sin(\\pi/4)"],
    ["(x-1)(x+1)", "x^2-1", "-1+x^2", "y = x^2 - 1", "f(x)=x^2-1", "x²-1", "x**2 - 1", "x·x - 1"],
    ["(x - 2y^2)/y", "\\frac{x-2y^2}{y}", "\\frac{x}{y}-2y"], ["xyz", "zyx", "x y z", "y·x·z"], ["2ab", "2ba", "b*2*a"],
    ["2^8", "256", "16^2"], ["10!", "3628800", "3,628,800"], ["\\binom{5}{2}", "10", "\\dbinom52"],
    ["\\sum_{k=1}^N k"], ["\\sum_{k=1}^n k"],
    ["\\binom{n}{2}", "\\frac{n(n-1)}{2}", "(n^2-n)/2"], ["2+3i", "3i+2"], ["2-3i"],
    ["e^{i\\pi}", "-1", "\\cos \\pi", "i^2", "\\cos 180^\\circ"],
    ["\\log_2 8", "3", "\\sqrt[3]{27}", "\\frac{\\log 8}{\\log 2}"],
    ["\\sqrt[3]{-8}", "-2", "(-8)^{1/3}", "-\\sqrt[3]{8}"], ["\\sin 30^\\circ", "1/2", "\\sin(30°)", "0.5"],
    ["1 \\pm \\sqrt{2}", "1+\\sqrt{2}, 1-\\sqrt 2", "\\{1-\\sqrt{2}, 1+\\sqrt{2}\\}", "x = 1 ± √2"],
    ["\\pm 2", "2, -2", "+/-2", "+-2"],
    ["(-\\infty, 0) \\cup (1, \\infty)", "(1,∞) ∪ (-∞,0)", "(1,+\\infty)\\cup(-\\infty,0)"],
    ["\\frac13\\begin{pmatrix} 2 \\\\ -2 \\end{pmatrix}", "\\begin{pmatrix} 2/3 \\\\ -2/3\\end{pmatrix}", "(2/3,-2/3)"],
    ["5x", "x·5", "5\\,x"], ["5"], ["5y"], ["x"], ["X"], ["X+1"], ["x+1"], ["x_1", "x_{1}"], ["x_2"], ["\\Delta"],
    ["\\delta"],
    ["e"], ["i"], ["-\\frac{a}{b}", "\\frac{-a}{b}"], ["\\frac{a}{b}"], ["99^{99}"], ["99^{98}"], ["100!/98!", "9900"],
    ["(1+\\sqrt2)(1-\\sqrt2)+2", "1"], ["\\sqrt{2}-\\sqrt{8}+\\sqrt{2}", "0"], ["\\sqrt{3+2\\sqrt2}", "1+\\sqrt2"],
    ["2^{300}\\sqrt2"], ["2^{300}\\sqrt2 + 1"], ["\\sqrt2 + 10^{-40}"], ["\\sqrt2"],
    ["1.41421356237309504880168872420969808"],
    ["2xy"], ["4t"], ["4"], ["2\\sin x", "2sinx", "2 sin(x)", "2\\sin{x}"], ["2cosx"], ["2six"], ["\\sin 30"],
    ["\\sin 2x", "2\\sin x\\cos x", "\\sin(2x)"], ["\\sin^2 x", "(\\sin x)^2", "1-\\cos^2 x"],
    ["\\arcsin x", "\\sin^{-1} x"],
    ["\\lfloor x \\rfloor", "⌊x⌋", "-\\lceil -x \\rceil"], ["\\lceil x \\rceil"], ["\\lfloor x + 1/2 \\rfloor"],
    ["|x-3|", "|3-x|", "\\left|x-3\\right|", "\\sqrt{(x-3)^2}"], ["x-3"], ["3-x"],
    ["|x|", "\\sqrt{x^2}", "\\lvert x \\rvert"],
    ["||x|-1|", "|1-|x||"], ["|x||y|", "|xy|"], ["|x-1000|"], ["1000-x"], ["x^3"], ["|x|^3", "|x^3|"],
    ["2^{x+1}", "2\\cdot 2^x"], ["e^x", "\\exp(x)", "\\frac{e^{x+1}}{e}"], ["\\ln 2"], ["\\log 2"],
    ["\\log_{10} 2", "\\lg 2"],
    ["x + 10^{-100}"], ["(2^{200}+1)x"], ["2^{200}x"], ["\\lfloor \\sqrt{2}\\sqrt{2} \\rfloor", "2"],
    ["1/2x"], ["x/2", "\\frac12 x", "\\frac{x}{2}", "0.5x"], ["\\frac{1}{2x}", "1/(2x)"], ["\\sin x/2"],
    ["\\sin \\frac{x}{2}"],
    ["x2"], ["\\sin(x)^2"], ["f(x)"], ["x \\cdot f", "f \\cdot x"], ["3!!"], ["(3!)!", "720"],
    ["1A_{16}", "1A_16"], ["A_{16}"], ["√2x"], ["\\frac{x}{x+1}", "1 - \\frac{1}{x+1}"],
    ["(x+y)^3", "x^3+3x^2y+3xy^2+y^3"],
]  # fmt: skip


def test_equal_formulas_share_a_key_and_different_ones_do_not():
    keys = [{answer_key(way) for way in ways} for ways in FORMULAS]
    assert [(ways, key) for ways, key in zip(FORMULAS, keys, strict=True) if len(key) != 1] == []
    shared = [(a[0], b[0]) for a, b in combinations(FORMULAS, 2) if same_answer(a[0], b[0])]
    assert shared == []


POLYNOMIAL = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(-20, 20).filter(bool), max_size=4
)


def latex(polynomial, draw):
    """One of the ways to write a polynomial in x and y: any order of terms and factors."""
    terms = []
    for (i, j), coefficient in polynomial.items():
        factors = ["x"] * i + ["y"] * j if draw.random() < 0.5 else [f"x^{{{i}}}", f"y^{j}"]
        draw.shuffle(factors)
        terms.append(f"({coefficient})" + draw.choice(["", " ", "\\cdot "]).join(["", *factors]))
    draw.shuffle(terms)
    return " + ".join(terms) or "0"


@given(POLYNOMIAL, POLYNOMIAL, st.randoms(use_true_random=False))
def test_polynomials_agree_exactly_if_their_coefficients_do(a, b, draw):
    assert same_answer(latex(a, draw), latex(b, draw)) == (a == b)
    product = f"({latex(a, draw)})({latex(b, draw)})"
    assert same_answer(product, f"({latex(b, draw)}) \\cdot ({latex(a, draw)})")
    assert not same_answer(product, product + " + \\frac{x}{10^9}")


def test_keys_agree_with_the_verdicts_of_math_verify():
    """A second way: math-verify's own comparison, on pairs that it decides without reading sets as intervals."""
    math_verify = pytest.importorskip("math_verify")
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    ways = [way for group in FORMULAS[:6] for way in group[:2] if way.isascii() and "pi" not in way.replace("\\pi", "")]
    parsed = {way: math_verify.parse(f"${way}$", parsing_timeout=None) for way in ways}
    for a, b in combinations(ways, 2):
        assert same_answer(a, b) == math_verify.verify(parsed[a], parsed[b], timeout_seconds=None), (a, b)


def test_pieces_of_latex_in_any_order_never_raise():
    pieces = [
        *"{}()[],+-*/^_!=<|&$%.:√°±", "1", "23", "99999", "x", "i", " ", "\\frac", "\\sqrt", "\\pi", "\\infty",
        "\\cup", "\\\\", "\\begin{pmatrix}", "\\end{pmatrix}", "\\sum", "\\int", "\\log", "\\binom", "\\pm", "\\le",
        "\\left", "\\right", "\\lfloor", "\\gcd", "\\lim", "\\det", "\\text{a}", "and", "dollars", "\u0663", "²",
    ]  # fmt: skip
    draw = random.Random(0)
    for _ in range(2000):
        text = "".join(draw.choices(pieces, k=draw.randint(1, 16)))
        started = time.process_time()
        key = answer_key(text)
        assert key is None or (key and key.strip() == key), text
        assert time.process_time() - started < 1, text
