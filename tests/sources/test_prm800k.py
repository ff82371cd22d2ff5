"""PRM800K's records, field by field, on records that the tests write in the publisher's layout, then on real ones."""

import json
import logging
from collections import Counter

import pytest
from real import raw, real

from minrm.errors import InputError
from minrm.sources import prm800k
from minrm.sources.prm800k import trajectory
from minrm.text import final_answer, join_steps, split_steps


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
    (row,) = trajectory(made, "file, row 1", **options)
    assert row["question"] == "How many?"
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
    rows = trajectory(made, "file, row 1", alternatives=True)
    assert [(row["steps"], row["labels"]) for row in rows] == [
        (["two", "three", "wrong"], [1, 1, 0]),
        (["wrong"], [0]),
        (["two", "three", "two"], [None, None, 1]),
    ]
    rows = trajectory(record(step(BAD), step(GOOD, SECOND)), "file, row 1", alternatives=True)
    assert [row["labels"] for row in rows] == [[0, None]]  # none after the first error


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"question": {"problem": "q"}}, "the field 'label' is missing"),
        (record("two"), "step 1: a str; it should be an object"),
        (record(step(GOOD, chosen=1)), "step 1: chosen_completion is 1, but there are 1 completions"),
        (record(step(GOOD), step(completion("x", 2))), "step 2, completion 0: rating is 2; it should be 1"),
        (record(step(completion(None, 1))), "step 1, completion 0: the field 'text' is a NoneType"),
        (record(step(BAD, chosen=None, human="mine")), "step 1, human_completion: a str"),
        (record({"completions": [GOOD], "human_completion": None}), "step 1: the field 'chosen_completion' is missing"),
    ],
)
def test_a_record_of_another_shape_is_refused_with_its_place(made, message):
    with pytest.raises(InputError, match=rf"^file, row 1(, |: ){message}"):
        trajectory(made, "file, row 1")


def test_unknown_ways_to_count_neutral_are_refused():
    with pytest.raises(InputError, match="neutral='maybe'; it is one of 'good', 'bad', 'none'"):
        prm800k("file.jsonl", neutral="maybe")


PHASE_1 = record(
    step(completion("Two and two.", 1, False), completion("Two and three.", 0, False), chosen=1),
    step(completion("So 6.", -1, False), chosen=None, human=human("So 5.") | {"corrected_rating": None}),
    labeler="e90a38f3", timestamp="2022-07-17T17:11:06.421", generation=None,
    is_quality_control_question=False, is_initial_screening_question=False,
)  # fmt: skip
PHASE_2 = record(
    step(completion("Two and three.", 0)),
    step(completion("So 6.", -1), completion("So it is 5.", 1, False), chosen=None),
    finish="found_error", labeler="340d89bc", timestamp="2023-01-22T04:34:27.052924", generation=9,
    is_quality_control_question=False, is_initial_screening_question=False,
)  # fmt: skip


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


def test_every_cause_for_which_a_record_is_dropped_is_counted_and_logged(written, caplog):
    control, screening = {"is_quality_control_question": True}, {"is_initial_screening_question": True}
    broken = [record(step(GOOD), finish="bad_problem"), record(), record(step(completion(" ", 1)))]
    with caplog.at_level(logging.INFO, logger="minrm"):
        data = prm800k(written(PHASE_1, PHASE_1 | control, PHASE_2 | screening, *broken))
    causes = ["a step without text", "initial screening", "no step carries a label", "problem reported as broken"]
    counts = "".join(f"; 1 dropped: {cause}" for cause in [*causes, "quality control"])
    assert data.info.description == f"PRM800K: 1 of 6 rows used, 1 process rows{counts}"
    assert data.info.description in caplog.text
    with pytest.raises(InputError, match="PRM800K: none of 1 rows can be used; 1 dropped: initial screening"):
        prm800k(written(PHASE_2 | screening))


def test_a_step_token_in_public_text_is_refused(written):
    row = json.loads(json.dumps(PHASE_2).replace("So 6.", "<|prm_label|>"))
    with pytest.raises(InputError, match=r"row 1: the step 2 holds the step token"):
        prm800k(written(row))


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


def test_a_step_that_holds_a_header_spoils_only_the_rows_that_hold_it(written):
    spoilt = record(step(completion("a\nStep: 2: b", 1)))
    rows = prm800k(written(spoilt, record(step(completion("a", 1)))))
    assert (
        rows["steps"] == [["a"]] and "1 dropped: a step with a line that begins like a header" in rows.info.description
    )
    both = record(step(completion("a", 1), completion("b\nStep: 9: c", -1)))
    assert prm800k(written(both), alternatives=True)["steps"] == [["a"]]
