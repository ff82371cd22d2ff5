"""The static half of the notebook gate: what can be refused in a stored chapter without running it.

`python tools/check_notebooks.py book/*.ipynb` prints one line per finding and exits 1 if there is any. It sees what
nbval passes over: cleared or edited outputs, skipped cells, pictures without alt text, shell escapes, leftovers of
progress bars, widget state, local paths and secrets, and what is no notebook by Jupyter's own schema. The second half,
nbval, is `prove_notebook.py`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import notebooks
from nbformat.validator import iter_validate
from notebooks import Cell, Notebook

MEASURED, CLAIM = "nbval-ignore-output", "claim"
CLAIM_WITHIN = 3  # a measured cell's claim stands at most so many code cells below it

REFUSED_TAGS = {"nbval-skip", "nbval-check-output", "nbval-raises-exception", "skip-execution"}
NBVAL_COMMENT = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", re.MULTILINE)
EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]*")  # pictures: no text to look at inside
LOCAL_PATH = re.compile(r"(?<![\w.:/])/(home|root|work|Users|tmp|var|opt|mnt|private)/|\b[A-Za-z]:\\+Users")
SECRET = re.compile(r"\b(hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_\w{16,}|AKIA[0-9A-Z]{16})|PRIVATE KEY-----")
PROGRESS = re.compile("\r|[█▉▊▋▌▍▎▏]|\\d(it|ex|examples?)/s\\b|\\ds/it\\b|<progress\\b")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""\balt\s*=\s*(["'])\s*[^"'\s]""", re.IGNORECASE)
MARKDOWN_IMAGE_WITHOUT_ALT = re.compile(r"!\[\s*\]\(")
SILENT_CALLS = {"os.system", "os.popen", "subprocess.Popen", "subprocess.getoutput", "subprocess.call"}


def findings(notebook: Notebook) -> Iterator[str]:
    """Everything to refuse, a line each, cells counted as a reader counts them: all cells, from 1."""
    if broken := list(_schema(notebook)):
        yield from broken  # the rest would stumble over it
        return
    yield from _identity(notebook)
    cells = notebooks.code_cells(notebook)
    yield from _order(notebook, cells)
    yield from _seal(notebook, cells)
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            what = [*_source(cell), *_tags(cell), *_outputs(cell)]
        else:
            what = list(_images(notebooks.source(cell)))
        yield from (f"cell {number}: {line}" for line in what)
    for index, cell in enumerate(cells):
        if MEASURED in notebooks.tags(cell):
            below = cells[index + 1 : index + 1 + CLAIM_WITHIN]
            if not any(CLAIM in notebooks.tags(other) for other in below):
                number = notebook["cells"].index(cell) + 1
                yield f"cell {number}: measured, but none of the next {CLAIM_WITHIN} code cells is tagged `{CLAIM}`"


def _schema(notebook: Notebook) -> Iterator[str]:
    """What Jupyter itself would refuse (nbformat's schema)."""
    for error in iter_validate(notebook):
        place = "/".join(map(str, error.relative_path)) or "the whole"
        yield f"no valid notebook: {place}: {error.message.splitlines()[0][:100]}"


def _identity(notebook: Notebook) -> Iterator[str]:
    if "widgets" in notebook["metadata"]:
        yield "widget state in the metadata; clear it before storing"
    names = [cell["id"] for cell in notebook["cells"] if "id" in cell]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two cells have the id {name!r}"


def _order(notebook: Notebook, cells: list[Cell]) -> Iterator[str]:
    for expected, cell in enumerate(cells, 1):
        if cell["execution_count"] != expected:
            number = notebook["cells"].index(cell) + 1
            yield f"cell {number}: execution count {cell['execution_count']}, not {expected}: not run in order"


def _seal(notebook: Notebook, cells: list[Cell]) -> Iterator[str]:
    noted = notebooks.sealed(notebook)
    if noted is None:
        yield "no seal: its outputs were not stored by `make refresh`"
        return
    if len(noted) != len(cells):
        yield f"{len(cells)} code cells, but {len(noted)} when its outputs were stored"
    for cell, then in zip(cells, noted, strict=False):
        now = notebooks.digest(cell)
        if now == then:
            continue
        number = notebook["cells"].index(cell) + 1
        if now in noted:
            yield f"cell {number}: moved since its output was stored"
        elif now.split(":")[0] != then.split(":")[0]:
            yield f"cell {number}: code or tags changed since its output was stored"
        else:
            yield f"cell {number}: stored output " + ("cleared" if now.endswith(":") else "edited by hand")


def _source(cell: Cell) -> Iterator[str]:
    text = notebooks.source(cell)
    if NBVAL_COMMENT.search(text):
        yield "a comment that switches nbval; tags only"
    if LOCAL_PATH.search(text) or SECRET.search(text):
        yield "a local path or a secret in the code"
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"line {error.lineno} is not plain Python (a shell escape or magic passes even when it fails)"
        return
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        checked = any(k.arg == "check" and ast.unparse(k.value) == "True" for k in call.keywords)
        if name in SILENT_CALLS or name.startswith("get_ipython()") or (name == "subprocess.run" and not checked):
            yield f"`{name}` passes even when the command fails; use subprocess.run(…, check=True)"


def _tags(cell: Cell) -> Iterator[str]:
    for tag in sorted(notebooks.tags(cell) & REFUSED_TAGS):
        yield f"tag `{tag}` is not allowed"
    if CLAIM in notebooks.tags(cell):
        said = [text for kind, text in notebooks.output_texts(cell) if kind == "stdout"]
        if MEASURED in notebooks.tags(cell):
            yield "a claim is compared, so it cannot be tagged as measured"
        if not said or not said[0].startswith("✓"):
            yield "a claim whose stored line does not begin with ✓"


def _outputs(cell: Cell) -> Iterator[str]:
    for kind, text in notebooks.output_texts(cell):
        text = EMBEDDED.sub("", text)
        if kind == "error" and "raises-exception" not in notebooks.tags(cell):
            yield f"ends in an error ({text.splitlines()[0]}); tag it `raises-exception` if that is meant"
        if kind == "stderr":
            yield f"stored stderr ({text.strip().splitlines()[0][:60]}): silence or mend its source"
        if kind.startswith(("image/", "application/pdf")):
            yield f"a bare {kind}: a figure is an <img> with alt text (minrm.notebook.html.show)"
        if "widget" in kind or PROGRESS.search(text):
            yield "leftovers of a progress bar"
        if LOCAL_PATH.search(text) or SECRET.search(text):
            yield "a local path or a secret in the output"
        if ADDRESS.search(text):
            yield "a memory address in the output; it is another one each time"
        if kind == "text/html":
            yield from _images(text)


def _images(text: str) -> Iterator[str]:
    for image in IMAGE.findall(EMBEDDED.sub("", text)):
        if not ALT.search(image):
            yield "a picture without alt text"
    if MARKDOWN_IMAGE_WITHOUT_ALT.search(text):
        yield "a picture without alt text"


def main(paths: list[str]) -> int:
    bad = 0
    for path in map(Path, paths):
        for line in findings(notebooks.read(path)):
            bad += 1
            print(f"{path}: {line}")
    if bad:
        print(f"{bad} findings. After a change of code or tags: make refresh CHAPTER=NN")
    else:
        print(f"✓ static check: {len(paths)} notebooks")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
