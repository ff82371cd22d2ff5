"""Problems of the embedded world: drawn at random, and read back from their questions."""

import random
import re
from collections.abc import Sequence
from itertools import count, product

from minrm.errors import InputError, check_numbers
from minrm.world.problems import FAR_ITEMS, FAR_NAMES, ITEMS, LIMIT, NAMES, SIGNS, SPLITS, Event, Problem, calculate


def generate(n: int, seed: int, split: str | None = None, far: bool = False) -> list[Problem]:
    """`n` problems, the same on every machine and Python; with `split`, only of that part of the world.

    The splits ("policy", "train", "development", "evaluation") share no problem, not even up to the names:
    `Problem.split`. With `far`, names, things and verbs are different and numbers are larger; the policy reads few such
    problems, reward models none. Raises InputError.
    """
    check_numbers(0, n=n, seed=seed)
    if split is not None and split not in SPLITS:
        raise InputError(f"split {split!r} is not one of {', '.join(SPLITS)}")
    rng = random.Random(seed)
    problems: list[Problem] = []
    while len(problems) < n:
        problem = _draw(rng, far)
        if split is None or problem.split == split:
            problems.append(problem)
    return problems


VERBS, FAR_VERBS = ("buys", "finds", "loses", "sells"), ("wins", "drops")


def pick(rng: random.Random, values: Sequence):
    """One of `values`. Only `rng.random()` is promised to be the same in every Python, so all draws go through it."""
    return values[int(rng.random() * len(values))]


def between(rng: random.Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def _draw(rng: random.Random, far: bool) -> Problem:
    """A random problem. The story is drawn first and then numbers until they fit, so that no kind of story is rarer
    because its numbers seldom fit."""
    names, items, verbs = (FAR_NAMES, FAR_ITEMS, FAR_VERBS) if far else (NAMES, ITEMS, VERBS)
    name = pick(rng, names)
    other, item = pick(rng, [other for other in names if other != name]), pick(rng, items)
    wording = pick(rng, ("plain", "plain", "plain", "consistent", "inconsistent"))
    kinds: list[str] = []
    for _ in range(pick(rng, (1, 2, 3, 3) if wording == "plain" else (1, 2, 2))):
        kinds.append(pick(rng, verbs if "boxes" in kinds else (*verbs, "boxes")))
    if rng.random() < 0.3:
        kinds[int(rng.random() * len(kinds))] = "gives"
    for _ in range(500) if far else count():  # a story of large numbers may never fit: then another one is drawn
        events = tuple(
            Event(kind, between(rng, 2, 9), between(rng, 2, 5)) if kind in ("boxes", "gives")
            else Event(kind, between(rng, 6 if far else 2, 12)) for kind in kinds
        )  # fmt: skip
        difference, more = (0, False) if wording == "plain" else (between(rng, 2, 9), rng.random() < 0.5)
        base = between(rng, 10 if far else 2, 28)
        problem = Problem(name, other, item, base, events, wording, difference, more)
        if _fits(problem):
            return problem
    return _draw(rng, far)


def _fits(problem: Problem) -> bool:
    """Whether no two quantities coincide, and the true way and those of the misconceptions stay in range."""
    quantities = problem.quantities
    if len(set(quantities)) < len(quantities):
        return False
    inverted = 2 * problem.base - problem.start if problem.wording == "inconsistent" else problem.start
    for total, once in product((problem.start, inverted), (False, True)):
        path = [total]
        for event in problem.events:
            amount = event.amount if once and event.kind == "gives" else event.total
            path.append(calculate(path[-1], event.sign, amount))
        if min(path) < 0 or max(path) > LIMIT:
            return False
    return True


_QUESTION = re.compile(
    r"(?P<first>\w+) has (?P<base>\d+) (?P<item>\w+)\. (?:(?:(?P<name1>\w+) has (?P<d1>\d+) (?P<w1>more|fewer) than \w+"
    r"|That is (?P<d2>\d+) (?P<w2>more|fewer) than (?P<name2>\w+) has)\. )?(?P<events>.*) "
    r"How many \w+ does \w+ have now\?"
)
_EVENT = re.compile(rf"\w+ ({'|'.join(SIGNS)}) (?:(\d+) boxes of )?(\d+) \w+(?: to each of (\d+) friends)?\.")


def read_problem(question: str) -> Problem:
    """The problem that a question of this world states: `read_problem(p.question) == p` but for an unnamed `other`."""
    match = _QUESTION.fullmatch(question)
    if match is None:
        raise InputError(f"not a question of the embedded world, which alone can be checked: {question[:80]!r}")
    events = tuple(
        Event("boxes", int(k), int(boxes)) if boxes else Event(kind, int(k), int(friends or 1))
        for kind, boxes, k, friends in _EVENT.findall(match["events"])
    )
    first, item, base = match["first"], match["item"], int(match["base"])
    for number, wording in (("1", "consistent"), ("2", "inconsistent")):
        if name := match[f"name{number}"]:
            difference, more = int(match[f"d{number}"]), match[f"w{number}"] == "more"
            return Problem(name, first, item, base, events, wording, difference, more)
    return Problem(first, "", item, base, events)
