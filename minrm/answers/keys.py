"""Whether two final answers are the same: each gets one canonical key, and the keys are compared.

Self-consistency (Wang et al. 2022) counts votes by these keys, and outcome labels come from them. Plain numbers are
exact and fast. Mathematical answers (fractions, roots, symbols) are parsed by `math-verify` and evaluated to 50 digits;
each symbol stands for one fixed number, so two expressions share a key if and only if they agree there, up to a chance
of about 1e-12 (Schwartz 1980). Sets, points and intervals compare by their parts.
"""

import logging
import re
import warnings
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

LONGEST = 200  # characters; a longer answer is compared as text, since parsing takes more than linear time

_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<whole>[0-9]+) +)?"  # a mixed number: "1 1/2"
    r"(?:(?P<over>[0-9]+) ?/ ?(?P<under>[0-9]+)|(?P<decimal>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?))"
    r"(?P<unit>(?: +[A-Za-z]|[a-z]{2}).*)?"
)
_UNIT = re.compile(r"([A-Za-z]+)[A-Za-z .'/-]*(?:\^?[23²³])?[A-Za-z .'/-]*")
_NO_UNIT = {"or", "and", "to", "pi", "sqrt", "sin", "cos", "tan", "log", "ln", "exp", "mod", "base", "times", "plus"}
_ONE_LETTER_UNITS = {"m", "g", "s", "h", "l", "L", "A", "V", "W", "J", "N"}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_REWRITES: list[tuple[re.Pattern[str], str]] = [(re.compile(pattern), new) for pattern, new in [
    (r"\\(?:text|mathrm|mbox|textbf|mathbf|operatorname)\s*\{([^{}]*)\}", r" \1 "),
    (r"\\(?:left|right|displaystyle)(?![a-z])|\\! ?|\{\}|\*\*", ""),
    (r"(?<!\\)\\[,;: ]|~|[\u00a0\u2009\u202f]", " "),
    (r"\{,\}", ","),
    (r"\\?[$£€%]|(?<!\\)\\[()\[\]]|\^ ?\{? ?\\circ ?\}?|°", ""),  # math delimiters; units that are signs
    (r"[−–]", "-"), (r"π|\bpi\b", r"\\pi "), (r"√ ?(\w+)", r"\\sqrt{\1}"), (r"\bsqrt\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"∞|\binfinity\b", r"\\infty "), (r"∪", r"\\cup "), (r"[×·]", r"\\cdot "),
    (r"≤|\\leq?(?![a-z])|<=", "≤"), (r"≥|\\geq?(?![a-z])|>=", "≥"), (r"\\lt(?![a-z])", "<"), (r"\\gt(?![a-z])", ">"),
    (r"\\[dtc]frac", r"\\frac"), (
        r"^ *(-?) ?([0-9]*) ?\\frac ?(?:\{([0-9]+)\}|([0-9])) ?(?:\{([0-9]+)\}|([0-9]))(?= *$| +[A-Za-z]{2})",
        r"\1\2 \3\4/\5\6",
    ),
]]  # fmt: skip
_THOUSANDS = re.compile(
    r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])|(?<![0-9., ])[0-9]{1,3}(?: [0-9]{3})+(?![0-9/])"
)
_DEFINITION = re.compile(r"(?:[A-Za-z]|[A-Za-z]_\{?\w+\}?|[A-Za-z] ?\([a-z]\))\s*(?:=|\\in(?![a-z]))(?!.*=)\s*(?=\S)")
_MATRIX = re.compile(r"\\begin\{[pbv]?matrix\}(.*)\\end\{[pbv]?matrix\}")
_FORMULA = re.compile(r"[0-9\\+*/^-]")
# bases, numbers side by side; what the parser would expand; deep brackets take it seconds
_NO_FORMULA = re.compile(r"[0-9]_|(?<!_)[0-9] [0-9]|\.[0-9]+\.|binom.*[0-9]{5}|(?:[({].*){13}")
_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|log|exp|sqrt|frac|[pbv]matrix)\b)[A-Za-z]{3,}")


def same_answer(a: str | None, b: str | None) -> bool:
    """Whether two final answers say the same: `18`, `18.0`, `$18`, `18 eggs`; `1/2`, `0.5`, `\\frac12`; `x=5`, `5`.

    Compares keys, so it groups answers without contradiction. No answer (None, "") equals nothing, not even itself.
    Units are not compared, and `20%` is 20. Decimals count to 12 digits: `0.333` is not `1/3`. Never raises.
    """
    key = answer_key(a)
    return key is not None and key == answer_key(b)


@lru_cache(maxsize=1 << 16)
def answer_key(answer: str | None) -> str | None:
    """The canonical form by which answers are grouped, None for no answer: `answer_key("$1,200.00")` is `"1200"`.

    Numbers become decimals (integers exact, others of 12 digits), a set `{1, 2}`, a point or open interval `(1, 2)`,
    a formula its value at fixed places, and all else its words in small letters.
    """
    text = (answer or "").strip()
    if re.fullmatch(r"-?[1-9][0-9]{0,8}|0", text):  # the common case needs none of the below
        return text
    if len(text) > LONGEST:
        return " ".join(text.lower().split())
    text = _tidy(text)
    return _key(text).strip() or None if text else None


