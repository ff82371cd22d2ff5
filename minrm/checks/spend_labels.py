"""The check of the exercise "Spend 500 labels": a pool of scored solutions in, the places that get a label out.

A result is judged by what it must fulfil, so there is nothing here that chooses.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from minrm.checks.attempt import NOTHING, WrongAnswer, attempt, must_be_function, short

Choose = Callable[[list[float], list[bool], int], list[int]]


class Pool(NamedTuple):
    """What is special about a pool, its scores, which final answers are right, and how many labels are to be spent."""

    what: str
    scores: list[float]
    correct: list[bool]
    labels: int

    def __str__(self) -> str:
        wrong = self.correct.count(False)
        return f"choose(scores, correct, {self.labels}) for {self.what} ({len(self.scores)} solutions, {wrong} wrong)"


def check_choose(choose: Choose, seed: int | None = None, edges: bool = True) -> None:
    """Try `choose(scores, correct, count)`: the places of the solutions that get a label.

    Four fifths go to the most convincing wrong solutions, the rest to the most convincing of what is left. seed: of the
    pools. edges: also pools with too few wrong solutions, or too few solutions. Raises WrongAnswer, an AssertionError,
    with a hint.
    """
    must_be_function("choose", choose)
    for pool in draw_pools(random.Random(seed or 0), edges):
        result = attempt("choose", choose, pool.scores, pool.correct, pool.labels, shown=str(pool))
        if complaint := _complaint(pool, result):
            raise WrongAnswer(f"{pool} gave {short(repr(result))}: {complaint}")
    print("✓ choose spends four fifths on the most convincing wrong solutions and the rest on the best that are left.")


def draw_pools(rng: random.Random, edges: bool = True) -> list[Pool]:
    """Pools of each kind; no two scores of a pool are equal. The first two leave no usual mistake unseen."""
    few = rng.randint(2, 5)
    pools = [
        _pool(rng, "a pool", 10, "W" * 8 + "R" * 4, "W" * 7 + "R" * 11),
        _pool(rng, "a pool of mostly wrong solutions", 10, "W" * 8 + "R", "W", "W" * 16 + "R" * 4),
        _pool(rng, "a count that five does not divide", rng.choice((7, 8, 9)), "W" * 15 + "R" * 15),
    ]
    if edges:
        pools += [
            _pool(rng, "a pool with too few wrong solutions", 10, "W" * few + "R" * (30 - few)),
            _pool(rng, "a pool without a wrong solution", 5, "R" * 12),
            _pool(rng, "a pool smaller than the count", 10, "WWWRRR"),
        ]
    return pools


def _pool(rng: random.Random, what: str, count: int, *parts: str) -> Pool:
    """A pool of right (R) and wrong (W) solutions: each of the parts scores above the next, in any order within."""
    ranked = "".join("".join(rng.sample(part, len(part))) for part in parts)
    solutions = [(1 - rank / len(ranked), kind == "R") for rank, kind in enumerate(ranked)]
    rng.shuffle(solutions)
    return Pool(what, [score for score, _ in solutions], [right for _, right in solutions], count)


def _complaint(pool: Pool, result: Any) -> str:
    """What is wrong with a result; nothing if it is right."""
    size, expected = len(pool.scores), min(pool.labels, len(pool.scores))
    if result is None:
        return NOTHING
    try:
        places = [operator.index(place) for place in result]
    except TypeError:
        return "that is not a list of places; a place is a whole number, 0 for the first solution"
    if len(places) == size != expected and all(place in (0, 1) for place in places):
        return "that says yes or no to every solution; expected the places of those that get a label"
    if any(not 0 <= place < size for place in places):
        return f"the pool has the places 0 to {size - 1}"
    if len(set(places)) < len(places):
        return "one place is there twice; each solution gets one label at most"
    if len(places) != expected:
        return f"that is {len(places)} labels; expected {expected}"
    return _order(pool, set(places))


def _order(pool: Pool, chosen: set[int]) -> str:
    """Which better solution was passed over; nothing if none was. chosen: different places, of the right number."""
    places = range(len(pool.scores))
    left = [place for place in places if place not in chosen]
    wrong = [place for place in chosen if not pool.correct[place]]
    share = min(pool.labels * 4 // 5, pool.correct.count(False))
    if len(wrong) < share:
        return f"{len(wrong)} of the chosen end wrong; expected {share}, four fifths (count * 4 // 5) or all there are"
    score = pool.scores.__getitem__
    for kind in (False, True):
        taken = [score(place) for place in chosen if pool.correct[place] == kind]
        passed = [score(place) for place in left if pool.correct[place] == kind]
        if taken and passed and max(passed) > min(taken):
            what = "right" if kind else "wrong"
            return f"a {what} solution with the score {max(passed):.2f} is left; one with {min(taken):.2f} is chosen"
    rest = sorted(map(score, wrong), reverse=True)[share:]
    rest += [score(place) for place in chosen if pool.correct[place]]
    if rest and left and max(map(score, left)) > min(rest):
        return "the labels beyond the four fifths go to the highest scores that are left, right or wrong"
    return ""
