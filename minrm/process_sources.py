"""Public process data, a label for each step: people's (PRM800K, ProcessBench) or rollouts' (Math-Shepherd, TRL's).

`minrm.sources` offers these functions and has the table of hub names and files. What the layouts have in common is
undone in one way: a step's own number ("Step 3:") is taken off, since `minrm.text.join_steps` writes one; a text after
the last label is a step without one (None); and a row whose steps cannot be told apart is dropped and counted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from minrm.errors import InputError
from minrm.prm800k import check_neutral, trajectory
from minrm.records import Row, collect, get, read_records, texts
from minrm.text import CORRECT, INCORRECT

if TYPE_CHECKING:
    from datasets import Dataset

ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_TAG = "ки"  # Math-Shepherd's: rare in English, and one token to its model
SIGNS = {"+": CORRECT, "-": INCORRECT}
_NUMBER = re.compile(r"^\s*step \d+\s*:\s*", re.IGNORECASE | re.MULTILINE)
_FIRST = re.compile(r"\bstep 1\s*:", re.IGNORECASE)
NO_START = "no 'Step 1:' says where the solution begins"


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


def math_shepherd(
    path: str | os.PathLike = "peiyi9979/Math-Shepherd",
    split: str = "train",
    annotations: bool = False,
    streaming: bool = False,
) -> Dataset:
    """Math-Shepherd (Wang et al. 2023): GSM8K and MATH problems, each step labelled by rollouts -> process rows.

    In `input` the tag ` ки` ends each step; `label` is the same text with + or - in place of the tag: whether one of
    the rollouts from there found the right answer. A bad step does not end the labels; `labels_until_first_error` of
    `minrm.text` does. annotations: as in `gsm8k`. Dropped and counted: rows without "Step 1:" before the first tag,
    without a tag before a later step, or with a step without text. Raises InputError for a file or row that cannot be
    used.
    """

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        text, label = texts(record, place, "input", "label")
        *steps, rest = text.split(_TAG)
        if not steps:
            raise InputError(f"{place}: no step tag {_TAG!r} in the input; is this Math-Shepherd?")
        labels: list[int | None] = list(_labels_in(label, steps, place))
        begun = split_question(steps[0])
        if begun is None:
            return [], NO_START
        steps = [begun[1], *steps[1:]]
        if rest.strip():
            steps, labels = [*steps, rest], [*labels, None]
        if any(len(_NUMBER.findall(step)) > 1 for step in steps):
            return [], "a step without its tag"
        return process_row(begun[0], [step if annotations else ANNOTATION.sub("", step) for step in steps], labels)

    records = read_records(path, "math_shepherd", split=split, streaming=streaming)
    return collect("Math-Shepherd", "process", records, convert, streaming)


def _labels_in(label: str, steps: list[str], place: str) -> Iterable[int]:
    """What stands in the label text where the input has its tags."""
    end = 0
    for number, step in enumerate(steps, start=1):
        end += len(step)
        sign = label[end : end + 1]
        if sign not in SIGNS:
            what = repr(sign) if sign else "nothing"
            raise InputError(
                f"{place}: {len(steps)} step tags in the input, but where the label should have + or - for the tag "
                f"{number} it has {what}; both are the same text but for the tags: fetch the file again"
            )
        yield SIGNS[sign]
        end += 1


def processbench(
    path: str | os.PathLike = "Qwen/ProcessBench", split: str = "gsm8k", streaming: bool = False
) -> Dataset:
    """ProcessBench (Zheng et al. 2024): where is the first error? By experts, for measuring only -> process rows.

    `label` is the index of the first step with an error, from 0, or -1: the steps before it are good, it is bad, those
    after it carry no label. split: gsm8k, math, olympiadbench or omnimath, as the publisher's files are called.
    Dropped and counted: rows with a step without text. Raises InputError for a file or row that cannot be used.
    """

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        steps, first = get(record, "steps", list, place), get(record, "label", int, place)
        if not -1 <= first < len(steps):
            raise InputError(
                f"{place}: the label is {first}, but there are {len(steps)} steps; "
                "it is the index of the first error, from 0, or -1 for none"
            )
        good = len(steps) if first < 0 else first
        labels = [CORRECT] * good + [INCORRECT] * (good < len(steps)) + [None] * (len(steps) - good - 1)
        return process_row(texts(record, place, "problem")[0], steps, labels)

    records = read_records(path, "processbench", split=split, streaming=streaming)
    return collect("ProcessBench", "process", records, convert, streaming)


def trl_stepwise(
    path: str | os.PathLike = "trl-lib/math_shepherd", split: str = "train", streaming: bool = False
) -> Dataset:
    """Process data as TRL has them (*stepwise supervision*: prompt, completions, labels) -> process rows.

    labels: true or false, or how good between 0 and 1; null is none. Dropped and counted: rows with a step without
    text. Raises InputError for a file or row that cannot be used.
    """

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        steps, labels = (get(record, name, list, place) for name in ("completions", "labels"))
        labels = [int(label) if isinstance(label, bool) else label for label in labels]
        return process_row(texts(record, place, "prompt")[0], steps, labels)

    records = read_records(path, "trl_stepwise", split=split, streaming=streaming)
    return collect("TRL stepwise", "process", records, convert, streaming)


def process_row(question: str, steps: list[Any], labels: list[Any]) -> tuple[list[Row], str]:
    """The row, its steps without their numbers; none, and why, where a step is without text."""
    steps = [_unnumbered(step) if isinstance(step, str) else step for step in steps]
    if "" in steps:
        return [], "a step without text"
    return [{"question": question.strip(), "steps": steps, "labels": labels}], ""


def _unnumbered(step: str) -> str:
    number = _NUMBER.match(step)
    return step[number.end() if number else 0 :].strip()


def split_question(text: str) -> tuple[str, str] | None:
    """A question and what follows it, cut where "Step 1:" begins; None where there is none."""
    found = _FIRST.search(text)
    return (text[: found.start()], text[found.start() :]) if found and text[: found.start()].strip() else None
