"""The value of a formula, as a key: LaTeX is parsed by `math-verify`, then evaluated at fixed places to 50 digits.

Only `minrm.answers` imports this, and only when it meets a formula, since math-verify is optional and takes a second
to load. Its timeouts use signals, which threads do not have, so they are off: the parser builds the tree without
evaluating it, and the evaluation here refuses what would grow.
"""

from __future__ import annotations

import threading
import zlib
from fractions import Fraction

import mpmath
import sympy
from math_verify import LatexExtractionConfig, parse

from minrm.answers.keys import matrix_key, number_key

_LOCK = threading.Lock()  # mpmath keeps its precision, and the parser its caches, in globals
_CONFIG = [LatexExtractionConfig()]
_FUNCTIONS = {
    sympy.exp: "exp", sympy.sin: "sin", sympy.cos: "cos", sympy.tan: "tan", sympy.cot: "cot", sympy.sec: "sec",
    sympy.csc: "csc", sympy.asin: "asin", sympy.acos: "acos", sympy.atan: "atan", sympy.Abs: "fabs",
    sympy.floor: "floor", sympy.ceiling: "ceil", sympy.sinh: "sinh", sympy.cosh: "cosh", sympy.tanh: "tanh",
}  # fmt: skip


class _TooLarge(Exception):
    """A power or factorial whose digits do not fit: the formula has no key and is compared as text."""


def formula_key(text: str) -> str | None:
    """The key of one formula without delimiters, such as `\\frac{32}{3}\\pi`; None where there is nothing to evaluate.

    May raise whatever the parser raises on text that is no formula.
    """
    with _LOCK, mpmath.workdps(50):
        found = parse(f"${text}$", _CONFIG, "no_fallback", extraction_mode="first_match", parsing_timeout=None)
        return _key(found[0]) if found else None


def _key(expression) -> str | None:
    if expression in (sympy.oo, -sympy.oo):
        return "inf" if expression is sympy.oo else "-inf"
    if isinstance(expression, sympy.FiniteSet):  # "1 \pm \sqrt{2}"
        keys = [_key(element) for element in expression.args]
        return None if None in keys else "{" + ", ".join(sorted(str(key) for key in keys)) + "}"
    if getattr(expression, "is_Matrix", False):  # "\\frac{1}{3} \\begin{pmatrix} … \\end{pmatrix}"
        cells = [[_key(cell) for cell in row] for row in expression.doit().tolist()]
        return None if any(None in row for row in cells) else matrix_key([[str(cell) for cell in row] for row in cells])
    if not isinstance(expression, sympy.Expr):
        return None
    value = mpmath.mpc(_value(expression))
    if not mpmath.isfinite(value):
        return None
    real, imaginary = _decimal(value.real), _decimal(value.imag)
    return real if imaginary == "0" else f"{real} + {imaginary}i"


def _decimal(value: mpmath.mpf) -> str:
    if abs(value) < mpmath.mpf(10) ** -30:  # what is left of a sum that cancels
        return "0"
    if abs(value) > mpmath.mpf(10) ** 40:  # beyond the digits that are kept
        return mpmath.nstr(value, 12)
    return number_key(Fraction(mpmath.nstr(value, 40)))


def _value(node):
    """The value of an expression tree, from its leaves up, in mpmath; a symbol is a fixed number between 1 and 2."""
    if isinstance(node, sympy.Symbol):
        named = {"i": mpmath.mpc(0, 1), "e": mpmath.e, "pi": mpmath.pi}
        return named.get(node.name, 1 + mpmath.mpf(zlib.crc32(node.name.encode())) / 2**32)
    if node.is_Number or isinstance(node, sympy.NumberSymbol) or node is sympy.I:
        return mpmath.mpmathify(node.evalf(50)) if node is not sympy.I else mpmath.mpc(0, 1)
    values = [_value(argument) for argument in node.args]
    if any(abs(value) > mpmath.mpf(10) ** 1000 for value in values):
        raise _TooLarge
    if isinstance(node, sympy.Add):
        return mpmath.fsum(values)
    if isinstance(node, sympy.Mul):
        return mpmath.fprod(values)
    if isinstance(node, (sympy.Pow, sympy.factorial)):
        if abs(values[-1]) > 10_000:
            raise _TooLarge
        return values[0] ** values[1] if isinstance(node, sympy.Pow) else mpmath.factorial(values[0])
    if isinstance(node, sympy.log):
        return mpmath.log(*values)
    return getattr(mpmath, _FUNCTIONS[type(node)])(*values)  # KeyError: a function that has no single value here
