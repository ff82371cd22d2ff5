"""RLHFlow's data (Xiong et al. 2024), conversations: the user says a step, the assistant says + or -.

Solutions to GSM8K and MATH by two models, labelled by rollouts step by step, or as a whole by the final answer. The
first turn holds the question and the first step; in the Mistral data "Step 1:" begins the step, the Deepseek data have
no such mark.
"""

from collections.abc import Callable, Iterable

from minrm.errors import InputError
from minrm.sources.reading import LABELS, NO_START, Row, Rows, Source, collect, get, process_row, split_question, texts
from minrm.text import final_answer


def rlhflow(
    path: Source = "RLHFlow/Mistral-PRM-Data",
    split: str = "train",
    problems: Iterable[Row] = (),
    streaming: bool = False,
) -> Rows:
    """RLHFlow's process data (Xiong et al. 2024): GSM8K and MATH, labelled by rollouts -> process rows.

    problems: rows with a question, such as `gsm8k()`; they say where the question ends in the Deepseek data, which do
    not mark the first step. Dropped and counted: rows in which neither a known question nor "Step 1:" says so, and rows
    with a step without text.
    """
    split_first = _splitter(problems)

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, labels = _turns(record, where)
        parts = split_first(steps[0])
        if parts is None:
            return NO_START + ("" if problems else " (give problems=…)")
        return process_row(parts[0], [parts[1], *steps[1:]], labels)

    return collect("RLHFlow", "process", convert, path, streaming, split=split)


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
    split_first = _splitter(problems, several=True)

    def convert(record: Row, where: str) -> list[Row] | str:
        steps, labels = _turns(record, where)
        if len(steps) != 1 or labels == [None]:
            remedy = "process data, with a turn a step, are read by rlhflow"
            turns = len(record["conversations"])
            raise InputError(f"{where}: {turns} turns, not two (question and solution, then + or -); {remedy}")
        parts = split_first(steps[0])
        if parts is None:
            return NO_START + ("" if problems else " (give problems=…)")
        question, solution = (text.strip() for text in parts)
        if not solution:
            return "an empty solution"
        answer = final_answer(solution) if labels[0] else None
        return [{"question": question, "solution": solution, "answer": answer, "correct": bool(labels[0])}]

    return collect("RLHFlow outcomes", "outcome", convert, path, streaming, split=split)


def _turns(record: Row, where: str) -> tuple[list[str], list[int | None]]:
    """The user's turns of a conversation, and the label after each: None for a last one without."""
    turns = get(record, "conversations", list, where)
    if not turns:
        raise InputError(f"{where}: an empty conversation")
    said = [texts(turn, f"{where}, turn {number}", "role", "content") for number, turn in enumerate(turns, start=1)]
    for number, (role, text) in enumerate(said):
        if role != ("user", "assistant")[number % 2] or (number % 2 and text.strip() not in LABELS):
            message = "the user says a step, the assistant answers + or -, in turn"
            raise InputError(f"{where}, turn {number + 1}: {role!r} says {text!r:.40}; {message}")
    steps = [text for _, text in said[::2]]
    labels = [LABELS[text.strip()] for _, text in said[1::2]]
    return steps, [*labels, *[None] * (len(steps) - len(labels))]


def _splitter(problems: Iterable[Row], several: bool = False) -> Callable[[str], tuple[str, str] | None]:
    """A function that splits a text after the longest known question that begins it, else as `split_question`."""
    questions = {row["question"].strip() for row in problems}
    lengths = sorted({len(question) for question in questions}, reverse=True)

    def split(text: str) -> tuple[str, str] | None:
        text = text.strip()
        end = next((length for length in lengths if text[:length] in questions), None)
        return split_question(text, several) if end is None else (text[:end], text[end:])

    return split
