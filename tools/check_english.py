"""`make lint`: refuses turns of phrase in pages, docstrings, messages and hints that make a reader read twice.

Each stands for a way of building a sentence: a clause in place of a noun ("whoever trains", "somebody who asks"), a
passive without a person ("wanted is"), another language's words ("an own model", "the interval holds zero"). Say who
does what: "if you train", "the model that you trained", "the interval contains zero".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import notebooks

ROOT = Path(__file__).parents[1]
REFUSED = r"\b(whoever|somebody who|nobody who|of which more|is told of|wanted is|an own|holds? zero)\b"
PATTERN = re.compile(REFUSED.replace(" ", r"\s+"), re.IGNORECASE)  # a line may end between two of the words
PROSE = ["*.md", "book/**/*.md", "book/**/*.ipynb", "data/*.md", "minrm/**/*.md", "minrm/**/*.py", "tools/**/*.md"]


def findings(root: Path) -> Iterator[str]:
    """What is refused in the files of a project, a line each: file, line or cell, and the words around."""
    for path in sorted(path for glob in PROSE for path in root.glob(glob)):
        name = path.relative_to(root).as_posix()
        for place, text in _texts(path):
            for found in PATTERN.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                phrase = " ".join(found[0].split())
                around = " ".join(text[max(0, found.start() - 40) : found.end() + 40].split())
                yield f"{name}, {place}line {line}: {phrase!r} in … {around} …"


def _texts(path: Path) -> list[tuple[str, str]]:
    """A file's text; of a notebook that of each cell, a claim's sentence too, with the cell's name."""
    if path.suffix == ".ipynb":
        return [(f"cell {cell['id']}, ", notebooks.source(cell)) for cell in notebooks.read(path)["cells"]]
    return [("", path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    found = list(findings(ROOT))
    print(*found, sep="\n") if found else print("✓ English")
    sys.exit(bool(found))
