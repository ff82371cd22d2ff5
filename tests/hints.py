"""What the tests of the exercises' checks share."""

import pytest


def trial(check, right, wrong):
    """A test: `check` accepts the right answers, and refuses each wrong one with its hint (a part of the message)."""

    @pytest.mark.parametrize(("answer", "hint"), [*((answer, None) for answer in right), *wrong])
    def test(answer, hint, capsys):
        if hint is None:
            check(answer)
            assert capsys.readouterr().out.startswith("✓ " + check.__name__.removeprefix("check_"))
        else:
            with pytest.raises(AssertionError) as refused:
                check(answer)
            assert hint in str(refused.value)

    return test
