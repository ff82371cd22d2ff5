"""The value of a formula: `math-verify` parses the LaTeX, then it is evaluated at fixed places to 50 digits.

Imported only when `minrm.answers.keys` meets a formula, since math-verify is optional and takes a second to load. Its
timeouts use signals, which threads do not have, so they are off: the parser builds the tree without evaluating it, and
the evaluation here refuses what would grow.
"""

import threading
import zlib
from fractions import Fraction
from typing import Any

import mpmath
import sympy
from math_verify import LatexExtractionConfig, parse

_LOCK = threading.Lock()  # mpmath keeps its precision, and the parser its caches, in globals
_CONFIG = [LatexExtractionConfig()]
_NAMES = "exp log sin cos tan cot sec csc asin acos atan sinh cosh tanh floor"
_FUNCTIONS = {name: name for name in _NAMES.split()} | {"ceiling": "ceil", "Abs": "fabs"}  # sympy's → mpmath's


def formula_value(text: str) -> Any:
    """The value of one formula without delimiters, such as `\\frac{32}{3}\\pi`.

    A number is a `Fraction`, or a text where it is infinite or too large to keep all digits; a complex number is a
    tuple (real, imaginary), a matrix a list of rows, and "1 \\pm \\sqrt{2}" a frozenset. Raises ValueError where
    nothing can be evaluated, and whatever the parser raises on text that is no formula.
    """
    with _LOCK, mpmath.workdps(50):
        parsed = parse(f"${text}$", _CONFIG, "no_fallback", extraction_mode="first_match", parsing_timeout=None)
        return _value(parsed[0])  # IndexError: there is no formula in the text


def _value(expression: Any) -> Any:
    if expression in (sympy.oo, -sympy.oo):
        return "inf" if expression is sympy.oo else "-inf"
    if isinstance(expression, sympy.FiniteSet):
        return frozenset(_value(element) for element in expression.args)
    if getattr(expression, "is_Matrix", False):  # "\\frac{1}{3} \\begin{pmatrix} … \\end{pmatrix}"
        return [[_value(cell) for cell in row] for row in expression.doit().tolist()]
    number = mpmath.mpc(_evaluate(expression)) if isinstance(expression, sympy.Expr) else mpmath.nan
    if not mpmath.isfinite(number):
        raise ValueError("no finite value")
    real, imaginary = _exact(number.real), _exact(number.imag)
    return real if imaginary == 0 else (real, imaginary)


def _exact(number: mpmath.mpf) -> Fraction | str:
    if abs(number) < mpmath.mpf(10) ** -30:  # what is left of a sum that cancels
        return Fraction(0)
    if abs(number) > mpmath.mpf(10) ** 40:  # beyond the digits that are kept
        return mpmath.nstr(number, 12)
    return Fraction(mpmath.nstr(number, 40))


def _evaluate(node: Any) -> Any:
    """The number that an expression tree stands for, from its leaves up; a symbol is a fixed number between 1 and 2."""
    if isinstance(node, sympy.Symbol):
        named = {"i": mpmath.mpc(0, 1), "e": mpmath.e, "pi": mpmath.pi}
        return named.get(node.name, 1 + mpmath.mpf(zlib.crc32(node.name.encode())) / 2**32)
    if node.is_Number or isinstance(node, sympy.NumberSymbol) or node is sympy.I:
        return mpmath.mpmathify(node.evalf(50)) if node is not sympy.I else mpmath.mpc(0, 1)
    values = [_evaluate(argument) for argument in node.args]
    if any(abs(value) > mpmath.mpf(10) ** 1000 for value in values):
        raise ValueError("too large to evaluate")
    if isinstance(node, (sympy.Add, sympy.Mul)):
        return mpmath.fsum(values) if node.is_Add else mpmath.fprod(values)
    if isinstance(node, (sympy.Pow, sympy.factorial)):
        if abs(values[-1]) > 10_000:
            raise ValueError("too large to evaluate")
        return values[0] ** values[1] if isinstance(node, sympy.Pow) else mpmath.factorial(values[0])
    return getattr(mpmath, _FUNCTIONS[type(node).__name__])(*values)  # KeyError: no single value
