"""`grades.csv` and the pages of feedback: what was graded before is read, what is new is added, each file is whole.

A row stays as long as its notebook is the same, with the points that a person typed into it for the explanation.
"""

from __future__ import annotations

import csv
import io
import os
import re
from itertools import count
from pathlib import Path

import feedback
import rubric
from judge import STOPPED, Verdict
from submissions import Entry

from minrm.errors import InputError

Row = dict[str, str]
COLUMNS = [
    "student", "file", "code", "experiment", "explanation", "total so far", "reason", "seconds", "contained", "digest",
]  # fmt: skip
NUMBER = re.compile(r"\d+(\.\d+)?")


class Table:
    """The rows in a folder, by student. Raises InputError for a table that another program wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "grades.csv"
        self.before = {(row["student"], row["digest"]): row for row in _read(self.path)}
        self.rows: dict[str, Row] = {}
        (folder / "feedback").mkdir(parents=True, exist_ok=True)

    def keep(self, entry: Entry) -> bool:
        """Take over the row of an earlier call, if there is one for this very file, and tell the student's page.

        Not one that the grader itself spoilt.
        """
        known, page = self._known(entry), self.page(entry.student)
        if known is None or not page.exists() or known["reason"].startswith(STOPPED):
            return False
        self.rows[entry.student] = row = known | {"total so far": total(known)}
        told = feedback.with_points(page.read_text(encoding="utf-8"), row)
        write(page, told)
        return True

    def save_typed(self, entries: list[Entry]) -> str:
        """Where points that a person typed would go, since their notebook is no longer there: the old table is kept.

        Returns a line that says so, or nothing. A notebook handed in again has lost its points on purpose; a name or a
        digest that a spreadsheet has changed has not.
        """
        here = {(plain(entry.student), entry.digest()) for entry in entries}
        lost = [student for (student, digest), row in self.before.items()
                if row["explanation"].strip() and (student, digest) not in here]  # fmt: skip
        if not lost:
            return ""
        free = (self.path.with_name(f"grades-before-{k}.csv") for k in count(1))
        kept = next(path for path in free if not path.exists())
        write(kept, self.path.read_text(encoding="utf-8-sig", errors="replace"))
        return (
            f"points for the explanation of {', '.join(lost)} are not taken over: the notebook is another one now, or "
            f"the table's student or digest was changed; they are kept in {kept}"
        )

    def add(self, entry: Entry, verdict: Verdict) -> None:
        """Write the student's page, and take the row in."""
        write(self.page(entry.student), feedback.page(entry.student, verdict))
        row = {
            "student": entry.student, "file": entry.path.name if entry.path else "", "code": str(verdict.code),
            "experiment": str(verdict.experiment), "explanation": (self._known(entry) or {}).get("explanation", ""),
            "reason": shortened(" ".join(verdict.reason.split())), "seconds": str(verdict.seconds),
            "contained": verdict.contained, "digest": entry.digest(),
        }  # fmt: skip
        row = {name: plain(value) for name, value in row.items()}
        self.rows[entry.student] = row | {"total so far": total(row)}

    def sorted(self) -> list[Row]:
        return [self.rows[student] for student in sorted(self.rows, key=str.casefold)]

    def write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.sorted())
        write(self.path, text.getvalue())

    def page(self, student: str) -> Path:
        return self.folder / "feedback" / (re.sub(r"[^\w .-]", "_", student) + ".html")

    def _known(self, entry: Entry) -> Row | None:
        return self.before.get((plain(entry.student), entry.digest()))


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def total(row: Row) -> str:
    """The sum of the points there are; the explanation counts once a number stands there."""
    points = [row[name].strip().replace(",", ".") for name in ("code", "experiment", "explanation")]
    return f"{sum(float(value) for value in points if NUMBER.fullmatch(value)):g}"


def shortened(text: str) -> str:
    """A long reason without its middle: what was wanted stands at the end."""
    return text if len(text) <= 300 else f"{text[:100]} … {text[-197:]}"


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _read(path: Path) -> list[Row]:
    """The rows of an earlier call; a spreadsheet may have saved them with semicolons."""
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:  # an older spreadsheet's
        text = path.read_text(encoding="cp1252", errors="replace")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if text.startswith("student;") else ","))
    if any(set(COLUMNS) - set(row) for row in rows):
        raise InputError(f"{path}: its columns are not {', '.join(COLUMNS)}; move it elsewhere, or give another OUT")
    for number, row in enumerate(rows, start=2):
        for name, most in ("experiment", rubric.EXPERIMENT), ("explanation", rubric.EXPLANATION):
            typed = (row[name] or "").strip().replace(",", ".")
            if typed and not (NUMBER.fullmatch(typed) and float(typed) <= most):
                said = f"{name} is {typed!r}; wanted a number from 0 to {most}, or nothing"
                raise InputError(f"{path}, row {number} ({row['student']}): {said}")
    return [{name: row[name] or "" for name in COLUMNS} for row in rows]
