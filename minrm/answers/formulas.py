"""Reads a formula, in LaTeX or plain notation, into a tree that `minrm.answers.values` evaluates.

The reader is strict: what it does not know, or what two people read differently (`1/2x`, `\\sin x/2`, `x2`), it
refuses, and such an answer is compared as text. Parsers for LaTeX guess instead: they read `2sinx` as a product of
five letters, and `X` as `x`.
"""

import re
from fractions import Fraction
from typing import Any

DEEPEST = 24  # brackets and exponents within each other
CONSTANTS = ("π", "e", "i")
INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sec": "asec", "csc": "acsc"}
FUNCTION = r"(?:arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|exp|log|ln|lg)"
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?![0-9._,]|\\overline)")
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)\\overline ?\{([0-9]+)\}(?![0-9.])")
_LETTER = re.compile(r"([A-Za-zα-ωΑ-Ω])(?: ?_ ?(?:\{ ?(\w+) ?\}|([0-9]+|\w)))?")
_FOLLOWS = re.compile(r"[A-Za-zα-ωΑ-Ω({√⌊⌈]|\\[a-z]")  # what may follow a factor without a sign; a digit may not
_BRACKETS = {"(": ")", "{": "}", "|": "|", "⌊": "⌋", "⌈": "⌉"}
_RUN = re.compile(r"\\[A-Za-z]+|_ ?(?:\{ ?\w+ ?\}|[0-9]+|\w)|([A-Za-z]+)")
_NAMES = re.compile(  # letters side by side are a product if they are no word; more than two come from one block
    r"[A-Za-z]|(?!am|an|as|at|be|by|do|go|he|if|in|is|it|me|my|no|of|on|or|pm|so|to|up|us|we)[A-Za-z]{2}"
    r"|[abcxyz]+|[abcd]+|[pqrs]+|[u-z]+"
)


def read_formula(text: str) -> tuple[Any, set[str]]:
    """The tree of a formula, and the names of its symbols.

    A tree is a Fraction, a name, or a tuple (operation, *trees). Raises ValueError if any part cannot be read.
    """
    reader = _Reader(text)
    tree = reader.sum()
    reader.refuse_if(reader.peek() != "")
    return tree, reader.symbols


