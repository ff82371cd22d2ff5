"""The embedded world: word problems with a known truth, and an exact checker of every written step.

A problem starts from a number or from a comparison of two people and goes through one to three events. It is small
(whole numbers from 0 to 30) so that a language model of a million parameters can learn it, and it is exact, so that
every claim the course makes about a verifier can be tested against the truth.

**What a good step is.** A step is good if it follows from the question *and from what is written before it*, true or
not: after "9 + 3 = 12" (wrong: it should have been 9 - 3) the step "12 + 5 = 17" is good again. An event that never
appears, and an answer that does not follow from the last step, are errors of the last step.

The inconsistent wording ("Tom has 9 pens. That is 3 more than Mia has.") is known to mislead readers: Lewis & Mayer
1987, *Students' miscomprehension of relational statements in arithmetic word problems*.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from minrm.checker import ERRORS as ERRORS  # part of the world, so found here as well
from minrm.checker import Reading, calculate
from minrm.errors import InputError

LIMIT = 30  # every number of the world lies in 0…LIMIT and is a single token of the policy
NAMES = ("Mia", "Tom", "Ana", "Ben", "Eva", "Leo", "Zoe", "Max")
ITEMS = ("pens", "books", "apples", "coins", "cards", "shells", "stamps", "marbles")
SPLITS = {"policy": range(0, 60), "train": range(60, 80), "evaluation": range(80, 100)}


@dataclass(frozen=True)
class Event:
    """Something that happens to the amount: `kind` is buys, loses, boxes or gives; `times` is 1 for the first two."""

    kind: str
    amount: int
    times: int = 1

    @property
    def sign(self) -> str:
        """`+` or `-`: what the event does to the amount."""
        return "+" if self.kind in ("buys", "boxes") else "-"

    @property
    def total(self) -> int:
        """By how much the amount changes, without the sign."""
        return self.amount * self.times

    def sentence(self, name: str, item: str) -> str:
        """The event as a sentence of the question."""
        return {
            "buys": f"{name} buys {self.amount} {item}.",
            "loses": f"{name} loses {self.amount} {item}.",
            "boxes": f"{name} buys {self.times} boxes of {self.amount} {item}.",
            "gives": f"{name} gives {self.amount} {item} to each of {self.times} friends.",
        }[self.kind]


@dataclass(frozen=True)
class Problem:
    """One word problem. `wording` is plain (`base` is the start), consistent or inconsistent (a comparison by
    `difference`, in the direction that `more` says of the sentence as written)."""

    name: str
    other: str
    item: str
    base: int
    events: tuple[Event, ...]
    wording: str = "plain"
    difference: int = 0
    more: bool = False

    @property
    def question(self) -> str:
        """The problem in words."""
        word = "more" if self.more else "fewer"
        asked = f"{self.difference} {word} than"
        start = {
            "plain": f"{self.name} has {self.base} {self.item}.",
            "consistent": f"{self.other} has {self.base} {self.item}. {self.name} has {asked} {self.other}.",
            "inconsistent": f"{self.other} has {self.base} {self.item}. That is {asked} {self.name} has.",
        }[self.wording]
        told = " ".join(event.sentence(self.name, self.item) for event in self.events)
        return f"{start} {told} How many {self.item} does {self.name} have now?"

    @property
    def start_sign(self) -> str:
        """What the comparison asks for: `+` if `name` has more than `other`, else `-`."""
        return "+" if self.more == (self.wording == "consistent") else "-"

    @property
    def start(self) -> int:
        """How many `name` has before the first event."""
        return self.base if self.wording == "plain" else calculate(self.base, self.start_sign, self.difference)

    @property
    def answer(self) -> str:
        """The right final answer, as text."""
        value = self.start
        for event in self.events:
            value = calculate(value, event.sign, event.total)
        return str(value)

    @property
    def traps(self) -> tuple[str, ...]:
        """The misconceptions that the wording invites: `inversion`, `once`, both, or none."""
        inversion = ("inversion",) if self.wording == "inconsistent" else ()
        return inversion + (("once",) if any(event.kind == "gives" for event in self.events) else ())

    @property
    def quantities(self) -> list[int]:
        """Every number that a step may call upon. No two are equal, so that a step can be read in one way only."""
        values = [self.base] + ([self.difference] if self.wording != "plain" else [])
        for event in self.events:
            values += [event.amount] if event.times == 1 else [event.amount, event.times, event.total]
        return values

    @property
    def split(self) -> str:
        """The part of the world it belongs to, decided by its numbers and wording alone: renaming does not move it."""
        key = (self.base, self.wording, self.difference, self.more, [(e.kind, e.amount, e.times) for e in self.events])
        bucket = zlib.crc32(repr(key).encode()) % 100
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)

    def check_steps(self, solution: str) -> list[bool]:
        """For each step of `solution`, whether it is good. Never raises, whatever the text."""
        return [error is None for error in self.errors(solution)]

    def errors(self, solution: str) -> list[str | None]:
        """For each step of `solution`, None if it is good, else which of `ERRORS` it makes."""
        return Reading(self).check(solution)


def generate(n: int, seed: int, split: str | None = None, longer: bool = False) -> list[Problem]:
    """`n` problems, the same on every machine and Python; with `split`, only of that part of the world.

    The splits ("policy", "train", "evaluation") share no problem, not even up to the names: `Problem.split`. With
    `longer`, every problem has one event more than the longest of its wording otherwise has (of two more, hardly any
    would stay in range): nothing is trained on such problems, whatever their split.
    """
    if split is not None and split not in SPLITS:
        raise InputError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    rng = random.Random(seed)
    problems: list[Problem] = []
    while len(problems) < n:
        problem = _draw(rng, longer)
        if split is None or problem.split == split:
            problems.append(problem)
    return problems


def pick(rng: random.Random, values: Sequence):
    """One of `values`. Only `rng.random()` is promised to be the same in every Python, so all draws go through it."""
    return values[int(rng.random() * len(values))]


def between(rng: random.Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def _draw(rng: random.Random, longer: bool = False) -> Problem:
    """A random problem. The story is drawn first and then numbers until they fit, so that no kind of story is rarer
    because its numbers seldom fit."""
    name = pick(rng, NAMES)
    other, item = pick(rng, [other for other in NAMES if other != name]), pick(rng, ITEMS)
    wording = pick(rng, ("plain", "plain", "consistent", "inconsistent"))
    kinds: list[str] = []
    lengths = (1, 2, 2, 3) if wording == "plain" else (1, 2)
    for _ in range(max(lengths) + 1 if longer else pick(rng, lengths)):
        kinds.append(pick(rng, ("buys", "loses") if "boxes" in kinds else ("buys", "loses", "boxes")))
    if rng.random() < 0.3:
        kinds[int(rng.random() * len(kinds))] = "gives"
    tries = 0
    while tries < 500 or not longer:  # a longer story may never fit: then another one is drawn
        tries += 1
        events = tuple(
            Event(kind, between(rng, 2, 9), between(rng, 2, 5))
            if kind in ("boxes", "gives")
            else Event(kind, between(rng, 2, 12))
            for kind in kinds
        )
        difference, more = (0, False) if wording == "plain" else (between(rng, 2, 9), rng.random() < 0.5)
        problem = Problem(name, other, item, between(rng, 2, 28), events, wording, difference, more)
        if _fits(problem):
            return problem
    return _draw(rng, longer)


def _fits(problem: Problem) -> bool:
    """Whether no two quantities coincide, and the true way and those of the misconceptions stay in range."""
    if len(set(problem.quantities)) < len(problem.quantities):
        return False
    starts = {problem.start} | ({2 * problem.base - problem.start} if problem.wording == "inconsistent" else set())
    for value in starts:
        for once in (False, True):
            path = [value]
            for event in problem.events:
                path.append(
                    calculate(path[-1], event.sign, event.amount if once and event.kind == "gives" else event.total)
                )
            if min(path) < 0 or max(path) > LIMIT:
                return False
    return True


_QUESTION = re.compile(
    r"(?P<first>\w+) has (?P<base>\d+) (?P<item>\w+)\. (?:(?:(?P<name1>\w+) has (?P<d1>\d+) (?P<w1>more|fewer) than \w+"
    r"|That is (?P<d2>\d+) (?P<w2>more|fewer) than (?P<name2>\w+) has)\. )?(?P<events>.*) "
    r"How many \w+ does \w+ have now\?"
)
_EVENT = re.compile(r"\w+ (buys|loses|gives) (?:(\d+) boxes of )?(\d+) \w+(?: to each of (\d+) friends)?\.")


def read_problem(question: str) -> Problem:
    """The problem that a question of this world states: `read_problem(p.question) == p` but for an unnamed `other`.

    Raises InputError for any other text.
    """
    match = _QUESTION.fullmatch(question)
    if match is None:
        raise InputError(
            f"not a question of the embedded world: {question[:80]!r}; only its own problems can be checked"
        )
    first, item, base = match["first"], match["item"], int(match["base"])
    events = tuple(
        Event("boxes", int(k), int(boxes)) if boxes else Event(kind, int(k), int(friends or 1))
        for kind, boxes, k, friends in _EVENT.findall(match["events"])
    )
    if match["name1"]:
        return Problem(match["name1"], first, item, base, events, "consistent", int(match["d1"]), match["w1"] == "more")
    if match["name2"]:
        return Problem(
            match["name2"], first, item, base, events, "inconsistent", int(match["d2"]), match["w2"] == "more"
        )
    return Problem(first, "", item, base, events)
