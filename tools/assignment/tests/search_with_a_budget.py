"""The tests of the function, in otter-grader's format: `make grade` runs them, and so does `autograder.zip`."""

import secrets

from otter.test_files import test_case

OK_FORMAT = False
SEEDS = [secrets.randbelow(10**6) for _ in range(3)]  # nobody has seen them
RIGHT = "right on beginnings that nobody had seen, drawn with three seeds"
EDGES = "right too where texts or scores are equal, and where there are few beginnings"

name = "search_with_a_budget"
points = None


def check(next_beams, edges):
    from minrm.checks import check_next_beams

    for seed in SEEDS:
        try:
            check_next_beams(next_beams, seed=seed, edges=edges)
        except AssertionError as error:
            raise AssertionError(f"{error} (to see it: check_next_beams(next_beams, seed={seed}))") from None


@test_case(name="check", points=20, hidden=True, success_message=RIGHT)
def test_check(next_beams):
    check(next_beams, edges=False)


@test_case(name="edges", points=10, hidden=True, success_message=EDGES)
def test_edges(next_beams):
    check(next_beams, edges=True)
