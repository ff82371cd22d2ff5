"""The tests of the function, in otter-grader's format: `make grade` runs them, and so does `autograder.zip`."""

import secrets

from otter.test_files import test_case

OK_FORMAT = False
SEEDS = [secrets.randbelow(10**6) for _ in range(4)]  # nobody has seen them
RIGHT = "right on masks that nobody had seen, drawn with three seeds"
TRAINED = "thirty updates of training gave the losses that they give with the last tokens"

name = "final_token"
points = None


def check(final_token):
    from minrm.checks import check_final_token

    for seed in SEEDS[:3]:
        try:
            check_final_token(final_token, seed=seed)
        except AssertionError as error:
            raise AssertionError(f"{error} (to see it: check_final_token(final_token, seed={seed}))") from None


@test_case(name="check", points=20, hidden=True, success_message=RIGHT)
def test_check(final_token):
    check(final_token)


@test_case(name="training", points=10, hidden=True, success_message=TRAINED)
def test_training(final_token):
    from trained import check_trained

    check(final_token)  # only a right function is worth the training
    check_trained(final_token, seed=SEEDS[3])
