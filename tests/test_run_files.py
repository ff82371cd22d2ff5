"""The files of long runs: what they hold, where they are cut, what is refused."""

import json

import pytest

from minrm.errors import InputError
from minrm.run_files import append, differing, read_header, read_samples, resume, stream_samples

HEADER = {"model": "m", "n": 2, "seed": 0}
ROWS = [{"problem": k // 2, "sample": k % 2, "question": f"{k}?", "solution": f"é{k}"} for k in range(7)]
ROWS, LAST = ROWS[:6], ROWS[6]


def whole(count):
    return count // 2 * 2


@pytest.fixture
def path(tmp_path):
    append(tmp_path / "s.jsonl", "samples", HEADER, ROWS[:2])
    append(tmp_path / "s.jsonl", "samples", HEADER, ROWS[2:])
    return tmp_path / "s.jsonl"


def test_what_was_appended_is_read_behind_one_header(path):
    assert read_samples(path) == (HEADER, ROWS)
    assert [number for number, _ in stream_samples(path)] == [1, 2, 3, 4, 5, 6, 7]
    assert path.read_bytes().count(b"\n") == 7 and "é5" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kept, rest", [(0, 5), (1, 0), (1, 4), (2, 0), (3, 0), (4, 6), (6, 3), (7, 0), (7, 2)])
def test_a_run_goes_on_at_the_last_whole_chunk(kept, rest, path):
    """kept lines, and the beginning of another; a finished file keeps a last chunk that is not whole."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:kept]) + (lines + ['{"x": 1}'])[kept][:rest], encoding="utf-8")
    found = resume(path, "samples", HEADER, 6, whole)
    assert found == ROWS[: whole(max(0, kept - 1))]
    append(path, "samples", HEADER, ROWS[len(found) :])
    assert read_samples(path) == (HEADER, ROWS)


def test_a_finished_file_is_left_as_it_is(path):
    append(path, "samples", HEADER, [LAST])
    before = path.read_bytes()
    assert resume(path, "samples", HEADER, 7, whole) == [*ROWS, LAST] and path.read_bytes() == before


def test_a_new_file_appears_with_its_first_chunk(tmp_path):
    path = tmp_path / "new" / "s.jsonl"
    assert resume(path, "samples", HEADER, 6, whole) == [] and not path.exists()
    append(path, "samples", HEADER, [])
    assert read_samples(path) == (HEADER, [])


@pytest.mark.parametrize("asked", [HEADER | {"seed": 1}, HEADER | {"shard": "1/2"}, {"model": "m", "n": 2}])
def test_another_run_is_refused_whether_a_field_differs_is_new_or_is_gone(asked, path):
    before = path.read_bytes()
    name, found, wanted = differing(HEADER, asked)
    with pytest.raises(InputError, match=f"holds another run: its {name} is {found!r}, asked for was {wanted!r}; name"):
        resume(path, "samples", asked, 6, whole)
    assert path.read_bytes() == before and differing(HEADER, dict(HEADER)) is None


@pytest.mark.parametrize(
    "content", ["my notes, one line", "my notes\n", '{"question": "?"}', "[1]\n", '"text"\n', "1\n"]
)
def test_a_file_of_another_kind_is_neither_read_nor_overwritten(tmp_path, content):
    path = tmp_path / "s.jsonl"
    path.write_text(content)
    for use in (lambda: resume(path, "samples", HEADER, 6, whole), lambda: read_samples(path)):
        with pytest.raises(InputError, match=r"s\.jsonl: its first record does not describe a sampling run; name a"):
            use()
    assert path.read_text() == content
    with pytest.raises(InputError, match="does not describe a sampling run or a scoring run; .*wrote with --shard"):
        read_header(path, content)


def test_scores_are_not_samples(tmp_path):
    append(tmp_path / "s.jsonl", "scores", HEADER, ROWS)
    with pytest.raises(InputError, match="does not describe a sampling run"):
        read_samples(tmp_path / "s.jsonl")
    assert read_header(tmp_path / "s.jsonl", json.dumps({"scores": HEADER})) == HEADER | {"kind": "scores"}


def test_a_broken_file_is_refused_with_its_place(path, tmp_path):
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([header, rows[0], '{"quest\n', *rows[2:]]), encoding="utf-8")
    for use in (lambda: resume(path, "samples", HEADER, 6, whole), lambda: read_samples(path)):
        with pytest.raises(InputError, match=r"s\.jsonl, row 3: broken JSON"):
            use()
    path.write_text("".join([header, rows[0], '{"question": "?"}\n']), encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.jsonl, row 3: no question with a solution"):
        read_samples(path)
    with pytest.raises(InputError, match=r"t\.jsonl: no such file; in .* there is s\.jsonl"):
        read_samples(tmp_path / "t.jsonl")
    (tmp_path / "s.parquet").write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(InputError, match=r"s\.parquet: samples are read from the \.jsonl file"):
        read_samples(tmp_path / "s.parquet")
    with pytest.raises(InputError, match=r"s\.parquet: scores are .* needs a file that ends in \.jsonl"):
        resume(tmp_path / "s.parquet", "scores", HEADER, 6, whole)
