"""The gate of the notebooks: a chapter as it was stored passes, and each way of tampering with it is refused."""

import copy
import re
from pathlib import Path

import check_notebooks
import nbformat
import notebooks
import prove_notebook
import pytest
import refresh
from nbval.plugin import get_sanitize_patterns

BOOK = Path(__file__).parents[2] / "book"

FIGURE = """from IPython.display import HTML, display
display(HTML('<img alt="Two bars" src="data:image/png;base64,AAAA">'))"""
CELLS = [
    ("total = 6 * 7\nprint(total)", []),
    ("import time\nprint(time.perf_counter())", ["nbval-ignore-output"]),
    ("print('✓ it took some time')", ["claim"]),
    (FIGURE, []),
    ("print(total + 1)\nprint('and one more')", []),
    ("raise ValueError('meant')", ["raises-exception"]),
]


def chapter(folder, cells=CELLS):
    """A small chapter that nobody ran yet."""
    new = {"cell_type": "code", "outputs": [], "execution_count": None}
    code = [new | {"id": f"c{k}", "metadata": {"tags": tags}, "source": s} for k, (s, tags) in enumerate(cells)]
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A chapter"}
    path = folder / "01_small.ipynb"
    notebooks.write(path, {"cells": [title, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The chapter, executed and stored by the tool behind `make refresh`."""
    path = chapter(tmp_path_factory.mktemp("book"))
    refresh.execute(path)
    return path


def findings(notebook):
    return list(check_notebooks.findings(notebook))


def tampered(stored):
    return copy.deepcopy(notebooks.read(stored))


def test_a_chapter_as_stored_passes_both_halves(stored):
    assert findings(notebooks.read(stored)) == []
    failing, report = prove_notebook.prove(stored)
    assert failing == [], report


def test_refreshing_again_changes_measured_cells_only(stored, tmp_path):
    again = tmp_path / stored.name
    again.write_text(stored.read_text())
    refresh.execute(again)
    first, second = notebooks.read(stored), notebooks.read(again)
    assert first["cells"][2] != second["cells"][2], "the clock stood still"
    for notebook in (first, second):
        del notebook["cells"][2]
        del notebook["metadata"]["minrm"]["outputs"][1]
    assert first == second


def cell(number, **change):
    """A way of tampering: the cell's fields are replaced, `tags` in its metadata and `text` in its first output."""

    def tamper(notebook):
        changed = notebook["cells"][number]
        for name, value in change.items():
            place = {"tags": changed["metadata"], "text": (changed["outputs"] or [{}])[0]}.get(name, changed)
            place[name] = copy.deepcopy(value)

    return tamper


clear_output, change_number = cell(1, outputs=[]), cell(1, text=["43\n"])
change_code, escape_to_shell = cell(1, source="total = 6 * 8\nprint(total)"), cell(1, source="!false")


def clear_all_outputs_and_counts(notebook):
    for cell in notebooks.code_cells(notebook):
        cell["outputs"], cell["execution_count"] = [], None


def move_cell(notebook):
    first, fifth = notebook["cells"][1], notebook["cells"][5]
    first["execution_count"], fifth["execution_count"] = 5, 1
    notebook["cells"][1], notebook["cells"][5] = fifth, first


def remove_cell(notebook):
    del notebook["cells"][5:]


def plant_error(notebook):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []}
    notebook["cells"][5]["outputs"].append(error)


def drop_alt_text(notebook):
    html = notebook["cells"][4]["outputs"][0]["data"]
    html["text/html"] = [re.sub(r'alt="[^"]*"', 'alt=""', notebooks.joined(html["text/html"]))]


def show_bare_picture(notebook):
    notebook["cells"][4]["outputs"][0]["data"] = {"image/png": "AAAA", "text/plain": "<Figure>"}


def leave_widget(notebook):
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    notebook["cells"][1]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]


def leave_warning(notebook):
    notebook["cells"][1]["outputs"].append({"output_type": "stream", "name": "stderr", "text": ["careful\n"]})


def keep_widget_state(notebook):
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def repeat_id(notebook):
    notebook["cells"][2]["id"] = notebook["cells"][1]["id"]


def drop_source(notebook):
    del notebook["cells"][1]["source"]


def misname_output(notebook):
    notebook["cells"][1]["outputs"][0]["output_type"] = "printed"


REFUSED = {
    "clear output": (clear_output, "cell 2: stored output cleared"),
    "clear all outputs and counts": (clear_all_outputs_and_counts, "not run in order"),
    "change number": (change_number, "cell 2: stored output edited"),
    "change measured number": (cell(2, text=["0.1\n"]), "cell 3: stored output edited"),
    "move cell": (move_cell, "cell 2: moved"),
    "remove cell": (remove_cell, "4 code cells, but 6"),
    "plant error": (plant_error, "cell 6: ends in an error (KeyError"),
    "change code": (change_code, "cell 2: code or tags changed"),
    "skip cell": (cell(1, tags=["nbval-skip"]), "cell 2: tag `nbval-skip`"),
    "skip by comment": (cell(1, source="# NBVAL_SKIP\nprint(42)"), "cell 2: a comment that switches nbval"),
    "measure an exact cell": (cell(5, tags=["nbval-ignore-output"]), "cell 6: measured, but"),
    "drop claim": (cell(3, tags=[]), "cell 3: measured, but"),
    "fail claim": (cell(3, text=["This machine differs\n"]), "cell 4: a claim whose stored line"),
    "escape to shell": (escape_to_shell, "cell 2: line 1 is not plain Python"),
    "escape by magic": (cell(1, source="%%bash\nfalse"), "cell 2: line 1 is not plain Python"),
    "escape by function": (cell(1, source="get_ipython().system('false')"), "cell 2: `get_ipython().system`"),
    "run unchecked": (cell(1, source="import subprocess\nsubprocess.run(['false'])"), "cell 2: `subprocess.run`"),
    "drop alt text": (drop_alt_text, "cell 5: a picture without alt text"),
    "show bare picture": (show_bare_picture, "cell 5: a bare image/png"),
    "leave progress bar": (cell(1, text=["\r 50%|█████     | 5/10 [00:01, 4.9it/s]\n"]), "cell 2: leftovers of a"),
    "leave widget": (leave_widget, "cell 2: leftovers of a progress bar"),
    "leave path": (cell(1, text=["saved to /" + "home/ada/rows.jsonl\n"]), "cell 2: a local path"),
    "leave secret": (cell(1, text=["hf_" + "a1B2" * 8 + "\n"]), "cell 2: a local path or a secret"),
    "leave warning": (leave_warning, "cell 2: stored stderr (careful)"),
    "leave address": (cell(1, text=["<object object at 0x7f00deadbeef>\n"]), "cell 2: a memory address"),
    "keep widget state": (keep_widget_state, "widget state in the metadata"),
    "repeat id": (repeat_id, "two cells have the id 'c0'"),
    "drop source": (drop_source, "no valid notebook: cells/1: "),
    "misname output": (misname_output, "no valid notebook: cells/1/outputs/0"),
}


@pytest.mark.parametrize(("tamper", "said"), REFUSED.values(), ids=REFUSED)
def test_the_static_check_refuses(stored, tamper, said):
    notebook = tampered(stored)
    tamper(notebook)
    assert any(said in line for line in findings(notebook)), findings(notebook)


@pytest.mark.parametrize(
    "path", sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("exercises/*.ipynb")]), ids=lambda path: path.stem
)
def test_every_notebook_is_valid_and_holds_no_widget_state(path):
    """The exercise, which is handed out without outputs and so passes by the rest of the gate, too."""
    notebook = notebooks.read(path)
    nbformat.validate(nbformat.from_dict(notebook))
    assert "widget" not in str(notebook["metadata"]) and "jupyter.widget" not in path.read_text(encoding="utf-8")
    assert not [line for line in findings(notebook) if "valid" in line or "widget" in line or "the id" in line]


