"""The trained comparison: it passes the right function and fails for others, whatever a check says of them."""

import pytest
import torch
import trained
from reference import final_token
from trained import check_trained

trained.UPDATES = 5  # a class is graded by all 30, in the tests of the grader


def test_the_same_masks_by_another_way_train_alike():
    check_trained(lambda mask: mask & (mask.flip(1).cumsum(1).flip(1) == 1), seed=3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda mask: mask & (mask.cumsum(1) == 1), "the loss of update 1 is"),  # one of each, but another one
        (lambda mask: final_token(mask).int(), "training stopped with InputError"),
        (torch.zeros_like, "training stopped with InputError"),
    ],
)
def test_other_masks_are_told(answer, message):
    with pytest.raises(AssertionError, match=message):
        check_trained(answer, seed=3)
