"""The key of a formula's value: exact where it is rational, else digits on which two precisions agree.

Rational arithmetic, whole powers, factorials and perfect roots are exact. Other numbers are evaluated at rising
precision until two agree in 120 digits besides those before the point; 110 of these are the key. A formula with symbols
is evaluated at sixteen places, small and large, of both signs. Formulas that agree at all of them are equal up to a
chance below 1e-40 (Schwartz 1980); pieces of a floor or an absolute value have sixteen places to differ.
"""

import math
import random
import threading
from fractions import Fraction
from functools import cache, reduce
from hashlib import sha256
from operator import add, mul, truediv
from typing import Any

import mpmath

from minrm.answers.formulas import read_formula
from minrm.answers.numbers_and_units import number_key

_LOCK = threading.Lock()  # mpmath keeps its precision and its caches in globals
_MOST_BITS = 1 << 14  # of an exact number; what is larger is compared as text
_MOST_WORK = 10_000  # steps of some microseconds: less than a second
_PRECISIONS = (160, 320, 640, 1280)
_AGREE, _KEPT, _LONGEST = 120, 110, 400  # digits; the longest: before the point
_SIZES = (30, 500, 6_000, 20_000, 90_000, 30_000_000, 2 * 10**10, 10**16)  # of a symbol, times 10,007
_CONSTANTS = {
    "π": lambda: +mpmath.pi,
    "e": lambda: +mpmath.e,
    "i": lambda: mpmath.mpc(0, 1),
    "°": lambda: mpmath.pi / 180,
}
_MPMATH = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "lg": "log10"}  # others have our name


def formula_key(text: str) -> str | None:
    """The key of the value of a formula such as `\\frac{32}{3}\\pi`; None where it has none or is too large.

    The key is a rational number's decimal or fraction, an irrational one's digits, or a digest if there are symbols.
    """
    try:
        tree, symbols = read_formula(text)
        evaluator = _Evaluator(bool(symbols))
        with _LOCK:
            keys = [evaluator.key(tree, place) for place in range(2 * len(_SIZES) if symbols else 1)]
    except (ValueError, ArithmeticError, TypeError):
        return None
    if len(set(keys)) == 1:  # a number, or what is constant: x/x
        return keys[0]
    return "formula " + sha256("; ".join(keys).encode()).hexdigest()[:40]


@cache
def _values(symbol: str) -> list[Fraction]:
    """The values of a symbol at all places; the order of sizes and signs differs from symbol to symbol."""
    draw = random.Random(f"values of {symbol}")
    values = [Fraction(sign * draw.randrange(size, 3 * size), 10_007) for size in _SIZES for sign in (1, -1)]
    draw.shuffle(values)
    return values


class _Evaluator:
    """Evaluates trees; a number is a Fraction while it is rational, then mpmath's. Raises ValueError beyond limits."""

    def __init__(self, symbols: bool) -> None:
        self.symbols, self.work, self.place = symbols, _MOST_WORK, 0

    def key(self, tree: Any, place: int) -> str:
        """The key of the value at a place, from two precisions that agree."""
        self.place, before = place, mpmath.nan
        for precision in _PRECISIONS:
            with mpmath.workdps(precision):
                value = self.value(tree)
                if isinstance(value, Fraction):
                    return number_key(value)
                size = abs(value)
                _refuse_if(not mpmath.isfinite(size))
                digits = max(0, math.ceil(mpmath.mag(size) * math.log10(2))) if size else 0  # before the point
                _refuse_if(digits > _LONGEST and not self.symbols)
                digits = min(digits, _LONGEST)
                tolerance = size / mpmath.mpf(10) ** (digits + _AGREE)
                if abs(value - before) <= tolerance:
                    parts = [_part_key(part, digits, tolerance) for part in (value.real, value.imag)]
                    return parts[0] if parts[1] == "0" else f"{parts[0]} + {parts[1]}i"
                if size < mpmath.mpf(10) ** -_AGREE and size <= abs(before) / 10**100:
                    return "0"  # the rest of a sum that cancels: it shrinks as precision rises
                before = value
        raise ValueError("the digits do not settle")

    def value(self, tree: Any) -> Any:
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            return _CONSTANTS[tree]() if tree in _CONSTANTS else _values(tree)[self.place]
        operation, *values = tree[0], *map(self.value, tree[1:])
        value = _apply(operation, values)
        if isinstance(value, Fraction):
            bits = max(abs(value.numerator), value.denominator).bit_length()
            self.work -= 1 + bits // 256
            _refuse_if(bits > 2 * _MOST_BITS)
        else:
            self.work -= 1 if operation in ("add", "mul") else mpmath.mp.dps // 16
        _refuse_if(self.work < 0)
        return value


