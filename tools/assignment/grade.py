"""`make grade SUBMISSIONS=folder`: grades a folder of notebooks into `grades.csv` and a page of feedback each.

A submission runs in a process of its own (`sandbox.py`), is asked for masks (`talk.py`) and judged here (`judge.py`).
Only this program writes, each file whole, so that it can be stopped at any time; the next call grades what is new or
has changed. A person types the points for the explanation into `grades.csv`, and they stay while the notebook does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import rubric
import sandbox
import torch
from judge import STOPPED, Verdict, judge
from submissions import Entry, find
from table import Row, Table
from talk import Submission
from tqdm import tqdm

from minrm.errors import InputError

PROBE = [("", "import threading, torch, minrm; threading.Thread(target=print).start(); final_token = torch.clone")]


def grade(folder: Path, out: Path, jobs: int, seconds: float, memory_mb: int) -> list[Row]:
    """Grade what is new in `folder`, and write `out`. Returns all rows, in order of the students' names."""
    entries = find(folder)
    table = Table(out)
    todo = [entry for entry in entries if entry.path and not table.keep(entry)]
    print(f"{len(entries)} students, {len(todo)} to grade", flush=True)
    if lost := table.save_typed(entries):
        print(lost, flush=True)
    for entry in entries:
        if not entry.path:
            table.add(entry, Verdict(reason=entry.reason, told=[("Notebook", entry.reason)]))
    if todo:
        way = best_way()
        seed = secrets.randbelow(10**6)  # of the training; nobody has seen it
        for entry, verdict in _judged(todo, jobs, way, seed, seconds, memory_mb):
            table.add(entry, verdict)
            table.write()
    table.write()
    return table.sorted()


def best_way() -> str:
    """The best way of containing that works here; says what it contains."""
    for way in sandbox.ways():
        with Submission(PROBE, way, seconds=120) as probe:
            if probe.defined and not probe.stopped:
                print(f"contained by {way}: {sandbox.CONTAINED[way]}")
                return way
            why = probe.failure or str(probe.stopped)
    raise InputError(f"no submission can be run here: {why}")


def _judged(
    todo: list[Entry], jobs: int, way: str, seed: int, seconds: float, memory_mb: int
) -> Iterator[tuple[Entry, Verdict]]:
    """(entry, verdict) of each, as they come, `jobs` at a time, with progress."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context, initializer=_ready) as pool:
        waiting = {pool.submit(_judge, entry, way, seed, seconds, memory_mb): entry for entry in todo}
        for done in tqdm(as_completed(waiting), total=len(waiting), desc="graded", unit="student"):
            entry = waiting[done]
            try:
                yield entry, done.result()
            except BrokenProcessPool as error:
                said = "the grader's own process was ended from outside; those graded are kept, so start it again"
                raise InputError(said) from error
            except Exception as error:  # a mistake of the grader's own stops nobody else's grading
                said = f"{STOPPED} with {type(error).__name__}: {error}; please report it"
                yield entry, Verdict(reason=said, told=[("Grader", said)])


def _ready() -> None:
    sandbox.protect()
    torch.set_num_threads(1)


def _judge(entry: Entry, way: str, seed: int, seconds: float, memory_mb: int) -> Verdict:
    assert entry.path is not None
    try:
        return judge(entry.path, way, seed, seconds, memory_mb)
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
    whole = sum(row["code"] == str(rubric.CODE) for row in rows)
    print(f"✓ {len(rows)} rows in {out / 'grades.csv'}, {whole} with all {rubric.CODE} points for code")
    print(f"  a page for each in {out / 'feedback'}; next: read the explanations, and type their points into the table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
