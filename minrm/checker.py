"""The exact checker of the embedded world: which steps of a solution are good, and what is wrong with the others.

What a good step is stands in `minrm.problems`. A solution is read from its first step to its last, while two things are
kept in mind: the running total as it was written, and which parts of the story are still to come.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minrm.text import split_steps

if TYPE_CHECKING:
    from minrm.problems import Event, Problem

# The ways in which a step can be wrong, as `Problem.errors` names them.
ERRORS = {
    "inversion": "adds where the comparison says subtract, or the other way round",
    "once": "takes a repeated amount only once",
    "contradiction": "says the opposite of what it computes",
    "slip": "miscalculates",
    "skip": "leaves out an event (an error of the last step)",
    "answer": "gives an answer that is not the last result (an error of the last step)",
    "unfounded": "uses a number or an operation that nothing supports",
    "unreadable": "is not a step of this world",
}


def calculate(a: int, sign: str, b: int) -> int:
    """a + b, a - b or a * b."""
    return a + b if sign == "+" else a - b if sign == "-" else a * b


_STEP = re.compile(
    r"(?:(?:So )?(?P<who>[A-Z][a-z]+) has (?P<by>[0-9]{1,4}) (?P<word>more|fewer): )?"
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
        found = [self._step(step.partition("\n\n# Answer")[0]) for step in steps]
        if found and found[-1] is None:
            if self.pending or self.compare:
                found[-1] = "skip"
            elif steps[-1].partition("\n\n# Answer\n\n")[2].strip() != str(self.total):
                found[-1] = "answer"
        return found

    def _step(self, text: str) -> str | None:
        match = _STEP.fullmatch(text)
        if match is None:
            return "unreadable"
        a, b, c, sign = int(match["a"]), int(match["b"]), int(match["c"]), match["sign"]
        slip = None if c == calculate(a, sign, b) else "slip"
        if sign == "*":
            return self._product(a, b, c) or ("unfounded" if match["who"] else slip)
        if self.compare and {a, b} == {self.problem.base, self.problem.difference}:
            return self._comparison(match, a, c) or slip
        error = self._event(a, sign, b) or ("unfounded" if match["who"] else slip)
        self.total = c
        return error

    def _product(self, a: int, b: int, c: int) -> str | None:
        for event in self.pending:
            if event.times > 1 and event not in self.written and sorted((a, b)) == sorted((event.amount, event.times)):
                self.written[event] = c
                return None
        return "unfounded"

    def _comparison(self, match: re.Match[str], a: int, c: int) -> str | None:
        problem = self.problem
        self.compare, self.total = False, c
        if match["sign"] != problem.start_sign:
            return "inversion"
        if match["sign"] == "-" and a != problem.base:
            return "unfounded"
        truth = (problem.name, str(problem.difference), "more" if problem.start_sign == "+" else "fewer")
        return "contradiction" if match["who"] and match.group("who", "by", "word") != truth else None

    def _event(self, a: int, sign: str, b: int) -> str | None:
        """Which event `a sign b` applies, taking it off the list; the total is on the left, or on the right of a +."""
        sides = [(a, b), (b, a)] if sign == "+" else [(a, b)]
        amounts = [amount for total, amount in sides if total == self.total]
        fitting = [event for event in self.pending if event.sign == sign]
        for event in fitting:
            if any(amount in (event.total, self.written.get(event)) for amount in amounts):
                self.pending.remove(event)
                return None
        for event in fitting:
            if event.times > 1 and event.amount in amounts:
                self.pending.remove(event)
                return "once"
        for event in self.pending:  # the event that was meant, though with another sign or on another number
            if b in (event.amount, event.total, self.written.get(event)):
                self.pending.remove(event)
                break
        return "unfounded"
