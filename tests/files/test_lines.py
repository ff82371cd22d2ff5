"""A line is read as the one object that it clearly is, or refused."""

import numpy as np
import pytest

from minrm.errors import InputError
from minrm.files.lines import dumps, loads


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'{"a": "\\u00e9"}\n', {"a": "é"}),
        (b'\xef\xbb\xbf{"a": 1}\r\n', {"a": 1}),  # as some editors save it
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ],
)
def test_a_line_is_read(line, row):
    assert loads(line, "row 1") == row


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": ', r"row 7: broken JSON \(.*\); it begins '\{\"a\":'; mend that line, or leave it out"),
        (b'{"a": "\xe4\xb9', r"row 7: broken JSON \(.*utf-8"),
        (b'{"a": "\\ud83d"}', r"row 7: broken JSON \(.*surrogates"),
        (b'{"a": {"b": 1, "b": 2}}', r"row 7: broken JSON \(one of the names b, b comes twice"),
        (b"[" * 10**5, r"row 7: broken JSON"),
        (b"[1]", r"row 7: a list; each row is a JSON object"),
    ],
)
def test_what_is_not_clearly_one_object_is_refused(line, message):
    with pytest.raises(InputError, match=message):
        loads(line, "row 7")


def test_what_json_has_no_form_for_is_written_as_a_number_or_refused():
    assert dumps({"p": np.float32(0.5), "é": np.arange(2)}) == '{"p": 0.5, "é": [0, 1]}\n'
    with pytest.raises(InputError, match="JSON has no form for b'x'; leave that column out"):
        dumps({"a": b"x"})
