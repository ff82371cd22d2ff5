"""One PRM800K record -> labelled steps (Lightman et al. 2023), field by field.

A record holds, for each step, one or more completions with a rating by a person (1 good, 0 neutral, -1 bad), the index
of the one that the solution went on with, and in phase 1 sometimes a step that the person wrote. Alternatives to one
step are not successive steps: a row holds one path through them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from minrm.errors import InputError
from minrm.sources.reading import collect, read_records
from minrm.text import CORRECT, INCORRECT, labels_until_first_error

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
_NEUTRAL = {"good": CORRECT, "bad": INCORRECT, "none": None}
_FINISH = ("found_error", "solution", "give_up", "bad_problem", None)


class _Step(NamedTuple):
    text: str
    rating: int | None  # None: not rated, or flagged by the person who rated it


def prm800k(
    path: str | os.PathLike, neutral: str = "good", alternatives: bool = False, streaming: bool = False
) -> Dataset:
    """PRM800K (Lightman et al. 2023): solutions to MATH problems, each step rated by people -> process rows.

    The solution follows `chosen_completion`, else `human_completion` (a good step); where both are null it ends with
    its first bad completion. Steps after the first bad one carry no label, and neither do flagged and unrated ones.

    neutral: a rating of 0 is "good" (the paper's choice), "bad" or "none" (no label); it never ends the labels.
    alternatives: one more row for each completion that was rated but not chosen: the same steps up to there, its
    label alone. Dropped, with their cause counted: quality-control and screening rows, problems reported as broken,
    rows without any label, or with a step without text. Raises InputError for a file or row that cannot be used.
    """
    check_neutral(neutral)

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        rows, cause = trajectory(record, place, neutral, alternatives)
        written = [row for row in rows if all(step.strip() for step in row["steps"])]
        return written, cause or ("" if written else "a step without text")

    return collect("PRM800K", "process", read_records(path, "prm800k"), convert, streaming)


def check_neutral(neutral: str) -> None:
    """Refuse, with InputError, what is no way to count neutral ratings."""
    if neutral not in _NEUTRAL:
        raise InputError(f"neutral={neutral!r}; it is one of {', '.join(map(repr, _NEUTRAL))}")


def trajectory(record: Row, place: str, neutral: str = "good", alternatives: bool = False) -> tuple[list[Row], str]:
    """The process rows of one record, and why there are none ("" where there are).

    A chosen completion is followed, else the human's (a good step unless it is rated otherwise); where both are null,
    the first bad completion ends the path, and where none is bad it ends before. After the first rating of -1 no step
    carries a label. With `alternatives` each other rated completion, up to there, is one more row in which it alone
    carries a label. Raises InputError for a field that is missing or holds what it cannot; place begins its message.
    """
    question, label = _get(record, "question", dict, place), _get(record, "label", dict, place)
    problem, steps = _get(question, "problem", str, place), _get(label, "steps", list, place)
    if label.get("finish_reason") not in _FINISH:
        raise InputError(f"{place}: finish_reason is {label['finish_reason']!r}; known are {_FINISH[:-1]}")
    cause = _cause(record, label)
    if cause:
        return [], cause
    path: list[_Step] = []
    rows: list[Row] = []
    for number, step in enumerate(steps, start=1):
        taken, others = _take(step, f"{place}, step {number}")
        if alternatives and all(earlier.rating != -1 for earlier in path):
            labelled = [other for other in others if _label(other, neutral) is not None]
            rows += [_row(problem, [*path, other], [*[None] * len(path), _label(other, neutral)]) for other in labelled]
        if taken is None:
            break
        path.append(taken)
        if _get(step, "chosen_completion", (int, type(None)), place) is None and step.get("human_completion") is None:
            break
    labels = _labels(path, neutral)
    if any(label is not None for label in labels):
        rows.insert(0, _row(problem, path, labels))
    return rows, "" if rows else "no step carries a label"


def _cause(record: Row, label: Row) -> str:
    if record.get("is_quality_control_question"):
        return "quality control"
    if record.get("is_initial_screening_question"):
        return "initial screening"
    return "problem reported as broken" if label.get("finish_reason") == "bad_problem" else ""


def _row(problem: str, path: list[_Step], labels: list[int | None]) -> Row:
    return {"question": problem, "steps": [step.text for step in path], "labels": labels}


def _labels(path: list[_Step], neutral: str) -> list[int | None]:
    """Neutral counted bad is a bad label, but people went on rating after it: only a rating of -1 ends the labels."""
    errors: list[float | None] = [0 if step.rating == -1 else 1 for step in path]
    reach = labels_until_first_error(errors)
    return [None if seen is None else _label(step, neutral) for step, seen in zip(path, reach, strict=True)]


def _label(step: _Step, neutral: str) -> int | None:
    return {1: CORRECT, 0: _NEUTRAL[neutral], -1: INCORRECT, None: None}[step.rating]


def _take(step: Row, place: str) -> tuple[_Step | None, list[_Step]]:
    """The step that the solution took (None: it ended before), and the completions that it did not take."""
    if not isinstance(step, dict):
        raise InputError(f"{place}: a {type(step).__name__}; each step is an object with its completions")
    given = _get(step, "completions", (list, type(None)), place) or []
    completions = [_read(completion, f"{place}, completion {i}") for i, completion in enumerate(given)]
    chosen, human = _get(step, "chosen_completion", (int, type(None)), place), step.get("human_completion")
    if chosen is not None and not 0 <= chosen < len(completions):
        raise InputError(f"{place}: chosen_completion is {chosen}, but there are {len(completions)} completions")
    if chosen is None and human is not None:
        written = _read({"rating": None} | human if isinstance(human, dict) else human, f"{place}, human_completion")
        unrated = human.get("rating") is None and not human.get("flagged")
        return (written._replace(rating=1) if unrated else written), completions
    if chosen is None:
        chosen = next((i for i, completion in enumerate(completions) if completion.rating == -1), None)
    taken = None if chosen is None else completions[chosen]
    return taken, [completion for i, completion in enumerate(completions) if i != chosen]


def _read(completion: Any, place: str) -> _Step:
    if not isinstance(completion, dict):
        raise InputError(f"{place}: a {type(completion).__name__}; it should be an object with text and rating")
    text, rating = _get(completion, "text", str, place), _get(completion, "rating", (int, type(None)), place)
    if rating not in (-1, 0, 1, None):
        raise InputError(f"{place}: rating is {rating}; it should be 1 (good), 0 (neutral), -1 (bad) or null")
    return _Step(text, None if completion.get("flagged") else rating)


def _get(row: Row, name: str, kind: type | tuple[type, ...], place: str) -> Any:
    if name not in row or not isinstance(row[name], kind):
        what = f"is {row[name]!r:.40}" if name in row else "is missing"
        raise InputError(f"{place}: the field {name!r} {what}; is this a file in PRM800K's layout?")
    return row[name]
