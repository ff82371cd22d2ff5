"""Math-Shepherd's layout: what becomes of a row, and of each way in which one goes wrong."""

import pytest

from minrm.errors import InputError
from minrm.sources import math_shepherd
from minrm.text import final_answer, join_steps

TAGGED = (
    "How many slices are left of 78? Step 1: The parts are 5+8 = <<5+8=13>>13. ки\n"
    "Step 2: So 78-13 = 65 are left. ки\nStep 3: The answer is: 65 ки"
)
SHEPHERD = {"input": TAGGED, "label": TAGGED.replace("ки", "+", 2).replace("ки", "-"), "task": "GSM8K"}


def tagged(text, label=None):
    return {"input": text, "label": text.replace("ки", "+") if label is None else label, "task": "GSM8K"}


def test_math_shepherd_gives_the_steps_without_tags_numbers_and_marks(written):
    (row,) = math_shepherd(written(SHEPHERD))
    assert row == {
        "question": "How many slices are left of 78?",
        "steps": ["The parts are 5+8 = 13.", "So 78-13 = 65 are left.", "The answer is: 65"],
        "labels": [1, 1, 0],
    }
    assert final_answer(join_steps(row["steps"])) == "65"


def test_a_last_step_without_a_tag_has_no_label_and_a_bad_one_does_not_end_the_labels(written):
    label = TAGGED.replace("ки", "-", 1).replace("ки", "+")
    open_end, bad_first = math_shepherd(written(tagged(TAGGED.removesuffix(" ки")), tagged(TAGGED, label)))
    assert (open_end["steps"][-1], open_end["labels"]) == ("The answer is: 65", [1, 1, None])
    assert bad_first["labels"] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (TAGGED.replace("Step 1: ", ""), "no 'Step 1:' says where the solution begins"),
        (TAGGED.replace("78? ", "78? ки "), "no 'Step 1:' says where the solution begins"),  # a tag in the question
        (TAGGED[TAGGED.index("Step") :], "no 'Step 1:' says where the solution begins"),  # no question
        (TAGGED.replace(" ки\nStep 2", "\nStep 2"), "a step without its tag"),
        (TAGGED.replace("So 78-13 = 65 are left.", ""), "a step without text"),
    ],
)
def test_rows_of_math_shepherd_that_cannot_be_told_apart_are_dropped_with_their_cause(written, text, cause):
    data = math_shepherd(written(SHEPHERD, tagged(text)))
    assert data.info.description == f"Math-Shepherd: 1 of 2 rows used, 1 process rows; 1 dropped: {cause}"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (tagged("How many? Step 1: 5"), "no step tag 'ки' in the input; is this Math-Shepherd?"),
        (tagged(TAGGED, TAGGED.replace("ки", "+", 2)), r"no \+ or - in place of tag 3 of 3 in the input"),
        (tagged(TAGGED, TAGGED.replace(" ки", "")), "tag 1 of 3 in the input; fetch the file again"),
        ({"input": TAGGED, "label": [1, 1, 0]}, "the field 'label' is a list, not a str"),
    ],
)
def test_a_row_of_math_shepherd_whose_labels_do_not_fit_is_refused(written, row, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: .*{message}"):
        math_shepherd(written(SHEPHERD, row))


def test_a_question_that_mentions_a_step_keeps_it(written):
    (row,) = math_shepherd(written(tagged("As in Step 1: how many? Step 1: 3 + 4 = 7 ки\nStep 2: The answer is: 7 ки")))
    assert row["question"] == "As in Step 1: how many?"
    assert row["steps"] == ["3 + 4 = 7", "The answer is: 7"]
