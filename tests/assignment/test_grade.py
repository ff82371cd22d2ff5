"""`make grade` on a class of made submissions: what each is given, and that none stops the others."""

import csv
import os
import re
from html import escape

import handins
import pytest
import sandbox
from grade import main
from rubric import CODE, POINTS
from submissions import readable


@pytest.mark.parametrize("student", handins.RIGHT)
def test_right_answers_get_all_points_of_the_machine(graded, student):
    row = graded.rows[student]
    assert (int(row["code"]), int(row["experiment"])) == (CODE, POINTS["experiment"]), row["reason"]
    assert row["reason"] == row["explanation"] == "" and int(row["total so far"]) == CODE + POINTS["experiment"]


@pytest.mark.parametrize("student", handins.WRONG)
def test_wrong_answers_get_the_hint_of_the_check(graded, student):
    row = graded.rows[student]
    assert row["code"] == "0" and handins.WRONG[student][1] in row["reason"]
    assert int(row["experiment"]) == POINTS["experiment"]  # which they ran, and which a person looks at
    assert re.search(r"check_final_token\(final_token, seed=\d+\)", graded.page(student))


@pytest.mark.parametrize("student", handins.BROKEN)
def test_broken_ones_get_a_reason(graded, way, student):
    if student == "forks" and way == "limits" and not os.getuid():
        pytest.skip("nothing here limits the processes of root")
    assert graded.rows[student]["code"] == "0"
    assert re.search(handins.BROKEN[student][1], graded.rows[student]["reason"]), graded.rows[student]


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("blank", "blank: final_token is not written"),
        ("other", "another assignment"),
        ("text", "no notebook that can be read"),
        ("word", "no notebook (.ipynb) was handed in"),
        ("twice", "2 notebooks: twice_1.ipynb, twice_2.ipynb"),
        ("pipe", "pipe.ipynb is a link or a device"),
        ("jos%E9", "no notebook that can be read"),
    ],
)
def test_what_cannot_be_graded_has_a_row_and_a_reason(graded, student, reason):
    row = graded.rows[student]
    assert row["total so far"] == "0" and reason in row["reason"]
    assert escape(reason) in graded.page(student)


def test_each_student_has_one_row_and_one_page(graded):
    names = {readable(name).split(".")[0].split("_")[0] for name in os.listdir(graded.folder)}
    assert graded.rows.keys() == names and len(os.listdir(graded.out / "feedback")) == len(names)


def test_pages_stand_alone_and_take_text_for_text(graded):
    page = graded.page("markup")
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page
    assert not re.search(r"(src|href)=|https?://|@import", page)


def test_a_missing_experiment_is_told_beside_full_points_for_code(graded):
    row = graded.rows["markup"]
    assert (row["code"], row["experiment"]) == (str(CODE), "0") and "results" in row["reason"]


# Hostile ones


@pytest.fixture
def contained(way):
    if way != "namespaces":
        pytest.skip(f"no namespaces here: submissions are contained by {way}")


@pytest.mark.parametrize(("student", "code"), [("reader", CODE), ("writer", 0), ("caller", 0)])
def test_a_submission_finds_no_secret_no_grader_and_no_network_and_cannot_write_its_grade(
    contained, graded, student, code
):
    assert re.search(r"looked everywhere, found (\[.*?\])", graded.page(student))[1] == "[]"
    assert int(graded.rows[student]["code"]) == code  # what it answers counts all the same


def test_forged_answers_give_no_points(contained, graded):
    assert [graded.rows[student]["code"] for student in ("forger", "liar")] == ["0", "0"]
    assert "the grader's own pipe" in graded.rows["forger"]["reason"]
    assert "an answer that is none" in graded.rows["liar"]["reason"]


def test_it_says_how_submissions_are_contained(graded, way):
    assert f"contained by {way}: {sandbox.CONTAINED[way]}" in graded.printed


# Again


def test_a_second_call_grades_only_what_is_new_and_keeps_what_a_person_typed(graded, capsys):
    with open(graded.out / "grades.csv", "w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, graded.rows["ada"])
        writer.writeheader()
        for student in graded.rows.keys() - {"gil"}:
            typed = {"explanation": "41,5"} if student in ("ada", "blank") else {}
            writer.writerow(graded.rows[student] | typed)
    handins.hand_in(graded.folder, "blank", handins.HEAD + handins.WRONG["eva"][0])
    (graded.folder / "dag.ipynb").unlink()
    assert main([str(graded.folder), "--time", "3600", "--jobs", "1"]) == 0
    again = graded._replace(rows=handins.rows_of(graded.out), printed=capsys.readouterr().out)
    assert f"{len(again.rows)} students, 2 to grade" in again.printed
    assert again.rows["ada"]["total so far"] == f"{CODE + POINTS['experiment'] + 41.5:g}"
    assert "<td>41,5</td>" in again.page("ada") and "<td>91.5</td>" in again.page("ada")
    assert again.rows["blank"]["reason"].startswith("handed in again since its explanation got points, final_token(")
    assert again.rows["ben"] == graded.rows["ben"] and again.rows["gil"]["code"] == "0" and "dag" not in again.rows


# Without a class


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "SUBMISSIONS=(nothing): name the folder"),
        (["nowhere"], "no such folder, or nothing in it"),
        ([".", "--out", "./graded"], "lies among the submissions"),
    ],
)
def test_a_call_that_cannot_work_is_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_table_of_another_make_is_not_overwritten(tmp_path, capsys):
    handins.hand_in(tmp_path / "class", "ada", handins.HONEST)
    (tmp_path / "grades.csv").write_text("name,points\nada,3\n")
    assert main([str(tmp_path / "class"), "--out", str(tmp_path)]) == 2
    assert "has other columns than" in capsys.readouterr().err
    assert (tmp_path / "grades.csv").read_text() == "name,points\nada,3\n"
