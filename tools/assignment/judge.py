"""Judging one submission: the parts that a machine can judge, each with its points and the sentences for the student.

Runs in a trusted process. The submission runs in another one, which is asked for masks and for nothing else; what is
right is known only here.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import rubric
import submissions
from reference import final_token as reference
from talk import Submission
from trained import check_trained

from minrm.checks import check_final_token
from minrm.errors import InputError

STOPPED = "the grader itself stopped"
CHECKS = 3  # seeds of the check, so that no mistake slips through by luck


@dataclass
class Verdict:
    """points: of each part that a machine judges. reason: why some are missing, in one line. told: (part, sentence)."""

    check: int = 0
    trained: int = 0
    experiment: int = 0
    reason: str = ""
    explanation: str = ""
    seconds: float = 0.0
    contained: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)

    @property
    def code(self) -> int:
        return self.check + self.trained

    def say(self, part: str, sentence: str, reason: str = "") -> None:
        self.told.append((part, sentence))
        self.reason = self.reason or reason


def judge(path: Path, way: str, seed: int, seconds: float = 30, memory_mb: int = 2048) -> Verdict:
    """The verdict on a notebook. way: of containing it (`sandbox`). seed: of the training, the same for everyone."""
    began = time.monotonic()
    verdict = Verdict(contained=way)
    try:
        work = submissions.read(path)
    except InputError as error:
        verdict.say("Notebook", str(error), str(error))
        return verdict
    with Submission(work.cells, way, seconds, memory_mb) as final_token:
        _code(final_token, seed, verdict)
    _experiment(work, verdict)
    verdict.explanation = work.explanation
    if not work.explanation:
        verdict.say(
            "Explanation",
            "no text is found under its heading, beyond what was handed out",
            "no explanation found: look into the notebook",
        )
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


def _code(final_token: Submission, seed: int, verdict: Verdict) -> None:
    """Points of the function: the check with seeds nobody has seen, then a short training."""
    for cell, message in final_token.stopped:
        if cell == "check":  # below it is told what the check says here
            continue
        verdict.say("Cells", f"the cell {cell or 'without a name'} stopped with {message}")
    if not final_token.failure and not final_token.defined:
        stopped = f"; the cell {final_token.stopped[0][0]} stopped" if final_token.stopped else ""
        said = f"after all cells have run there is no function `final_token`{stopped}"
        return verdict.say("Function", said, said)
    for number in [secrets.randbelow(10**6) for _ in range(CHECKS)]:
        said = _holds(final_token, lambda number=number: check_final_token(final_token, seed=number))  # type: ignore[misc]
        if "NotImplementedError" in said:
            blank = "blank: final_token is not written"
            return verdict.say("Function", blank, blank)
        if said:
            seen = "" if final_token.failure else f" (to see it: check_final_token(final_token, seed={number}))"
            return verdict.say("Function", said + seen, said)
    verdict.check = rubric.CHECK
    verdict.say("Function", f"right on masks that were drawn for you alone, with {CHECKS} seeds")
    said = _holds(final_token, lambda: check_trained(final_token, reference, seed))
    if said:
        return verdict.say("Training", said, said)
    verdict.trained = rubric.TRAINED
    verdict.say("Training", "thirty updates of training gave the losses that they give with the last tokens")


def _holds(final_token: Submission, check: Callable[[], None]) -> str:
    """What a check says against a submission; nothing if it holds."""
    try:
        with redirect_stdout(StringIO()):
            check()
    except AssertionError as error:
        return final_token.failure or str(error)
    return ""


def _experiment(work: submissions.Work, verdict: Verdict) -> None:
    lacks = submissions.missing(work.results)
    if lacks:
        return verdict.say("Experiment", lacks, f"experiment: {lacks}")
    verdict.experiment = rubric.EXPERIMENT
    verdict.say("Experiment", f"both variants, {rubric.SEEDS} seeds or more; taken as printed, a person looks at it")
