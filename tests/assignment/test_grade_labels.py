"""`make grade` of the second assignment: the same program, with another function and other arguments."""

import handins
import pytest
from rubric import CODE, POINTS, SPEND

HEAD = "def choose(scores, correct, count):\n"
SORTED = "    order = sorted(range(len(scores)), key=lambda k: -scores[k])\n"
WRONG = "    wrong = [k for k in order if not correct[k]][: count * 4 // 5]\n"
REST = "    return wrong + [k for k in order if k not in wrong][: {}]\n"
RESULTS = {"random": handins.RESULTS["every token"], "chosen": handins.RESULTS["final token"]}
ANSWERS = {  # student: (answer, points for code, what the reason says)
    "ada": (HEAD + SORTED + WRONG + REST.format("count - len(wrong)"), CODE, ""),
    "ben": (HEAD + SORTED + WRONG + REST.format("count - count * 4 // 5"), 20, "a pool with too few wrong solutions"),
    "eva": (HEAD + SORTED + "    return order[:count]", 0, "of the chosen end wrong"),
    "blank": (None, 0, "blank: choose is not written"),
}


@pytest.fixture(scope="module")
def spent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class") / "submissions"
    for student, (answer, *_) in ANSWERS.items():
        handins.hand_in(folder, student, answer, results=RESULTS, assignment=SPEND)
    handins.hand_in(folder, "other", handins.HONEST)
    return handins.grade(folder, "--assignment", SPEND.name, "--time", "3600")


@pytest.mark.parametrize("student", ANSWERS)
def test_the_points_of_each_test_and_the_hint_of_the_check(spent, student):
    _, code, reason = ANSWERS[student]
    row = spent.rows[student]
    assert (int(row["code"]), int(row["experiment"])) == (code, POINTS["experiment"]), row
    assert reason in row["reason"] if reason else row["reason"] == ""
    assert f"<h1>Spend 500 labels: {student}</h1>" in spent.page(student)


def test_a_notebook_of_the_first_assignment_is_told(spent):
    assert spent.rows["other"]["total so far"] == "0" and "another assignment" in spent.rows["other"]["reason"]
