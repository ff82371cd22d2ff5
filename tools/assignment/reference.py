"""The reference answers of the exercises. For instructors: they show what is to be found.

The recordings (`data/supervision.py`, `measured.py`) and the tests of the kit use them. They are in no package, no
notebook and no page of the book; a student who reads the repository can read them here, which is why the written
comparison, and not the function, tells students apart.
"""

import torch
from torch import Tensor


def final_token(solution_mask: Tensor) -> Tensor:
    """[B, T] bool, true on the solution → [B, T] bool, true at the last of its tokens; an empty row stays empty."""
    place = torch.arange(solution_mask.shape[1], device=solution_mask.device)
    last = (solution_mask * place).argmax(dim=1)  # [B]; 0 where there is none
    return solution_mask & (place == last[:, None])


def choose(scores: list[float], correct: list[bool], count: int) -> list[int]:
    """The places of the solutions that get a label: four fifths the most convincing wrong ones, then the best left."""
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    wrong = [place for place in order if not correct[place]][: count * 4 // 5]
    rest = [place for place in order if place not in set(wrong)]
    return wrong + rest[: count - len(wrong)]


def next_beams(texts: list[str], scores: list[float], finished: list[bool], count: int, width: int) -> list[int]:
    """The places of the beginnings of the next round: the best `count`, those that go on `width` times each."""
    seen: set[str] = set()
    first: list[int] = []
    again: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: -scores[place]):
        (again if texts[place] in seen else first).append(place)
        seen.add(texts[place])
    return [place for place in (first + again)[:count] for _ in range(1 if finished[place] else width)]
