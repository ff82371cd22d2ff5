import pytest

from minrm.errors import InputError
from minrm.text import check_text


def test_what_a_user_can_mend_is_a_value_error_that_says_where():
    with pytest.raises(ValueError, match="train.jsonl, row 17") as found:
        check_text("", "train.jsonl, row 17")
    assert isinstance(found.value, InputError) and "\n" not in str(found.value)
