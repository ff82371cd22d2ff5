"""The check of the exercise "Supervise only the final token": a mask of solutions in, a mask of their last tokens out.

A mask is drawn row by row as the columns that hold a solution, so nothing here has to find a column in a mask.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from minrm.checks.attempt import NOTHING, Mistake, attempt, must_be_function, short

if TYPE_CHECKING:  # torch takes seconds, and of all checks only this one needs it
    from torch import Tensor


class Row(NamedTuple):
    """One row of a mask: the columns that hold the solution, in order, and how many columns there are."""

    columns: tuple[int, ...]
    width: int

    def runs(self) -> list[int]:
        """The last column of each unbroken run of the solution."""
        return [column for column in self.columns if column + 1 not in self.columns]

    def picture(self, columns: Iterable[int]) -> str:
        return "".join("1" if column in columns else "0" for column in range(self.width))


class Batch(NamedTuple):
    """What is special about a mask, and its rows."""

    what: str
    rows: list[Row]

    def __str__(self) -> str:
        return f"final_token(mask [{len(self.rows)}, {self.rows[0].width}], {self.what})"

    def mask(self) -> Tensor:
        """[B, T] bool."""
        import torch

        return torch.tensor([[column in row.columns for column in range(row.width)] for row in self.rows])


class _Answer(NamedTuple):
    """A row of a mask, and the columns that the learner's function marked in it."""

    batch: Batch
    number: int
    row: Row
    marked: set[int]


def check_final_token(final_token: Callable[[Tensor], Tensor], seed: int | None = None) -> None:
    """Try `final_token(solution_mask)`: a new mask, true only at the last true column of each row.

    Both are [B, T] bool. Padding may stand on either side, a solution may have holes or one token only, and a row
    without a solution stays all false. seed: of the masks. Raises AssertionError with a hint.
    """
    must_be_function("final_token", final_token)
    answers: list[_Answer] = []
    wrong: list[_Answer] = []
    for batch in draw_batches(random.Random(seed or 0)):
        mask = batch.mask()
        try:
            result = attempt("final_token", final_token, mask, shown=str(batch))
            if hint := _no_mask(result, mask):
                raise AssertionError(f"{batch} gave {short(repr(result))}: {hint}")
        except AssertionError:
            if wrong:
                break  # the columns that were wrong before it say more
            raise
        for number, (row, marked) in enumerate(zip(batch.rows, result, strict=True), start=1):
            answers.append(_Answer(batch, number, row, set(marked.nonzero().flatten().tolist())))
        wrong = [answer for answer in answers if answer.marked != set(answer.row.columns[-1:])]
    if wrong:
        batch, number, row, marked = wrong[0]
        given, gave, expected = map(row.picture, (row.columns, marked, row.columns[-1:]))
        shown = f"row {number}: mask {given} gave {gave}, expected {expected}"
        raise AssertionError(f"{batch}, {shown}: {_hint(answers, wrong)}")
    print("✓ final_token keeps the last token of each solution, wherever it stands, and nothing where there is none.")


def _no_mask(result: Any, mask: Tensor) -> str | None:
    """What is wrong with the kind of result; None if it is a mask of the right shape."""
    import torch

    if result is None:
        return NOTHING
    expected = f"expected is a tensor {tuple(mask.shape)} torch.bool"
    with suppress(TypeError, ValueError, RuntimeError):
        values = torch.as_tensor(result)
        if values.shape != mask.shape and values.dtype in (torch.int64, torch.int32):
            return f"these are numbers of columns, not a mask; {expected}, true in those columns"
    if not isinstance(result, torch.Tensor):
        return f"that is of type {type(result).__name__}; {expected}"
    fits = result.shape == mask.shape and result.dtype == torch.bool
    return None if fits else f"that is a tensor {tuple(result.shape)} {result.dtype}; {expected}, like the mask given"


def _hint(answers: list[_Answer], wrong: list[_Answer]) -> str:
    """What may be behind it: the mistake that marks the same columns in every row, else what the wrong rows share."""
    full = [answer for answer in answers if answer.row.columns]
    for rule, hint in _PLACES + _RUNS:
        if all(rule(answer.row) in (None, answer.marked) for answer in full):
            return hint
    batches = [list(rows) for _, rows in groupby(full, key=lambda answer: answer.batch.what)]
    several = [rows for rows in batches if len(rows) > 1]
    if all(len({frozenset(answer.marked) for answer in rows}) == 1 for rows in several):
        return "all rows have the same columns; find the last token of each row by itself"
    if all(sum(bool(answer.marked) for answer in rows) <= 1 for rows in several):
        return "one row only has a true column; every row with a solution needs one"
    wrong = [answer for answer in wrong if answer.row.columns]
    if not wrong:
        return "a row without a solution has no last token: it stays all false"
    for same, hint in _SHARED:
        if all(same(answer.row) for answer in wrong):
            return hint
    marked, row = wrong[0].marked, wrong[0].row
    if len(marked) != 1:
        return "exactly one column of a row with a solution is true" if marked else "this row has a solution too"
    inside = marked <= set(row.columns)
    return "the solution goes on behind that column" if inside else "that column is not part of the solution"


