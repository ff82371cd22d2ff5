"""RLHFlow's data (Xiong et al. 2024), conversations: the user says a step, the assistant says + or -.

Solutions to GSM8K and MATH by two models, labelled by rollouts step by step, or as a whole by the final answer. The
first turn holds the question and what follows it; where the one ends, the row does not always say. `minrm.sources`
offers the two functions.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from minrm.errors import InputError
from minrm.sources.reading import NO_START, SIGNS, Row, collect, get, process_row, read_records, split_question, texts
from minrm.text import final_answer

if TYPE_CHECKING:
    from datasets import Dataset


def rlhflow(
    path: str | os.PathLike = "RLHFlow/Mistral-PRM-Data",
    split: str = "train",
    problems: Iterable[dict[str, Any]] | None = None,
    streaming: bool = False,
) -> Dataset:
    """RLHFlow's process data (Xiong et al. 2024): GSM8K and MATH, labelled by rollouts -> process rows.

    A row is a conversation: the user says a step, the assistant + or -. The first turn holds the question too, and in
    the Mistral data "Step 1:" begins the step. The Deepseek data have no such mark: `problems` (rows with a question,
    such as `gsm8k()`) tells how far the question goes. Dropped and counted: rows with neither, and with a step without
    text. Raises InputError for a file or row that cannot be used.
    """
    known = _Questions(problems or ())

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        steps, labels = _turns(record, place)
        begun = known.split(steps[0]) or split_question(steps[0])
        if begun is None:
            return [], NO_START + ("" if problems else " (give problems=…)")
        return process_row(begun[0], [begun[1], *steps[1:]], labels)

    records = read_records(path, "rlhflow", split=split, streaming=streaming)
    return collect("RLHFlow", "process", records, convert, streaming)


def rlhflow_outcomes(
    path: str | os.PathLike = "RLHFlow/Mistral-ORM-Data",
    split: str = "train",
    problems: Iterable[dict[str, Any]] | None = None,
    streaming: bool = False,
) -> Dataset:
    """RLHFlow's outcome data (Xiong et al. 2024): solutions to GSM8K and MATH, right or wrong -> outcome rows.

    A row is a conversation of two turns: the user says question and solution, the assistant + or -. Where the solution
    begins, "Step 1:" or `problems` says, as in `rlhflow`; rows with neither are dropped and counted. The publisher does
    not give the right answer: it is the solution's own where that is right, else null. Raises InputError for a file or
    row that cannot be used.
    """
    known = _Questions(problems or ())

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        said, labels = _turns(record, place)
        if len(said) != 1 or labels == [None]:
            raise InputError(
                f"{place}: {len(get(record, 'conversations', list, place))} turns, not two (question and solution, "
                "then + or -); process data, with a turn a step, are read by rlhflow"
            )
        begun = known.split(said[0]) or split_question(said[0])
        if begun is None:
            return [], NO_START + ("" if problems else " (give problems=…)")
        question, solution = (text.strip() for text in begun)
        if not solution:
            return [], "an empty solution"
        correct = bool(labels[0])
        answer = final_answer(solution) if correct else None
        return [{"question": question, "solution": solution, "answer": answer, "correct": correct}], ""

    records = read_records(path, "rlhflow_outcomes", split=split, streaming=streaming)
    return collect("RLHFlow outcomes", "outcome", records, convert, streaming)


def _turns(record: Row, place: str) -> tuple[list[str], list[int | None]]:
    """What the user said in each turn of a conversation, and the label that each got: None for a last one without."""
    said = get(record, "conversations", list, place)
    if not said:
        raise InputError(f"{place}: an empty conversation; each step is a turn of the user, with + or - after it")
    steps: list[str] = []
    labels: list[int | None] = []
    for number, turn in enumerate(said, start=1):
        at, who = f"{place}, turn {number}", ("user", "assistant")[(number - 1) % 2]
        if not isinstance(turn, dict) or turn.get("role") != who:
            by = turn.get("role") if isinstance(turn, dict) else turn
            raise InputError(f"{at}: by {by!r:.40}, not by {who!r}; the user says a step, the assistant + or -")
        text = texts(turn, at, "content")[0]
        if who == "user":
            steps.append(text)
        elif text.strip() in SIGNS:
            labels.append(SIGNS[text.strip()])
        else:
            raise InputError(f"{at}: the assistant says {text!r:.40}; it should be + or -")
    return steps, [*labels, *[None] * (len(steps) - len(labels))]


class _Questions:
    """Known questions, for texts that begin with one of them and do not say where it ends."""

    def __init__(self, problems: Iterable[Row]):
        self._sorted = sorted({row["question"].strip() for row in problems})

    def split(self, text: str) -> tuple[str, str] | None:
        """The longest known question that the text begins with, and the rest; None where it begins with none."""
        key = text = text.strip()
        while place := bisect_right(self._sorted, key):
            question = self._sorted[place - 1]
            if text.startswith(question):
                return question, text[len(question) :]
            key = os.path.commonprefix([question, text])  # what is longer cannot begin the text: it would sort here
        return None
