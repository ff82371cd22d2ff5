"""PRM800K (Lightman et al. 2023): steps rated by people.

A record holds, for each step, one or more completions with a rating by a person (1 good, 0 neutral, -1 bad), the index
of the one that the solution went on with, and in phase 1 sometimes a step that the person wrote. Alternatives to one
step are not successive steps: a row holds one path through them.
"""

from functools import partial
from typing import Any, NamedTuple

from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source, collect, get, readable
from minrm.text import CORRECT, INCORRECT, labels_until_first_error

_NEUTRAL = {"good": CORRECT, "bad": INCORRECT, "none": None}


class _Step(NamedTuple):
    text: str
    rating: int | None  # None: not rated, or flagged by the person who rated it


def prm800k(path: Source, neutral: str = "good", alternatives: bool = False, streaming: bool = False) -> Rows:
    """PRM800K (Lightman et al. 2023): solutions to MATH problems, each step rated by people -> process rows.

    The solution follows `chosen_completion`, else `human_completion` (a good step); where both are null it ends with
    its first bad completion. Steps after the first bad one carry no label, and neither do flagged and unrated ones.

    neutral: a rating of 0 is "good" (as the paper scores it), "bad" or "none" (no label); it never ends the labels.
    alternatives: one more row for each completion that was rated but not chosen: the steps up to there, and its label
    alone. Dropped and counted: quality-control and screening rows, problems reported as broken, rows without any label,
    or with a step without text.
    """
    if neutral not in _NEUTRAL:
        raise InputError(f"neutral={neutral!r}; it is one of {', '.join(map(repr, _NEUTRAL))}")
    convert = partial(trajectory, neutral=neutral, alternatives=alternatives)
    return collect("PRM800K", "process", convert, path, streaming)


def trajectory(record: Row, where: str, neutral: str = "good", alternatives: bool = False) -> list[Row] | str:
    """The process rows of one record, or the cause for which it is dropped; arguments as in `prm800k`.

    Where no completion is chosen, none written by the person and none bad, the path ends before that step.
    """
    question, label = get(record, "question", dict, where), get(record, "label", dict, where)
    problem, steps = get(question, "problem", str, where), get(label, "steps", list, where)
    if record.get("is_quality_control_question"):
        return "quality control"
    if record.get("is_initial_screening_question"):
        return "initial screening"
    if label.get("finish_reason") == "bad_problem":
        return "problem reported as broken"
    path: list[_Step] = []
    rows: list[Row] = []
    for number, step in enumerate(steps, start=1):
        taken, others, ends = _take(step, f"{where}, step {number}")
        if alternatives and all(earlier.rating != -1 for earlier in path):
            labelled = [(other, _label(other, neutral)) for other in others if _label(other, neutral) is not None]
            rows += [_row(problem, [*path, other], [*[None] * len(path), label]) for other, label in labelled]
        path += [taken] if taken else []
        if ends:
            break
    # Neutral counted as bad is a bad label, but people went on rating after it: only a rating of -1 ends the labels.
    reach = labels_until_first_error([0 if step.rating == -1 else 1 for step in path])
    labels = [None if seen is None else _label(step, neutral) for step, seen in zip(path, reach, strict=True)]
    if any(label is not None for label in labels):
        rows.insert(0, _row(problem, path, labels))
    return readable(rows)


def _row(problem: str, path: list[_Step], labels: list[int | None]) -> Row:
    return {"question": problem, "steps": [step.text for step in path], "labels": labels}


def _label(step: _Step, neutral: str) -> int | None:
    return {1: CORRECT, 0: _NEUTRAL[neutral], -1: INCORRECT, None: None}[step.rating]


def _take(step: Any, where: str) -> tuple[_Step | None, list[_Step], bool]:
    """The step that the solution took (None: it ended before), the other completions, and whether it ended here."""
    completions = get(step, "completions", list, where, null=True) or []
    rated = [_read(completion, f"{where}, completion {i}") for i, completion in enumerate(completions)]
    chosen, human = get(step, "chosen_completion", int, where, null=True), step.get("human_completion")
    if chosen is not None and not 0 <= chosen < len(rated):
        raise InputError(f"{where}: chosen_completion is {chosen}, but there are {len(rated)} completions")
    if chosen is None and human is not None:
        written = _read({"rating": None} | human if isinstance(human, dict) else human, f"{where}, human_completion")
        unrated = human.get("rating") is None and not human.get("flagged")
        return (written._replace(rating=1) if unrated else written), rated, False
    ends = chosen is None
    if ends:
        chosen = next((i for i, completion in enumerate(rated) if completion.rating == -1), None)
    taken = None if chosen is None else rated[chosen]
    return taken, [completion for i, completion in enumerate(rated) if i != chosen], ends


def _read(completion: Any, where: str) -> _Step:
    text, rating = get(completion, "text", str, where), get(completion, "rating", int, where, null=True)
    if rating not in (-1, 0, 1, None):
        raise InputError(f"{where}: rating is {rating}; it should be 1 (good), 0 (neutral), -1 (bad) or null")
    return _Step(text, None if completion.get("flagged") else rating)
