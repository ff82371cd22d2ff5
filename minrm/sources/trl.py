"""Process data in TRL's layout, *stepwise supervision*."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minrm.sources.reading import Row, collect, get, process_row, read_records, texts

if TYPE_CHECKING:
    from datasets import Dataset


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
