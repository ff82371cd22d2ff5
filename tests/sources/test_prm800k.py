"""PRM800K's records, field by field, on records that the tests write in the publisher's layout."""

import pytest

from minrm.errors import InputError
from minrm.sources.prm800k import check_neutral, trajectory


def completion(text, rating, flagged=None):
    return {"text": text, "rating": rating, "flagged": flagged}


def step(*completions, chosen=0, human=None):
    return {"completions": list(completions), "human_completion": human, "chosen_completion": chosen}


def human(text, rating=None, flagged=False):
    return {"text": text, "rating": rating, "source": "human", "flagged": flagged}


def record(*steps, finish="solution", **top):
    question = {"problem": "How many?", "ground_truth_answer": "5", "pre_generated_steps": None}
    return {"question": question, "label": {"steps": list(steps), "finish_reason": finish}, **top}


GOOD, SECOND = completion("two", 1), completion("three", 1)
NEUTRAL, BAD = completion("hm", 0), completion("wrong", -1)


def path_of(made, **options):
    (row,), cause = trajectory(made, "file, row 1", **options)
    assert (row["question"], cause) == ("How many?", "")
    return list(zip(row["steps"], row["labels"], strict=True))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step(GOOD), step(SECOND)], [("two", 1), ("three", 1)]),
        ([step(BAD, GOOD, chosen=1), step(SECOND)], [("two", 1), ("three", 1)]),  # not successive steps
        ([step(GOOD), step(NEUTRAL, BAD, completion("x", -1), chosen=None)], [("two", 1), ("wrong", 0)]),
        ([step(GOOD), step(BAD, chosen=None), step(SECOND)], [("two", 1), ("wrong", 0)]),
        ([step(GOOD), step(NEUTRAL, chosen=None)], [("two", 1)]),  # nothing chosen, nothing bad: it ended before
        ([step(BAD, chosen=None, human=human("mine")), step(GOOD)], [("mine", 1), ("two", 1)]),
        ([step(BAD, chosen=None, human=human("mine", 0)), step(GOOD)], [("mine", 1), ("two", 1)]),  # neutral is good
        (
            [step(GOOD), step(BAD), step(SECOND), step(BAD)],
            [("two", 1), ("wrong", 0), ("three", None), ("wrong", None)],
        ),
        ([step(completion("two", 1, True)), step(SECOND)], [("two", None), ("three", 1)]),  # flagged: no label
        ([step(completion("two", -1, True)), step(SECOND)], [("two", None), ("three", 1)]),  # and no first error either
        ([step(completion("two", None)), step(SECOND)], [("two", None), ("three", 1)]),
        ([step(GOOD), step(completion("wrong", -1, True), BAD | {"text": "worse"}, chosen=None)],
         [("two", 1), ("worse", 0)]),
        ([step(GOOD), step(chosen=None, human=human("mine", flagged=True)), step(SECOND)],
         [("two", 1), ("mine", None), ("three", 1)]),
    ],
)  # fmt: skip
def test_the_path_through_a_record(steps, expected):
    assert path_of(record(*steps)) == expected


@pytest.mark.parametrize(("neutral", "label"), [("good", 1), ("bad", 0), ("none", None)])
def test_neutral_ratings_count_as_asked_and_never_end_the_labels(neutral, label):
    assert path_of(record(step(NEUTRAL), step(GOOD), step(BAD), step(GOOD)), neutral=neutral) == [
        ("hm", label), ("two", 1), ("wrong", 0), ("two", None)
    ]  # fmt: skip


def test_alternatives_are_rows_of_their_own_in_which_they_alone_carry_a_label():
    made = record(step(GOOD, BAD), step(SECOND, completion("odd", 1, True)), step(BAD, GOOD, chosen=None))
    rows, _ = trajectory(made, "file, row 1", alternatives=True)
    assert [(row["steps"], row["labels"]) for row in rows] == [
        (["two", "three", "wrong"], [1, 1, 0]),
        (["wrong"], [0]),
        (["two", "three", "two"], [None, None, 1]),
    ]


def test_no_alternative_after_the_first_error_carries_a_label():
    rows, _ = trajectory(record(step(BAD), step(GOOD, SECOND)), "file, row 1", alternatives=True)
    assert [row["labels"] for row in rows] == [[0, None]]


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (record(step(GOOD), is_quality_control_question=True), "quality control"),
        (record(step(GOOD), is_initial_screening_question=True), "initial screening"),
        (record(step(GOOD), finish="bad_problem"), "problem reported as broken"),
        (record(step(completion("two", None))), "no step carries a label"),
        (record(step(NEUTRAL, chosen=None), finish="give_up"), "no step carries a label"),
        (record(), "no step carries a label"),
    ],
)
def test_records_without_use_are_dropped_with_their_cause(made, cause):
    assert trajectory(made, "file, row 1") == ([], cause)


def test_ordinary_records_say_that_they_are_no_quality_control():
    made = record(step(GOOD), finish="give_up", is_quality_control_question=False, is_initial_screening_question=False)
    assert path_of(made) == [("two", 1)]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"question": {"problem": "q"}}, r"the field 'label' is missing; is this a file in PRM800K's layout\?"),
        (record("two"), r"step 1: a str; each step is an object"),
        (record(step(GOOD, chosen=1)), r"step 1: chosen_completion is 1, but there are 1 completions"),
        (record(step(GOOD), step(completion("x", 2))), r"step 2, completion 0: rating is 2; it should be 1"),
        (record(step(completion("x", "good"))), r"step 1, completion 0: the field 'rating' is 'good'"),
        (record(step(completion(None, 1))), r"step 1, completion 0: the field 'text' is None"),
        (record(step("x")), r"step 1, completion 0: a str; it should be an object with text and rating"),
        (record(step(BAD, chosen=None, human="mine")), r"step 1, human_completion: a str"),
        (record(step(GOOD), finish="done"), r"finish_reason is 'done'; known are"),
        (record({"completions": [GOOD], "human_completion": None}), r"'chosen_completion' is missing"),
    ],
)
def test_a_record_of_another_shape_is_refused_with_its_place(made, message):
    with pytest.raises(InputError, match=rf"^file, row 1(, |: ).*{message}|^file, row 1(, |: ){message}"):
        trajectory(made, "file, row 1")


def test_unknown_ways_to_count_neutral_are_refused():
    with pytest.raises(InputError, match="neutral='maybe'; it is one of 'good', 'bad', 'none'"):
        check_neutral("maybe")
