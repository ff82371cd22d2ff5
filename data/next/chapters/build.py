"""A chapter's notebook from its text here: python data/next/chapters/build.py 04_outcome_reward_model

Cells begin with `%% md`, `%% code TAG,TAG`, `%% install` (the cell that installs the course) or `%% exercises` (the
cells of the section *Exercises*); the last two are taken from the notebook as it is.
"""

import hashlib
import json
import re
import sys
from copy import deepcopy
from pathlib import Path


def exercises(cells: list[dict]) -> list[dict]:
    """The cells from the heading *Exercises* to the next heading of a section."""
    found: list[dict] = []
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (found or "## Exercises" in text):
            begin = 0 if found else text.index("## Exercises")
            end = re.search(r"^## (Summary|References)", text[begin:], re.M)
            part = text[begin : begin + end.start()] if end else text[begin:]
            if part.strip():
                found.append(deepcopy(cell) | {"source": lines(part.strip())})
            if end:
                return found
        elif found:
            found.append(deepcopy(cell))
    return found


def lines(text: str) -> list[str]:
    """A cell's source as notebooks store it."""
    return text.splitlines(keepends=True)


def main(name: str) -> None:
    notebook = json.loads((path := Path(f"book/{name}.ipynb")).read_text(encoding="utf-8"))
    old, cells = notebook["cells"], []
    text = (Path(__file__).parent / f"{name[:2]}.txt").read_text(encoding="utf-8")
    for part in re.split(r"^%% ", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        kind, *tags = head.split()
        if kind == "install":
            cells.append(deepcopy(next(cell for cell in old if cell["cell_type"] == "code")))
        elif kind == "exercises":
            cells += exercises(old)
        else:
            number = hashlib.sha1(f"{name}{len(cells)}{body}".encode()).hexdigest()[:8]
            metadata = {"tags": tags[0].split(",")} if tags else {}
            cell = {"cell_type": "markdown" if kind == "md" else "code", "id": number, "metadata": metadata}
            cells.append(cell | {"source": lines(body.strip("\n"))})
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
    path.write_text(json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