REAL = {
    "clear": clear_output, "number": change_number, "error": plant_error, "code": change_code, "shell": escape_to_shell,
    "alt text": drop_alt_text,
}  # fmt: skip


@pytest.mark.parametrize("tamper", REAL.values(), ids=REAL)
def test_a_real_chapter_tampered_with_is_refused(tamper):
    where, holding = ("text/html", "<img") if tamper is drop_alt_text else ("stdout", "")
    for path in sorted(BOOK.glob("[0-9]*.ipynb")):
        notebook = notebooks.read(path)
        assert findings(notebook) == [], path
        for real in notebooks.code_cells(notebook):
            kind, text = notebooks.output_texts(real)[0] if real["outputs"] else ("", "")
            if kind == where and holding in text:
                tamper({"cells": [real] * 7})  # the small chapter's places, each filled with the real cell
                assert findings(notebook)
                return
    pytest.skip(f"no chapter has a cell whose first output is {where}")


def test_nbval_refuses_numbers_that_the_code_does_not_print_even_under_a_fresh_seal(stored, tmp_path):
    notebook = tampered(stored)
    change_number(notebook)
    notebook["cells"][5]["source"] = "print(total + 1)\nprint(1 / 0)"
    notebooks.seal(notebook)
    assert findings(notebook) == []
    path, stamp = tmp_path / stored.name, tmp_path / "stamps" / "01_small.nbval"
    notebooks.write(path, notebook)
    assert prove_notebook.main(path, stamp) == 1
    assert not stamp.exists()
    report = stamp.with_suffix(".failed").read_text(encoding="utf-8")
    assert report.endswith("01_small.ipynb: not as stored: [1], [5]\n")


def test_pictures_and_times_are_not_compared_but_alt_text_is():
    patterns = dict(get_sanitize_patterns(prove_notebook.SANITIZE.read_text(encoding="utf-8")))

    def seen(text):
        for regex, replace in patterns.items():
            text = re.sub(regex, replace, text)
        return text

    figure = '<img alt="{}" src="data:image/png;base64,{}">'
    assert seen(figure.format("a", "AAA=")) == seen(figure.format("a", "BBB="))
    assert seen(figure.format("a", "AAA=")) != seen(figure.format("b", "AAA="))
    assert seen("trained in 3.2 s") == seen("trained in 4.15 s")
    assert seen("Tom walks for 3 minutes, 12 pens") == "Tom walks for 3 minutes, 12 pens"
