"""What is known of a class: `verdicts.json` for the next call, `grades.csv` for a person, a page for each student.

A person types points into the table: for the explanation, or other ones for the experiment. They stay as long as the
student's row does.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

from rubric import CODE, POINTS

from minrm.errors import InputError

Row = dict[str, str]
COLUMNS = ["student", "file", "code", "experiment", "explanation", "total so far", "reason"]
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
FORMULA = re.compile(
    r"""((?:^|[,|])[\s"']*)(?=[=+\-@＝＋－＠])"""
)  # in front of what begins a cell, where `,` or `|` ends one
HERE = Path(__file__).parent
PAGE, FEEDBACK = ((HERE / name).read_text(encoding="utf-8") for name in ("page.html", "feedback.html"))


@dataclass
class Verdict:
    """code, experiment: points. reason: why some are missing, in one line. notes: (part, sentence) for the student."""

    student: str
    file: str
    digest: str = ""  # of the notebook; without one it is graded again
    code: int = 0
    experiment: int = 0
    reason: str = ""
    explanation: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)

    def miss(self, part: str, reason: str) -> None:
        """Note why a part has no points; the first such reason stands in the table."""
        self.notes.append((part, reason))
        self.reason = self.reason or reason


class Table:
    """The verdicts in a folder, by student. Raises InputError for a table that another program wrote."""

    def __init__(self, folder: Path, title: str = "") -> None:
        self.title = title
        self.path, self.store, self.pages = folder / "grades.csv", folder / "verdicts.json", folder / "feedback"
        self.typed = _read(self.path)
        before = json.loads(self.store.read_text(encoding="utf-8")) if self.store.exists() else []
        self.before = {verdict["student"]: Verdict(**verdict) for verdict in before}
        self.verdicts: dict[str, Verdict] = {}
        self.pages.mkdir(parents=True, exist_ok=True)

    def keep(self, student: str, digest: str) -> bool:
        """Take over the verdict of an earlier call, if it is of this very file and its row is still in the table."""
        verdict = self.before.get(student)
        if not verdict or verdict.digest != digest or cell(student) not in self.typed:
            return False
        self.verdicts[student] = verdict
        return True

    def add(self, verdict: Verdict) -> None:
        """Take in a verdict; where points were typed for the explanation of an earlier file, the reason says so."""
        row = self.typed.get(cell(verdict.student), {"explanation": ""})
        row["experiment"] = str(verdict.experiment)
        if row["explanation"] and verdict.digest != getattr(self.before.get(verdict.student), "digest", ""):
            verdict.reason = f"handed in again since its explanation got points; {verdict.reason}".rstrip("; ")
        self.verdicts[verdict.student] = verdict

    def rows(self) -> list[Row]:
        """A row for each verdict, and those in which points were typed though the notebook is no longer there."""
        missing = {"reason": "no notebook of this name is in the folder"}
        rows = {student: row | missing for student, row in self.typed.items() if row["explanation"]}
        rows |= {cell(student): self._row(verdict) for student, verdict in self.verdicts.items()}
        return [rows[student] for student in sorted(rows, key=str.casefold)]

    def _row(self, verdict: Verdict) -> Row:
        row = {"experiment": str(verdict.experiment), "explanation": ""} | self.typed.get(cell(verdict.student), {})
        row |= {"student": verdict.student, "file": verdict.file, "code": str(verdict.code)}
        row["reason"] = re.sub(r"(.{100}).+(.{197})", r"\1 … \2", verdict.reason)  # a long one without its middle
        total = sum(points(row, name) for name in ("code", "experiment", "explanation"))
        return {name: cell(value) for name, value in row.items()} | {"total so far": f"{total:g}"}

    def write(self) -> None:
        _write(self.store, json.dumps([asdict(verdict) for verdict in self.verdicts.values()]))
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        _write(self.path, text.getvalue())
        for verdict in self.verdicts.values():
            _write(self.pages / file_name(verdict.student), page(verdict, self._row(verdict), self.title))


def page(verdict: Verdict, row: Row, title: str) -> str:
    """The feedback as HTML, under the assignment's title; what comes from a submission is text in it, nothing else."""
    texts = {name: row[name] for name in ("student", "code", "experiment")} | {
        "explanation": row["explanation"] or "read by your instructor",
        "total": row["total so far"] if row["explanation"] else "when the explanation is read",
        "text": verdict.explanation or "Nothing yet.",
        "title": title,
    }
    most = {"most_code": CODE, "most_experiment": POINTS["experiment"], "most_explanation": POINTS["explanation"]}
    notes = "".join(f"<li><strong>{escape(part)}.</strong> {escape(note)}</li>" for part, note in verdict.notes)
    body = FEEDBACK.format(**most, notes=notes, **{name: escape(text) for name, text in texts.items()})
    return PAGE.format(title=f"Feedback for {escape(verdict.student)}", body=body)


def file_name(student: str) -> str:
    """The student's page: what no file's name may hold is escaped, so that no two students share one."""
    name = re.sub(r'[\x00-\x1f\x7f%/\\:*?"<>|]', lambda found: f"%{ord(found[0]):02X}", student)
    short = f"{name[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return (name if len(name.encode()) < 200 else short) + ".html"


def _write(path: Path, text: str) -> None:
    """Whole or not at all; half a letter, as an error of a submission may hold, becomes a question mark."""
    beside = path.with_name(".part")
    beside.write_bytes(text.encode("utf-8", "replace"))
    os.replace(beside, path)


def points(row: Row, name: str) -> float:
    """The number in a cell; 0 for nothing. Raises InputError for what is no number of points."""
    number, most = (row[name] or "0").strip().replace(",", "."), POINTS.get(name, CODE)
    if not re.fullmatch(r"\d+(\.\d+)?", number) or float(number) > most:
        wrong = f"{name} is {row[name]!r}; it should be a number from 0 to {most}, or nothing"
        raise InputError(f"grades.csv, the row of {row['student']}: {wrong}")
    return float(number)


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, whichever character separates its cells."""
    text = CONTROL.sub(" ", text.encode("utf-8", "replace").decode().replace(";", ", "))
    return FORMULA.sub(r"\1'", " ".join(text.split()))


def _read(path: Path) -> dict[str, Row]:
    """The rows of an earlier call by student; a spreadsheet may have saved them with semicolons."""
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: save it as `CSV UTF-8`") from error
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if text.startswith("student;") else ","))
    for row in rows:
        if set(COLUMNS) - set(row):
            raise InputError(f"{path} has other columns than {', '.join(COLUMNS)}; move it, or give another OUT")
        for name in ("experiment", "explanation"):
            row[name] = (row[name] or "").strip()
            points(row, name)
    return {row["student"]: {name: row[name] or "" for name in COLUMNS} for row in rows}
