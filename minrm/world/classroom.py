"""How the class of the embedded world writes: the corpus that the policy reads, with mistakes at known rates.

Two hands write. The *quick* hand keeps to the order of the story and falls for both misconceptions. The *careful* hand
restates a comparison and so nearly never inverts it, and may take products and events in any order; but it too takes a
repeated amount only once, now and then. Where a comparison is worded inconsistently, the single most likely text is
therefore the quick wrong one, while the answer with the most mass is right: the argument of self-consistency (Wang et
al. 2022). Where an amount is given to each of several friends, most of the class is wrong, and so is its vote.
"""

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from minrm.text import join_steps
from minrm.world.generator import between, pick
from minrm.world.problems import LIMIT, Event, Problem, calculate


@dataclass(frozen=True)
class Habits:
    """How often the class does what: probabilities of a hand, of each misconception where it is invited, of a slip in
    a step, of a skipped event, of a number or sign wrongly read, of a careful restatement that says the opposite of
    what follows, of another order."""

    quick: float = 0.5
    inversion: float = 0.6
    once: float = 0.9
    careful_inversion: float = 0.03  # in the careful hand
    careful_once: float = 0.35
    slip: float = 0.05
    skip: float = 0.015
    misread: float = 0.0  # the class reads well; a model does not always
    contradiction: float = 0.3
    shuffled: float = 0.5  # the careful hand leaves the order of the story


CLASS = Habits()
FLAWLESS = Habits(inversion=0, once=0, careful_inversion=0, careful_once=0, slip=0, skip=0, contradiction=0)
CORRUPTED = Habits(inversion=0.5, once=0.5, careful_inversion=0.5, careful_once=0.5, slip=0.2, skip=0.06, misread=0.12)


def write(problem: Problem, rng: random.Random, habits: Habits = CLASS) -> tuple[str, list[str | None]]:
    """One solution of `problem` in the class's hand, and for each step the mistake planted in it (None: none)."""
    while True:  # a text that would leave the range of numbers is written anew
        with suppress(OverflowError):
            return _write(problem, rng, habits, quick=rng.random() < habits.quick)


def write_direct(problem: Problem, rng: random.Random, habits: Habits = CLASS) -> str:
    """The answer alone, worked out in the head: with the class's mistakes."""
    solution, _ = write(problem, rng, habits)
    return "# Answer\n\n" + solution.rpartition("\n")[2]


def write_drill(rng: random.Random, lines: int = 7) -> str:
    """A page of true-or-false drills, half of them false by 1, 2 or 10."""
    page: list[str] = []
    while len(page) < lines:
        a, sign, b, c = _sum(rng)
        shown = c if rng.random() < 0.5 else _slipped(rng, c)
        if 0 <= c <= LIMIT:
            page.append(f"Is {a} {sign} {b} = {shown}? {'Yes' if shown == c else 'No'}")
    return "\n".join(page)


def write_sums(rng: random.Random, lines: int = 7) -> tuple[list[str], list[int]]:
    """Sums written as steps, and for each whether it is right (1 or 0). Half are wrong: by 1, 2 or 10, or by anything
    (on near misses alone, a small model never finds out what is asked)."""
    steps: list[str] = []
    labels: list[int] = []
    while len(steps) < lines:
        a, sign, b, c = _sum(rng)
        if 0 <= c <= LIMIT:
            shown = c
            if rng.random() < 0.5:
                shown = _slipped(rng, c) if rng.random() < 0.5 else between(rng, 0, LIMIT)
            steps.append(f"{a} {sign} {b} = {shown}")
            labels.append(int(shown == c))
    return steps, labels