def _neighbour(row: Row, step: int) -> set[int] | None:
    """The column beside the last one; None in a row that says nothing of it, at an edge or with a hole."""
    column = row.columns[-1] + step
    return {column} if column < row.width and len(row.columns) > 1 and len(row.runs()) == 1 else None


_COUNT = "that is how many tokens the solution has, used as the number of a column; solutions do not begin in column 0"
_PLACES: list[Mistake] = [  # what each marks in a row, None where the row says nothing of it
    (lambda row: set(row.columns), "every token of the solution is true; mark only its last one"),
    (lambda row: set(row.columns[:-1]), "that is the solution without its last token, which is the one to keep"),
    (lambda row: set(), "no column is true"),
    (lambda row: {row.columns[0]}, "that is the first token of the solution; mark its last one"),
    (lambda row: {row.width - 1}, "that is the batch's last column; with padding on the right no solution ends there"),
    (lambda row: {row.width - 1 - row.columns[-1]}, "counted from the wrong side: turned round, turn it back"),
    (lambda row: {len(row.columns)} if len(row.columns) < row.width else None, _COUNT),
    (lambda row: {len(row.columns) - 1}, _COUNT),
    (lambda row: _neighbour(row, -1), "that is one column before the last token"),
    (lambda row: _neighbour(row, 1), "that is one column behind the last token"),
    (lambda row: set(range(row.columns[-1], row.width)),
        "everything from the last token on is true; what stands behind it is padding"),
    (lambda row: set(range(row.columns[-1] + 1)), "everything up to the last token is true; mark only that one"),
]  # fmt: skip
_RUNS: list[Mistake] = [
    (lambda row: set(row.runs()),
        "a solution with a hole has several ends here; only the last of them is its last token"),
    (lambda row: {row.runs()[0]}, "a solution with a hole ends here before the hole; it goes on behind it"),
    (lambda row: {row.columns[0] + len(row.columns) - 1},
        "first column plus count is the end of a solution only if it has no holes"),
]  # fmt: skip
_SHARED: list[Mistake] = [
    (lambda row: len(row.runs()) > 1, "it goes wrong where the solution has holes: look for the last true column"),
    (lambda row: len(row.columns) == row.width, "here the solution fills its row: what comes in at the edge?"),
    (lambda row: len(row.columns) == 1, "here the solution is one token: its first token is its last"),
    (lambda row: row.columns[-1] == row.width - 1, "it goes wrong where a solution ends in the last column"),
    (lambda row: row.columns[-1] < row.width - 1, "it goes wrong where something stands behind the solution"),
]  # fmt: skip


def draw_batches(rng: random.Random) -> list[Batch]:
    """Eight masks, one of each kind."""
    count = rng.randint(3, 5)
    lengths = [(rng.randint(3, 7), rng.randint(3, 8)) for _ in range(count)]  # of the question, of the solution
    width, room = max(map(sum, lengths)), _room(rng)
    right = [_run(question, length, width) for question, length in lengths]
    left = [_run(width - length, length, width) for _, length in lengths]
    single = [_run(question, 1, width) for question, _ in lengths] + right[:2]
    return [
        Batch("padded on both sides", room), Batch("padded on the right", right), Batch("padded on the left", left),
        Batch("a batch of one", [rng.choice(room)]),
        Batch("with solutions of one token", rng.sample(single, len(single))),
        Batch("with a solution that fills its row", rng.sample([_run(0, width, width), _run(2, width - 3, width)], 2)),
        Batch("with holes in the solutions", [_holes(rng) for _ in range(count)]),
        Batch("with a row without a solution", rng.sample([*right, Row((), width)], count + 1)),
    ]  # fmt: skip


def _room(rng: random.Random) -> list[Row]:
    """Rows with room on both sides. In the first, no two mistakes look alike; the second differs from it everywhere."""
    width, count = rng.randint(15, 18), rng.randint(3, 5)
    while True:
        rows = [_run(rng.randint(2, 8), rng.randint(3, 6), width) for _ in range(count)]
        marked = [rule(rows[0]) for rule, _ in _PLACES] + [{rows[0].columns[-1]}]
        a, b = rows[0].columns, rows[1].columns
        apart = all(one != other for one, other in combinations(marked, 2))
        if apart and a[0] != b[0] and a[-1] != b[-1] and len(a) != len(b):
            return rows


def _run(first: int, length: int, width: int) -> Row:
    return Row(tuple(range(first, first + length)), width)


def _holes(rng: random.Random) -> Row:
    """Two or three runs with holes between them, and some room at the end."""
    columns: tuple[int, ...] = ()
    for _ in range(rng.randint(2, 3)):
        columns += _run(max(columns, default=-1) + 1 + rng.randint(1, 3), rng.randint(2, 3), 19).columns
    return Row(columns, 19)
