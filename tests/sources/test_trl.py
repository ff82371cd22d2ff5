"""TRL's layout: hard and soft labels, and rows that do not fit."""

import pytest

from minrm.errors import InputError
from minrm.sources import trl_stepwise

STEPWISE = {"prompt": "How many?", "completions": ["Step 1: Two and three.", "So 5."], "labels": [True, False]}


def test_trl_rows_keep_hard_and_soft_labels(written):
    (row,) = trl_stepwise(written(STEPWISE))
    assert row == {"question": "How many?", "steps": ["Two and three.", "So 5."], "labels": [1, 0]}
    assert {type(label) for label in row["labels"]} == {int}
    blank = STEPWISE | {"completions": ["Step 1: ", "So 5."]}
    soft = trl_stepwise(written(STEPWISE, STEPWISE | {"labels": [0.25, None]}, blank))
    assert [row["labels"] for row in soft] == [[1, 0], [0.25, None]]  # a trainer that casts to int would say 0
    assert soft.info.description.endswith("2 of 3 rows used, 2 process rows; 1 dropped: a step without text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [True]}, r"2 steps but 1 labels; each needs one"),
        ({"labels": ["+", "-"]}, r"the label of step 1 is '\+'; it should be 1 \(good\), 0 \(bad\)"),
        ({"labels": None}, "the field 'labels' is a NoneType, not a list"),
        ({"prompt": [{"role": "user", "content": "?"}]}, "the field 'prompt' is a list, not a str"),
        ({"completions": ["Two", 3]}, "step 2 is 3; it should be a text"),
    ],
)
def test_a_trl_row_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        trl_stepwise(written(STEPWISE, STEPWISE | change))
