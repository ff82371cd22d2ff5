"""`make assignment`: what is given to students, and what grades them, a folder of `dist/` for each assignment.

The student's notebook without outputs, a handout of one page, and `autograder.zip` for otter-grader, with the same
tests as `make grade` runs. A zip may hold the reference answer: it is for instructors.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml
from markdown_it import MarkdownIt
from otter.generate import main as generate
from rubric import ASSIGNMENTS, SEEDS, Assignment
from table import PAGE

from minrm.errors import InputError

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "_config.yml"
LINK = re.compile(r"\[([^\]]*)\]\(\.\./([^)]*)\)")


def student_notebook(assignment: Assignment) -> str:
    """The notebook as students start from it. Raises InputError if its function is written already."""
    notebook = nbformat.read(assignment.notebook, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
            if cell.id == assignment.cell and "NotImplementedError" not in cell.source:
                raise InputError(
                    f"{assignment.notebook.name}: the cell `{cell.id}` holds an answer; it must raise instead"
                )
        # handed out alone it has no neighbours: a link to one leads to the fork, or is its text alone
        cell.source = LINK.sub(rf"[\1]({address()}/blob/HEAD/book/\2)" if address() else r"\1", cell.source)
    notebook.metadata.pop("minrm", None)  # the seal of its stored outputs
    return nbformat.writes(notebook) + "\n"


def handout(assignment: Assignment) -> str:
    """The handout as a page that stands alone, its points from the rubric."""
    text = (HERE / f"{assignment.name}.md").read_text(encoding="utf-8").format(**assignment.points, seeds=SEEDS)
    return PAGE.format(title=assignment.title, body=MarkdownIt().enable("table").render(text))


def autograder(assignment: Assignment, path: Path) -> None:
    """Write the zip, by `otter generate`. Its own container installs the course, without git, from where it lies."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("tests").mkdir()
        shutil.copy(assignment.tests, "tests")
        for name in assignment.helpers:
            shutil.copy(HERE / name, name)
        Path("requirements.txt").write_text(f"minrm @ {address()}/archive/HEAD.zip\n" if address() else "")
        Path("otter_config.json").write_text('{"show_hidden": true, "pdf": false}\n')
        generate(output_path=str(path), files=list(assignment.helpers), python_version="3.11")


def address() -> str:
    """Where the fork lies; nothing before `make fork`."""
    url = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repository"]["url"]
    return (url or "").removesuffix(".git").rstrip("/")


def build(out: Path) -> None:
    """Write all three of each assignment."""
    for name, assignment in ASSIGNMENTS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ipynb").write_text(student_notebook(assignment), encoding="utf-8")
        (folder / "handout.html").write_text(handout(assignment), encoding="utf-8")
        autograder(assignment, folder / "autograder.zip")
        print(f"✓ {folder}: {name}.ipynb and handout.html for students, autograder.zip for you (keep it)")
    if not address():
        print("  the course has no address yet (make fork), so the zip grades with `otter run`, and not in a container")


if __name__ == "__main__":
    try:
        build(Path("dist").resolve())
    except InputError as error:
        sys.exit(str(error))
