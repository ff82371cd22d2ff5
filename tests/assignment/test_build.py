"""`make assignment`: what students are given, what instructors are given, and that otter grades with it."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import build
import handins
import nbformat
import pytest
from rubric import ASSIGNMENTS, CODE, FINAL_TOKEN, POINTS

from minrm.errors import InputError

PAGE = FINAL_TOKEN.notebook.parents[1] / "instructors.md"
EACH = pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=ASSIGNMENTS)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build.build(folder)
    return folder


@EACH
def test_the_students_notebook_is_empty_and_valid(dist, assignment):
    notebook = nbformat.read(dist / assignment.name / f"{assignment.name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert {assignment.cell, "check", "experiment", "explanation"} <= {cell.id for cell in notebook.cells}
    assert "otter" not in "".join(cell.source for cell in notebook.cells)


def test_a_notebook_with_an_answer_is_not_handed_out(tmp_path, monkeypatch):
    path = handins.hand_in(tmp_path, "final_token", handins.HONEST)
    monkeypatch.setattr(type(FINAL_TOKEN), "notebook", path)
    with pytest.raises(InputError, match="holds an answer"):
        build.student_notebook(FINAL_TOKEN)


@EACH
def test_the_handout_stands_alone_and_its_points_make_a_hundred(dist, assignment):
    page = (dist / assignment.name / "handout.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=|https?://|\{\w+\}", page)
    points = [int(number) for number in re.findall(r"<td style=\"text-align:right\">(\d+)</td>", page)]
    assert points[:4] == list(assignment.points.values()) and sum(points[:2]) == CODE
    assert sum(points[:4]) == 100 and sum(points[4:]) == POINTS["explanation"]


def test_the_instructors_page_tells_the_rubric():
    graded = PAGE.read_text(encoding="utf-8").split("## What is graded")[1].split("\n## ")[0].split("\n(")[0]
    points = re.findall(r"^\| .* \| (\d+) \| .* \|$", graded, re.MULTILINE)
    expected = [[*assignment.points.values()][:2] for assignment in ASSIGNMENTS.values()]
    assert list(map(int, points)) == [*sum(expected, []), *POINTS.values()]


@pytest.mark.parametrize(
    ("url", "links"), [('""', False), ('"https://github.com/ann/rm"', True), ("https://github.com/ann/rm.git", True)]
)
def test_links_lead_to_the_fork_and_to_nowhere_before_there_is_one(tmp_path, monkeypatch, url, links):
    config = re.sub(r"^(  url:).*$", rf"\1 {url}", build.CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / "_config.yml").write_text(config, encoding="utf-8")
    monkeypatch.setattr(build, "CONFIG", tmp_path / "_config.yml")
    assert build.address() == ("https://github.com/ann/rm" if links else "")
    first = nbformat.reads(build.student_notebook(FINAL_TOKEN), as_version=4).cells[0].source
    link = "[Chapter 4](https://github.com/ann/rm/blob/HEAD/book/04_outcome_reward_model.ipynb)"
    assert "../" not in first and "Chapter 4" in first and (link in first) == links


@EACH
def test_both_graders_run_one_file_of_tests(dist, assignment):
    with zipfile.ZipFile(dist / assignment.name / "autograder.zip") as packed:
        assert packed.read(f"tests/{assignment.name}.py").decode() == assignment.tests.read_text(encoding="utf-8")
        assert {f"files/{name}" for name in assignment.helpers} <= set(packed.namelist())
        assert [name for name in packed.namelist() if name.startswith("tests/")] == [f"tests/{assignment.name}.py"]


def test_otter_gives_the_points_that_make_grade_gives(dist, graded, tmp_path):
    otter = [Path(sys.executable).with_name("otter"), "run", "-a", dist / "final_token" / "autograder.zip"]
    expected, runs = {"ben": CODE, "eva": 0}, {}
    for student in expected:  # both at once
        (tmp_path / student).mkdir()
        runs[student] = subprocess.Popen([*otter, graded.folder / f"{student}.ipynb"], cwd=tmp_path / student)
    for student, points in expected.items():
        assert runs[student].wait() == 0
        results = json.loads((tmp_path / student / "results.json").read_text())
        score = sum(test["score"] for test in results["tests"] if "score" in test)
        assert score == points == int(graded.rows[student]["code"])