def _tidy(text: str) -> str:
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    text = _THOUSANDS.sub(lambda match: re.sub("[, ]", "", match[0]), text)
    return " ".join(text.split()).removesuffix(".").strip()


def _key(text: str) -> str:
    """The key of tidy text: a number, else its parts, else a formula, else its words."""
    text = _DEFINITION.sub("", text.strip(), count=1) if _DEFINITION.match(text.strip()) else text.strip()
    number = _number(text)
    if number is not None:
        return _number_key(number)
    return _parts_key(text) or _formula_key(text) or " ".join(text.lower().split())


def _number(text: str) -> Fraction | None:
    """The exact value of a plain number with or without a unit, of a fraction or a mixed number; else None."""
    match = _NUMBER.fullmatch(text.replace("- ", "-", 1) if text.startswith("- ") else text)
    if match is None or (match["under"] and int(match["under"]) == 0) or (match["whole"] and not match["over"]):
        return None
    value = Fraction(int(match["over"]), int(match["under"])) if match["over"] else Fraction(match["decimal"])
    value += int(match["whole"] or 0)
    if match["unit"]:
        unit = _UNIT.fullmatch(match["unit"].strip())
        if unit is None or unit[1] in _NO_UNIT or (len(unit[1]) == 1 and unit[1] not in _ONE_LETTER_UNITS):
            return None
        value *= _SCALES.get(unit[1].lower(), 1)
    return -value if match["sign"] == "-" else value


def _number_key(value: Fraction) -> str:
    """Integers as they are, other numbers as decimals of 12 digits; where these end in zeros only, the integer."""
    if value.denominator == 1:
        return str(value.numerator)
    decimal = Context(prec=12).divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(decimal.normalize()) if decimal != decimal.to_integral_value() else str(int(decimal))


def _parts_key(text: str) -> str | None:
    """The key of a matrix, union, point, interval, chain of inequalities or list, from the keys of its parts."""
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        rows = [[_key(cell) for cell in row.split("&")] for row in matrix[1].strip().removesuffix("\\\\").split("\\\\")]
        return _matrix_key(rows)
    if "\\cup" in text:
        return " ∪ ".join(sorted(_key(part) for part in text.split("\\cup")))
    if re.fullmatch(r"\\\{.*\\\}", text):
        return _set_key(_split(text[2:-2]))
    inside = _split(text[1:-1]) if re.fullmatch(r"[(\[].*[)\]]", text) else []
    if len(inside) == 1 and text[0] + text[-1] == "()":
        return _key(inside[0])
    if len(inside) > 1:
        return text[0] + ", ".join(map(_key, inside)) + text[-1]
    sides = re.split("([<>≤≥])", text)
    if len(sides) > 1:
        if not {"<", "≤"} & set(sides):  # read from the small side to the large one
            sides = [{">": "<", "≥": "≤"}.get(side, side) for side in reversed(sides)]
        return " ".join(side if side in ("<", "≤", ">", "≥") else _key(side) for side in sides)
    items = _split(re.sub(r",? (?:and|or) ", ",", text))
    return _set_key(items) if len(items) > 1 and not _WORD.search(", ".join(items)) else None


def _matrix_key(rows: list[list[str]]) -> str:
    """The key of a matrix from those of its cells; one row or one column is the point with these coordinates."""
    if min(len(rows), max(map(len, rows))) == 1:
        return "(" + ", ".join(cell for row in rows for cell in row) + ")"
    return "[" + "; ".join(", ".join(row) for row in rows) + "]"


def _set_key(items: list[str]) -> str:
    return "{" + ", ".join(sorted({_key(item) for item in items if item.strip()})) + "}"


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside all brackets; no parts if a bracket closes too early or never."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return []
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts if depth == 0 else []


def _formula_key(text: str) -> str | None:
    """The key of a formula's value, or None for what is no formula or too large to evaluate."""
    if not _FORMULA.search(text) or _WORD.search(text) or _NO_FORMULA.search(text) or not (evaluate := _evaluator()):
        return None
    try:
        return _value_key(evaluate(text))
    except Exception:  # whatever a model wrote that is no mathematics: it is compared as text
        return None


def _value_key(value: Any) -> str:
    """The key of what `minrm.answers.formulas.formula_value` returns."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_value_key, value))) + "}"
    if isinstance(value, list):
        return _matrix_key([[_value_key(cell) for cell in row] for row in value])
    if isinstance(value, tuple):
        return f"{_value_key(value[0])} + {_value_key(value[1])}i"
    return value if isinstance(value, str) else _number_key(value)


@cache
def _evaluator() -> Callable[[str], Any] | None:
    """`minrm.answers.formulas.formula_value`, or None where math-verify is not installed; a warning says so once."""
    try:
        logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that timeouts are off; the guards are ours
        from minrm.answers.formulas import formula_value
    except ImportError:
        what = "formulas are compared as text (numbers, fractions, sets and intervals are not affected)"
        warnings.warn(f"math-verify is not installed: {what}; pip install 'minrm[math]' brings it", stacklevel=2)
        return None
    return formula_value
