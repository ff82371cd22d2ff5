"""The checks of chapter 1: the last number of a text, Wilson's interval, and the calculations of a problem."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, close, compare, exercise
from minrm.world.generator import generate, read_problem

TEXTS = (
    "Step: 1: 9 * 2 = 18", "She has 9 pens and 14 books left", "It was 7, and then it was 12, I think.",
    "Now she has 25.", "5 - 8 = -3", "half of 7 is 3.5", "2 * 600 = 1,200", "I do not know.",
)  # fmt: skip
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
Z = 1.96


@exercise
def check_last_number(last_number: Callable[[str], str | None]) -> None:
    """Try `last_number(solution)`: the last number of a text as text, without commas, or None where there is none."""
    otherwise = "which number does the text end with, read from its end by eye?"
    compare("last_number", last_number, [(text,) for text in TEXTS], _last, _LAST_NUMBER, otherwise)
    print("✓ last_number finds the last number of every text, and None where there is none.")


@exercise
def check_wilson(wilson: Callable[[int, int], Any]) -> None:
    """Try `wilson(k, n)`: the two ends, low and high, of Wilson's 95 % interval for k right answers among n."""
    cases = [(6, 10), (10, 10), (0, 4), (1, 8), (171, 300)]
    otherwise = "set k and n into the equation piece by piece: the terms before ±, the root, the factor in front"
    same = partial(close, atol=3e-4)  # z may be 1.96 or have more digits
    compare("wilson", wilson, cases, lambda k, n: tuple(np.round(_wilson(k, n), 4)), _WILSON, otherwise, same)
    print("✓ wilson gives both ends of the interval, also where all or none are right.")


@exercise
def check_calculations(calculations: Callable[[str], int]) -> None:
    """Try `calculations(question)`: how many calculations a question of the embedded world takes.

    A comparison takes one, boxes and gifts to friends two (first a product), every other event one.
    """
    cases = [(problem.question,) for problem in generate(40, seed=1)]
    otherwise = "solve this question by hand and count the lines in which you calculate"
    compare("calculations", calculations, cases, _less(), _CALCULATIONS, otherwise)
    print("✓ calculations counts as the class does, on forty questions.")


def _last(text: str) -> str | None:
    numbers = NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else None


def _numbers(pattern: str) -> Callable[[str], str | None]:
    """The last match of another pattern, commas taken out."""
    return lambda text: (re.findall(pattern, text) or [None])[-1]


_PARTS = "the pattern takes a comma or full stop that no digit follows: let it begin and end with a digit"
_MINUS = "the minus sign is part of the number: begin the pattern with `-?`"
_GROUP = "a pair of brackets in the pattern makes `re.findall` return only what stands in them; write `(?:…)` instead"
_NEVER = (
    "None came back, here and for every other text. Does the pattern find this number? Try `re.findall(pattern, text)` "
    "alone. And does the function end in `return`?"
)
_LAST_NUMBER: list[Mistake] = [
    (lambda text: None, _NEVER),
    (lambda text: (NUMBER.findall(text) or [None])[0], "that is the first number; return the last one"),
    (_numbers(r"\d"), r"that is one digit of it; `\d+` takes all digits that stand together"),
    (lambda text: "".join(re.findall(r"\d", text)), "these are all digits of the text in one: find number by number"),
    (lambda text: NUMBER.findall(text), "that is the list of all numbers; return its last, None where it is empty"),
    (lambda text: float(_last(text) or ""), "`final_answer` gives text, so let this be text too, without int or float"),
    (lambda text: (text.split() or [""])[-1], "that is the last word; the last number may stand before it"),
    (lambda text: _last(text) or "", "where no number stands, return None, not an empty text"),
    (lambda text: _last(text) or "0", "where no number stands, return None; 0 would be an answer"),
    (_numbers(r"-?[\d,.]+"), _PARTS),
    (lambda text: str(_numbers(r"-?[\d,.]+")(text)).replace(",", ""), _PARTS),
    (_numbers(r"-?\d[\d,]*(?:\.\d+)?"), "the comma groups the thousands; take it out of the number"),
    (_numbers(r"-?\d+(?:\.\d+)?"), "a number may hold commas between its thousands: let the pattern pass them"),
    (_numbers(r"-?\d+"), "the digits after a decimal point belong to the number"),
    (lambda text: (_last(text) or "").lstrip("-") or None, _MINUS),
    (_numbers(r"\d+"), _MINUS),
    *(
        (_numbers(pattern), _GROUP)
        for pattern in (r"-?\d+(\.\d+)?", r"-?\d[\d,]*(\.\d+)?", r"-?\d+(,\d{3})*", r"(-)?\d+")
    ),
    *((_numbers(pattern), _GROUP) for pattern in (r"(-?\d+(\.\d+)?)", r"-?\d+(,\d{3})*(\.\d+)?", r"(-)?(\d+)")),
    (lambda text: "", _GROUP),  # whatever else the pattern is: what stands in its brackets is not in this text
]


