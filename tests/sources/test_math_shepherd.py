"""Step labels in their publishers' own layouts: what becomes of a row, and of each way in which one goes wrong."""

import json
import logging
from collections import Counter

import pytest
from real import raw, real

from minrm.errors import InputError
from minrm.sources import math_shepherd, prm800k, processbench, trl_stepwise
from minrm.text import final_answer, join_steps, split_steps

RATED = {
    "labeler": "somebody",
    "is_quality_control_question": False,
    "is_initial_screening_question": False,
    "question": {"problem": "How many?", "ground_truth_answer": "5"},
    "label": {
        "steps": [
            {
                "completions": [{"text": "So it is 5.\n\n# Answer\n\n5", "rating": 0, "flagged": None}],
                "human_completion": None,
                "chosen_completion": 0,
            }
        ],
        "finish_reason": "solution",
    },
}


def test_prm800k_counts_what_it_drops(written, caplog):
    control = RATED | {"is_quality_control_question": True}
    with caplog.at_level(logging.INFO, logger="minrm"):
        data = prm800k(written(RATED, control, control))
    assert list(data) == [{"question": "How many?", "steps": ["So it is 5.\n\n# Answer\n\n5"], "labels": [1]}]
    assert data.info.description == "PRM800K: 1 of 3 rows used, 1 process rows; 2 dropped: quality control"
    assert data.info.description in caplog.text
    assert prm800k(written(RATED), neutral="bad")[0]["labels"] == [0]


PHASE_1 = {
    "labeler": "e90a38f3", "timestamp": "2022-07-17T17:11:06.421", "generation": None,
    "is_quality_control_question": False, "is_initial_screening_question": False,
    "question": {"problem": "How many?", "ground_truth_answer": "5"},
    "label": {"steps": [
        {"completions": [{"text": "Two and two.", "rating": 1, "flagged": False},
                         {"text": "Two and three.", "rating": 0, "flagged": False}],
         "human_completion": None, "chosen_completion": 1},
        {"completions": [{"text": "So 6.", "rating": -1, "flagged": False}],
         "human_completion": {"text": "So 5.", "rating": None, "source": "human", "flagged": False,
                              "corrected_rating": None},
         "chosen_completion": None},
    ], "total_time": 1000, "finish_reason": "solution"},
}  # fmt: skip
PHASE_2 = {
    "labeler": "340d89bc", "timestamp": "2023-01-22T04:34:27.052924", "generation": 9,
    "is_quality_control_question": False, "is_initial_screening_question": False,
    "question": {"problem": "How many?", "ground_truth_solution": "5", "ground_truth_answer": "5",
                 "pre_generated_steps": ["Two and three.", "So 6."], "pre_generated_answer": "6",
                 "pre_generated_verifier_score": 0.01},
    "label": {"steps": [
        {"completions": [{"text": "Two and three.", "rating": 0, "flagged": None}],
         "human_completion": None, "chosen_completion": 0},
        {"completions": [{"text": "So 6.", "rating": -1, "flagged": None},
                         {"text": "So it is 5.", "rating": 1, "flagged": False}],
         "human_completion": None, "chosen_completion": None},
    ], "total_time": 2000, "finish_reason": "found_error"},
}  # fmt: skip


def test_both_phases_of_prm800k_are_read_with_every_kind_of_completion(written):
    path = written(PHASE_1, PHASE_2)
    assert [(row["steps"], row["labels"]) for row in prm800k(path)] == [
        (["Two and three.", "So 5."], [1, 1]),  # chosen, then written by the person
        (["Two and three.", "So 6."], [1, 0]),  # chosen, then neither: the error that ended it
    ]
    assert [row["labels"] for row in prm800k(path, neutral="bad")] == [[0, 1], [0, 0]]
    alone = [(row["steps"][-1], row["labels"]) for row in prm800k(path, neutral="none", alternatives=True)]
    assert alone == [
        ("So 5.", [None, 1]), ("Two and two.", [1]), ("So 6.", [None, 0]),
        ("So 6.", [None, 0]), ("So it is 5.", [None, 1]),
    ]  # fmt: skip


def test_every_cause_that_prm800k_is_dropped_for_is_counted(written):
    def changed(**label):
        return PHASE_2 | {"label": PHASE_2["label"] | label}

    blank = [{"completions": [{"text": " ", "rating": 1}], "human_completion": None, "chosen_completion": 0}]
    data = prm800k(
        written(
            PHASE_1,
            PHASE_1 | {"is_quality_control_question": True},
            PHASE_2 | {"is_initial_screening_question": True},
            changed(finish_reason="bad_problem"),
            changed(steps=[]),
            changed(steps=blank),
        )
    )
    causes = ["a step without text", "initial screening", "no step carries a label", "problem reported as broken"]
    told = "".join(f"; 1 dropped: {cause}" for cause in [*causes, "quality control"])
    assert data.info.description == f"PRM800K: 1 of 6 rows used, 1 process rows{told}"


def test_a_step_token_in_public_text_is_refused(written):
    row = json.loads(json.dumps(RATED).replace("So it is", "<|prm_label|>"))
    with pytest.raises(InputError, match=r"row 1: the step 1 holds the step token"):
        prm800k(written(row))


def test_a_file_of_which_nothing_is_left_is_refused_with_the_causes(written):
    with pytest.raises(InputError, match="PRM800K: none of 1 rows can be used; 1 dropped: initial screening"):
        prm800k(written(RATED | {"is_initial_screening_question": True}))


