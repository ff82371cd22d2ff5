"""Benchmarks of process reward models: data to measure on, not to train on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minrm.errors import InputError
from minrm.sources.reading import Row, collect, get, process_row, read_records, texts
from minrm.text import CORRECT, INCORRECT

if TYPE_CHECKING:
    from datasets import Dataset


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
