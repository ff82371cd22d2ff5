"""What the tests of the exercises' checks share."""

import pytest


def trial(check, right, wrong, *more):
    """A test: `check` accepts the right answers, and refuses each wrong one with its hint (a part of the message).

    more: what the check takes beside the answer.
    """

    @pytest.mark.parametrize(("answer", "hint"), [*((answer, None) for answer in right), *wrong])
    def test(answer, hint, capsys):
        if hint is None:
            check(answer, *more)
            *_, tick = capsys.readouterr().out.splitlines()
            assert tick.startswith("✓ " + check.__name__.removeprefix("check_"))
        else:
            with pytest.raises(AssertionError) as refused:
                check(answer, *more)
            assert hint in str(refused.value)

    return test
