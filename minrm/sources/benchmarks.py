"""Benchmarks of process reward models: data to measure on, not to train on."""

from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source, collect, get, process_row, texts
from minrm.text import CORRECT, INCORRECT


def processbench(path: Source = "Qwen/ProcessBench", split: str = "gsm8k", streaming: bool = False) -> Rows:
    """ProcessBench (Zheng et al. 2024): where is the first error? By experts, for measuring only -> process rows.

    `label` is the index of the first step with an error, from 0, or -1: the steps before it are good, it is bad, those
    after it carry no label. split: gsm8k, math, olympiadbench or omnimath. Dropped and counted: rows with a step
    without text.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, first = get(record, "steps", list, where), get(record, "label", int, where)
        if not -1 <= first < len(steps):
            remedy = "it is the index of the first error, from 0, or -1 for none"
            raise InputError(f"{where}: the label is {first}, but there are {len(steps)} steps; {remedy}")
        good = len(steps) if first < 0 else first
        labels = [CORRECT] * good + [INCORRECT] * (good < len(steps)) + [None] * (len(steps) - good - 1)
        return process_row(texts(record, where, "problem")[0], steps, labels)

    return collect("ProcessBench", "process", convert, path, streaming, split=split)
