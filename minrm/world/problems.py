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

import re
import zlib
from dataclasses import dataclass
from itertools import product
from typing import Any

from minrm.text import final_answer, split_steps

LIMIT = 30  # every number of the world lies in 0…LIMIT and is a single token of the policy
NAMES = ("Mia", "Tom", "Ana", "Ben", "Eva", "Leo", "Zoe", "Max")
ITEMS = ("pens", "books", "apples", "coins", "cards", "shells", "stamps", "marbles")
FAR_NAMES, FAR_ITEMS = ("Ida", "Kai", "Noa", "Udo"), ("nuts", "keys", "bells", "seeds")  # rare: `generate(far=True)`
SPLITS = {"policy": range(0, 60), "train": range(60, 77), "development": range(77, 80), "evaluation": range(80, 100)}
SIGNS = {"buys": "+", "finds": "+", "wins": "+", "boxes": "+", "loses": "-", "sells": "-", "drops": "-", "gives": "-"}
OPENINGS = ("Then", "Now", "Next", "So", "Here")  # a step may begin with one of them, which says nothing

# The ways in which a step can be wrong, as `Problem.errors` names them.
ERRORS = {
    "inversion": "adds where the comparison says subtract, or the other way round",
    "once": "takes a repeated amount only once",
    "turned": "adds what an event takes away, or the other way round",
    "twice": "takes an event a second time",
    "contradiction": "says the opposite of what it computes",
    "misnamed": "says it of the wrong person",
    "slip": "miscalculates",
    "skip": "leaves out an event (an error of the last step)",
    "answer": "gives an answer that is not the last result (an error of the last step)",
    "unfounded": "uses a number or an operation that nothing supports",
    "unreadable": "is not a step of this world",
}


@dataclass(frozen=True)
class Event:
    """Something that happens to the amount: `kind` is one of SIGNS; `times` is 1 except for boxes and gives."""

    kind: str
    amount: int
    times: int = 1

    @property
    def sign(self) -> str:
        """`+` or `-`: what the event does to the amount."""
        return SIGNS[self.kind]

    @property
    def verb(self) -> str:
        """The verb in the event's sentence."""
        return "buys" if self.kind == "boxes" else self.kind

    @property
    def total(self) -> int:
        """By how much the amount changes, without the sign."""
        return self.amount * self.times

    def sentence(self, name: str, item: str) -> str:
        """The event as a sentence of the question."""
        boxes = f"{self.times} boxes of " if self.kind == "boxes" else ""
        each = f" to each of {self.times} friends" if self.kind == "gives" else ""
        return f"{name} {self.verb} {boxes}{self.amount} {item}{each}."


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
        than = f"{self.difference} {'more' if self.more else 'fewer'} than"
        start = {
            "plain": f"{self.name} has {self.base} {self.item}.",
            "consistent": f"{self.other} has {self.base} {self.item}. {self.name} has {than} {self.other}.",
            "inconsistent": f"{self.other} has {self.base} {self.item}. That is {than} {self.name} has.",
        }[self.wording]
        events = " ".join(event.sentence(self.name, self.item) for event in self.events)
        return f"{start} {events} How many {self.item} does {self.name} have now?"

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
        """The part of the world that the problem belongs to, by its numbers and wording, not by its names."""
        return next(name for name, buckets in SPLITS.items() if self.bucket in buckets)

    @property
    def bucket(self) -> int:
        """A checksum of the problem's numbers and wording, from 0 to 99, which decides its `split`."""
        key = (self.base, self.wording, self.difference, self.more, [(e.kind, e.amount, e.times) for e in self.events])
        return zlib.crc32(repr(key).encode()) % 100

    def check_steps(self, solution: str) -> list[bool]:
        """For each step of `solution`, whether it is good. Never raises, whatever the text."""
        return [error is None for error in self.errors(solution)]

    def errors(self, solution: str) -> list[str | None]:
        """For each step of `solution`, None if it is good, else which of `ERRORS` it makes."""
        return Reading(self).check(solution)

    def judge(self, solution: str) -> dict[str, Any]:
        """A row of *outcome* and of *process*: question, answer, solution, steps, exact labels (1 or 0), correct."""
        labels = [int(good) for good in self.check_steps(solution)]
        row = {"question": self.question, "answer": self.answer, "solution": solution, "steps": split_steps(solution)}
        return row | {"labels": labels, "correct": final_answer(solution) == self.answer}


def calculate(a: int, sign: str, b: int) -> int:
    """a + b, a - b or a * b."""
    return a + b if sign == "+" else a - b if sign == "-" else a * b


