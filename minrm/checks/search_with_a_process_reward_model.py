"""The checks of chapter 9: which beginnings a search keeps, and how many samples its tokens would have bought."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from minrm.checks.attempt import Mistake, close, compare, exercise

Scores = Sequence[float]
Trees = Sequence[int]


@exercise
def check_survivors(survivors: Callable[[Scores, Trees, bool], Sequence[int]]) -> None:
    """Try `survivors(scores, trees, diverse)`: the places of the beginnings that a search keeps, in any order.

    trees: the number of each beginning's tree. As many beginnings are kept as there are trees: with `diverse` the best
    of each tree (diverse verifier tree search), without it the best of all (beam search). No two scores are equal.
    """
    rng = random.Random(0)
    pools = [([0.9, 0.8, 0.3, 0.6], [0, 0, 1, 1]), ([0.2, 0.5, 0.7, 0.1, 0.9, 0.6], [0, 0, 0, 1, 1, 1])]
    for trees in ([0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 1, 1, 1, 2, 2, 2], [2, 0, 0, 5, 2, 5, 0]):
        pools.append(([k / 32 for k in rng.sample(range(32), len(trees))], trees))
    cases = [(scores, trees, diverse) for scores, trees in pools for diverse in (False, True)]
    otherwise = "sort this input by hand: all beginnings for beam search, those of each tree for tree search"
    compare("survivors", survivors, cases, _survivors, _SURVIVORS, otherwise, same=lambda a, b: sorted(a) == sorted(b))
    print("✓ survivors lets all beginnings compete in beam search, and only those of one tree in tree search.")


@exercise
def check_equal_samples(equal_samples: Callable[[float, float, float, float], Sequence[int]]) -> None:
    """Try `equal_samples(generated, scored, tokens, read)`: how many samples cost as much as a search, twice.

    generated, scored: tokens that the search wrote and its judge read for a problem. tokens, read: tokens that a policy
    writes and a judge reads for one sample. Returns two whole numbers, rounded, at least 1: by what is written alone,
    and by what is written and read.
    """
    rng = random.Random(1)
    cases: list[tuple[Any, ...]] = [(900, 4500, 30, 70), (400, 1400, 30, 80), (100, 700, 30, 50), (10, 30, 40, 90)]
    ends = ((500, 3000), (3000, 9000), (28, 44), (60, 99))
    cases += [tuple(rng.randint(*own) for own in ends) for _ in range(4)]
    otherwise = "work out what one sample costs, by each of the two counts: how many do the search's tokens pay for?"
    compare("equal_samples", equal_samples, cases, _equal, _EQUAL_SAMPLES, otherwise, same=close)
    print("✓ equal_samples buys as many samples as the search cost, by what is written, and by what is read, too.")


def _best(scores: Scores, places: Sequence[int], count: int = 1) -> list[int]:
    return sorted(places, key=lambda place: -scores[place])[:count]


def _all_compete(scores: Scores, trees: Trees, diverse: bool = False) -> list[int]:
    return _best(scores, range(len(scores)), len(set(trees)))


def _one_a_tree(scores: Scores, trees: Trees, diverse: bool = True) -> list[int]:
    own = [[place for place, at in enumerate(trees) if at == tree] for tree in dict.fromkeys(trees)]
    return [place for places in own for place in _best(scores, places)]


def _survivors(scores: Scores, trees: Trees, diverse: bool) -> list[int]:
    return (_one_a_tree if diverse else _all_compete)(scores, trees)


_SURVIVORS: list[Mistake] = [
    (_all_compete, "in tree search beginnings compete only within their tree: each tree keeps its best, however low"),
    (_one_a_tree, "in beam search all beginnings compete: a tree may keep several, or none"),
    (lambda scores, trees, diverse: _survivors(scores, trees, not diverse),
        "the two ways are the other way round: `diverse` keeps the best of each tree"),
    (lambda scores, trees, diverse: _survivors([-score for score in scores], trees, diverse),
        "these have the lowest scores; the highest are kept"),
    (lambda scores, trees, diverse: [scores[place] for place in _survivors(scores, trees, diverse)],
        "these are the scores; return the places in the list, 0 for the first beginning"),
    (lambda scores, trees, diverse: [trees[place] for place in _survivors(scores, trees, diverse)],
        "these are numbers of trees; return the places of the beginnings in the list"),
    (lambda scores, trees, diverse: [place + 1 for place in _survivors(scores, trees, diverse)],
        "the places begin with 0, not with 1"),
    (lambda scores, trees, diverse: _one_a_tree(scores, trees) if diverse else _best(scores, range(len(scores))),
        "that is the best beginning alone; as many are kept as there are trees"),
    (lambda scores, trees, diverse: _one_a_tree(scores, trees) if diverse else
        _best(scores, range(len(scores)), len(scores) // len(set(trees))),
        "that is how many grow from each beginning that is kept; keep as many as there are trees"),
    (lambda scores, trees, diverse: [trees.index(tree) for tree in dict.fromkeys(trees)],
        "these are the first of each tree; compare the scores"),
]  # fmt: skip


def _whole(samples: float) -> int:
    return max(1, round(samples))


def _both(by_all: Callable[[float, float, float, float], float], whole: Callable = _whole) -> Callable[..., Any]:
    """The samples by what is written, and by all tokens as `by_all` counts them."""
    return lambda *counts: (whole(counts[0] / counts[2]), whole(by_all(*counts)))


def _per_sample(generated: float, scored: float, tokens: float, read: float) -> float:
    return (generated + scored) / (tokens + read)


_equal = _both(_per_sample)
_WHOLE = "a number of samples is a whole number: round it, to the nearest one"
_EQUAL_SAMPLES: list[Mistake] = [
    (_both(lambda generated, scored, tokens, read: (generated + scored) / tokens),
        "a sample is read too: by the second count it costs `tokens + read`"),
    (_both(lambda generated, scored, tokens, read: generated / (tokens + read)),
        "what the judge read for the search counts too: `generated + scored`"),
    (_both(lambda generated, scored, tokens, read: scored / read),
        "that counts only what is read; the second count is of what is written and read"),
    (_both(lambda generated, scored, tokens, read: generated / tokens + scored / read),
        "a sample is written and read once: add the tokens up before you divide"),
    (_both(_per_sample, whole=round), "there is no best of 0 samples: return at least 1"),
    (_both(_per_sample, whole=lambda samples: max(1, int(samples))), f"{_WHOLE}; here the rest is cut off"),
    (_both(_per_sample, whole=lambda samples: max(1, -int(-samples // 1))), f"{_WHOLE}; here it is rounded up"),
    (_both(_per_sample, whole=lambda samples: max(1, samples)), _WHOLE),
    (_both(_per_sample, whole=float), _WHOLE),
    (lambda *counts: _equal(*counts)[::-1], "first the samples by what is written, then by what is written and read"),
    (lambda *counts: _equal(*counts)[0], "that is the first number alone; return two"),
    (lambda *counts: _equal(*counts)[1], "that is the second number alone; return two"),
]  # fmt: skip
