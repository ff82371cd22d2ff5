"""`make refresh`: execute chapters in place from a clean kernel, store their outputs, and note the run.

`python tools/refresh.py [CHAPTER …]` with the beginnings of names (01, 02); none means all. What is stored does not
depend on the clock or the folder: two refreshes differ in measured cells and in `book/run.json` only, which holds
machine, versions and minutes of every chapter and feeds the page "How this book was run".
"""

import json
import os
import platform
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import notebooks
from check_notebooks import findings
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from prove_notebook import CELL_TIMEOUT, ENVIRONMENT

BOOK = Path("book")
RUN_FILE = BOOK / "run.json"
VERSIONS = ["torch", "transformers", "datasets", "tokenizers", "numpy", "matplotlib", "ipykernel", "nbval"]


def execute(path: Path) -> float:
    """Run one chapter in place, in its own folder. Returns the seconds. A failing cell leaves the file as it was."""
    notebook = nbformat.read(path, as_version=4)
    began = time.monotonic()
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],  # errors only: ipykernel 7 warns about its own transport
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    seconds = time.monotonic() - began
    stored = json.loads(nbformat.writes(notebook))
    normalise(stored)
    notebooks.seal(stored)
    notebooks.write(path, stored)
    return seconds


def normalise(notebook: notebooks.Notebook) -> None:
    """Drop what changes from run to run though the result does not: times, stream chunks, tracebacks, versions."""
    notebook["metadata"].pop("widgets", None)
    notebook["metadata"] |= {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "code":
            if not notebooks.source(cell).strip():
                cell["execution_count"] = None
            cell["outputs"] = _merged(cell["outputs"])


def _merged(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Chunks of one stream as one output (nbval joins them alike); an error keeps its message, not its paths."""
    merged: list[dict[str, Any]] = []
    streams: dict[str, dict[str, Any]] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            name = output["name"]
            if name in streams:
                streams[name]["text"] = notebooks.joined(streams[name]["text"]) + notebooks.joined(output["text"])
                continue
            streams[name] = output
        if output["output_type"] == "error":
            output["traceback"] = [f"{output['ename']}: {output['evalue']}"]
        merged.append(output)
    for output in streams.values():
        output["text"] = notebooks.joined(output["text"]).splitlines(keepends=True)
    return merged


def processor() -> str:
    """The processor's name as people know it, on Linux and macOS."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if named:
            return named[1].strip()
    if platform.system() == "Darwin":
        return os.popen("sysctl -n machdep.cpu.brand_string").read().strip()
    return platform.processor() or platform.machine()


def operating_system() -> str:
    if platform.system() == "Linux":
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except OSError:
            return "Linux"
    return f"{platform.system()} {platform.release()}".replace("Darwin", "macOS (Darwin)")


def here() -> dict[str, Any]:
    """Machine and versions of this run."""
    versions = {"Python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in VERSIONS}
    return {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": operating_system()},
        "versions": versions,
    }


def note(run_file: Path, chapter: str, seconds: float) -> None:
    """Write one chapter's run into `run_file`; the other chapters' stay as they are."""
    runs = json.loads(run_file.read_text(encoding="utf-8")) if run_file.exists() else {}
    runs[chapter] = {"minutes": round(seconds / 60, 1), **here()}
    run_file.write_text(json.dumps(runs, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def main(wanted: list[str]) -> int:
    os.environ.update(ENVIRONMENT)
    bad = False
    chapters = [p for p in sorted(BOOK.glob("*.ipynb")) if not wanted or p.name.startswith(tuple(wanted))]
    if not chapters:
        print(f"no chapter in {BOOK}/ begins with {', '.join(wanted) or 'anything'}")
        return 2
    for path in chapters:
        try:
            seconds = execute(path)
        except CellExecutionError as error:
            print(f"✗ {path}: a cell failed; the file is as it was\n{error}")
            bad = True
            continue
        note(RUN_FILE, path.stem, seconds)
        print(f"✓ {path}: executed and stored ({seconds / 60:.1f} min)")
        for line in findings(notebooks.read(path)):
            print(f"✗ {path}: {line}")
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
