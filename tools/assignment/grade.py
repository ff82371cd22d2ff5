"""`make grade SUBMISSIONS=folder`: grades a folder of notebooks into `grades.csv` and a page of feedback each.

A submission runs in a process of its own (`sandbox.py`), is given masks, and its answers are judged here (`judge.py`).
Only this program writes, each file whole, so that it can be stopped at any time; the next call grades what is new or
has changed. A person types the points for the explanation into `grades.csv`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import repeat
from pathlib import Path

import sandbox
import torch
from judge import judge
from rubric import CODE
from submissions import Entry, find, readable
from table import Row, Table, Verdict
from tqdm import tqdm

from minrm.errors import InputError

PROBE = [("", "import threading, torch, minrm; threading.Thread(target=print).start(); final_token = len")]


def grade(folder: Path, out: Path, jobs: int, seconds: float, memory_mb: int) -> list[Row]:
    """Grade what is new in `folder`, and write `out`. Returns the table's rows."""
    entries = find(folder)
    table = Table(out)
    todo = [entry for entry in entries if not table.keep(entry.student, entry.digest)]
    print(f"{len(entries)} students, {len(todo)} to grade", flush=True)
    if todo:
        for verdict in _verdicts(todo, jobs, best_way(), seconds, memory_mb):
            table.add(verdict)
            table.write()
    table.write()
    return table.rows()


def best_way() -> str:
    """The best way of containing that works here; prints what it contains."""
    for way in sandbox.ways():
        output, failure = sandbox.run(way, {"cells": PROBE, "masks": [[[1]]]}, seconds=120)
        if not failure and b'"value": 1' in output:
            print(f"contained by {way}: {sandbox.CONTAINED[way]}")
            return way
    raise InputError(f"no submission can be run here: {failure or output.decode()}")


def _verdicts(todo: list[Entry], jobs: int, way: str, seconds: float, memory_mb: int) -> Iterator[Verdict]:
    """The verdicts, `jobs` at a time, with progress."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, sandbox.protect) as pool:
        judging = pool.map(_judge, todo, *(repeat(option) for option in (way, seconds, memory_mb)))
        yield from tqdm(judging, total=len(todo), desc="graded", unit="student")


def _judge(entry: Entry, way: str, seconds: float, memory_mb: int) -> Verdict:
    torch.set_num_threads(1)
    try:
        return judge(entry, way, seconds, memory_mb)
    except Exception as error:  # a mistake of the grader's own stops nobody else's grading
        verdict = Verdict(entry.student, readable(entry.path.name))
        message = f"the grader itself stopped with {type(error).__name__}: {error}; please report it"
        verdict.note("Grader", message, message)
        return verdict
    finally:
        sandbox.reap()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", help="a folder with a notebook of each student")
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
        rows = grade(folder, out, max(1, options.jobs), options.time, options.memory)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print("the grader's own process was ended from outside; start it again, it goes on", file=sys.stderr)
        return 2
    whole = sum(row["code"] == str(CODE) for row in rows)
    print(f"✓ {len(rows)} rows in {out / 'grades.csv'}, {whole} with all {CODE} points for code")
    print(f"  a page for each in {out / 'feedback'}; next: read the explanations, and type their points into the table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
