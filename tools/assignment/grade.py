"""`make grade SUBMISSIONS=folder`: grades a folder of notebooks into `grades.csv` and a page of feedback each.

A submission runs in a process of its own (`sandbox.py`), which is given arguments and returns what the submission's
function makes of them. Then otter's test cases run here, on these answers: what is right is known only here, and
nothing in an answer is trusted to be more than numbers. Only this program writes, each file whole, so that it can be
stopped at any time; the next call grades what is new or has changed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout, suppress
from functools import cache, partial
from io import StringIO
from itertools import repeat
from pathlib import Path
from typing import Any

import reference
import sandbox
import torch
from rubric import ASSIGNMENTS, CODE, FINAL_TOKEN, POINTS, Assignment, cases
from submissions import Entry, find, missing, read
from table import Row, Table, Verdict
from torch import Tensor
from tqdm import tqdm
from worker import pack, unpack

from minrm.errors import InputError

PROBE = {
    "cells": [("", "import threading, torch, minrm; threading.Thread(target=print).start(); tried = torch.clone")],
    "function": "tried",
    "calls": [[{"tensor": ["bool", [1], [True]]}]],
}


def grade(
    folder: Path, out: Path, jobs: int, seconds: float, memory_mb: int, assignment: Assignment = FINAL_TOKEN
) -> list[Row]:
    """Grade what is new in `folder`, `jobs` at a time, and write `out`. Returns the table's rows."""
    entries = find(folder)
    table = Table(out, assignment.title)
    todo = [entry for entry in entries if not table.keep(entry.student, entry.digest)]
    print(f"{len(entries)} students, {len(todo)} to grade", flush=True)
    way = best_way() if todo else ""
    verdicts = judge_all(todo, jobs, way, assignment, seconds, memory_mb)
    for verdict in tqdm(verdicts, total=len(todo), desc="graded", unit="student"):
        table.add(verdict)
        table.write()
    table.write()
    return table.rows()


def judge_all(entries: list[Entry], jobs: int, *options: Any) -> Iterator[Verdict]:
    """The verdict on each entry, in order.

    When a process of the grader is ended from outside, the entries without a verdict are graded one by one.
    """
    start = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"), initializer=sandbox.protect)
    done = 0
    with suppress(BrokenProcessPool), start(jobs) as pool:
        for verdict in pool.map(judge, entries, *map(repeat, options)):
            done += 1
            yield verdict
    for entry in entries[done:]:
        try:
            with start(1) as pool:
                yield pool.submit(judge, entry, *options).result()
        except BrokenProcessPool:
            verdict = Verdict(entry.student, entry.file)
            verdict.miss("Grader", "the grader's own process was ended from outside, or by this code; call it again")
            yield verdict


def best_way() -> str:
    """The best way of containing that works here; prints what it contains."""
    for way in sandbox.ways():
        output, failure = sandbox.run(way, PROBE, seconds=120)
        if not failure and b'"tensor"' in output:
            print(f"contained by {way}: {sandbox.CONTAINED[way]}")
            return way
    raise InputError(f"no submission can be run here: {failure or output.decode()}")


def judge(entry: Entry, way: str, assignment: Assignment, seconds: float = 30, memory_mb: int = 2048) -> Verdict:
    """The verdict on a notebook. way: of containing it (`sandbox`)."""
    torch.set_num_threads(1)
    verdict = Verdict(entry.student, entry.file, entry.digest)
    try:
        work = read(entry, assignment)
        task = {"cells": work.cells, "function": assignment.function, "calls": _calls(assignment)}
        output, failure = sandbox.run(way, task, seconds, memory_mb)
        if reason := failure or _code(output, verdict, assignment):
            verdict.miss("Function", reason)
        if lack := missing(work.results, assignment):
            verdict.miss("Experiment", f"experiment: {lack}")
        else:
            verdict.experiment = POINTS["experiment"]
            verdict.notes.append(("Experiment", "both variants; taken as printed, a person looks at it"))
        verdict.explanation = work.explanation
        if not work.explanation:
            verdict.miss("Explanation", "explanation: no text stands under its heading, beyond what was handed out")
    except InputError as error:
        verdict.miss("Notebook", str(error))
    except Exception as error:  # a mistake of the grader's own stops nobody else's grading
        verdict.digest = ""
        verdict.miss("Grader", f"the grader itself stopped with {type(error).__name__}: {error}; please report it")
    return verdict


