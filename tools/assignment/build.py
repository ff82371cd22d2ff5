"""`make assignment`: what is given to students, and what grades them, in `dist/`.

The student's notebook without outputs, a handout of one page, and `autograder.zip` for otter-grader, with the
same tests as `make grade` runs. The zip holds the reference answer: it is for instructors.
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
from rubric import POINTS, SEEDS, TESTS
from submissions import NOTEBOOK
from table import PAGE

from minrm.errors import InputError

HERE = Path(__file__).parent
HELPERS = ["reference.py", "trained.py"]  # of the tests
CONFIG = HERE.parents[1] / "_config.yml"
LINK = re.compile(r"\[([^\]]*)\]\(\.\./([^)]*)\)")


def student_notebook() -> str:
    """The notebook as students start from it. Raises InputError if its function is written already."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
            if cell.id == "final-token" and "NotImplementedError" not in cell.source:
                raise InputError(f"{NOTEBOOK.name}: the cell `final-token` holds an answer; it must raise instead")
        # handed out alone it has no neighbours: a link to one leads to the fork, or is its text alone
        cell.source = LINK.sub(rf"[\1]({address()}/blob/HEAD/book/\2)" if address() else r"\1", cell.source)
    notebook.metadata.pop("minrm", None)  # the seal of its stored outputs
    return nbformat.writes(notebook) + "\n"


def handout() -> str:
    """The handout as a page that stands alone, its points from the rubric."""
    text = (HERE / "handout.md").read_text(encoding="utf-8").format(**POINTS, seeds=SEEDS)
    return PAGE.format(title="Supervise only the final token", body=MarkdownIt().enable("table").render(text))


def autograder(path: Path) -> None:
    """Write the zip, by `otter generate`. Its own container installs the course, without git, from where it lies."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copytree(TESTS.parent, "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for name in HELPERS:
            shutil.copy(HERE / name, name)
        Path("requirements.txt").write_text(f"minrm @ {address()}/archive/HEAD.zip\n" if address() else "")
        Path("otter_config.json").write_text('{"show_hidden": true, "pdf": false}\n')
        generate(output_path=str(path), files=HELPERS, python_version="3.11")


def address() -> str:
    """Where the fork lies; nothing before `make fork`."""
    url = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repository"]["url"]
    return (url or "").removesuffix(".git").rstrip("/")


def build(out: Path) -> None:
    """Write all three."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "final_token.ipynb").write_text(student_notebook(), encoding="utf-8")
    (out / "handout.html").write_text(handout(), encoding="utf-8")
    autograder(out / "autograder.zip")
    print(f"✓ {out}: final_token.ipynb and handout.html for students, autograder.zip for you (it holds the answer)")
    if not address():
        print("  the course has no address yet (make fork), so the zip grades with `otter run`, and not in a container")


if __name__ == "__main__":
    try:
        build(Path("dist").resolve())
    except InputError as error:
        sys.exit(str(error))
