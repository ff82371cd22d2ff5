"""What the exercise is worth, in points of 100: the handout prints it, and both graders count by it.

The points for code stand beside their tests, in `tests/final_token.py`; the others stand here.
"""

from pathlib import Path

from otter.test_files.exception_test import ExceptionTestFile

TESTS = Path(__file__).parent / "tests" / "final_token.py"
CASES = ExceptionTestFile.from_file(str(TESTS)).test_cases
POINTS = {case.name: case.points for case in CASES} | {"experiment": 20, "explanation": 50}
CODE = sum(case.points for case in CASES)
SEEDS = 2  # of each variant of the experiment, at least
