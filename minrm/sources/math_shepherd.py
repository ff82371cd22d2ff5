"""Math-Shepherd (Wang et al. 2023): steps labelled by rollouts."""

from __future__ import annotations

import os
from collections.abc import Iterator

from minrm.errors import InputError
from minrm.sources.reading import (
    LABELS,
    NO_START,
    NUMBER,
    Row,
    Rows,
    collect,
    process_row,
    split_question,
    texts,
    without_annotations,
)

_TAG = "ки"  # Math-Shepherd's: rare in English, and one token to its model


def math_shepherd(
    path: str | os.PathLike = "peiyi9979/Math-Shepherd", split: str = "train", streaming: bool = False
) -> Rows:
    """Math-Shepherd (Wang et al. 2023): GSM8K and MATH problems, each step labelled by rollouts -> process rows.

    In `input` the tag ` ки` ends each step; `label` repeats the text with + or - in place of the tag: whether one of
    the rollouts from there reached the right answer. A bad step does not end the labels; `labels_until_first_error` of
    `minrm.text` does. Dropped and counted: rows without "Step 1:" before the first tag, without a tag before a later
    step, or with a step without text.
    """

    def convert(record: Row, where: str) -> tuple[list[Row], str]:
        text, label = texts(record, where, "input", "label")
        *steps, rest = text.split(_TAG)
        if not steps:
            raise InputError(f"{where}: no step tag {_TAG!r} in the input; is this Math-Shepherd?")
        labels: list[int | None] = list(_labels_in(label, steps, where))
        parts = split_question(steps[0])
        if parts is None:
            return [], NO_START
        steps = [parts[1], *steps[1:]]
        if rest.strip():
            steps, labels = [*steps, rest], [*labels, None]
        if any(len(NUMBER.findall(step)) > 1 for step in steps):
            return [], "a step without its tag"
        return process_row(parts[0], [without_annotations(step) for step in steps], labels)

    return collect("Math-Shepherd", "process", convert, path, streaming, split=split)


def _labels_in(label: str, steps: list[str], where: str) -> Iterator[int]:
    """The labels that stand in the label text where the input has its tags."""
    end = 0
    for number, step in enumerate(steps, start=1):
        end += len(step)
        sign = label[end : end + 1]
        if sign not in LABELS:
            raise InputError(
                f"{where}: {len(steps)} step tags in the input, but where the label should have + or - for tag "
                f"{number} it has {repr(sign) if sign else 'nothing'}; fetch the file again"
            )
        yield LABELS[sign]
        end += 1
