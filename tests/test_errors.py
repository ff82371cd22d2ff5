import numpy as np
import pytest

from minrm.errors import ABOVE_ZERO, InputError, check_numbers
from minrm.text import check_text


def test_what_a_user_can_mend_is_a_value_error_that_says_where():
    with pytest.raises(ValueError, match="train.jsonl, row 17") as found:
        check_text("", "train.jsonl, row 17")
    assert isinstance(found.value, InputError) and "\n" not in str(found.value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", float("nan"), float("inf")])
def test_a_count_that_is_none_is_refused_by_name(value):
    with pytest.raises(InputError, match=f"^rows is {value!r}; it must be a whole number of at least 1$"):
        check_numbers(1, size=3, limit=None, rows=value)


def test_numbers_of_numpy_and_fractions_pass_where_they_may():
    check_numbers(1, size=np.int64(3))
    check_numbers(ABOVE_ZERO, whole=False, rate=np.float32(1e-30), epochs=0.5)
    with pytest.raises(InputError, match="rate is 0.0; it must be a number above 0"):
        check_numbers(ABOVE_ZERO, whole=False, rate=0.0)
