"""The table of grades, as a person and a spreadsheet treat it."""

import pytest
from table import COLUMNS, Table, Verdict, cell, file_name

from minrm.errors import InputError


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=x", " =x", "\r=x", "\x00=x", "＝x"])
def test_no_cell_is_a_formula_in_any_reading(text):
    plain = text.strip("\0\t\r ")
    assert cell(text) == f"'{plain}" and cell(f"a{plain}") == f"a{plain}"
    for separator in ",;|":
        assert not any(part.strip('" ').startswith(plain[0]) for part in cell(f"a{separator}{text}").split(separator))


def graded(folder, *verdicts, **typed):
    """The table that a call leaves, with what a person typed into each row."""
    table = Table(folder)
    for verdict in verdicts:
        table.add(verdict)
        table.typed[cell(verdict.student)] = {"experiment": str(verdict.experiment), "explanation": ""} | typed
    table.write()
    return Table(folder)


ADA = Verdict("ada", "ada.ipynb", "digest", code=30, experiment=20)


def test_a_verdict_is_kept_while_its_file_is_the_same_and_its_row_is_there(tmp_path):
    table = graded(tmp_path, ADA)
    assert table.keep("ada", "digest") and not table.keep("ada", "another") and not table.keep("ben", "digest")
    table.path.write_text(",".join(COLUMNS) + "\n")
    assert not Table(tmp_path).keep("ada", "digest")
    spoilt = graded(tmp_path, Verdict("ada", "ada.ipynb"))  # by the grader itself
    assert not spoilt.keep("ada", "digest")


@pytest.mark.parametrize(("typed", "total"), [("", "50"), ("40", "90"), ("41.5", "91.5"), ("41,5", "91.5")])
def test_total_and_page_tell_what_a_person_typed(tmp_path, typed, total):
    table = graded(tmp_path, ADA, explanation=typed)
    table.keep("ada", "digest")
    table.write()
    (row,) = table.rows()
    page = (tmp_path / "feedback" / "ada.html").read_text(encoding="utf-8")
    assert row["total so far"] == total and row["explanation"] == typed
    shown = [f"<td>{typed}</td>", f"<td>{total}</td>"] if typed else ["read by your instructor"]
    assert all(text in page for text in shown)


def test_another_number_for_the_experiment_stays_until_another_notebook_comes(tmp_path):
    table = graded(tmp_path, ADA, experiment="5", explanation="40")
    table.keep("ada", "digest")
    assert table.rows()[0]["experiment"] == "5" and table.rows()[0]["total so far"] == "75"
    table.add(Verdict("ada", "ada.ipynb", "another", code=30, experiment=20, reason="why"))
    (row,) = table.rows()
    assert (row["experiment"], row["explanation"]) == ("20", "40")
    assert row["reason"] == "handed in again since its explanation got points, why"


def test_points_whose_notebook_is_gone_are_not_lost(tmp_path):
    """It was renamed, or a spreadsheet took the student 007 for a number."""
    table = graded(tmp_path, Verdict("7", "007.ipynb"), explanation="44")
    table.add(Verdict("007", "007.ipynb", "digest"))
    assert [(row["student"], row["explanation"]) for row in table.rows()] == [("007", ""), ("7", "44")]
    assert table.rows()[1]["reason"] == "no notebook of this name is in the folder"


def test_a_table_that_a_spreadsheet_saved_with_semicolons_is_read(tmp_path):
    table = graded(tmp_path, ADA, explanation="40")
    text = table.path.read_text(encoding="utf-8")
    table.path.write_text(text.replace(",", ";").replace("\n", "\r\n"), encoding="utf-8-sig")
    again = Table(tmp_path)
    assert again.keep("ada", "digest") and again.rows()[0]["total so far"] == "90"


@pytest.mark.parametrize("typed", ["35/50", "500", "50.5", "good"])
def test_what_is_no_number_of_points_is_refused_with_its_row(typed, tmp_path):
    path = graded(tmp_path, ADA, explanation="33").path
    path.write_text(path.read_text().replace(",33,", f",{typed},"))
    with pytest.raises(InputError, match=rf"the row of ada: explanation is '{typed}'; it should be a number from 0"):
        Table(tmp_path)


def test_a_table_in_another_encoding_is_refused(tmp_path):
    path = graded(tmp_path, Verdict("José", "jose.ipynb")).path
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    with pytest.raises(InputError, match="save it as `CSV UTF-8`"):
        Table(tmp_path)


def test_each_name_has_a_page_of_its_own_inside_the_folder():
    names = ["../../ada", "O'Brien", "O?Brien", "O%3FBrien", "रीना", "रानी", "a" * 300, "a" * 299 + "b"]
    pages = [file_name(name) for name in names]
    assert len(set(pages)) == len(names) and not any("/" in page or len(page.encode()) > 240 for page in pages)