def _code(output: bytes, verdict: Verdict, assignment: Assignment) -> str:
    """Give the points of each test case, to the first that fails. Returns why it failed; nothing if none did."""
    try:
        reply = json.loads(output)
        answers = dict(zip(map(json.dumps, _calls(assignment)), reply["answers"], strict=False))
        stopped = [(str(cell)[:80], str(message)[:600]) for cell, message in reply["stopped"][:20]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "it wrote into the grader's own pipe"
    for cell, message in stopped:
        if cell != "check":  # what the check says stands below
            verdict.notes.append(("Cells", f"the cell {cell or 'without a name'} stopped with {message}"))
    if not answers:
        where = f"; the cell {stopped[0][0]} stopped" if stopped else ""
        return f"after all cells have run there is no function `{assignment.function}`{where}"

    def told(*given: Any) -> Any:
        return _answer(answers.get(json.dumps([pack(each) for each in given])), given)

    for case in cases(assignment):
        try:
            with redirect_stdout(StringIO()):
                case.body.call_func({assignment.function: told})
        except AssertionError as error:
            return f"blank: {assignment.function} is not written" if "NotImplementedError" in str(error) else str(error)
        verdict.code += case.points
        verdict.notes.append(("Function", case.success_message))
    return ""


def _answer(answer: Any, given: Sequence[Any]) -> Any:
    """What the submission's function returned for these arguments, or an error with the name of the one it raised."""
    try:
        for value, after in zip(given, map(unpack, answer["arguments"]), strict=True):
            if isinstance(value, Tensor):
                value.copy_(after.reshape(value.shape))
            elif isinstance(value, list):
                value[:] = after
        if "raised" not in answer:
            return type(str(answer["type"])[:40], (), {})() if "type" in answer else unpack(answer)
        name, message = map(str, answer["raised"])
        raised = type(name[:40], (Exception,), {})(message[:600])
    except Exception as error:  # whatever it sent
        raise AssertionError("it sent an answer that is none") from error
    raise raised


@cache
def _calls(assignment: Assignment) -> list[list[Any]]:
    """All arguments that the tests use, packed: found by running them with the reference, once in each process."""
    calls = []

    def function(*given: Any) -> Any:
        calls.append([pack(each) for each in given])
        return getattr(reference, assignment.function)(*given)

    with redirect_stdout(StringIO()):
        for case in cases(assignment):
            case.body.call_func({assignment.function: function})
    return calls


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", help="a folder with a notebook of each student")
    parser.add_argument("--assignment", choices=ASSIGNMENTS, default=FINAL_TOKEN.name, help="what was handed out")
    parser.add_argument("--out", type=Path, help="where grades.csv and feedback/ go; by default FOLDER-graded")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    parser.add_argument("--time", type=float, default=30, help="seconds of computing that one may take")
    parser.add_argument("--memory", type=int, default=2048, help="MB that one may take")
    options = parser.parse_args(arguments)
    folder = Path(options.submissions).resolve()
    out = (options.out or folder.with_name(f"{folder.name}-graded")).resolve()
    try:
        if not options.submissions:
            raise InputError("SUBMISSIONS=(nothing): name the folder with a notebook of each student")
        if out == folder or folder in out.parents:
            raise InputError(f"OUT={out} lies among the submissions; choose a folder elsewhere")
        assignment = ASSIGNMENTS[options.assignment]
        rows = grade(folder, out, max(1, options.jobs), options.time, options.memory, assignment)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    whole = sum(row["code"] == str(CODE) for row in rows)
    print(f"✓ {len(rows)} rows in {out / 'grades.csv'}, {whole} with all {CODE} points for code")
    print(f"  a page for each in {out / 'feedback'}; next: read the explanations, and type their points into the table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
