"""What was handed in: one entry for each student of a folder, and what a notebook holds.

A student is what a file's name says before its first underscore (`ada.ipynb`, `ada_final_token.ipynb`), or the part of
a subfolder's name before it (`ada_8412_assignsubmission_file/final_token.ipynb`): so Canvas and Moodle hand them out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import resource
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import psutil
from rubric import SEEDS, Assignment

from minrm.errors import InputError

LARGEST_MB = 30
LONGEST = 50_000  # characters of an explanation
DEEPEST = 20  # folders inside one another
READING = 1 << 30  # bytes that reading a notebook may take: 30 MB of `{},` become some gigabytes
SKIPPED = "otter_ignore"  # the tag of cells that graders leave out
HEADING = re.compile(r"^#+ *What I see and why\b.*$", re.MULTILINE)
RESULTS = re.compile(r"^results: (\{.*\})\s*$", re.MULTILINE)
# what the table would change, so that no two names become one there; `%` too, since it stands for the others
UNSAFE = re.compile(r"[%;\x00-\x1f\x7f-\x9f\udc80-\udcff]|^\s|\s$|(?<=\s)\s|[^\S ]")


class Entry(NamedTuple):
    """A student, the files of this name, and the digest of the one notebook, or of why there is none."""

    student: str
    paths: list[Path]
    digest: str = ""

    @property
    def file(self) -> str:
        return readable(self.paths[0].name) if self.paths else ""


class Work(NamedTuple):
    """cells: (name, code) of those that graders run. results: what `experiment` printed. explanation: as written."""

    cells: list[tuple[str, str]]
    results: dict[str, Any] | None
    explanation: str


def find(folder: Path) -> list[Entry]:
    """The students of a folder, in order of their names. Raises InputError for a folder with nothing in it."""
    students: dict[str, Entry] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _passed_over(path.name):
            continue
        inside = path.is_dir() and not path.is_symlink()
        name = readable(path.name if inside else path.stem)
        student = name.split("_")[0].strip() or name
        entry = students.setdefault(student.casefold(), Entry(student, []))
        entry.paths.extend(_files(path) if inside else [path])
    if not students:
        raise InputError(f"SUBMISSIONS={folder}: no such folder, or nothing in it; put each student's notebook there")
    return [entry._replace(digest=_digest(entry)) for _, entry in sorted(students.items())]


def _files(folder: Path) -> list[Path]:
    """The files below a student's folder, in order; none of what cannot be listed, or lies too deep to be meant."""
    files = []
    for place, folders, names in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts) >= DEEPEST
        folders[:] = [] if deep else sorted(name for name in folders if not _passed_over(name))
        files += [Path(place, name) for name in sorted(names) if not _passed_over(name)]
    return files


def _passed_over(name: str) -> bool:
    """Whether a file or a folder is the system's own, and nobody's work."""
    return name.startswith((".", "__MACOSX"))


def readable(name: str) -> str:
    """The name of a file as text of one line, another one for each name: what is no such text is %-escaped bytes."""
    return UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in os.fsencode(found[0])), name)


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
        raise InputError(f"no notebook (.ipynb) was handed in, but {names or 'a folder in which nothing can be read'}")
    if len(notebooks) > 1:
        remedy = "leave the one that counts, or rename, if they are of several students"
        raise InputError(f"{len(notebooks)} notebooks: {names}; {remedy}")
    path = notebooks[0]
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{names} is a link or a device, and not a file")
        if path.stat().st_size > LARGEST_MB << 20:
            raise InputError(f"{names} is larger than {LARGEST_MB} MB")
    except OSError as error:
        raise InputError(f"{names} cannot be read: {error.strerror}") from error
    return path


def read(entry: Entry, assignment: Assignment) -> Work:
    """What a student's notebook holds. Raises InputError if there is none, or one of another assignment."""
    defines = re.compile(rf"\b{assignment.function}\b")
    path = _notebook(entry)
    try:
        with _bounded():
            notebook = nbformat.reads(path.read_text(encoding="utf-8-sig"), as_version=4)
            cells = [(_id(cell), cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]
            code = [(cell, source) for cell, kind, source, tags in cells if kind == "code" and SKIPPED not in tags]
            about = sum(bool(defines.search(source)) for _, source in code)
            work = Work(code, _results(notebook), _explanation(cells, assignment))
    except Exception as error:  # whatever is wrong with it
        message = " ".join(str(error).split())[:120]
        raise InputError(f"{entry.file} is no notebook that can be read ({type(error).__name__}: {message})") from error
    if not about:
        what = f"no cell of {entry.file} defines `{assignment.function}`"
        raise InputError(f"{what}: is it the notebook of another assignment?")
    return work


@contextmanager
def _bounded() -> Iterator[None]:
    """Let this process take no more than `READING` in addition, where the system can tell, and let nbformat be silent:
    it warns of every cell."""
    limit = resource.getrlimit(resource.RLIMIT_AS)
    log = logging.getLogger("traitlets")
    disabled, log.disabled = log.disabled, True
    try:
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + READING, limit[1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
        log.disabled = disabled


def _id(cell: Any) -> str:
    """The cell's name; Colab keeps it among the metadata."""
    return str(cell.metadata.get("id") or cell.get("id") or "")


def _explanation(cells: list[tuple[str, str, str, list[str]]], assignment: Assignment) -> str:
    """The student's text in the cell `explanation` (or the one with its heading) and in all Markdown cells below it."""
    texts: list[str] = []
    for name, kind, source, _ in cells:
        if kind == "markdown" and (texts or name == "explanation" or HEADING.search(source)):
            texts.append(HEADING.sub("", source).strip())
    text = "\n\n".join(text for text in texts if text and text not in _handed_out(assignment.notebook))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n\n(… cut here: read the rest in the notebook)"


@cache
def _handed_out(path: Path) -> frozenset[str]:
    """The texts of the Markdown cells that every student starts from."""
    notebook = nbformat.read(path, as_version=4)
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


def missing(results: dict[str, Any] | None, assignment: Assignment) -> str:
    """Why the printed results do not count as the experiment; nothing if they do. A person looks at the numbers."""
    if results is None:
        return "no line `results: …` is stored in the notebook; run the experiment and save it with its outputs"
    variants = [runs for runs in results.values() if isinstance(runs, list)]
    needed = {*assignment.measures}
    seeds = [[run for run in runs if isinstance(run, dict) and needed <= run.keys()] for runs in variants]
    complete = sum(len(runs) >= SEEDS for runs in seeds)
    each = " and ".join(f"`{measure}`" for measure in assignment.measures)
    lack = f"{complete} variants in the results have {SEEDS} seeds, each with {each}; two should"
    return lack if complete < 2 else ""