def _apply(operation: str, values: list[Any]) -> Any:
    if operation == "pow":
        return _power(*values)
    if operation == "root":
        return _root(values[0], int(values[1]))
    if operation in ("factorial", "binom"):
        return _count(*values)
    if operation in ("|", "⌊", "⌈"):
        return {"|": abs, "⌊": _floor, "⌈": lambda value: -_floor(-value)}[operation](values[0])
    if not all(isinstance(value, Fraction) for value in values) or operation not in ("add", "mul", "frac"):
        values = [_lift(value) for value in values]
    if operation in ("add", "mul", "frac"):
        return reduce({"add": add, "mul": mul, "frac": truediv}[operation], values)
    _refuse_if(mpmath.mag(values[0]) > 200)
    return getattr(mpmath, _MPMATH.get(operation, operation))(values[0])


def _count(number: Any, chosen: Any = None) -> Fraction:
    """The factorial of a whole number, or a binomial coefficient, whose upper number may be any rational one."""
    few = number if chosen is None else chosen
    _refuse_if(not (isinstance(number, Fraction) and isinstance(few, Fraction) and few >= 0 and few.denominator == 1))
    bits = max(abs(number.numerator), number.denominator).bit_length()
    if chosen is not None and number.denominator == 1 and number >= chosen:
        few = min(chosen, number - chosen)
    _refuse_if(few * bits > _MOST_BITS)
    if chosen is None:
        return Fraction(math.factorial(int(number)))
    return math.prod(((number - k) / (k + 1) for k in range(int(few))), start=Fraction(1))


def _refuse_if(problem: bool) -> None:
    if problem:
        raise ValueError("too large, or without a value")


def _lift(value: Any) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, Fraction) and exponent.denominator < 1000:
        if exponent.denominator > 1:  # first the root, so that an odd root of a negative number is real
            return _power(_root(base, exponent.denominator), Fraction(exponent.numerator))
        whole = int(exponent)
        _refuse_if(base == 0 and whole == 0)
        if isinstance(base, Fraction):
            bits = max(abs(base.numerator), base.denominator).bit_length() - 1  # 0 for 1 and -1
            _refuse_if(bits * abs(whole) > _MOST_BITS)
            return base**whole
        _refuse_if(abs(whole) > 1 << 60)
        return base**whole
    base, exponent = _lift(base), _lift(exponent)
    _refuse_if(base == 0 or mpmath.mag(exponent) > 200 or mpmath.mag(exponent * mpmath.log(base)) > 200)
    return mpmath.power(base, exponent)


def _root(value: Any, index: int) -> Any:
    _refuse_if(index < 1)
    if isinstance(value, mpmath.mpc) and value.imag == 0:
        value = value.real
    if index % 2 and not isinstance(value, mpmath.mpc) and value < 0:
        return -_root(-value, index)
    if isinstance(value, Fraction) and value >= 0:
        over, under = _whole_root(value.numerator, index), _whole_root(value.denominator, index)
        if over**index == value.numerator and under**index == value.denominator:
            return Fraction(over, under)
    return mpmath.root(_lift(value), index)


def _whole_root(number: int, index: int) -> int:
    with mpmath.workprec(number.bit_length() // index + 30):
        return int(mpmath.nint(mpmath.root(number, index)))


def _floor(value: Any) -> Any:
    if isinstance(value, Fraction):
        return Fraction(math.floor(value))
    nearest = mpmath.nint(value.real)  # a sum that is whole may lie a little below
    close = abs(value - nearest) < mpmath.mpf(10) ** -(mpmath.mp.dps // 2)
    return nearest if close else mpmath.floor(value)


def _part_key(value: Any, digits: int, tolerance: Any) -> str:
    """The key of a real number of which some digits stand before the point; it is a fraction if a short one is near."""
    if abs(value) <= tolerance:
        return "0"
    if abs(mpmath.mag(value)) < 4000:
        mantissa, power = value.man_exp  # without the sign
        exact = Fraction(int(mpmath.sign(value)) * mantissa) * Fraction(2) ** power
        short = exact.limit_denominator(10**40)  # by chance so near: 1e-30
        if short and abs(exact - short) < Fraction(1, 10 ** (_AGREE - 10)):
            return number_key(short)
    return f"{mpmath.nstr(value, digits + _KEPT)}…"