def _interval(p: float, n: int, z: float = Z) -> Any:
    """Centre and half-width of Wilson's interval."""
    return np.array([p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5]) / (1 + z**2 / n)


def _wilson(k: int, n: int, z: float = Z) -> Any:
    return _interval(k / n, n, z) @ [[1, 1], [-1, 1]]


def _wald(k: int, n: int) -> Any:
    return k / n + np.array([-1, 1]) * Z * np.sqrt(k / n * (1 - k / n) / n)


_WILSON: list[Mistake] = [
    (_wald, "this is the familiar p ± z·sqrt(p(1 - p)/n); Wilson's has z²/(4n²) under the root, and more"),
    (lambda k, n: np.clip(_wald(k, n), 0, 1), "cutting the familiar interval at 0 and 1 does not make it Wilson's"),
    (lambda k, n: _interval(k / n, n), "these are centre and half-width; return centre - half, centre + half"),
    (lambda k, n: _wilson(k, n)[::-1], "the lower end comes first"),
    (lambda k, n: 100 * np.array(_wilson(k, n)), "these are per cent; return shares between 0 and 1"),
    (lambda k, n: _wilson(k * n, n), "k is a count of right answers; their share is k/n"),
    (lambda k, n: np.array(_wilson(k, n)) * (1 + Z**2 / n),
        "the factor 1 / (1 + z²/n) is missing; it stands before the whole bracket"),
    (lambda k, n: k / n + np.array([-1, 1]) * _interval(k / n, n)[1],
        "the centre is not k/n: z²/(2n) is added to it before the division"),
    (lambda k, n: _wilson(k, n, 1.645), "z = 1.645 is for 90 %; for 95 % take z = 1.96"),
    (lambda k, n: _wilson(k, n, 1.0), "z = 1 is one standard error; for 95 % take z = 1.96"),
    (lambda k, n: np.round(_wilson(k, n), 2), "rounded too early; round where you print"),
    (lambda k, n: _wilson(k, n)[0], "that is one number; return two, low and high"),
    (lambda k, n: k / n, "this is the share; return the interval around it, low and high"),
]  # fmt: skip


def _less(*parts: str) -> Callable[[str], int]:
    """The count of calculations, with some of its parts forgotten."""

    def count(question: str) -> int:
        problem = read_problem(question)
        taken = [problem.wording, *(event.kind for event in problem.events)]
        more = {"consistent", "inconsistent", "boxes", "gives"} - set(parts)  # what takes one beside the events
        return len(problem.events) + sum(part in more for part in taken)

    return count


_BOTH = "a comparison takes a calculation in both wordings, with `That is` and without"
_CALCULATIONS: list[Mistake] = [
    (_less("consistent", "inconsistent", "boxes", "gives"),
        "these are the events alone; a comparison takes a calculation too, and boxes and friends take two"),
    (_less("consistent", "inconsistent"), "a comparison, `more than` or `fewer than`, takes a calculation of its own"),
    (_less("consistent"), _BOTH),
    (_less("inconsistent"), _BOTH),
    (_less("boxes", "gives"), "boxes, or gifts to each of some friends, take two: first the product"),
    (_less("boxes"), "boxes of something take two, as gifts to friends do: first the product"),
    (_less("gives"), "gifts to each of some friends take two, as boxes do: first the product"),
    (lambda question: _less()(question) + (read_problem(question).wording == "plain"),
        "this question has no comparison to calculate"),
    (lambda question: len(re.findall(r"\d+", question)),
        "that counts the numbers; each calculation makes one of two: how many calculations until one number is left?"),
    (lambda question: question.count("."), "that counts the sentences; some need no calculation, some need two"),
    (lambda question: str(_less()(question)), "return the count as a number, not as text"),
]  # fmt: skip
