"""How the class of the embedded world writes: the corpus that the policy reads, with mistakes at known rates.

Two hands write. The *quick* hand keeps to the order of the story and falls for both misconceptions. The *careful* hand
restates a comparison before computing it and so nearly never inverts it, may write products first and take the events
in any order that stays in range; but it too takes a repeated amount only once, now and then. Where a comparison is
worded inconsistently, the single most likely text is therefore the quick wrong one, while the answer with the most mass
is right: greedy decoding is wrong and the vote is right, which is the argument of self-consistency (Wang et al. 2022).
Where an amount is given to each of several friends, most of the class is wrong, and so is its vote. The rates are made
(`Habits`); what models learn from them is found.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

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
    """One solution of `problem` in the class's hand, and for each step the mistake planted in it (None: none).

    A text that would leave the range of numbers is thrown away and written anew.
    """
    while True:
        quick = rng.random() < habits.quick
        written = _write(problem, rng, habits, quick)
        if written:
            steps, planted = written
            return join_steps(steps), planted


def write_direct(problem: Problem, rng: random.Random, habits: Habits = CLASS) -> str:
    """The answer alone, as somebody who worked it out in the head would give it: with the class's mistakes."""
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
    """Sums written as steps, and for each whether it is right (1 or 0). Half are wrong: by 1, 2 or 10, or by anything.

    The gross mistakes come first in learning: on near misses alone, a small model never finds out what is asked.
    """
    steps: list[str] = []
    labels: list[int] = []
    while len(steps) < lines:
        a, sign, b, c = _sum(rng)
        if not 0 <= c <= LIMIT:
            continue
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


def _write(
    problem: Problem, rng: random.Random, habits: Habits, quick: bool
) -> tuple[list[str], list[str | None]] | None:
    """One attempt; None if a number leaves the range. The moves are planned first, then written with their mistakes."""
    free = not quick and rng.random() < habits.shuffled
    events = _shuffled(rng, problem.events) if free else list(problem.events)
    compare = problem.wording != "plain"
    kept = [event for event in events if rng.random() >= habits.skip]
    if not kept:
        kept = events
    inversion = habits.inversion if quick else habits.careful_inversion
    falls = habits.once if quick else habits.careful_once
    once = {event for event in kept if event.kind == "gives" and rng.random() < falls}
    products = [event for event in kept if event.times > 1 and event not in once]
    ahead = products if free and rng.random() < 0.5 else []  # products first, or each when it is needed

    lost = len(kept) < len(events)  # an event is left out: skipped, or its amount wrongly read
    steps: list[str] = []
    planted: list[str | None] = []
    amounts: dict[Event, int] = {}

    def put(words: str, a: int, sign: str, b: int, mistake: str | None, avoid: tuple[int, ...] = ()) -> int:
        result = shown = calculate(a, sign, b)
        if not 0 <= result <= LIMIT:
            raise OverflowError
        if rng.random() < habits.slip:
            shown = _slipped(rng, result, avoid)
        steps.append(f"{words}{a} {sign} {b} = {shown}")
        planted.append(mistake or ("slip" if shown != result else None))
        return shown

    def multiply(event: Event) -> None:
        # a slip in a product must not look like another quantity, or the step that uses it could be read in two ways
        amounts[event] = put("", event.times, "*", event.amount, None, tuple(problem.quantities))

    try:
        for event in ahead:
            multiply(event)
        total = problem.base
        if compare:
            total = _compare(problem, rng, habits, quick, inversion, put)
        for event in kept:
            if event in products and event not in amounts:
                multiply(event)
            amount = event.amount if event in once else amounts.get(event, event.amount)
            if habits.misread and event not in once and rng.random() < habits.misread:
                known = (total, amount, *problem.quantities, *amounts.values())
                operands, told = _misread(rng, total, event.sign, amount, known)
                total = put("", *operands, "unfounded")
                lost = lost or not told
            else:
                total = put("", total, event.sign, amount, "once" if event in once else None)
    except OverflowError:
        return None
    if lost and planted[-1] is None:
        planted[-1] = "skip"
    steps[-1] += f"\n\n# Answer\n\n{total}"
    return steps, planted


def _misread(
    rng: random.Random, total: int, sign: str, amount: int, known: tuple[int, ...]
) -> tuple[tuple[int, str, int], bool]:
    """The step with its total, its amount or its sign wrongly read, and whether its event can still be told by it."""
    what = pick(rng, ("total", "amount", "sign"))
    copied = _slipped(rng, total if what == "total" else amount, known)
    if what == "sign" or copied in known:
        return (total, "-" if sign == "+" else "+", amount), True
    return ((copied, sign, amount), True) if what == "total" else ((total, sign, copied), False)


def _compare(problem: Problem, rng: random.Random, habits: Habits, quick: bool, fall: float, put) -> int:
    """Writes the step that resolves the comparison; returns its result."""
    sign = problem.start_sign
    inverted = problem.wording == "inconsistent" and rng.random() < fall
    if inverted:
        sign = "-" if sign == "+" else "+"
    if quick:
        return put("", problem.base, sign, problem.difference, "inversion" if inverted else None)
    opposite = not inverted and rng.random() < habits.contradiction
    word = "more" if (sign == "+") != opposite else "fewer"
    mistake = "inversion" if inverted else "contradiction" if opposite else None
    opening = pick(rng, ("", "So "))
    words = f"{opening}{problem.name} has {problem.difference} {word}: "
    return put(words, problem.base, sign, problem.difference, mistake)


def _shuffled(rng: random.Random, events: tuple[Event, ...]) -> list[Event]:
    left, order = list(events), []
    while left:
        order.append(left.pop(int(rng.random() * len(left))))
    return order
