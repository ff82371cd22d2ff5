"""`make assignment`: what is given to students, and what grades them, in `dist/`.

The student's notebook without outputs, a handout of one page, and `autograder.zip` for otter-grader, with the
same tests as `make grade` runs. The zip holds the reference answer: it is for instructors.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from feedback import PAGE
from markdown_it import MarkdownIt
from otter.generate import main as generate
from rubric import POINTS, SEEDS, TESTS
from submissions import NOTEBOOK

from minrm.errors import InputError

HERE = Path(__file__).parent
HELPERS = ["reference.py", "trained.py"]  # of the tests
CONFIG = HERE.parents[1] / "_config.yml"
LINK = re.compile(r"\[([^\]]*)\]\(\.\./([^)]*)\)")
ADDRESS = re.compile(r"^repository:\n(?:  .*\n)*?  url: *\"?(https://\S+?)\"?$", re.MULTILINE)


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
    """Write the zip, by `otter generate`."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copytree(TESTS.parent, "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for name in HELPERS:
            shutil.copy(HERE / name, name)
        Path("requirements.txt").write_text("\n".join(requirements()) + "\n")
        Path("otter_config.json").write_text('{"show_hidden": true, "pdf": false}\n')
        generate(output_path=str(path), files=HELPERS, python_version="3.11")


def address() -> str:
    """Where the fork lies; nothing before `make fork`."""
    url = ADDRESS.search(CONFIG.read_text(encoding="utf-8"))
    return url[1].removesuffix(".git").rstrip("/") if url else ""


def requirements() -> list[str]:
    """What the zip's own container, which has no git, installs beside otter: the course, from where its fork lies."""
    return [f"minrm @ {address()}/archive/HEAD.zip"] if address() else []


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="the folder to write to")
    out = parser.parse_args(arguments).out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    try:
        (out / "final_token.ipynb").write_text(student_notebook(), encoding="utf-8")
        (out / "handout.html").write_text(handout(), encoding="utf-8")
        autograder(out / "autograder.zip")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"✓ {out}: final_token.ipynb and handout.html for students, autograder.zip for you (it holds the answer)")
    if not requirements():
        print("  the course has no address yet (make fork), so the zip grades with `otter run`, and not in a container")
    return 0


if __name__ == "__main__":
    sys.exit(main())
