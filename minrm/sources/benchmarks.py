"""Benchmarks of reward models: data to measure on, not to train on."""

from minrm.errors import InputError
from minrm.sources.reading import Row, Rows, Source, collect, get, process_row, texts
from minrm.text import CORRECT, INCORRECT


def processbench(path: Source = "Qwen/ProcessBench", split: str = "gsm8k", streaming: bool = False) -> Rows:
    """ProcessBench (Zheng et al. 2024): where is the first error? Labelled by experts, to measure only -> process rows.

    `label` is the index of the first step with an error, from 0, or -1: the steps before that one are good, and those
    after it carry no label. split: gsm8k, math, olympiadbench or omnimath; the column subset has its name, from the id.
    Dropped and counted: rows with a step without text.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, first = get(record, "steps", list, where), get(record, "label", int, where)
        if not -1 <= first < len(steps):
            remedy = "it is the index of the first error, from 0, or -1 for none"
            raise InputError(f"{where}: the label is {first}, but there are {len(steps)} steps; {remedy}")
        good = len(steps) if first < 0 else first
        labels = [CORRECT] * good + [INCORRECT] * (good < len(steps)) + [None] * (len(steps) - good - 1)
        rows = process_row(texts(record, where, "problem")[0], steps, labels)
        subset = get({"id": "", **record}, "id", str, where).rpartition("-")[0]  # of "gsm8k-17"
        return rows if isinstance(rows, str) else [row | {"subset": subset} for row in rows]

    return collect("ProcessBench", "process", convert, path, streaming, split=split)


def rewardbench2(path: Source = "allenai/reward-bench-2", split: str = "test", streaming: bool = False) -> Rows:
    """RewardBench 2 (Malik et al. 2025): right and wrong completions of a prompt, for measuring only -> outcome rows.

    A row for each completion, the right ones of a prompt first, with the columns subset and id. `answer` is null: the
    publisher says which completions are right. Dropped and counted: prompts with an empty completion.
    """

    def convert(record: Row, where: str) -> list[Row] | str:
        prompt, subset, name = texts(record, where, "prompt", "subset", "id")
        sides = {
            "num_correct": get(record, "chosen", list, where),
            "num_incorrect": get(record, "rejected", list, where),
        }
        for field, side in sides.items():
            if not side or get({field: len(side), **record}, field, int, where) != len(side):
                raise InputError(
                    f"{where}: {len(side)} completions, but {field} is {record.get(field)}; fetch it again"
                )
        if any(isinstance(text, str) and not text.strip() for side in sides.values() for text in side):
            return "an empty completion"
        row = {"question": prompt, "answer": None, "subset": subset, "id": name}
        right = [True] * len(sides["num_correct"]) + [False] * len(sides["num_incorrect"])
        return [
            row | {"solution": text, "correct": correct}
            for text, correct in zip([*sides["num_correct"], *sides["num_incorrect"]], right, strict=True)
        ]

    return collect("RewardBench 2", "outcome", convert, path, streaming, split=split)