def _sum(rng: random.Random) -> tuple[int, str, int, int]:
    """a, sign, b and their result, which may leave the range."""
    sign = pick(rng, ("+", "+", "-", "-", "*"))
    times = sign == "*"
    a, b = between(rng, 2 if times else 0, 9 if times else LIMIT), between(rng, 2, 9 if times else LIMIT)
    return a, sign, b, calculate(a, sign, b)


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

    def put(self, a: int, sign: str, b: int, mistake: str | None = None, words: str = "", avoid: Any = ()) -> int:
        """Write a step, perhaps with a slip (never to a number of `avoid`), and return the result that it shows."""
        result = shown = calculate(a, sign, b)
        if not 0 <= result <= LIMIT:
            raise OverflowError
        if self.rng.random() < self.habits.slip:
            shown = _slipped(self.rng, result, avoid)
        self.steps.append(f"{words}{a} {sign} {b} = {shown}")
        self.planted.append(mistake or ("slip" if shown != result else None))
        return shown

    def multiply(self, event: Event) -> None:
        # a slip in a product must not look like another quantity, or the step that uses it could be read in two ways
        self.amounts[event] = self.put(event.times, "*", event.amount, avoid=tuple(self.problem.quantities))

    def compare(self, quick: bool) -> int:
        """Write the step that resolves the comparison, and return its result."""
        problem, rng, sign = self.problem, self.rng, self.problem.start_sign
        falls = self.habits.inversion if quick else self.habits.careful_inversion
        inverted = problem.wording == "inconsistent" and rng.random() < falls
        if inverted:
            sign = "-" if sign == "+" else "+"
        if quick:
            return self.put(problem.base, sign, problem.difference, "inversion" if inverted else None)
        opposite = not inverted and rng.random() < self.habits.contradiction
        word = "more" if (sign == "+") != opposite else "fewer"
        mistake = "inversion" if inverted else "contradiction" if opposite else None
        words = f"{pick(rng, ('', 'So '))}{problem.name} has {problem.difference} {word}: "
        return self.put(problem.base, sign, problem.difference, mistake, words)


def _write(problem: Problem, rng: random.Random, habits: Habits, quick: bool) -> tuple[str, list[str | None]]:
    """One attempt: the moves are planned first, then written with their mistakes. OverflowError: out of range."""
    free, left = not quick and rng.random() < habits.shuffled, list(problem.events)
    every = [left.pop(int(rng.random() * len(left))) for _ in problem.events] if free else left
    events = [event for event in every if rng.random() >= habits.skip] or every
    falls = habits.once if quick else habits.careful_once
    once = {event for event in events if event.kind == "gives" and rng.random() < falls}
    products = [event for event in events if event.times > 1 and event not in once]
    ahead = products if free and rng.random() < 0.5 else []  # products first, or each when it is needed
    lost = len(events) < len(every)  # an event is left out: skipped, or its amount wrongly read
    page = _Page(problem, rng, habits)
    for event in ahead:
        page.multiply(event)
    total = problem.base if problem.wording == "plain" else page.compare(quick)
    for event in events:
        if event in products and event not in page.amounts:
            page.multiply(event)
        amount = event.amount if event in once else page.amounts.get(event, event.amount)
        if habits.misread and event not in once and rng.random() < habits.misread:
            known = (total, amount, *problem.quantities, *page.amounts.values())
            operands, visible = _misread(rng, total, event.sign, amount, known)
            total = page.put(*operands, "unfounded")
            lost = lost or not visible
        else:
            total = page.put(total, event.sign, amount, "once" if event in once else None)
    if lost and page.planted[-1] is None:
        page.planted[-1] = "skip"
    return join_steps(page.steps) + f"\n\n# Answer\n\n{total}", page.planted


def _misread(
    rng: random.Random, total: int, sign: str, amount: int, known: tuple[int, ...]
) -> tuple[tuple[int, str, int], bool]:
    """The step with its total, its amount or its sign wrongly read, and whether its event is still visible in it."""
    what = pick(rng, ("total", "amount", "sign"))
    copied = _slipped(rng, total if what == "total" else amount, known)
    if what == "sign" or copied in known:
        return (total, "-" if sign == "+" else "+", amount), True
    return ((copied, sign, amount), True) if what == "total" else ((total, sign, copied), False)
