"""What was handed in: one entry for each student found in a folder, and what a notebook holds.

A student is what a file's name says before its first underscore (`ada.ipynb`, `ada_final_token.ipynb`), or the part of
a subfolder's name before it (`ada_8412_assignsubmission_file/final_token.ipynb`): so Canvas and Moodle hand them out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
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
    """A student, and the one notebook to grade; or None, and why there is none."""

    student: str
    path: Path | None
    reason: str = ""

    def digest(self) -> str:
        """A letter first: a spreadsheet would read some of them as numbers."""
        return "d" + hashlib.sha256(self.path.read_bytes()).hexdigest()[:15] if self.path else ""


class Work(NamedTuple):
    """cells: (name, code) of those that graders run. results: what `experiment` printed. explanation: as written."""

    cells: list[tuple[str, str]]
    results: dict[str, Any] | None
    explanation: str


def find(folder: Path) -> list[Entry]:
    """The students of a folder, in order of their names. Raises InputError for a folder with nothing in it."""
    if not folder.is_dir():
        raise InputError(f"SUBMISSIONS={folder}: there is no such folder; give one with a notebook of each student")
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        name = parts[0] if len(parts) > 1 else path.stem
        files.setdefault((name.split("_")[0].strip() or name).casefold(), []).append(path)
    if not files:
        raise InputError(f"SUBMISSIONS={folder}: the folder is empty; put a notebook of each student there")
    return [_entry(folder, paths) for _, paths in sorted(files.items())]


def _entry(folder: Path, paths: list[Path]) -> Entry:
    first = paths[0].relative_to(folder)
    name = first.parts[0] if len(first.parts) > 1 else first.stem
    student = name.split("_")[0].strip() or name
    notebooks = [path for path in paths if path.suffix.lower() == ".ipynb"]
    if not notebooks:
        return Entry(student, None, f"no notebook (.ipynb) was handed in, but {first.name}")
    if len(notebooks) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in notebooks[:5])
        return Entry(
            student,
            None,
            f"{len(notebooks)} notebooks: {names}; leave the one that counts, or rename, if these are several students",
        )
    if notebooks[0].is_symlink() or notebooks[0].resolve().parent != notebooks[0].parent.resolve():
        return Entry(student, None, f"{notebooks[0].name} is a link, and not a file")
    if notebooks[0].stat().st_size > LARGEST_MB << 20:
        return Entry(student, None, f"{notebooks[0].name} is larger than {LARGEST_MB} MB")
    return Entry(student, notebooks[0])


def read(path: Path) -> Work:
    """What a notebook holds. Raises InputError if the file is none, or one of another assignment."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        cells = [(_id(cell), cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]
    except Exception as error:  # whatever is wrong with it
        said = " ".join(str(error).split())[:120]
        raise InputError(f"{path.name} is no notebook that can be read ({type(error).__name__}: {said})") from error
    code = [(name, source) for name, kind, source, tags in cells if kind == "code" and SKIPPED not in tags]
    if not any("final_token" in source for _, source in code):
        raise InputError(f"no cell of {path.name} defines `final_token`: is it the notebook of another assignment?")
    return Work(code, _results(notebook), _explanation(cells))


def _id(cell: Any) -> str:
    """The cell's name; Colab keeps it among the metadata."""
    return str(cell.metadata.get("id") or cell.get("id") or "")


def _explanation(cells: list[tuple[str, str, str, list[str]]]) -> str:
    """The student's text in the cell `explanation` (or the one with its heading) and in all Markdown cells below it."""
    handed_out = {HEADING.sub("", source).strip() for source in given()}
    found: list[str] = []
    for name, kind, source, _ in cells:
        if kind == "markdown" and (found or name == "explanation" or HEADING.search(source)):
            found.append(HEADING.sub("", source).strip())
    return "\n\n".join(text for text in found if text and text not in handed_out)


@cache
def given() -> frozenset[str]:
    """The texts of the Markdown cells that every student starts from."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return frozenset(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _results(notebook: Any) -> dict[str, Any] | None:
    """What the last line of JSON behind `results: ` says, among the stored outputs; None if there is none."""
    printed = [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    found = RESULTS.findall("\n".join(printed))
    try:
        results = json.loads(found[-1]) if found else None
    except (ValueError, RecursionError):
        return None
    return results if isinstance(results, dict) else None


def missing(results: dict[str, Any] | None) -> str | None:
    """Why the printed results do not count as the experiment; None if they do.

    Wanted are two variants, each with two seeds or more, and of each a within-problem AUC and shares of best-of-N, as
    the cell `experiment` prints them; a third that is not complete does no harm. Whoever wants to can print others, so
    a person should look at them.
    """
    if results is None:
        return "no line `results: …` is stored in the notebook; run the experiment and save it with its outputs"
    variants = [runs for runs in results.values() if isinstance(runs, dict | list)]
    if len(variants) < 2:
        return "the results have one variant; two are to be compared"
    lacks, seen = [], []
    for runs in variants:
        of_seeds = [dict(_numbers(run)) for run in (runs.values() if isinstance(runs, dict) else runs)]
        if lack := _lack(of_seeds):
            lacks.append(lack)
        else:
            seen += of_seeds
    if len(variants) - len(lacks) < 2:
        return lacks[0]
    alike = any(run == other for place, run in enumerate(seen) for other in seen[:place])
    return "two of the runs have the same numbers to the last digit" if alike else None


def _lack(of_seeds: list[dict[str, float]]) -> str | None:
    """Why the runs of one variant do not count."""
    if len([run for run in of_seeds if run]) < SEEDS:
        return f"a variant has fewer than {SEEDS} seeds"
    for run in of_seeds:
        aucs = [value for name, value in run.items() if "auc" in name.lower()]
        if not aucs or len(run) == len(aucs):
            return "a seed has no within-problem AUC, or no best-of-N"
        if not all(0.4 <= value < 1 for value in aucs) or not all(0 <= value <= 1 for value in run.values()):
            return "a number is not what such a run can give (AUC below 0.4 or 1, a share outside 0 to 1)"
    return None


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested JSON, each under the names that lead to it."""
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inside:
            if key != "seed":
                yield from _numbers(part, f"{name} {key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value