class _Reader:
    """Reads a text from left to right; each method takes what its name says and gives its tree."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth, self.bars, self.angle = text, 0, 0, 0, False
        self.symbols: set[str] = set()
        runs = " ".join(filter(None, _RUN.findall(text)))
        self.refuse_if(re.search(r"\ba(?:sin|cos|tan)", runs))  # an arc sine, or a times the sine
        self.refuse_if(not all(map(_NAMES.fullmatch, re.sub(rf"{FUNCTION}|sqrt", " ", runs).split())))

    def refuse_if(self, problem: Any) -> None:
        if problem:
            raise ValueError(f"cannot be read: {self.text[: self.at]} | {self.text[self.at :]}")

    def peek(self) -> str:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1
        return self.text[self.at : self.at + 1]

    def sees(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        self.peek()
        return re.compile(pattern).match(self.text, self.at)

    def take(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        match = self.sees(pattern)
        self.at = match.end() if match else self.at
        return match

    def sum(self) -> Any:
        terms = [self.product()]
        while sign := self.take("[+-]"):
            terms.append(("mul", Fraction(sign[0] + "1"), self.product()))
        return ("add", *terms) if len(terms) > 1 else terms[0]

    def product(self) -> Any:
        factors = [self.signed()]
        while True:
            if self.take(r"\*"):
                factors.append(self.signed())
            elif self.take("/"):
                factors.append(("pow", self.signed(), Fraction(-1)))
                self.refuse_if(self.follows() or self.peek() == "/")  # 1/2x; 1/2/2020 is a date
            elif self.follows():
                digit = self.text[: self.at].rstrip()[-1:].isdigit()
                factors.append(self.power())
                if digit and isinstance(factors[-2], Fraction) and factors[-1][0] == "frac":  # a mixed number
                    _, over, under = factors[-1]
                    if isinstance(over, Fraction) and isinstance(under, Fraction):
                        self.refuse_if(over >= under)
                        factors[-2:] = [factors[-2] + over / under]
            else:
                return ("mul", *factors) if len(factors) > 1 else factors[0]

    def follows(self) -> bool:
        """Whether a factor begins here."""
        return self.sees(_FOLLOWS) is not None or (self.peek() == "|" and not self.bars)

    def signed(self) -> Any:
        signs = self.take("[+-][+ -]*")
        power = self.power()
        return ("mul", Fraction(-1), power) if signs and signs[0].count("-") % 2 else power

    def power(self) -> Any:
        base = self.atom()
        while mark := self.take("[!°]"):
            self.refuse_if(self.sees("!") or (mark[0] == "°" and not self.angle))  # 3!! is 3 or 720
            base = ("factorial", base) if mark[0] == "!" else ("mul", base, "°")
        return ("pow", base, self.exponent()) if self.take(r"\^") else base

    def exponent(self) -> Any:
        sign = self.take("[+-]")
        power = self.atom()
        if self.take(r"\^"):
            self.depth += 1  # for the rest of the text: no tower within a tower
            power = ("pow", power, self.exponent())
        return ("mul", Fraction(-1), power) if sign and sign[0] == "-" else power

    def atom(self) -> Any:
        self.depth += 1
        self.refuse_if(self.depth > DEEPEST)
        number = self.number()
        tree = self.inner() if number is None else number
        self.depth -= 1
        return tree

    def number(self) -> Fraction | None:
        if match := self.take(_REPEATING):
            whole, once, again = match.groups()
            over = int(whole + once + again) - int("0" + whole + once)
            return Fraction(over, (10 ** len(again) - 1) * 10 ** len(once))
        if match := self.take(_NUMBER):
            return Fraction(match[0])
        return None

    def inner(self) -> Any:
        if self.peek() in _BRACKETS:
            return self.group()
        if match := self.take(rf"\\?({FUNCTION})"):
            return self.function(match[1])
        if self.take("√"):
            root = ("root", self.atom(), Fraction(2))
            self.refuse_if(self.follows())  # √2x
            return root
        if self.take(r"\\sqrt|sqrt(?= ?[({])"):
            index = self.take(r"\[([0-9]+)\]")
            return ("root", self.argument(), Fraction(index[1] if index else 2))
        if match := self.take(r"\\(frac|binom)"):
            return (match[1], self.argument(), self.argument())
        match = self.take(_LETTER)
        if match is None:
            raise ValueError("no number, letter or bracket")
        name = "_".join(filter(None, match.groups()))
        self.symbols |= {name}.difference(CONSTANTS)
        return name

    def group(self) -> Any:
        opening = self.peek()
        self.at += 1
        bars, self.bars = self.bars, self.bars + 1 if opening == "|" else 0
        tree = self.sum()
        self.refuse_if(self.peek() != _BRACKETS[opening])
        self.at += 1
        self.bars = bars
        return (opening, tree) if opening in "|⌊⌈" else tree

    def argument(self) -> Any:
        """What TeX takes as an argument: a group, or one digit, letter or command."""
        digit = self.take("[0-9]")
        return Fraction(digit[0]) if digit else self.atom()

    def function(self, name: str) -> Any:
        base = self.argument() if name == "log" and self.take("_") else None
        power = self.exponent() if self.take(r"\^") else Fraction(1)
        outer, self.angle = self.angle, name in INVERSES
        operand = self.operand()
        self.angle = outer
        if power == ("mul", Fraction(-1), Fraction(1)) and name in INVERSES:
            return (INVERSES[name], operand)
        self.refuse_if(not isinstance(power, Fraction))
        value: Any = (name, operand)
        if name == "log":  # without a base it is anybody's, but a ratio of two logarithms has a value
            self.symbols |= {"log"} if base is None else set()
            value = ("frac", ("ln", operand), "log" if base is None else ("ln", base))
        return ("pow", value, power)

    def operand(self) -> Any:
        """What a function is taken of: a group, or a product without signs, such as `2x` or `\\frac{\\pi}{3}`."""
        if self.peek() in _BRACKETS:
            factors = [self.group()]
            self.refuse_if(self.sees("[!°^/]"))  # sin(x)^2
            return factors[0]
        factors = [self.power()]
        while self.sees(_LETTER) and not self.sees(FUNCTION):
            factors.append(self.power())
        self.refuse_if(self.sees("/") or (self.follows() and not self.sees(rf"\\?{FUNCTION}")))  # sin x/2, sin x(x+1)
        return ("mul", *factors)
