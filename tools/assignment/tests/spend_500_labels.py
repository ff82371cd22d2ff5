"""The tests of the function, in otter-grader's format: `make grade` runs them, and so does `autograder.zip`."""

import secrets

from otter.test_files import test_case

OK_FORMAT = False
SEEDS = [secrets.randbelow(10**6) for _ in range(3)]  # nobody has seen them
RIGHT = "right on pools that nobody had seen, drawn with three seeds"
EDGES = "right too on pools with too few wrong solutions, and on small ones"

name = "spend_500_labels"
points = None


def check(choose, edges):
    from minrm.checks import check_choose

    for seed in SEEDS:
        try:
            check_choose(choose, seed=seed, edges=edges)
        except AssertionError as error:
            raise AssertionError(f"{error} (to see it: check_choose(choose, seed={seed}))") from None


@test_case(name="check", points=20, hidden=True, success_message=RIGHT)
def test_check(choose):
    check(choose, edges=False)


@test_case(name="edges", points=10, hidden=True, success_message=EDGES)
def test_edges(choose):
    check(choose, edges=True)
