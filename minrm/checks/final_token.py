"""The check of the exercise "Supervise only the final token": a mask of solutions in, a mask of their last tokens out.

A mask is drawn row by row as the columns that hold a solution, so nothing here has to find a column in a mask.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from minrm.checks.attempt import NOTHING, Mistake, Tried, WrongAnswer, attempt, likely, must_be_function, short

if TYPE_CHECKING:  # torch takes seconds, and of all checks only this one needs it
    from torch import Tensor


class Batch(NamedTuple):
    """What is special about a mask, how wide it is, and the columns of each row that hold a solution, in order."""

    what: str
    width: int
    rows: Sequence[Sequence[int]]

    def __str__(self) -> str:
        return f"final_token(mask [{len(self.rows)}, {self.width}], {self.what})"

    def picture(self, columns: Iterable[int]) -> str:
        return "".join("1" if column in columns else "0" for column in range(self.width))

    def mask(self) -> Tensor:
        """[B, T] bool."""
        import torch

        return torch.tensor([[column in row for column in range(self.width)] for row in self.rows])


def check_final_token(final_token: Callable[[Tensor], Tensor], seed: int | None = None) -> None:
    """Try `final_token(solution_mask)`: a new mask, true only at the last true column of each row.

    Both are [B, T] bool. Padding may stand on either side, a solution may have holes or one token only, and a row
    without a solution stays all false. seed: of the masks. Raises WrongAnswer, an AssertionError, with a hint.
    """
    must_be_function("final_token", final_token)
    tried: list[Tried] = []  # a row and its batch, and the columns marked in it
    wrong: Tried | None = None
    for batch in draw_batches(random.Random(seed or 0)):
        try:
            marked = _marked(final_token, batch)
        except WrongAnswer:
            if not wrong:
                raise
            break  # the columns that were wrong before it say more
        tried += [((row, batch), columns) for row, columns in zip(batch.rows, marked, strict=True)]
        wrong = wrong or next((one for one in tried if one[1] != set(one[0][0][-1:])), None)
    if wrong:
        (row, batch), columns = wrong
        number = [own is row for own in batch.rows].index(True) + 1
        given, gave, expected = map(batch.picture, (row, columns, row[-1:]))
        hint = (likely(_MISTAKES, [one for one in tried if one[0][0]], wrong) or _OTHERWISE) if row else _NONE
        raise WrongAnswer(f"{batch}, row {number}: mask {given} gave {gave}, expected {expected}: {hint}")
    print("✓ final_token keeps the last token of each solution, wherever it stands, and nothing where there is none.")


def _marked(final_token: Callable[[Tensor], Tensor], batch: Batch) -> list[set[int]]:
    """The columns that the learner's function marks in each row; WrongAnswer if its result is no mask."""
    import torch

    mask = batch.mask()
    result = attempt("final_token", final_token, mask, shown=str(batch))
    expected, kind = f"a tensor {tuple(mask.shape)} torch.bool", f"of type {type(result).__name__}"
    if isinstance(result, torch.Tensor):
        kind = f"a tensor {tuple(result.shape)} {result.dtype}"
    if kind != expected:
        numbers = kind.endswith("torch.int64") and result.shape != mask.shape
        what = "these are numbers of columns, not a mask" if numbers else f"that is {kind}"
        hint = NOTHING if result is None else f"{what}; expected {expected}, like the mask given"
        raise WrongAnswer(f"{batch} gave {short(repr(result))}: {hint}")
    return [set(row.nonzero().flatten().tolist()) for row in result]


def _ends(row: Sequence[int]) -> list[int]:
    """The last column of each unbroken run of the solution."""
    return [column for column in row if column + 1 not in row]


_NONE = "a row without a solution has no last token: it stays all false"
_OTHERWISE = "exactly one column of a row with a solution is true, that of its last token"
_COUNT = "that is how many tokens the solution has, used as the number of a column; solutions do not begin in column 0"
_SAME = "all rows have the same columns; find the last token of each row by itself"
_ONE_ROW = "only one row has a true column; every row with a solution needs one"
_MISTAKES: list[Mistake] = [  # what each marks in a row with a solution, given the row and its batch
    (lambda row, batch: set(row), "every token of the solution is true; mark only its last one"),
    (lambda row, batch: set(row[:-1]), "that is the solution without its last token, which is the one to keep"),
    (lambda row, batch: set(), "no column is true"),
    (lambda row, batch: {row[0]}, "that is the first token of the solution; mark its last one"),
    (lambda row, batch: {batch.width - 1},
        "that is the batch's last column; with padding on the right no solution ends there"),
    (lambda row, batch: {batch.width - 1 - row[-1]}, "counted from the wrong side: turned round, turn it back"),
    (lambda row, batch: {len(row)}, _COUNT),
    (lambda row, batch: {len(row) - 1}, _COUNT),
    (lambda row, batch: {row[-1] - 1}, "that is one column before the last token"),
    (lambda row, batch: {row[-1] + 1}, "that is one column behind the last token"),
    (lambda row, batch: set(range(row[-1], batch.width)),
        "everything from the last token on is true; what comes after it is padding"),
    (lambda row, batch: set(range(row[-1] + 1)), "everything up to the last token is true; mark only that one"),
    (lambda row, batch: set(_ends(row)),
        "a solution with a hole has several ends here; only the last of them is its last token"),
    (lambda row, batch: {_ends(row)[0]}, "a solution with a hole ends here before the hole; it goes on after it"),
    (lambda row, batch: {row[0] + len(row) - 1},
        "first column plus count is the end of a solution only if it has no holes"),
    (lambda row, batch: {max(map(max, filter(None, batch.rows)))}, _SAME),
    (lambda row, batch: {batch.rows[0][-1]}, _SAME),
    (lambda row, batch: set(row[-1:]) if row is batch.rows[0] else set(), _ONE_ROW),
    (lambda row, batch: set(row[-1:]) if row is [*filter(None, batch.rows)][-1] else set(), _ONE_ROW),
]  # fmt: skip


def draw_batches(rng: random.Random) -> list[Batch]:
    """Eight masks, one of each kind."""
    count = rng.randint(3, 5)
    lengths = [(rng.randint(3, 7), rng.randint(3, 8)) for _ in range(count)]  # of the question, of the solution
    width = max(map(sum, lengths))
    right = [range(question, question + length) for question, length in lengths]
    left = [range(width - length, width) for _, length in lengths]
    single = [range(question, question + 1) for question, _ in lengths]
    few = rng.randint(3, 4)
    first = few + rng.randint(3, 5)
    wide = first + 2 * few + 1  # so in the first row of `room` no two mistakes mark the same columns
    room = [range(first, first + few), range(2, few + 3), range(1, rng.randint(3, wide - 1))]
    return [
        Batch("padded on both sides", wide, room), Batch("padded on the right", width, right),
        Batch("padded on the left", width, left), Batch("a batch of one", wide, [rng.choice(room)]),
        Batch("with solutions of one token", width, rng.sample([*single, *right[:2]], count + 2)),
        Batch("with a solution that fills its row", width, rng.sample([range(width), range(2, width - 1)], 2)),
        Batch("with holes in the solutions", 19, [_holes(rng) for _ in range(count)]),
        Batch("with a row without a solution", width, rng.sample([*right, range(0)], count + 1)),
    ]  # fmt: skip


def _holes(rng: random.Random) -> list[int]:
    """Two or three runs with holes between them."""
    picture = "".join("0" * rng.randint(1, 3) + "1" * rng.randint(2, 3) for _ in range(rng.randint(2, 3)))
    return [column for column, digit in enumerate(picture) if digit == "1"]
