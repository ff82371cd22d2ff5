"""The table of grades, as a person and a spreadsheet treat it."""

import pytest
from judge import Verdict
from submissions import Entry
from table import COLUMNS, Table, plain, total

from minrm.errors import InputError


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_name_is_a_formula(text):
    assert plain(text) == f"'{text}" and plain(f"a{text}") == f"a{text}"


@pytest.mark.parametrize(
    ("written", "points"), [("", "50"), ("40", "90"), ("41.5", "91.5"), ("41,5", "91.5"), ("?", "50")]
)
def test_the_total_takes_what_a_person_typed_once_it_is_a_number(written, points):
    assert total({"code": "30", "experiment": "20", "explanation": written}) == points


def entry(folder, student):
    path = folder / f"{student}.ipynb"
    path.write_text(student)
    return Entry(student, path)


def test_a_row_is_kept_while_its_file_is_the_same(tmp_path):
    ada = entry(tmp_path, "ada")
    first = Table(tmp_path)
    assert not first.keep(ada)
    first.add(ada, Verdict(check=20, trained=10))
    first.write()
    assert Table(tmp_path).keep(ada)
    ada.path.write_text("another answer")
    assert not Table(tmp_path).keep(ada)


def test_a_lost_page_is_made_again(tmp_path):
    ada = entry(tmp_path, "ada")
    table = Table(tmp_path)
    table.add(ada, Verdict())
    table.write()
    table.page("ada").unlink()
    assert not Table(tmp_path).keep(ada)


def test_a_table_that_a_spreadsheet_saved_with_semicolons_is_read(tmp_path):
    ada = entry(tmp_path, "ada")
    table = Table(tmp_path)
    table.add(ada, Verdict(check=20, trained=10))
    values = table.sorted()[0] | {"explanation": "40"}
    lines = [";".join(COLUMNS), ";".join(values[name] for name in COLUMNS)]
    (tmp_path / "grades.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    again = Table(tmp_path)
    assert again.keep(ada) and again.sorted()[0]["total so far"] == "70"


def test_points_without_their_notebook_are_kept_beside_and_told(tmp_path):
    """It was handed in again, or a spreadsheet took the student 007 for a number."""
    for student in ("007", "ada"):
        table = Table(tmp_path)
        table.add(entry(tmp_path, student), Verdict(check=20))
        values = table.sorted()[0] | {"explanation": "44", "student": student.lstrip("0")}
        table.rows = {student: values}
        table.write()
        said = Table(tmp_path).save_typed([entry(tmp_path, student)])
        if student == "ada":
            assert said == "" and not (tmp_path / "grades-before-2.csv").exists()
        else:
            assert "explanation of 7 are not taken over" in said and "grades-before-1.csv" in said
            assert ",44," in (tmp_path / "grades-before-1.csv").read_text()


@pytest.mark.parametrize("written", ["35/50", "500", "50.5", "good"])
def test_what_is_no_number_of_points_is_refused_with_its_row(written, tmp_path):
    table = Table(tmp_path)
    table.add(entry(tmp_path, "ada"), Verdict())
    table.rows["ada"] |= {"explanation": written}
    table.write()
    with pytest.raises(InputError, match=rf"grades\.csv, row 2 \(ada\): explanation is '{written}'; wanted a number"):
        Table(tmp_path)


def test_a_table_in_an_older_encoding_is_read(tmp_path):
    jose = entry(tmp_path, "José")
    table = Table(tmp_path)
    table.add(jose, Verdict(check=20))
    table.write()
    (tmp_path / "grades.csv").write_bytes((tmp_path / "grades.csv").read_text(encoding="utf-8").encode("cp1252"))
    assert Table(tmp_path).keep(jose)


def test_the_page_tells_the_points_that_a_person_typed_also_when_they_change(tmp_path):
    ada = entry(tmp_path, "ada")
    table = Table(tmp_path)
    table.add(ada, Verdict(check=20, trained=10, experiment=20))
    assert "read by your instructor" in table.page("ada").read_text(encoding="utf-8")
    for typed, together in (("35", "85"), ("41,5", "91.5")):
        table.rows["ada"] |= {"explanation": typed}
        table.write()
        table = Table(tmp_path)
        assert table.keep(ada)
        page = table.page("ada").read_text(encoding="utf-8")
        assert f'<td id="explanation">{typed}</td>' in page and f'<td id="together">{together}</td>' in page


def test_what_the_grader_itself_spoilt_is_graded_again(tmp_path):
    ada = entry(tmp_path, "ada")
    table = Table(tmp_path)
    table.add(ada, Verdict(reason="the grader itself stopped with OSError: no space left; please report it"))
    table.write()
    assert not Table(tmp_path).keep(ada)


def test_a_name_cannot_leave_the_folder_of_pages(tmp_path):
    assert Table(tmp_path).page("../../ada").parent == tmp_path / "feedback"