_STEP = re.compile(
    rf"(?:(?:{'|'.join(OPENINGS)}) )?"
    r"(?P<claim>(?P<who>[A-Z][a-z]+) has (?P<by1>[0-9]{1,4}) (?P<word1>more|fewer): "
    r"|(?P<by2>[0-9]{1,4}) (?P<word2>more|fewer) than (?P<whom>[A-Z][a-z]+): "
    r"|(?P<verb>[a-z]+) (?P<number>[0-9]{1,4}): )?"
    r"(?P<a>[0-9]{1,4}) (?P<sign>[-+*]) (?P<b>[0-9]{1,4}) = (?P<c>[0-9]{1,4})"
)


class Reading:
    """A checker in the middle of one solution: what has been written so far and what is still to come."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.total = problem.base if problem.wording == "plain" else None  # the running total; None: not known yet
        self.compare = problem.wording != "plain"  # the comparison is still to be resolved
        self.pending = list(problem.events)
        self.written: dict[Event, int] = {}  # products as they were written, true or not

    def check(self, solution: str) -> list[str | None]:
        steps = split_steps(solution)
        errors = [self._step(step.partition("\n\n# Answer")[0]) for step in steps]
        if errors and errors[-1] is None:
            if self.pending or self.compare:
                errors[-1] = "skip"
            elif steps[-1].partition("\n\n# Answer\n\n")[2].strip() != str(self.total):
                errors[-1] = "answer"
        return errors

    def _step(self, text: str) -> str | None:
        match = _STEP.fullmatch(text)
        if match is None:
            return "unreadable"
        a, b, c, sign = int(match["a"]), int(match["b"]), int(match["c"]), match["sign"]
        if sign == "*":
            error = self._product(a, b, c)
        elif self.compare and {a, b} == {self.problem.base, self.problem.difference}:
            return self._comparison(match, a, c) or (None if c == calculate(a, sign, b) else "slip")
        else:
            error, truth = self._event(a, sign, b)
            self.total = c
            if error is None and match["verb"] and (match["verb"], int(match["number"])) != truth:
                error = "contradiction"
        misplaced = match["claim"] and (sign == "*" or not match["verb"])
        return error or ("unfounded" if misplaced else None if c == calculate(a, sign, b) else "slip")

    def _product(self, a: int, b: int, c: int) -> str | None:
        """Of which event `a * b` is the product; only one that is to come and has none yet."""
        open_ = [event for event in self.pending if event.times > 1 and event not in self.written]
        for error, factors in (
            (None, lambda event: sorted((a, b)) == sorted((event.amount, event.times))),
            ("once", lambda event: sorted((a, b)) == [1, event.amount]),
            ("unfounded", lambda event: {a, b} & {event.amount, event.times}),  # meant, but wrongly read
        ):
            for event in filter(factors, open_):
                self.written[event] = c
                return error
        return "unfounded"

    def _comparison(self, match: re.Match[str], a: int, c: int) -> str | None:
        problem = self.problem
        self.compare, self.total = False, c
        if match["sign"] != problem.start_sign:
            return "inversion"
        if match["sign"] == "-" and a != problem.base:
            return "unfounded"
        if match["who"]:  # the comparison said of the person who is asked about
            person, truth = (match["who"], problem.name), ("+" if match["word1"] == "more" else "-") == match["sign"]
        elif match["whom"]:  # the question's own words
            than = problem.other if problem.wording == "consistent" else problem.name
            person, truth = (match["whom"], than), (match["word2"] == "more") == problem.more
        else:
            return "unfounded" if match["verb"] else None
        if not truth or int(match["by1"] or match["by2"]) != problem.difference:
            return "contradiction"
        return None if person[0] == person[1] else "misnamed"

    def _event(self, a: int, sign: str, b: int) -> tuple[str | None, tuple[str, int] | None]:
        """What is wrong with `a sign b`, and verb and amount of the event that it applies, which comes off the list.

        The total is on the left, or on the right of a +.
        """
        sides = [(a, b), (b, a)] if sign == "+" else [(a, b)]
        amounts = [amount for total, amount in sides if total == self.total]
        done = [event for event in self.problem.events if event not in self.pending]
        for error, events in (
            (None, [event for event in self.pending if event.sign == sign]),
            ("once", [event for event in self.pending if event.sign == sign and event.times > 1]),
            ("turned", [event for event in self.pending if event.sign != sign]),
            ("twice", [event for event in done if event.sign == sign]),
        ):
            for event, amount in product(events, amounts):
                values = (event.amount,) if error == "once" else (event.total, self.written.get(event))
                if amount in values:
                    if event in self.pending:
                        self.pending.remove(event)
                    return error, (event.verb, amount)
        for event in self.pending:  # the event that was meant, though on another number
            if b in (event.amount, event.total, self.written.get(event)):
                self.pending.remove(event)
                return "unfounded", None
        if self.total is None:  # no event: the comparison was meant, though wrongly read
            self.compare = False
        return "unfounded", None
