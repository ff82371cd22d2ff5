"""Who handed in what, and what a notebook holds."""

import sys
from pathlib import Path

import nbformat
import pytest
import submissions
from handins import HONEST, RESULTS, hand_in, notebook
from rubric import FINAL_TOKEN

from minrm.errors import InputError


def students(folder):
    """What is read of each student: the name of the file, or why there is none."""
    return {entry.student: reason(entry) or entry.file for entry in submissions.find(folder)}


def reason(entry):
    try:
        return submissions.read(entry, FINAL_TOKEN) and ""
    except InputError as error:
        return str(error)


def read(path):
    (entry,) = submissions.find(path.parent)
    return submissions.read(entry, FINAL_TOKEN)


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        hand_in((folder / name).parent, Path(name).stem, HONEST).rename(folder / name)


def test_a_student_is_named_before_the_first_underscore_and_what_is_no_submission_is_passed_over(tmp_path):
    put(tmp_path, "ada.ipynb", "ben_final_token.ipynb", "Cem Öz_12_assignsubmission_file/final_token.ipynb")
    put(tmp_path, "maria.garcia.ipynb", ".DS_Store", "ada/.ipynb_checkpoints/ada.ipynb", "__MACOSX/._ada.ipynb")
    assert students(tmp_path) == {
        "ada": "ada.ipynb", "ben": "ben_final_token.ipynb", "Cem Öz": "final_token.ipynb",
        "maria.garcia": "maria.garcia.ipynb",
    }  # fmt: skip


def test_two_notebooks_of_one_student_are_both_named(tmp_path):
    put(tmp_path, "ada_1.ipynb", "Ada_2.ipynb", "ben.ipynb", "ben_notes.pdf")
    found = students(tmp_path)
    assert found.pop("ben") == "ben.ipynb"
    assert list(found.values()) == [
        "2 notebooks: Ada_2.ipynb, ada_1.ipynb; leave the one that counts, or rename, if they are of several students"
    ]


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_with_nothing_in_it_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"SUBMISSIONS=.*{name}"):
        submissions.find(tmp_path / name)


def test_cells_results_and_explanation_are_read(tmp_path):
    work = read(hand_in(tmp_path, "ada", HONEST))
    assert dict(work.cells)["final-token"].endswith(HONEST)
    assert "experiment" not in dict(work.cells)  # it trains for minutes
    assert work.results == RESULTS and work.explanation.startswith("I see")


def test_an_explanation_may_go_on_behind_a_plot(tmp_path):
    path = hand_in(tmp_path, "ada", HONEST, explanation="Part one.")
    written = nbformat.read(path, as_version=4)
    written.cells += [nbformat.v4.new_code_cell("plot()"), nbformat.v4.new_markdown_cell("Part two.")]
    nbformat.write(written, path)
    assert read(path).explanation == "Part one.\n\nPart two."


def test_names_of_cells_survive_colab(tmp_path):
    """Colab stores them among the metadata, and an older format of the file."""
    made = notebook(HONEST)
    for cell in made.cells:
        cell.metadata["id"] = cell.pop("id")
    made.nbformat_minor = 0
    (tmp_path / "ada.ipynb").write_text(nbformat.writes(made))
    work = read(tmp_path / "ada.ipynb")
    assert "final-token" in dict(work.cells) and work.explanation.startswith("I see")


CELLS = '{"cells": [{"cell_type": "code", "metadata": {}, %s}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
BROKEN = [
    "no notebook", "", "[" * 100_000, '{"cells": 3}', "\x00\xff",
    CELLS % '"source": 3, "outputs": []', CELLS % '"source": "final_token"',
    CELLS % '"source": "final_token", "outputs": [{"output_type": "stream", "text": {"a": 1}}]',
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_is_no_notebook_is_refused(tmp_path, text):
    (tmp_path / "ada.ipynb").write_text(text)
    with pytest.raises(InputError, match="no notebook that can be read"):
        read(tmp_path / "ada.ipynb")


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory that this system keeps")
def test_a_notebook_that_takes_too_much_memory_to_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "READING", 64 << 20)
    path = hand_in(tmp_path, "ada", HONEST)
    path.write_text(path.read_text().rstrip()[:-1] + ', "more": [' + "{}, " * 400_000 + "{}]}")
    with pytest.raises(InputError, match="no notebook that can be read .MemoryError"):
        read(path)
    assert read(hand_in(tmp_path, "ada", HONEST)).explanation  # the limit is gone again


def test_a_very_long_explanation_is_cut_and_says_so(tmp_path):
    text = read(hand_in(tmp_path, "ada", HONEST, explanation="x" * 10**6)).explanation
    assert len(text) < 51_000 and text.endswith("read the rest in the notebook)")


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"final token": RESULTS["final token"]},
        RESULTS | {"every token": RESULTS["every token"][:1]},
        {"every token": [1, 2], "final token": "text"},
        {"every token": [{"seed": 0, "auc": 0.7}] * 2, "final token": [{}, {}]},
    ],
)
def test_results_that_are_no_experiment_are_refused(results):
    assert "each with `auc` and `best_of_n`; two should" in submissions.missing(results, FINAL_TOKEN)


def test_the_results_of_an_experiment_count_also_beside_a_variant_that_is_not_complete():
    assert submissions.missing(RESULTS, FINAL_TOKEN) == ""
    assert "no line `results" in submissions.missing(None, FINAL_TOKEN)
    assert submissions.missing({"my own": RESULTS["every token"][:1]} | RESULTS, FINAL_TOKEN) == ""
