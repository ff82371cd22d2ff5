"""What the notebook tools share: reading and writing a chapter, and the seal that `make refresh` puts on it.

The seal is one short digest per code cell, of its source and of its stored outputs, kept in the notebook's metadata.
nbval passes a chapter whose outputs were cleared, and looks away from measured cells; the seal does neither.
Standard library only, so that `make fork` works before there is an environment.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

Cell = dict[str, Any]
Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    """The notebook at `path` as plain dictionaries."""
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, notebook: Notebook) -> None:
    """Write in Jupyter's own layout (indent 1, sorted keys, text as lists of lines), so that differences stay small."""
    for cell in notebook["cells"]:
        cell["source"] = joined(cell["source"]).splitlines(keepends=True)
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def joined(text: str | list[str]) -> str:
    """Notebook files store a text whole or as a list of its lines; here it is always whole."""
    return text if isinstance(text, str) else "".join(text)


def source(cell: Cell) -> str:
    return joined(cell["source"])


def tags(cell: Cell) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def code_cells(notebook: Notebook) -> list[Cell]:
    """The cells that run: code cells that are not blank, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and source(cell).strip()]


def output_texts(cell: Cell) -> list[tuple[str, str]]:
    """Each text in the cell's outputs with its kind: stdout, stderr, error, or a media type such as text/html."""
    found = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            found.append((output["name"], joined(output["text"])))
        elif output["output_type"] == "error":
            found.append(("error", f"{output['ename']}: {output['evalue']}"))
        else:
            for kind, data in sorted(output["data"].items()):
                found.append((kind, joined(data) if isinstance(data, str | list) else json.dumps(data, sort_keys=True)))
    return found


def digest(cell: Cell) -> str:
    """`source:outputs`, eight hexadecimal digits each; nothing after the colon for a cell without outputs."""
    ran = _short([source(cell), sorted(tags(cell))])
    outputs = output_texts(cell)
    return f"{ran}:{_short(outputs) if outputs else ''}"


def seal(notebook: Notebook) -> None:
    """Note every code cell's digest in the notebook's metadata."""
    notebook["metadata"].setdefault("minrm", {})["outputs"] = [digest(cell) for cell in code_cells(notebook)]


def sealed(notebook: Notebook) -> list[str] | None:
    """The digests noted by the last refresh; None if there was none."""
    return notebook["metadata"].get("minrm", {}).get("outputs")


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:8]
