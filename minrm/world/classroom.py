"""How the class of the embedded world writes: the corpus that the policy reads, with mistakes at known rates.

Two hands write, and neither saves a line or a word by a mistake. The *quick* hand keeps to the order of the story,
repeats the key words of a comparison and falls for both misconceptions. The *careful* hand turns a comparison round and
so nearly never inverts it, and may take products and events in any order; but it too takes a repeated amount only once,
now and then. Where a comparison is worded inconsistently, the single most likely text is therefore the quick wrong one,
while the answer with the most mass is right: the argument of self-consistency (Wang et al. 2022). Where an amount is
given to each of several friends, most of the class is wrong, and so is its vote. Everybody makes lesser mistakes, the
more the longer the story.
"""

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from minrm.text import final_answer, join_steps
from minrm.world.generator import VERBS, pick
from minrm.world.problems import LIMIT, OPENINGS, SIGNS, Event, Problem, calculate


@dataclass(frozen=True)
class Habits:
    """How often the class does what: probabilities of a hand, of each misconception where it is invited, and of each
    lesser mistake: a comparison wrongly read though it is worded consistently, boxes counted once, *sells* taken for
    *buys*, an event skipped, an event taken twice, a number or sign wrongly read, a slip; of a claim that says the
    opposite of what follows, says it of the wrong person, or calls an event by the opposite verb; of another order, and
    of an opening word."""

    quick: float = 0.5
    inversion: float = 0.7
    once: float = 0.85
    careful_inversion: float = 0.05  # in the careful hand
    careful_once: float = 0.45
    misread_comparison: float = 0.25
    boxes_once: float = 0.3
    turned: float = 0.2
    skip: float = 0.03
    twice: float = 0.04
    misread: float = 0.0  # the class reads and calculates well; a model does not always
    slip: float = 0.0
    contradiction: float = 0.25
    misnamed: float = 0.1
    misspoken: float = 0.03
    shuffled: float = 0.5  # the careful hand leaves the order of the story
    opening: float = 0.8


_NEVER = dict.fromkeys(
    ("inversion", "once", "careful_inversion", "careful_once", "misread_comparison", "boxes_once", "turned", "skip",
     "twice", "contradiction", "misnamed", "misspoken"), 0.0
)  # fmt: skip
CLASS = Habits()
FLAWLESS = Habits(**_NEVER)
CORRUPTED = Habits(
    inversion=0.4, once=0.4, careful_inversion=0.4, careful_once=0.4, misread_comparison=0.3, boxes_once=0.3,
    turned=0.3, skip=0.2, twice=0.25, misread=0.03, slip=0.01, misspoken=0.05,
)  # fmt: skip


def write(problem: Problem, rng: random.Random, habits: Habits = CLASS) -> tuple[str, list[str | None]]:
    """One solution of `problem` in the class's hand, and for each step the mistake planted in it (None: none)."""
    while True:  # a text that would leave the range of numbers is written anew
        with suppress(OverflowError):
            return _write(problem, rng, habits, quick=rng.random() < habits.quick)


def write_direct(problem: Problem, rng: random.Random, habits: Habits = CLASS) -> str:
    """The answer alone, worked out in the head: with the class's mistakes."""
    return final_answer(write(problem, rng, habits)[0]) or ""


def _slipped(rng: random.Random, value: int, avoid: tuple[int, ...] = ()) -> int:
    wrong = [value + off for off in (-10, -2, -1, 1, 2, 10) if 0 <= value + off <= LIMIT and value + off not in avoid]
    return pick(rng, wrong) if wrong else value


