"""What the exercise is worth, in points of 100: the handout prints it, and both graders count by it.

The points for code stand beside their tests, in `tests/final_token.py`; the others stand here.
"""

from pathlib import Path

from otter.test_files.exception_test import ExceptionTestFile

TESTS = Path(__file__).parent / "tests" / "final_token.py"
CASES = {case.name: case for case in ExceptionTestFile.from_file(str(TESTS)).test_cases}

POINTS = {
    "check": CASES["check"].points,  # the function meets `check_final_token` on masks that nobody has seen
    "training": CASES["training"].points,  # a short training with it goes as it goes with the right one
    "experiment": 20,  # both variants trained, from two seeds or more
    "explanation": 50,  # read by a person: what was seen, and why
}
CODE = POINTS["check"] + POINTS["training"]
SEEDS = 2  # of each variant, at least
