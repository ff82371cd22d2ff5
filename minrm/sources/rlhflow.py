"""RLHFlow's data (Xiong et al. 2024), conversations: the user says a step, the assistant says + or -.

Solutions to GSM8K and MATH by two models, labelled by rollouts step by step, or as a whole by the final answer. The
first turn holds the question and the first step; in the Mistral data "Step 1:" begins the step, the Deepseek data have
no such mark.
"""

from collections.abc import Callable, Iterable
from typing import Any

import minrm.sources.reading as reading
from minrm.errors import InputError
from minrm.sources.reading import Convert, Row, Rows, Source
from minrm.text import final_answer


def rlhflow(
    path: Source = "RLHFlow/Mistral-PRM-Data",
    split: str = "train",
    problems: Iterable[Row] = (),
    streaming: bool = False,
) -> Rows:
    """RLHFlow's process data (Xiong et al. 2024): GSM8K and MATH, labelled by rollouts -> process rows.

    problems: rows with a question, such as `gsm8k()`; they say where the question ends in the Deepseek data, which do
    not mark the first step. Dropped and counted: rows with neither a known question nor "Step 1:", and rows
    with a step without text.
    """
    convert = _split_first(problems, reading.process_row)
    return reading.collect("RLHFlow", "process", convert, path, streaming, split=split)


def rlhflow_outcomes(
    path: Source = "RLHFlow/Mistral-ORM-Data",
    split: str = "train",
    problems: Iterable[Row] = (),
    streaming: bool = False,
) -> Rows:
    """RLHFlow's outcome data (Xiong et al. 2024): solutions to GSM8K and MATH, right or wrong -> outcome rows.

    A conversation has two turns: question and solution, then + or -. The publisher does not give the right answer:
    `answer` is the solution's own where that is right, else null. problems: as in `rlhflow`. Dropped and counted: rows
    in which nothing says where the solution begins, and empty solutions.
    """
    convert = _split_first(problems, _outcome, whole=True)
    return reading.collect("RLHFlow outcomes", "outcome", convert, path, streaming, split=split)


def _outcome(question: str, solution: list[str], labels: list[int | None]) -> list[Row] | str:
    text, right = solution[0].strip(), bool(labels[0])
    row = {"question": question.strip(), "solution": text, "answer": final_answer(text) if right else None}
    return [row | {"correct": right}] if text else "an empty solution"


def _split_first(problems: Iterable[Row], convert: Callable[..., Any], whole: bool = False) -> Convert:
    """A converter: `convert(question, steps, labels)` of each conversation, whose first turn is split in two.

    It is split after the longest known question that begins it, else as `split_question` says. whole: as solutions
    have it, a conversation must have two turns.
    """
    questions = {row["question"].strip() for row in problems}
    lengths = sorted({len(question) for question in questions}, reverse=True)

    def split(record: Row, where: str) -> list[Row] | str:
        steps, labels = _turns(record, where)
        if whole and (len(steps) != 1 or labels == [None]):
            remedy = "process data, with a turn a step, are read by rlhflow"
            turns = len(record["conversations"])
            raise InputError(f"{where}: {turns} turns, not two (question and solution, then + or -); {remedy}")
        text = steps[0].strip()
        end = next((length for length in lengths if text[:length] in questions), None)
        parts = reading.split_question(text, whole) if end is None else (text[:end], text[end:])
        if parts is None:
            return reading.NO_START + ("" if questions else " (give problems=…)")
        return convert(parts[0], [parts[1], *steps[1:]], labels)

    return split


def _turns(record: Row, where: str) -> tuple[list[str], list[int | None]]:
    """The user's turns of a conversation, and the label after each: None for a last one without."""
    turns = reading.get(record, "conversations", list, where)
    if not turns:
        raise InputError(f"{where}: an empty conversation")
    said = []
    for number, turn in enumerate(turns):
        role, text = reading.texts(turn, f"{where}, turn {number + 1}", "role", "content")
        if role != ("user", "assistant")[number % 2] or (number % 2 and text.strip() not in reading.LABELS):
            message = "the user says a step, the assistant answers + or -, in turn"
            raise InputError(f"{where}, turn {number + 1}: {role!r} says {text!r:.40}; {message}")
        said.append(text)
    labels = [reading.LABELS[text.strip()] for text in said[1::2]]
    return said[::2], [*labels, *[None] * (len(said) % 2)]
