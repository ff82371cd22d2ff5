"""Long runs go on where a kill cut them, are held while they live, and touch no file but their own."""

import json
import os
import resource
import signal

import pytest

from minrm.errors import InputError
from minrm.files.runs import RunFile, alone, name_of, tidy, whole
from minrm.rows import read_rows, write_rows

SETTINGS = {"model": "m", "n": 2, "counts": (1, 2)}
ROWS = [{"problem": k // 2, "sample": k % 2, "solution": f"é{k}"} for k in range(6)]


@pytest.fixture
def path(tmp_path):
    with RunFile(tmp_path / "new" / "s.jsonl", SETTINGS) as run:
        run.append(ROWS[:2])
        run.append(ROWS[2:])
        assert run.rows == ROWS
    return run.path


def test_a_run_is_plain_rows_with_its_settings_beside(path):
    assert list(read_rows(path)) == ROWS and "é5" in path.read_text(encoding="utf-8")
    assert json.loads((path.parent / "s.settings.json").read_text()) == {"model": "m", "n": 2, "counts": [1, 2]}
    before = path.read_bytes()
    assert RunFile(path, SETTINGS).rows == ROWS and path.read_bytes() == before


def test_a_run_goes_on_wherever_a_kill_cut_its_file(path):
    """At every byte, also inside a character."""
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with RunFile(path, SETTINGS) as run:
            kept = len(run.rows) // 2 * 2
            assert run.rows == ROWS[: whole[:cut].count(b"\n")]
            run.keep(kept)
            run.append(ROWS[kept:])
        assert path.read_bytes() == whole and run.rows == ROWS


@pytest.mark.parametrize("change", [{"n": 3}, {"shard": 1}, {"model": None}])
def test_another_run_is_refused_whether_a_setting_differs_or_is_new(change, path):
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"holds another run: its \w+ is .*, you asked for .*; name another file"):
        RunFile(path, SETTINGS | change)
    with pytest.raises(InputError, match=r"its n is 2, you asked for None"):
        RunFile(path, {"model": "m"})
    assert path.read_bytes() == before
    path.unlink()
    assert RunFile(path, SETTINGS | change).rows == []  # the rows are gone, and the run with them


def test_a_file_of_another_kind_is_neither_read_nor_overwritten(tmp_path):
    (tmp_path / "s.jsonl").write_text("my notes")
    with pytest.raises(InputError, match=r"s\.jsonl: not the file of a run, since no s\.settings\.json lies beside it"):
        RunFile(tmp_path / "s.jsonl", SETTINGS)
    assert (tmp_path / "s.jsonl").read_text() == "my notes"
    with pytest.raises(InputError, match=r"s\.parquet: .* needs a file that ends in \.jsonl"):
        RunFile(tmp_path / "s.parquet", SETTINGS)


def test_a_broken_line_inside_a_run_is_refused_with_its_place(path):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[0], '{"quest\n', *lines[2:]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.jsonl, row 2: broken JSON"):
        RunFile(path, SETTINGS)


def test_a_second_call_is_refused_while_the_first_lives_by_whichever_name(path):
    path.with_name("link.jsonl").symlink_to(path)
    path.with_name("link.settings.json").symlink_to(path.with_name("s.settings.json"))
    before = path.read_bytes()
    with RunFile(path, SETTINGS):
        for name in (path, path.parent / ".." / "new" / path.name, path.with_name("link.jsonl")):
            with pytest.raises(InputError, match="another command writes there; wait until it ends, or name another"):
                RunFile(name, SETTINGS)
    with pytest.raises(InputError), RunFile(path, SETTINGS):
        raise InputError("of any other kind")
    assert RunFile(path, SETTINGS).rows == ROWS and path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
def test_a_killed_process_holds_nothing(tmp_path):
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with alone(tmp_path):
            os.write(writing, b"held")
            signal.pause()
    assert os.read(reading, 4) == b"held"
    with pytest.raises(InputError, match="another command writes there"), alone(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("settings", ['{"mine": 1}', "[]", "my notes"])
def test_settings_that_no_run_wrote_are_not_replaced(settings, tmp_path):
    beside = tmp_path / "s.settings.json"
    beside.write_text(settings)
    with pytest.raises(InputError, match=r"s\.settings\.json: (no run wrote it, but|a list|broken JSON)"):
        RunFile(tmp_path / "s.jsonl", SETTINGS)
    assert beside.read_text() == settings and not (tmp_path / "s.jsonl").exists()


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_settings_that_a_kill_cut_short_are_written_again(cut, tmp_path):
    with RunFile(tmp_path / "s.jsonl", SETTINGS):
        beside = tmp_path / "s.settings.json"
        written = beside.read_text()
    beside.write_text(written[:cut])
    with RunFile(tmp_path / "s.jsonl", SETTINGS):
        assert beside.read_text() == written


def test_a_full_disk_is_one_line_that_names_the_file_and_the_run_goes_on_afterwards(path):
    """A limit on the size of files stands for the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = len(path.read_bytes())
    with RunFile(path, SETTINGS) as run:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 30, limits[1]))
        try:
            with pytest.raises(InputError, match=r"s\.jsonl: cannot be written \(File too large\); free some space"):
                run.append([{"solution": "乘" * 99}])
            with pytest.raises(InputError, match=r"a\.jsonl: cannot be written \(File too large\)"):
                write_rows([{"solution": "乘" * 999}], path.with_name("a.jsonl"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(path.parent.glob("*a.jsonl*"))
    assert RunFile(path, SETTINGS).rows == ROWS


def test_a_file_appears_when_it_is_complete_and_what_a_kill_left_is_removed(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / ".a.txt.minrm").mkdir()
    (tmp_path / ".a.txt.minrm" / "a.txt").write_text("half")
    with whole(path) as part:
        part.write_text("new")
        assert not path.exists()
        with pytest.raises(InputError, match="another command writes there"), whole(path):
            pass
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    (tmp_path / ".a.txt.minrm").mkdir()
    tidy(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_is_named_by_what_it_is_and_not_by_the_way_to_it(tmp_path, monkeypatch):
    assert name_of("org/model") == "org/model"
    model = tmp_path / "secret" / "model"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "tokenizer.json").write_bytes(b"ids")
    name = name_of(model)
    monkeypatch.chdir(model)
    assert name == name_of(".") == name_of("../model") and name.startswith("model (sha256 ") and len(name) < 40
    (model / "README.md").write_text("of the author's own")
    (model / "training.json").write_text("{}")
    assert name_of(model) == name
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        (model / file).write_bytes(b"other")
        assert name_of(model) != name
        name = name_of(model)
