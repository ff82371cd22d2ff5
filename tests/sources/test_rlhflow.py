"""RLHFlow's conversations as they are published: the Mistral data's "Step 1:", the Deepseek data without it."""

import pytest

from minrm.errors import InputError
from minrm.sources import rlhflow, rlhflow_outcomes

QUESTION = "Three pencils cost $1.24, five cost $1.82. What does one cost?"
OTHER = "Three pencils cost $1.24."  # known as well, and a beginning of the first


def talk(*said):
    roles = ("user", "assistant")
    return {"conversations": [{"content": text, "role": roles[i % 2]} for i, text in enumerate(said)]}


MISTRAL = talk(f"{QUESTION} Step 1: Call it p.", "+", "Step 2: 2p = 58, so p = 28.", "-")
DEEPSEEK = talk(f"{QUESTION} Call it p.", "+", "2p = 58, so p = 28.", "-")
OUTCOMES = [
    talk(f"{QUESTION} Step 1: 2p = 58. Step 2: p = 29. The answer is: 29", "+"),
    talk(f"{QUESTION} Step 1: 2p = 58. Step 2: p = 28. The answer is: 28", "-"),
]
PROBLEMS = [{"question": text, "answer": "29"} for text in (OTHER, QUESTION, "Three", "Another?")]
ROW = {"question": QUESTION, "steps": ["Call it p.", "2p = 58, so p = 28."], "labels": [1, 0]}


def test_each_turn_of_the_user_is_a_step_and_known_problems_say_where_the_question_ends(written):
    assert list(rlhflow(written(MISTRAL))) == [ROW]
    assert list(rlhflow(written(DEEPSEEK, MISTRAL), problems=PROBLEMS)) == [ROW, ROW]


def test_without_a_sign_where_the_solution_begins_the_row_is_dropped_and_counted(written):
    path = written(MISTRAL, DEEPSEEK)
    cause = "; 1 dropped: no 'Step 1:' says where the solution begins"
    assert rlhflow(path).info.description.endswith(cause + " (give problems=…)")
    assert rlhflow(path, problems=[{"question": "Another?"}]).info.description.endswith(cause)


def test_a_last_turn_without_a_label_is_a_step_without_one_and_a_turn_without_text_drops_the_row(written):
    assert rlhflow(written(talk(f"{QUESTION} Step 1: a", "+", "Step 2: b")))[0]["labels"] == [1, None]
    data = rlhflow(written(MISTRAL, talk(f"{QUESTION} Step 1: a", "+", "Step 2: ", "-")))
    assert data.info.description.endswith("1 of 2 rows used, 1 process rows; 1 dropped: a step without text")


def test_outcomes_have_an_answer_only_where_the_solution_is_right(written):
    right, wrong = rlhflow_outcomes(written(*OUTCOMES))
    assert right["question"] == wrong["question"] == QUESTION
    assert wrong["solution"] == "Step 1: 2p = 58. Step 2: p = 28. The answer is: 28"
    assert [(row["answer"], row["correct"]) for row in (right, wrong)] == [("29", True), (None, False)]


def test_outcomes_without_step_numbers_need_the_problems(written):
    path = written(OUTCOMES[0], talk(f"{QUESTION} So it is 29.", "+"), talk(QUESTION, "+"))
    assert rlhflow_outcomes(path).info.description.startswith("RLHFlow outcomes: 1 of 3 rows used")
    data = rlhflow_outcomes(path, problems=PROBLEMS)
    assert data[1]["solution"] == "So it is 29." and data[1]["answer"] is None  # it writes none in a known form
    assert data.info.description.endswith("1 dropped: an empty solution")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (talk(), "row 2: an empty conversation"),
        (talk(f"{QUESTION} Step 1: a", "good"), "row 2, turn 2: 'assistant' says 'good'; the user says a step"),
        (talk(f"{QUESTION} Step 1: a", ""), "row 2, turn 2: 'assistant' says ''"),
        ({"conversations": [{"role": "system", "content": "?"}]}, "row 2, turn 1: 'system' says '[?]'"),
        ({"conversations": ["?"]}, "row 2, turn 1: a str; it should be an object with a field 'role'"),
        ({"conversations": [{"role": "user"}]}, "row 2, turn 1: the field 'content' is missing"),
        ({"messages": []}, "row 2: the field 'conversations' is missing; there is messages"),
    ],
)
@pytest.mark.parametrize(("function", "good"), [(rlhflow, MISTRAL), (rlhflow_outcomes, OUTCOMES[0])])
def test_a_conversation_of_another_shape_is_refused_with_its_place(written, function, good, row, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, {message}"):
        function(written(good, row))


@pytest.mark.parametrize(("row", "turns"), [(MISTRAL, 4), (talk(f"{QUESTION} Step 1: a"), 1)])
def test_process_data_are_not_taken_for_outcomes(written, row, turns):
    with pytest.raises(InputError, match=rf"row 1: {turns} turns, not two .*are read by rlhflow"):
        rlhflow_outcomes(written(row))


def test_a_question_that_mentions_a_step_keeps_it(written):
    question = "As in Step 1: how many?"
    (row,) = rlhflow(written(talk(f"{question} Step 1: 3 + 4 = 7", "+", "Step 2: The answer is: 7", "+")))
    assert (row["question"], row["steps"]) == (question, ["3 + 4 = 7", "The answer is: 7"])
    solution = "Step 1: 3 + 4 = 7. Step 2: From Step 1: the answer is: 7"
    (row,) = rlhflow_outcomes(written(talk(f"{question} {solution}", "+")))
    assert (row["question"], row["solution"]) == (question, solution)
