"""The check of "Supervise only the final token", against answers that a learner would write, whatever the seed."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import final_token as reference

from minrm.checks import check_final_token
from minrm.checks.final_token import draw_batches

SEEDS = st.integers(0, 2**32)


def at(mask, columns):
    """A mask of the same shape, true in one column of each row."""
    out = torch.zeros_like(mask)
    out[torch.arange(len(mask)), columns] = True
    return out


def last(mask):
    """The last true column of each row, by turning it round; the last of all where there is none."""
    return mask.shape[1] - 1 - mask.flip(1).int().argmax(1)


def by_flip(mask):
    return at(mask, last(mask)) & mask


def by_cumsum(mask):
    return mask & (mask.cumsum(1) == mask.sum(1, keepdim=True))


def by_nonzero(mask):
    out = torch.zeros_like(mask)
    for row, column in dict(mask.nonzero().tolist()).items():
        out[row, column] = True
    return out


def by_what_follows(mask):
    """Shift and compare, with care for holes: nothing true may follow."""
    out = mask.clone()
    for shift in range(1, mask.shape[1]):
        out[:, :-shift] &= ~mask[:, shift:]
    return out


def by_numpy(mask):
    array = mask.numpy()
    after = np.cumsum(array[:, ::-1], axis=1)[:, ::-1]
    return torch.from_numpy(array & (after == 1))


RIGHT = [by_flip, by_cumsum, by_nonzero, by_what_follows, by_numpy, reference]


@pytest.mark.parametrize("answer", RIGHT)
@given(seed=SEEDS)
@settings(max_examples=25)
def test_a_right_answer_passes_whatever_the_seed(answer, seed):
    check_final_token(answer, seed)


def off_by_one(mask, step):
    """Takes the neighbouring column; an index past the edge stops it."""
    return at(mask, last(mask) + step) & mask.any(1, keepdim=True)


def before_in_the_solution(mask):
    return mask & (mask.cumsum(1) == mask.sum(1, keepdim=True) - 1)


def same_column_for_all(mask):
    true = mask.any(0).nonzero().flatten()
    return at(mask, true[-1]) if len(true) else torch.zeros_like(mask)


def one_row_only(mask):
    out = torch.zeros_like(mask)
    out[tuple(mask.nonzero()[-1])] = True
    return out


def changed(mask):
    mask &= by_flip(mask)
    return mask


def every_end(mask):
    """Shift and compare, without care for holes; nothing follows the last column."""
    after = torch.cat([mask[:, 1:], torch.zeros(len(mask), 1).bool()], 1)
    return mask & ~after


def every_end_by_roll(mask):
    """The same, where the first column comes in behind the last one."""
    return by_flip(mask) & ~mask.roll(-1, 1)


def first_end(mask):
    ends = every_end(mask)
    return ends & (ends.cumsum(1) == 1)


def start_plus_count(mask):
    return at(mask, (mask.int().argmax(1) + mask.sum(1) - 1).clamp(0)) & mask.any(1, keepdim=True)


def by_index_of_each_row(mask):
    return at(mask, torch.tensor([row.nonzero()[-1].item() for row in mask]))


def last_column(mask):
    out = torch.zeros_like(mask)
    out[:, -1] = True
    return out


WRONG = [
    (last_column, "the batch's last column"),
    (lambda mask: at(mask, mask.int().argmax(1)), "the first token of the solution"),
    (lambda mask: mask, "every token of the solution is true"),
    (lambda mask: at(mask, mask.sum(1)), "how many tokens the solution has"),
    (lambda mask: at(mask, mask.sum(1) - 1), "how many tokens the solution has"),
    (lambda mask: off_by_one(mask, -1), "one column before the last token"),
    (before_in_the_solution, "one column before the last token"),
    (lambda mask: off_by_one(mask, 1), "one column behind the last token"),
    (lambda mask: by_flip(mask).roll(1, 1), "one column behind the last token"),
    (same_column_for_all, "all rows have the same columns"),
    (one_row_only, "only one row"),
    (lambda mask: by_flip(mask) & (torch.arange(len(mask)) == 0)[:, None], "only one row"),
    (lambda mask: at(mask, mask[0].nonzero().max()), "all rows have the same columns"),
    (last, "these are numbers of columns"),
    (lambda mask: last(mask).tolist(), "that is of type list; expected a tensor ("),
    (changed, "changed its argument"),
    (lambda mask: at(mask, last(mask)), "a row without a solution has no last token"),
    (lambda mask: at(mask, (mask * torch.arange(mask.shape[1])).argmax(1)), "a row without a solution"),
    (lambda mask: by_flip(mask).int(), "torch.int32; expected a tensor ("),
    (lambda mask: by_flip(mask).numpy(), "that is of type ndarray"),
    (lambda mask: (by_flip(mask), last(mask)), "that is of type tuple"),
    (lambda mask: by_flip(mask)[0], "like the mask given"),
    (lambda mask: print(end=""), "nothing came back"),
    (lambda mask: mask.final(), r"stopped with AttributeError: 'Tensor' object has no attribute 'final'"),
    (by_index_of_each_row, "with a row without a solution) stopped with IndexError"),
    (lambda mask: torch.zeros_like(mask), "no column is true"),
    (lambda mask: at(mask, mask.flip(1).int().argmax(1)), "turn it back"),
    (lambda mask: mask.cumsum(1) == mask.sum(1, keepdim=True), "everything from the last token on"),
    (lambda mask: mask.flip(1).cumsum(1).flip(1) > 0, "everything up to the last token"),
    (lambda mask: mask & ~by_flip(mask), "the one to keep"),
    (every_end, "has several ends here"),
    (first_end, "ends here before the hole"),
    (start_plus_count, "first column plus count"),
    (every_end_by_roll, "with a solution that fills its row), row "),
    (lambda mask: by_flip(mask) & (every_end(mask).sum(1, keepdim=True) == 1), "with holes in the solutions), row "),
    (lambda mask: by_flip(mask) & (mask.sum(1, keepdim=True) > 1), "with solutions of one token), row "),
    (lambda mask: by_flip(mask) & ~last_column(mask), "padded on the right), row "),
    (lambda mask: torch.where(mask[:, -1:], by_flip(mask), mask), "every token of the solution is true"),
    (lambda mask: by_flip(mask) | last_column(mask), "exactly one column"),
    (lambda mask: by_flip(mask) | mask & (mask.cumsum(1) == 1), "exactly one column"),
    (lambda mask: at(mask, (mask.int().argmax(1) - 1).clamp(0)), "exactly one column"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "said"), WRONG)
@given(seed=SEEDS)
@settings(max_examples=25)
def test_each_wrong_answer_meets_its_hint_whatever_the_seed(answer, said, seed):
    with pytest.raises(AssertionError) as refused:
        check_final_token(answer, seed)
    assert said in str(refused.value)


def test_a_hint_shows_the_row_on_which_it_went_wrong():
    with pytest.raises(AssertionError, match=r"padded on both sides\), row 1: mask 0+1+0+ gave 0+1, expected 0+10+: "):
        check_final_token(last_column)


@given(seed=SEEDS)
def test_the_masks_hold_every_case_that_is_promised(seed):
    masks = {batch.what: batch.mask() for batch in draw_batches(random.Random(seed))}
    assert all(mask.dtype == torch.bool and mask.ndim == 2 for mask in masks.values())
    both, right, left, one, single, filled, holes, nothing = masks.values()
    assert not (both[:, 0] | both[:, -1]).any()
    assert not right[:, 0].any() and right[:, -1].any()
    assert not left[:, 0].any() and left[:, -1].all()
    assert len(one) == 1 and 1 in single.sum(1)
    assert filled.all(1).sum() == 1
    assert (every_end(holes).sum(1) > 1).all()
    assert (~nothing.any(1)).sum() == 1
    assert all(mask.any(1).all() for what, mask in masks.items() if what != "with a row without a solution")


def test_without_a_seed_the_masks_are_the_same_and_with_another_they_are_not():
    def seen(*seed):
        masks = []
        check_final_token(lambda mask: masks.append(mask.tolist()) or by_flip(mask), *seed)
        return masks

    assert seen() == seen(0) == seen(None) != seen(1)