def test_every_real_prm800k_row_keeps_its_steps_and_ratings():
    path = real("prm800k_slice.jsonl")
    data = prm800k(path)
    assert data.info.description == "PRM800K: 1000 of 1000 rows used, 1000 process rows"
    for row, published in zip(data, raw(path), strict=True):
        rated = [step["completions"][0] for step in published["label"]["steps"]]  # this slice has one a step
        assert row["steps"] == [completion["text"] for completion in rated]
        assert row["labels"] == [int(completion["rating"] >= 0) for completion in rated]
        assert split_steps(join_steps(row["steps"])) == row["steps"]
        assert (final_answer(join_steps(row["steps"])) is None) == ("# Answer" not in row["steps"][-1])
    flat = Counter(label for row in prm800k(path, neutral="none") for label in row["labels"])
    assert flat == {1: 4831, None: 336, 0: 853}


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
    assert math_shepherd(written(SHEPHERD), annotations=True)[0]["steps"][0] == "The parts are 5+8 = <<5+8=13>>13."


def test_a_last_step_without_a_tag_is_kept_without_a_label(written):
    (row,) = math_shepherd(written(tagged(TAGGED.removesuffix(" ки"))))
    assert (row["steps"][-1], row["labels"]) == ("The answer is: 65", [1, 1, None])


def test_a_bad_step_of_math_shepherd_does_not_end_the_labels(written):
    label = TAGGED.replace("ки", "-", 1).replace("ки", "+")
    assert math_shepherd(written(tagged(TAGGED, label)))[0]["labels"] == [0, 1, 1]


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
        (tagged(TAGGED, TAGGED.replace("ки", "+", 2)), r"3 step tags .* for the tag 3 it has 'к'; both are the same"),
        (tagged(TAGGED, TAGGED.replace(" ки", "")), r"for the tag 1 it has .* the same text but for the tags"),
        (tagged(TAGGED, ""), "for the tag 1 it has nothing"),
        ({"input": TAGGED}, "the field 'label' is missing; there is input"),
        ({"input": TAGGED, "label": [1, 1, 0]}, "the field 'label' is a list, not a str"),
    ],
)
def test_a_row_of_math_shepherd_whose_labels_do_not_fit_is_refused(written, row, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: .*{message}"):
        math_shepherd(written(SHEPHERD, row))


BENCH = {
    "id": "gsm8k-0", "generator": "Qwen2-7B-Instruct", "problem": "How many?", "steps": ["a", "b", "c"],
    "final_answer_correct": False, "label": 1,
}  # fmt: skip


def test_processbench_labels_up_to_the_first_error(written):
    path = written(*(BENCH | {"label": first} for first in (-1, 0, 1, 2)), name="gsm8k.json")
    assert [row["labels"] for row in processbench(path)] == [[1, 1, 1], [0, None, None], [1, 0, None], [1, 1, 0]]
    assert processbench(path)[0]["question"] == "How many?" and processbench(path)[0]["steps"] == ["a", "b", "c"]


def test_processbench_steps_lose_their_numbers_and_a_blank_one_its_row(written):
    data = processbench(written(BENCH | {"steps": ["Step 1: a", "b", "c"]}, BENCH | {"steps": ["a", " ", "c"]}))
    assert data["steps"] == [["a", "b", "c"]]
    assert data.info.description.endswith("1 of 2 rows used, 1 process rows; 1 dropped: a step without text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "the label is 3, but there are 3 steps; it is the index of the first error, from 0, or -1"),
        ({"label": -2}, "the label is -2, but there are 3 steps"),
        ({"label": None}, "the field 'label' is a NoneType, not a int"),
        ({"steps": "a"}, "the field 'steps' is a str, not a list"),
        ({"steps": [], "label": -1}, r"steps is \[\]; it should be a list of at least one step"),
        ({"problem": ""}, "the question is empty"),
    ],
)
def test_a_row_of_processbench_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        processbench(written(BENCH, BENCH | change))


STEPWISE = {"prompt": "How many?", "completions": ["Step 1: Two and three.", "So 5."], "labels": [True, False]}


def test_trl_rows_keep_hard_and_soft_labels(written):
    (row,) = trl_stepwise(written(STEPWISE))
    assert row == {"question": "How many?", "steps": ["Two and three.", "So 5."], "labels": [1, 0]}
    assert {type(label) for label in row["labels"]} == {int}
    soft = trl_stepwise(written(STEPWISE, STEPWISE | {"labels": [0.25, None]}))
    assert [row["labels"] for row in soft] == [[1, 0], [0.25, None]]  # a trainer that casts to int would say 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [True]}, r"2 steps but 1 labels; each step needs one label"),
        ({"labels": ["+", "-"]}, r"the label of step 1 is '\+'; labels are 1 \(good\), 0 \(bad\)"),
        ({"labels": None}, "the field 'labels' is a NoneType, not a list"),
        ({"prompt": [{"role": "user", "content": "?"}]}, "the field 'prompt' is a list, not a str"),
        ({"completions": ["Two", 3]}, "step 2 is 3; it should be a text"),
    ],
)
def test_a_trl_row_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        trl_stepwise(written(STEPWISE, STEPWISE | change))


def test_a_trl_row_with_a_step_that_is_only_a_number_is_dropped_and_counted(written):
    data = trl_stepwise(written(STEPWISE, STEPWISE | {"completions": ["Step 1: ", "So 5."]}))
    assert data.info.description.endswith("1 of 2 rows used, 1 process rows; 1 dropped: a step without text")