class _Page:
    """A solution while it is written: its steps, for each the mistake planted in it, and what the products gave."""

    def __init__(self, problem: Problem, rng: random.Random, habits: Habits):
        self.problem, self.rng, self.habits = problem, rng, habits
        self.steps: list[str] = []
        self.planted: list[str | None] = []
        self.amounts: dict[Event, int] = {}

    def put(self, a: int, sign: str, b: int, mistake: str | None = None, claim: str = "", avoid: Any = ()) -> int:
        """Write a step, perhaps with a slip (never to a number of `avoid`), and return the result that it shows."""
        result = shown = calculate(a, sign, b)
        if not 0 <= result <= LIMIT or result in avoid:
            raise OverflowError
        if self.rng.random() < self.habits.slip:
            shown = _slipped(self.rng, result, avoid)
        opening = pick(self.rng, OPENINGS) + " " if self.rng.random() < self.habits.opening else ""
        self.steps.append(f"{opening}{claim}{a} {sign} {b} = {shown}")
        self.planted.append(mistake or ("slip" if shown != result else None))
        return shown

    def multiply(self, event: Event, once: bool) -> None:
        """Write the product of an event; it must not look like another quantity, or its use could be read two ways."""
        avoid = tuple(set(self.problem.quantities) - {event.total, *([event.amount] if once else [])})
        if once:
            self.amounts[event] = self.put(1, "*", event.amount, "once", avoid=avoid)
        elif self.rng.random() < self.habits.misread:
            factors = [event.times, event.amount]
            place = pick(self.rng, (0, 1))
            factors[place] = _slipped(self.rng, factors[place], (*self.problem.quantities, 0, 1))
            mistake = None if factors == [event.times, event.amount] else "unfounded"
            self.amounts[event] = self.put(factors[0], "*", factors[1], mistake, avoid=avoid)
        else:
            self.amounts[event] = self.put(event.times, "*", event.amount, avoid=avoid)

    def compare(self, quick: bool) -> int:
        """Write the step that resolves the comparison, and return its result."""
        problem, rng, habits = self.problem, self.rng, self.habits
        falls = habits.inversion if quick else habits.careful_inversion
        falls = falls if problem.wording == "inconsistent" else habits.misread_comparison
        sign, inverted = problem.start_sign, rng.random() < falls
        if inverted:
            sign = "-" if sign == "+" else "+"
        opposite = not inverted and not quick and rng.random() < habits.contradiction
        misnamed = not inverted and not quick and not opposite and rng.random() < habits.misnamed
        mistake = next((name for name, here in (("inversion", inverted), ("contradiction", opposite),
                                                ("misnamed", misnamed)) if here), None)  # fmt: skip
        if quick:
            than = problem.other if problem.wording == "consistent" else problem.name
            claim = f"{problem.difference} {'more' if problem.more else 'fewer'} than {than}: "
        else:
            who = problem.other if misnamed else problem.name
            claim = f"{who} has {problem.difference} {'more' if (sign == '+') != opposite else 'fewer'}: "
        numbers, known = [problem.base, problem.difference], tuple(problem.quantities)
        if mistake is None and rng.random() < habits.misread:
            place = pick(rng, (0, 1))
            copied = _slipped(rng, numbers[place], known)
            if copied not in known:
                numbers[place], mistake = copied, "unfounded"
        return self.put(numbers[0], sign, numbers[1], mistake, claim)

    def apply(self, event: Event, total: int, twice: bool = False) -> tuple[int, bool]:
        """Write the step that applies an event, said in its words; its result, and whether the event is visible."""
        rng, habits, amount = self.rng, self.habits, self.amounts.get(event, event.amount)
        verb, sign, mistake, visible = event.verb, event.sign, "twice" if twice else None, True
        if twice and rng.random() < habits.misread:
            sign, mistake = "-" if sign == "+" else "+", "unfounded"
        elif twice:
            pass
        elif event.kind == "sells" and rng.random() < habits.turned:
            verb, sign, mistake = "buys", "+", "turned"
        elif rng.random() < habits.misread:
            known = (total, amount, *self.problem.quantities, *self.amounts.values())
            others = [n for n in (self.problem.base, self.problem.difference) if n not in (0, total)]
            (total, sign, amount), mistake, visible = _misread(rng, total, sign, amount, known, others)
        elif rng.random() < habits.misspoken:
            verb, mistake = pick(rng, [other for other in VERBS if SIGNS[other] != sign]), "contradiction"
        return self.put(total, sign, amount, mistake, f"{verb} {amount}: "), visible


def _write(problem: Problem, rng: random.Random, habits: Habits, quick: bool) -> tuple[str, list[str | None]]:
    """One attempt: the moves are planned first, then written with their mistakes. OverflowError: out of range."""
    free, left = not quick and rng.random() < habits.shuffled, list(problem.events)
    every = [left.pop(int(rng.random() * len(left))) for _ in problem.events] if free else left
    events = [event for event in every if rng.random() >= habits.skip] or every
    falls = {"gives": habits.once if quick else habits.careful_once, "boxes": habits.boxes_once}
    products = [event for event in events if event.times > 1]
    once = {event for event in products if rng.random() < falls[event.kind]}
    page = _Page(problem, rng, habits)
    if free and rng.random() < 0.5:  # products first, or each when it is needed
        for event in products:
            page.multiply(event, event in once)
    total = problem.base if problem.wording == "plain" else page.compare(quick)
    lost = len(events) < len(every)  # an event is left out: skipped, or its amount wrongly read
    for event in events:
        if event in products and event not in page.amounts:
            page.multiply(event, event in once)
        total, visible = page.apply(event, total)
        lost = lost or not visible
        if visible and rng.random() < habits.twice:
            total, _ = page.apply(event, total, twice=True)
    if lost and page.planted[-1] is None:
        page.planted[-1] = "skip"
    return join_steps(page.steps) + f"\n\n# Answer\n\n{total}", page.planted


def _misread(
    rng: random.Random, total: int, sign: str, amount: int, known: tuple[int, ...], others: list[int]
) -> tuple[tuple[int, str, int], str, bool]:
    """The step with its total, its amount or its sign wrongly read, the mistake, and whether its event is visible.

    A number is wrongly read by little; or an amount is taken for one of `others`, the numbers of no event.
    """
    what = pick(rng, ("total", "amount", "sign", "other"))
    if what == "other" and others:
        return (total, sign, pick(rng, others)), "unfounded", False
    copied = _slipped(rng, total if what == "total" else amount, known)
    if what == "sign" or copied in known:
        return (total, "-" if sign == "+" else "+", amount), "turned", True
    if what == "total":
        return (copied, sign, amount), "unfounded", True
    return (total, sign, copied), "unfounded", False
