"""`make grade` on a class of made submissions: what each is given, and that none stops the others."""

import csv
import os
import re
from html import escape

import made
import pytest
import rubric
import sandbox
from calling import SECRET, run
from grade import main


@pytest.mark.parametrize("student", made.RIGHT)
def test_right_answers_get_all_points_of_the_machine(graded, student):
    row = graded.rows[student]
    assert (int(row["code"]), int(row["experiment"])) == (rubric.CODE, rubric.EXPERIMENT), row["reason"]
    assert row["reason"] == row["explanation"] == "" and int(row["total so far"]) == rubric.AUTOMATIC


@pytest.mark.parametrize("student", made.WRONG)
def test_wrong_answers_get_the_hint_of_the_check(graded, student):
    row = graded.rows[student]
    assert row["code"] == "0" and made.WRONG[student][1] in row["reason"]
    assert int(row["experiment"]) == rubric.EXPERIMENT  # which they ran, and which a person looks at
    assert re.search(r"check_final_token\(final_token, seed=\d+\)", graded.page(student))


@pytest.mark.parametrize("student", made.BROKEN)
def test_broken_ones_get_a_reason(graded, way, student):
    if student == "forks" and way == "limits" and not os.getuid():
        pytest.skip("nothing here limits the processes of root")
    assert graded.rows[student]["code"] == "0"
    assert re.search(made.BROKEN[student][1], graded.rows[student]["reason"]), graded.rows[student]


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("blank", "blank: final_token is not written"),
        ("other", "another assignment"),
        ("text", "no notebook that can be read"),
        ("word", "no notebook (.ipynb) was handed in"),
        ("twice", "2 notebooks: twice_1.ipynb, twice_2.ipynb"),
    ],
)
def test_what_cannot_be_graded_has_a_row_and_a_reason(graded, student, reason):
    row = graded.rows[student]
    assert row["total so far"] == "0" and reason in row["reason"]
    assert escape(reason) in graded.page(student)


def test_each_student_has_one_row_and_one_page(graded):
    assert len(graded.rows) == len({name.split(".")[0].split("_")[0] for name in os.listdir(graded.folder)})
    assert sorted(os.listdir(graded.out / "feedback")) == sorted(f"{student}.html" for student in graded.rows)


def test_pages_stand_alone_and_take_text_for_text(graded):
    page = graded.page("markup")
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page
    assert not re.search(r"(src|href)=|https?://|@import", page)


def test_what_is_missing_is_told_beside_full_points_for_code(graded):
    row = graded.rows["markup"]
    assert (row["code"], row["experiment"]) == (str(rubric.CODE), "0") and "results" in row["reason"]


# Hostile ones


def looked(graded, student):
    return re.search(r"looked everywhere, found (\[.*?\])", graded.page(student))[1]


@pytest.fixture
def contained(way):
    if way != "namespaces":
        pytest.skip(f"no namespaces here: submissions are contained by {way}")


def test_a_submission_finds_no_secret_and_no_expectation(contained, graded):
    assert looked(graded, "reader") == "[]"
    assert int(graded.rows["reader"]["code"]) == rubric.CODE  # what it answers counts all the same


def test_a_submission_cannot_write_its_grade_or_reach_the_grader(contained, graded):
    assert looked(graded, "writer") == "[]"
    assert graded.rows["writer"]["code"] == "0" and "every token" in graded.rows["writer"]["reason"]


def test_a_submission_reaches_no_network(contained, graded):
    assert looked(graded, "caller") == "[]"


def test_forged_messages_give_no_points(contained, graded):
    assert [graded.rows[student]["code"] for student in ("forger", "liar")] == ["0", "0"]
    assert "the grader's own pipe" in graded.rows["forger"]["reason"]
    assert "an answer that is none" in graded.rows["liar"]["reason"]


def test_the_environment_is_not_handed_on(graded, monkeypatch):
    monkeypatch.setenv("MINRM_SECRET", SECRET)
    assert not any(SECRET in value for value in sandbox.environment("/tmp").values())


def test_it_says_how_submissions_are_contained(graded, way):
    assert f"contained by {way}: {sandbox.CONTAINED[way]}" in graded.said
    assert graded.rows["ada"]["contained"] == way


# Again


def test_a_second_call_grades_only_what_is_new_and_keeps_what_a_person_typed(graded):
    table = graded.out / "grades.csv"
    with open(table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["student"] in ("ada", "blank"):
            row["explanation"] = "41,5"
    with open(table, "w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    made.hand_in(graded.folder, "blank", made.HEAD + made.WRONG["eva"][0])
    again = run(graded.folder, "--time", "12", "--memory", "1500")
    assert ", 1 to grade" in again.said and "explanation of blank are not taken over" in again.said
    assert again.rows["ada"]["total so far"] == f"{rubric.AUTOMATIC + 41.5:g}"
    assert again.rows["blank"]["explanation"] == "" and "first" in again.rows["blank"]["reason"]
    assert again.rows["ben"] == graded.rows["ben"]


# Without a class


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "SUBMISSIONS=(nothing): name the folder"),
        (["nowhere"], "there is no such folder"),
        ([".", "--out", "./graded"], "lies among the submissions"),
    ],
)
def test_a_call_that_cannot_work_is_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_table_of_another_make_is_not_overwritten(tmp_path, capsys):
    made.hand_in(tmp_path / "class", "ada", made.HONEST)
    (tmp_path / "grades.csv").write_text("name,points\nada,3\n")
    assert main([str(tmp_path / "class"), "--out", str(tmp_path)]) == 2
    assert "its columns are not" in capsys.readouterr().err
    assert (tmp_path / "grades.csv").read_text() == "name,points\nada,3\n"
