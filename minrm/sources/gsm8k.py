"""GSM8K (Cobbe et al. 2021): its problems with worked answers, and the solutions of four models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from minrm.errors import InputError
from minrm.rows import check_row
from minrm.sources.reading import Row, collect, get, plain, read_records, texts
from minrm.text import final_answer

if TYPE_CHECKING:
    from datasets import Dataset

SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def gsm8k(
    path: str | os.PathLike = "openai/gsm8k",
    split: str = "train",
    worked: bool = False,
    annotations: bool = False,
    streaming: bool = False,
) -> Dataset:
    """GSM8K (Cobbe et al. 2021): grade-school word problems -> problems {question, answer}, "18".

    worked: the published worked answers too, as right solutions (outcome schema). annotations: keep the calculator's
    marks in them, `<<48/2=24>>`. split: of the hub's data; a file is taken whole. Raises InputError for a file or row
    that cannot be used.
    """

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        question, solution = texts(record, place, "question", "answer")
        answer = final_answer(solution)
        if answer is None:
            raise InputError(f"{place}: the worked answer has no line '#### …' with the final answer; is this GSM8K?")
        extra = {"solution": plain(solution, annotations)} if worked else {}
        return [{"question": question, **extra, "answer": answer} | ({"correct": True} if worked else {})], ""

    records = read_records(path, "gsm8k", name="main", split=split, streaming=streaming)
    return collect("GSM8K", "outcome" if worked else "problem", records, convert, streaming)


def gsm8k_solutions(
    path: str | os.PathLike, models: Sequence[str] | str = SOLVERS, annotations: bool = False, streaming: bool = False
) -> Dataset:
    """The GSM8K test questions as four language models solved them (Cobbe et al. 2021) -> outcome rows.

    One row a question and model, in the order of `models` (default: all four, 6B and 175B, fine-tuned and chosen by
    a verifier; also as one text, "6b_finetuning,6b_verification"); `answer` is the problem's, `correct` the publisher's
    judgement. annotations: as in `gsm8k`. Raises InputError for unknown models and for a file or row that cannot be
    used.
    """
    models = models.split(",") if isinstance(models, str) else models
    unknown = [model for model in models if model not in SOLVERS]
    if unknown or not models:
        raise InputError(f"models {unknown or list(models)}; choose some of {', '.join(SOLVERS)}")

    def convert(record: Row, place: str) -> tuple[list[Row], str]:
        question, truth = texts(record, place, "question", "ground_truth")
        answer = final_answer(truth)
        if answer is None:
            raise InputError(f"{place}: ground_truth has no line 'A: …' with the final answer")
        found = []
        for model in models:
            written = get(record, model, dict, place)
            solution = plain(texts(written, f"{place}, {model}", "solution")[0], annotations)
            row = {"question": question, "solution": solution, "answer": answer, "correct": written.get("is_correct")}
            check_row(row, "outcome", f"{place}, {model}")  # here, since the place is one of four
            found.append(row)
        return found, ""

    return collect("GSM8K model solutions", "outcome", read_records(path, "gsm8k_solutions"), convert, streaming)
