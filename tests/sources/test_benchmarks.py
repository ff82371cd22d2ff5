"""ProcessBench's layout: labels up to the first error, and rows that do not fit."""

import pytest

from minrm.errors import InputError
from minrm.sources import processbench

BENCH = {
    "id": "gsm8k-0", "generator": "Qwen2-7B-Instruct", "problem": "How many?", "steps": ["a", "b", "c"],
    "final_answer_correct": False, "label": 1,
}  # fmt: skip


def test_processbench_labels_up_to_the_first_error_and_a_blank_step_drops_its_row(written):
    rows = [BENCH | {"label": first} for first in (-1, 0, 1, 2)]
    data = processbench(written(*rows, BENCH | {"steps": ["Step 1: a", "b", "c"]}, BENCH | {"steps": ["a", " ", "c"]}))
    assert data["labels"][:4] == [[1, 1, 1], [0, None, None], [1, 0, None], [1, 1, 0]]
    assert data["question"] == ["How many?"] * 5 and data["steps"] == [["a", "b", "c"]] * 5
    assert data.info.description.endswith("5 of 6 rows used, 5 process rows; 1 dropped: a step without text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "the label is 3, but there are 3 steps; it is the index of the first error, from 0, or -1"),
        ({"label": -2}, "the label is -2, but there are 3 steps"),
        ({"label": None}, "the field 'label' is a NoneType, not a int"),
        ({"label": True}, "the field 'label' is a bool, not a int"),
        ({"steps": [], "label": -1}, r"steps is \[\]; it should be a list of at least one step"),
    ],
)
def test_a_row_of_processbench_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        processbench(written(BENCH, BENCH | change))
