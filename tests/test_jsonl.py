"""JSON on lines and in one list: what is written comes back, and what is broken is named with its place."""

import datetime
import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.jsonl import as_text, loads, open_text, read_json, read_jsonl, short, write_jsonl

WHOLE = st.text(st.characters(exclude_categories=["Cs"]))  # no half characters
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WHOLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WHOLE, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(WHOLE, VALUES, max_size=4)), st.booleans())
def test_any_rows_come_back_as_they_were_written(tmp_path_factory, rows, zipped):
    """Line breaks of every kind in a text, too: Unicode knows more of them than a file of lines."""
    path = tmp_path_factory.mktemp("rows") / ("a.jsonl.gz" if zipped else "a.jsonl")
    assert write_jsonl(iter(rows), path, zipped) == len(rows)
    assert list(read_jsonl(path)) == list(enumerate(rows, start=1))
    with (gzip.open if zipped else open)(path, "rt", encoding="utf-8") as file:  # a second reader
        assert [json.loads(line) for line in file] == rows


@given(st.lists(VALUES))
def test_a_list_is_read_item_by_item(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("rows") / "a.json"
    path.write_text(json.dumps(items))
    assert list(read_json(path)) == list(enumerate(items, start=1))


def test_a_row_has_the_number_of_its_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n \t\n{"a": 2}')
    assert list(read_jsonl(tmp_path / "a.jsonl")) == [(2, {"a": 1}), (4, {"a": 2})]


@given(st.text(st.characters(), min_size=1))
def test_half_a_character_is_refused_and_a_whole_one_read(text):
    """Python holds halves apart, JSON writes them apart; two that fit make one, as UTF-16 has them."""
    written = json.dumps({"question": text})
    whole = json.loads(written)["question"]
    try:
        whole.encode()
    except UnicodeEncodeError as error:
        half = repr(whole[error.start])[1:-1].replace("\\", r"\\")
        with pytest.raises(InputError, match=f"^a.jsonl, row 2: half a character, '{half}', which no tokenizer takes"):
            loads(written, "a.jsonl, row 2")
    else:
        assert loads(written, "a.jsonl, row 2") == {"question": whole}


def test_what_a_table_has_and_json_has_not_is_written_as_text(tmp_path):
    day, cost = datetime.date(2024, 2, 29), Decimal("0.10")
    write_jsonl([{"day": day, "took": datetime.timedelta(minutes=1), "cost": cost}], tmp_path / "a.jsonl", False)
    assert list(read_jsonl(tmp_path / "a.jsonl")) == [(1, {"day": "2024-02-29", "took": "0:01:00", "cost": "0.10"})]
    with pytest.raises(InputError, match=r"JSON has no form for set, \{1\}; leave that column out of the rows"):
        as_text({1})


@pytest.mark.parametrize("text", ["{", "", "nul", "[" * 100_000, '{"a": 1} {"a": 2}', "9" * 5_000])
def test_broken_json_is_one_line_with_its_place(text):
    with pytest.raises(InputError, match=r"^train\.jsonl, row 17: broken JSON \(.*\); it begins ") as caught:
        loads(text, "train.jsonl, row 17")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b"\xff\xfe{\n"),
        ("a.jsonl.gz", b"not gzipped"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-12]),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:20] + b"\xff" * 20),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: not readable as UTF-8 text .*; fetch or write the file again"):
        list(read_jsonl(tmp_path / name))


def test_line_ends_are_left_alone_where_asked(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a\r\nb\n")
    with open_text(tmp_path / "a.csv", newline="") as file:
        assert file.read() == "a\r\nb\n"
    with open_text(tmp_path / "a.csv") as file:
        assert file.read() == "a\nb\n"


@given(VALUES)
def test_a_value_is_shown_in_at_most_forty_characters(value):
    shown = short(value)
    assert len(shown) <= 40 and repr(value).startswith(shown.removesuffix("…"))
