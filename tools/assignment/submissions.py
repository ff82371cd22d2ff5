"""What was handed in: one entry for each student of a folder, and what a notebook holds.

A student is what a file's name says before its first underscore (`ada.ipynb`, `ada_final_token.ipynb`), or the part of
a subfolder's name before it (`ada_8412_assignsubmission_file/final_token.ipynb`): so Canvas and Moodle hand them out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from rubric import SEEDS

from minrm.errors import InputError

NOTEBOOK = Path(__file__).parents[2] / "book" / "exercises" / "final_token.ipynb"
LARGEST_MB = 30
SKIPPED = "otter_ignore"  # the tag of cells that graders leave out
HEADING = re.compile(r"^#+ *What I see and why\b.*$", re.MULTILINE)
RESULTS = re.compile(r"^results: (\{.*\})\s*$", re.MULTILINE)


class Entry(NamedTuple):
    """A student, the files of this name, and the digest of the one notebook, or of why there is none."""

    student: str
    paths: list[Path]
    digest: str = ""

    @property
    def file(self) -> str:
        return readable(self.paths[0].name)


class Work(NamedTuple):
    """cells: (name, code) of those that graders run. results: what `experiment` printed. explanation: as written."""

    cells: list[tuple[str, str]]
    results: dict[str, Any] | None
    explanation: str


def find(folder: Path) -> list[Entry]:
    """The students of a folder, in order of their names. Raises InputError for a folder with nothing in it."""
    files: dict[str, Entry] = {}
    for path in sorted(folder.rglob("*")):
        first, *inside = path.relative_to(folder).parts
        if path.is_dir() or any(part.startswith((".", "__MACOSX")) for part in (first, *inside)):
            continue
        name = readable(first if inside else path.stem)
        student = name.split("_")[0].strip() or name
        files.setdefault(student.casefold(), Entry(student, [])).paths.append(path)
    if not files:
        raise InputError(f"SUBMISSIONS={folder}: no such folder, or nothing in it; put each student's notebook there")
    return [entry._replace(digest=_digest(entry)) for _, entry in sorted(files.items())]


def readable(name: str) -> str:
    """The name of a file as text; one that is no UTF-8 is read as Latin-1."""
    try:
        return os.fsencode(name).decode()
    except UnicodeDecodeError:
        return os.fsencode(name).decode("latin-1")


def _digest(entry: Entry) -> str:
    try:
        content = _notebook(entry).read_bytes()
    except (InputError, OSError) as error:
        content = str(error).encode("utf-8", "replace")
    return hashlib.sha256(content).hexdigest()


def _notebook(entry: Entry) -> Path:
    """The one notebook of a student. Raises InputError for none, several, or what is no file."""
    notebooks = [path for path in entry.paths if path.suffix.lower() == ".ipynb"]
    names = ", ".join(readable(path.name) for path in (notebooks or entry.paths)[:5])
    if not notebooks:
        raise InputError(f"no notebook (.ipynb) was handed in, but {names}")
    if len(notebooks) > 1:
        remedy = "leave the one that counts, or rename, if they are of several students"
        raise InputError(f"{len(notebooks)} notebooks: {names}; {remedy}")
    path = notebooks[0]
    if path.resolve() != path.parent.resolve() / path.name or not path.is_file():
        raise InputError(f"{names} is a link or a device, and not a file")
    if path.stat().st_size > LARGEST_MB << 20:
        raise InputError(f"{names} is larger than {LARGEST_MB} MB")
    return path


def read(entry: Entry) -> Work:
    """What a student's notebook holds. Raises InputError if there is none, or one of another assignment."""
    path = _notebook(entry)
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        cells = [(_id(cell), cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]
    except Exception as error:  # whatever is wrong with it
        message = " ".join(str(error).split())[:120]
        raise InputError(f"{entry.file} is no notebook that can be read ({type(error).__name__}: {message})") from error
    code = [(cell, source) for cell, kind, source, tags in cells if kind == "code" and SKIPPED not in tags]
    if not any("final_token" in source for _, source in code):
        raise InputError(f"no cell of {entry.file} defines `final_token`: is it the notebook of another assignment?")
    return Work(code, _results(notebook), _explanation(cells))


def _id(cell: Any) -> str:
    """The cell's name; Colab keeps it among the metadata."""
    return str(cell.metadata.get("id") or cell.get("id") or "")


def _explanation(cells: list[tuple[str, str, str, list[str]]]) -> str:
    """The student's text in the cell `explanation` (or the one with its heading) and in all Markdown cells below it."""
    texts: list[str] = []
    for name, kind, source, _ in cells:
        if kind == "markdown" and (texts or name == "explanation" or HEADING.search(source)):
            texts.append(HEADING.sub("", source).strip())
    return "\n\n".join(text for text in texts if text and text not in _handed_out())


@cache
def _handed_out() -> frozenset[str]:
    """The texts of the Markdown cells that every student starts from."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return frozenset(HEADING.sub("", cell.source).strip() for cell in notebook.cells if cell.cell_type == "markdown")


def _results(notebook: Any) -> dict[str, Any] | None:
    """What the last line of JSON behind `results: ` says, among the stored outputs; None if there is none."""
    texts = [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    lines = RESULTS.findall("\n".join(texts))
    try:
        results = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return None
    return results if isinstance(results, dict) else None


def missing(results: dict[str, Any] | None) -> str:
    """Why the printed results do not count as the experiment; nothing if they do. A person looks at the numbers."""
    if results is None:
        return "no line `results: …` is stored in the notebook; run the experiment and save it with its outputs"
    variants = [runs for runs in results.values() if isinstance(runs, list)]
    seeds = [[run for run in runs if isinstance(run, dict) and {"auc", "best_of_n"} <= run.keys()] for runs in variants]
    complete = sum(len(runs) >= SEEDS for runs in seeds)
    lack = f"{complete} variants in the results have {SEEDS} seeds, each with `auc` and `best_of_n`; two should"
    return lack if complete < 2 else ""
