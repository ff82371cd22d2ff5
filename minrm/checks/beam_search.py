"""The check of the exercise "Search with a budget": scored beginnings in, those that grow next out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from minrm.checks.attempt import Mistake, compare, must_be_function

Places = Sequence[int]
NextBeams = Callable[[list[str], list[float], list[bool], int, int], Places]


def check_next_beams(next_beams: NextBeams, seed: int | None = None, edges: bool = True) -> None:
    """Try `next_beams(texts, scores, finished, count, width)`: the places of the beginnings of the next round.

    The `count` best are kept, in any order: the place of one that goes on is given `width` times, of a finished one
    once. Repeated texts rank behind all different ones; ties go to the earlier. seed: of the beginnings. edges: also
    equal texts, ties, and fewer beginnings than `count`. Raises WrongAnswer, an AssertionError, with a hint.
    """
    must_be_function("next_beams", next_beams)
    cases = draw_beams(random.Random(seed or 0), edges)
    otherwise = "sort these beginnings by hand: which are kept, and how often does each stand in the next round?"
    compare("next_beams", next_beams, cases, _next_beams, _MISTAKES, otherwise, same=_any_order)
    print("✓ next_beams keeps the best beginnings and lets those that are open grow.")


def draw_beams(rng: random.Random, edges: bool = True) -> list[tuple[Any, ...]]:
    """Arguments of each kind: none finished, some finished, and with `edges` equal texts, ties, and too few."""
    cases = [
        _beams(rng, "abcdefgh", "", 2, 4),
        _beams(rng, "abcdef", "bd", 3, 2),
        _beams(rng, "abcdefgh", "aceg", 4, 2),
        _beams(rng, "abcd", "b", 4, 1),
    ]
    if edges:
        scores = {letter: rng.randrange(10) / 10 for letter in "abcd"}
        cases += [
            _beams(rng, "aabbccdd", "", 2, 4, scores | {"a": 0.95}),
            _beams(rng, "aaaabbcc", "b", 4, 2, scores | {"a": 0.95}),
            _beams(rng, "aaaaaaaa", "", 2, 4, scores),
            _beams(rng, "abcdefgh", "f", 3, 2, dict.fromkeys("abcdefgh", 0.5)),
            _beams(rng, "abc", "a", 4, 2),
            _beams(rng, "abcd", "abcd", 2, 2),
        ]
    return cases


def _beams(
    rng: random.Random, letters: str, finished: str, count: int, width: int, scores: dict[str, float] | None = None
) -> tuple[Any, ...]:
    """Beginnings with these letters as texts, in any order; equal texts have equal scores."""
    texts = rng.sample(letters, len(letters))
    drawn = dict(zip(sorted(set(letters)), rng.sample(range(1, 32), len(set(letters))), strict=True))
    of = {letter: (scores or {}).get(letter, drawn[letter] / 32) for letter in letters}
    return texts, [of[text] for text in texts], [text in finished for text in texts], count, width


def _ranked(texts: list[str], scores: list[float]) -> list[int]:
    """The places, best first; repeated texts rank behind all different ones."""
    order = sorted(range(len(texts)), key=lambda place: -scores[place])
    first = [place for at, place in enumerate(order) if texts[place] not in [texts[other] for other in order[:at]]]
    return first + [place for place in order if place not in first]


def _any_order(given: Places, right: Places) -> bool:
    return sorted(given) == sorted(right)


def _times(kept: Sequence[int], finished: list[bool], width: int) -> list[int]:
    return [place for place in kept for _ in range(1 if finished[place] else width)]


def _next_beams(texts: list[str], scores: list[float], finished: list[bool], count: int, width: int) -> list[int]:
    return _times(_ranked(texts, scores)[:count], finished, width)


def _twins(texts: list[str], scores: list[float], finished: list[bool], count: int, width: int) -> list[int]:
    order = sorted(range(len(texts)), key=lambda place: -scores[place])
    return _times(order[:count], finished, width)


def _once(texts: list[str], scores: list[float], finished: list[bool], count: int, width: int) -> list[int]:
    return _times(_ranked(texts, scores)[: len(set(texts))][:count], finished, width)


def _later(texts: list[str], scores: list[float], finished: list[bool], count: int, width: int) -> list[int]:
    places = _next_beams(texts[::-1], scores[::-1], finished[::-1], count, width)
    return [len(texts) - 1 - place for place in places]


_MISTAKES: list[Mistake] = [
    (lambda t, s, f, c, w: _next_beams(t, [-score for score in s], f, c, w),
        "the highest scores are kept, not the lowest"),
    (lambda t, s, f, c, w: _ranked(t, s)[:c], "a beginning that goes on stands there `width` times"),
    (lambda t, s, f, c, w: _times(_ranked(t, s)[:c], [False] * len(t), w),
        "a finished solution keeps its place, and does not grow: it stands there once"),
    (lambda t, s, f, c, w: [place for place in _next_beams(t, s, f, c, w) if not f[place]],
        "a finished solution keeps its place among the best; here it is dropped"),
    (lambda t, s, f, c, w: _times([place for place in _ranked(t, s) if not f[place]][:c], f, w),
        "finished solutions compete with the others for the places"),
    (lambda t, s, f, c, w: _times([place for place in _ranked(t, s) if not f[place]][:c], f, w)
        + [place for place in range(len(t)) if f[place]],
        "finished solutions compete with the others: together they have `count` places"),
    (lambda t, s, f, c, w: _next_beams(t, s, f, w, c), "`count` and `width` are the other way round"),
    (lambda t, s, f, c, w: _next_beams(t, s, f, c * w, w), "`count` beginnings are kept before they are repeated"),
    (lambda t, s, f, c, w: [s[place] for place in _next_beams(t, s, f, c, w)],
        "these are the scores; return the places in the list, 0 for the first beginning"),
    (lambda t, s, f, c, w: [t[place] for place in _next_beams(t, s, f, c, w)],
        "these are the texts; return the places in the list, 0 for the first beginning"),
    (lambda t, s, f, c, w: [place + 1 for place in _next_beams(t, s, f, c, w)], "the places begin with 0, not with 1"),
    (_twins, "an equal text comes behind all that are different"),
    (_once, "where different texts do not fill the `count` places, equal ones do"),
    (_later, "where scores or texts are equal, the earlier beginning comes first"),
]  # fmt: skip
