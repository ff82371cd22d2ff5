"""The assignments, and what each is worth, in points of 100: the handout prints it, and both graders count by it.

The points for code stand beside their tests, in `tests/NAME.py`; the others stand here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from otter.test_files.exception_test import ExceptionTestFile

HERE = Path(__file__).parent
POINTS = {"experiment": 20, "explanation": 50}
CODE = 30  # of each assignment
SEEDS = 2  # of each variant of the experiment, at least


class Assignment(NamedTuple):
    """name: of the notebook, its handout and its tests. function: what students write. helpers: files of its tests.
    measures: what the experiment prints for each seed."""

    name: str
    function: str
    title: str
    helpers: tuple[str, ...] = ()
    measures: tuple[str, str] = ("auc", "best_of_n")

    @property
    def notebook(self) -> Path:
        return HERE.parents[1] / "book" / "exercises" / f"{self.name}.ipynb"

    @property
    def tests(self) -> Path:
        return HERE / "tests" / f"{self.name}.py"

    @property
    def cell(self) -> str:
        """The id of the cell in which the function is written."""
        return self.function.replace("_", "-")

    @property
    def points(self) -> dict[str, int]:
        return {case.name: case.points for case in cases(self)} | POINTS


@cache
def cases(assignment: Assignment) -> list[Any]:
    """Otter's test cases of the function; what they draw at random is drawn once in each process."""
    return ExceptionTestFile.from_file(str(assignment.tests)).test_cases


FINAL_TOKEN = Assignment(
    "final_token", "final_token", "Supervise only the final token", helpers=("reference.py", "trained.py")
)
SPEND = Assignment("spend_500_labels", "choose", "Spend 500 labels")
SEARCH = Assignment("search_with_a_budget", "next_beams", "Search with a budget", measures=("solved", "tokens"))
ASSIGNMENTS = {assignment.name: assignment for assignment in (FINAL_TOKEN, SPEND, SEARCH)}
