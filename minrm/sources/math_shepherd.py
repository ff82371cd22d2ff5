"""Math-Shepherd (Wang et al. 2023): steps labelled by rollouts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from minrm.errors import InputError
from minrm.sources.reading import (
    NO_START,
    NUMBER,
    SIGNS,
    Row,
    collect,
    plain,
    process_row,
    read_records,
    split_question,
    texts,
)

if TYPE_CHECKING:
    from datasets import Dataset

_TAG = "ки"  # Math-Shepherd's: rare in English, and one token to its model


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
        if any(len(NUMBER.findall(step)) > 1 for step in steps):
            return [], "a step without its tag"
        return process_row(begun[0], [plain(step, annotations) for step in steps], labels)

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
