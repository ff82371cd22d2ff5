"""Judging one submission: the parts that a machine can judge, each with its points and the sentences for the student.

The submission runs in a process of its own, which is given masks and returns what its `final_token` makes of them. Then
otter's test cases run here, on these answers: what is right is known only here, and nothing in an answer is trusted to
be more than numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

import sandbox
import submissions
import torch
from reference import final_token as reference
from rubric import CASES, POINTS, SEEDS
from submissions import Entry
from table import Verdict
from torch import Tensor

from minrm.errors import InputError

RIGHT = {
    "check": "right on masks that nobody had seen, drawn with three seeds",
    "training": "thirty updates of training gave the losses that they give with the last tokens",
}
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")


def judge(entry: Entry, way: str, seconds: float = 30, memory_mb: int = 2048) -> Verdict:
    """The verdict on a notebook. way: of containing it (`sandbox`)."""
    verdict = Verdict(entry.student, submissions.readable(entry.path.name), entry.digest)
    try:
        if entry.reason:
            raise InputError(entry.reason)
        work = submissions.read(entry.path)
    except InputError as error:
        verdict.note("Notebook", str(error), str(error))
        return verdict
    output, failure = sandbox.run(way, {"cells": work.cells, "masks": _masks()}, seconds, memory_mb)
    if reason := failure or _code(output, verdict):
        verdict.note("Function", reason, reason)
    if lack := submissions.missing(work.results):
        verdict.note("Experiment", lack, f"experiment: {lack}")
    else:
        verdict.experiment = POINTS["experiment"]
        verdict.note("Experiment", f"both variants, {SEEDS} seeds or more; taken as printed, a person looks at it")
    verdict.explanation = work.explanation
    if not work.explanation:
        lack = "no text stands under its heading, beyond what was handed out"
        verdict.note("Explanation", lack, f"explanation: {lack}")
    return verdict


def _code(output: bytes, verdict: Verdict) -> str:
    """Give the points of each test case, to the first that fails. Returns why it failed; nothing if none did."""
    try:
        reply = json.loads(output)
        answers = dict(zip(map(str, _masks()), reply["answers"], strict=reply["defined"]))
        stopped = [(str(cell)[:80], str(message)[:600]) for cell, message in reply["stopped"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "it wrote into the grader's own pipe"
    for cell, message in stopped:
        if cell != "check":  # what the check says stands below
            verdict.note("Cells", f"the cell {cell or 'without a name'} stopped with {message}")
    if not answers:
        where = f"; the cell {stopped[0][0]} stopped" if stopped else ""
        return f"after all cells have run there is no function `final_token`{where}"
    for name, case in CASES.items():
        try:
            with redirect_stdout(StringIO()):
                case.body.call_func({"final_token": _function(answers)})
        except AssertionError as error:
            return "blank: final_token is not written" if "NotImplementedError" in str(error) else str(error)
        verdict.code += case.points
        verdict.note(name.capitalize(), RIGHT[name])
    return ""


def _function(answers: dict[str, Any]) -> Callable[[Tensor], Any]:
    """The submission's `final_token`, as far as it was asked."""

    def final_token(mask: Tensor) -> Any:
        answer = answers[str(mask.int().tolist())]
        try:
            mask.copy_(torch.tensor(answer["mask"], dtype=torch.bool).reshape(mask.shape))
            if "raised" in answer:
                name, message = map(str, answer["raised"])
                error = type(name[:40] if name.isidentifier() else "Exception", (Exception,), {})(message[:600])
            elif "tensor" in answer:
                dtype, shape, values = answer["tensor"]
                return torch.tensor(values, dtype=getattr(torch, DTYPES[DTYPES.index(dtype)])).reshape(shape)
            else:
                return answer["value"] if "value" in answer else type(str(answer["type"])[:40], (), {})()
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, AttributeError) as wrong:
            raise AssertionError("it sent an answer that is none") from wrong
        raise error

    return final_token


@cache
def _masks() -> list[list[list[int]]]:
    """All masks that the tests use, found by running them with the reference; drawn anew in each process."""
    masks = []

    def final_token(mask: Tensor) -> Tensor:
        masks.append(mask.int().tolist())
        return reference(mask)

    with redirect_stdout(StringIO()):
        for case in CASES.values():
            case.body.call_func({"final_token": final_token})
    return masks
