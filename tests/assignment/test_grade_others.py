"""`make grade` of the other assignments: the same program, with other functions and arguments."""

import handins
import pytest
from rubric import CODE, POINTS, SEARCH, SPEND

CHOOSE = "def choose(scores, correct, count):\n"
SORTED = "    order = sorted(range(len(scores)), key=lambda k: -scores[k])\n"
WRONG = "    wrong = [k for k in order if not correct[k]][: count * 4 // 5]\n"
REST = "    return wrong + [k for k in order if k not in wrong][: {}]\n"
BEAMS = "def next_beams(texts, scores, finished, count, width):\n"
APART = "    new = [k for i, k in enumerate(order) if texts[k] not in [texts[j] for j in order[:i]]]\n"
AGAIN = "    order = new + [k for k in order if k not in new]\n"
GROW = "    return [k for k in order[:count] for _ in range(1 if finished[k] else width)]\n"
ANSWERS = {  # assignment: {student: (answer, points for code, what the reason says)}
    SPEND: {
        "ada": (CHOOSE + SORTED + WRONG + REST.format("count - len(wrong)"), CODE, ""),
        "ben": (CHOOSE + SORTED + WRONG + REST.format("count - count * 4 // 5"), 20, "a pool with too few wrong"),
        "eva": (CHOOSE + SORTED + "    return order[:count]", 0, "of the chosen end wrong"),
        "blank": (None, 0, "blank: choose is not written"),
    },
    SEARCH: {
        "ada": (BEAMS + SORTED + APART + AGAIN + GROW, CODE, ""),
        "ben": (BEAMS + SORTED + GROW, 20, "an equal text comes behind"),
        "eva": (BEAMS + SORTED + "    return order[:count]", 0, "stands there `width` times"),
        "blank": (None, 0, "blank: next_beams is not written"),
    },
}
EACH = [(assignment, student) for assignment, answers in ANSWERS.items() for student in answers]
RESULTS = {
    SPEND: {"random": handins.RESULTS["every token"], "chosen": handins.RESULTS["final token"]},
    SEARCH: dict.fromkeys(("best-of-N", "beam search"), [{"solved": {"4": 0.8}, "tokens": {"4": 150}}] * 2),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    classes = {}
    for assignment, answers in ANSWERS.items():
        folder = tmp_path_factory.mktemp(assignment.name) / "submissions"
        for student, (answer, *_) in answers.items():
            handins.hand_in(folder, student, answer, results=RESULTS[assignment], assignment=assignment)
        handins.hand_in(folder, "other", handins.HONEST)
        classes[assignment] = handins.grade(folder, "--assignment", assignment.name, "--time", "3600")
    return classes


@pytest.mark.parametrize(("assignment", "student"), EACH)
def test_the_points_of_each_test_and_the_hint_of_the_check(graded, assignment, student):
    _, code, reason = ANSWERS[assignment][student]
    row = graded[assignment].rows[student]
    assert (int(row["code"]), int(row["experiment"])) == (code, POINTS["experiment"]), row
    assert reason in row["reason"] if reason else row["reason"] == ""
    assert f"<h1>{assignment.title}: {student}</h1>" in graded[assignment].page(student)


@pytest.mark.parametrize("assignment", ANSWERS)
def test_a_notebook_of_the_first_assignment_is_told(graded, assignment):
    row = graded[assignment].rows["other"]
    assert row["total so far"] == "0" and "another assignment" in row["reason"]
