"""A run that is killed or interrupted ends where the uninterrupted one ends; a folder keeps what is not the run's."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from learners import OUTCOMES, orm
from tiny import causal, word_level

from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.training import train
from minrm.training.checkpoints import checkpoints, last_checkpoint, start_run

HERE = Path(__file__).parent
OPTIONS = {"epochs": 2, "batch_size": 4, "accumulate": 2, "learning_rate": 1e-2, "save_steps": 3, "progress": False}
calls = 0


def run(folder, supervised=every_token, rows=OUTCOMES, **changes):
    model = orm()
    result = train(model, rows, folder, supervised=supervised, **OPTIONS | changes)
    return model.model.state_dict(), result


def after(count, action):
    """Supervision that does `action` at its `count`-th batch; the first is a look at one row before the run begins."""

    def watched(mask):
        global calls
        calls += 1
        if calls == count:
            action()
        return every_token(mask)

    globals()["calls"] = 0
    watched.__qualname__ = "every_token"  # by which the record knows it
    return watched


def power_cut():
    raise RuntimeError("power cut")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole") / "run")


def test_a_killed_run_resumes_to_the_same_weights_and_history(tmp_path, whole):
    """Killed in the second epoch, between two checkpoints, by a signal that no handler sees."""
    code = f"""
import os, sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
import test_checkpoints as t
t.run({str(tmp_path / "run")!r}, t.after(17, lambda: os.kill(os.getpid(), 9)))
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-3", "checkpoint-6"]
    half = tmp_path / "run" / "checkpoint-9"  # as if it had died while it wrote the next one
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert last_checkpoint(tmp_path / "run").endswith("checkpoint-6")
    weights, result = run(tmp_path / "run")
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)
    assert [entry["step"] for entry in result.history] == [entry["step"] for entry in whole[1].history]
    assert [e["loss"] for e in result.history] == pytest.approx([e["loss"] for e in whole[1].history], abs=1e-5)
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def test_the_last_two_checkpoints_stay_and_a_finished_run_removes_its_own_and_nothing_else(tmp_path, whole):
    others = "checkpoint-best", "checkpoint-3-copy", "checkpoints", "checkpoint-"
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text("{}")
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path, after(20, power_cut), save_steps=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-6", "checkpoint-8"]
    weights, _ = run(tmp_path, save_steps=2)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set(others)


@pytest.mark.parametrize("batch", [5, 10])
def test_after_ctrl_c_a_run_goes_on_from_its_last_checkpoint_or_the_start(batch, tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, after(batch, lambda: signal.raise_signal(signal.SIGINT)))
    assert bool(last_checkpoint(tmp_path)) == (batch == 10)
    weights, _ = run(tmp_path)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)


def test_a_finished_run_returns_at_once_with_its_weights(tmp_path, whole):
    run(tmp_path)
    weights, result = run(tmp_path, after(2, lambda: pytest.fail("it trained again")))
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-6)
    assert result.history == whole[1].history


def test_a_second_run_is_refused_while_the_first_lives(tmp_path, whole):
    told = []

    def second():
        with pytest.raises(InputError, match="run: another command writes there; wait until it ends") as error:
            train(orm(), OUTCOMES, tmp_path / "run", **OPTIONS)
        told.append(error)

    weights, _ = run(tmp_path / "run", after(5, second))
    assert told
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)


def test_what_a_user_puts_beside_a_run_or_into_its_checkpoints_stays(tmp_path, whole):
    """A checkpoint that the run did not write is neither gone on from nor removed."""
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path, after(20, power_cut))
    mine = [tmp_path / name for name in ("notes.txt", "checkpoint-6/notes.txt", "training.json.part")]
    for path in mine:
        path.write_text("mine")
    shutil.copytree(tmp_path / "checkpoint-3", tmp_path / "checkpoint-99")
    (tmp_path / "checkpoint-99" / "written_by_minrm.json").unlink()
    before = contents(tmp_path / "checkpoint-99")
    weights, _ = run(tmp_path)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)
    assert all(path.read_text() == "mine" for path in mine) and contents(tmp_path / "checkpoint-99") == before
    assert [path.name for path in (tmp_path / "checkpoint-6").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "checkpoint-3").exists()


def test_after_a_loss_that_is_not_finite_the_same_folder_takes_a_lower_rate(tmp_path, whole):
    with pytest.raises(InputError, match="nothing was learnt; lower the learning rate"):
        run(tmp_path, learning_rate=1e30)
    weights, _ = run(tmp_path)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)
    assert not checkpoints(tmp_path)


def test_the_record_names_the_base_but_not_the_way_to_it_and_other_weights_are_another_run(tmp_path):
    base = tmp_path / "private" / "base"
    causal(seed=3).save_pretrained(base)
    word_level().save_pretrained(base)
    train(OutcomeRewardModel.from_base(base), OUTCOMES[:8], tmp_path / "run", progress=False)
    said = [path.read_text(errors="replace") for path in (tmp_path / "run").iterdir()]
    assert "base (sha256 " in (tmp_path / "run" / "training.json").read_text()
    assert not any("private" in text for text in said) and "| Base | `base`, not from the Hub |" in "".join(said)
    causal(seed=4).save_pretrained(base)
    with pytest.raises(InputError, match=r"base 'base \(sha256 \w+\)' there, 'base \(sha256"):
        train(OutcomeRewardModel.from_base(base), OUTCOMES[:8], tmp_path / "run", progress=False)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epochs": 3}, "epochs 2 there, 3 here"),
        ({"accumulate": 1, "seed": 5}, "accumulate 2 there, 1 here; seed 0 there, 5 here"),
        ({"supervised": lambda mask: mask}, "supervised 'every_token' there, '<lambda>' here"),
        ({"rows": [*OUTCOMES[:-1], OUTCOMES[0]]}, "data '.{16}' there, '.{16}' here"),
    ],
)
def test_a_run_with_other_settings_or_rows_is_refused_and_replaced_where_asked(changes, told, tmp_path):
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path, after(15, power_cut))
    before = contents(tmp_path)
    with pytest.raises(InputError, match=rf"holds a run with other settings \({told}\): name .* or remove this one"):
        run(tmp_path, **changes)
    assert contents(tmp_path) == before and checkpoints(tmp_path)
    _, result = run(tmp_path, resume=False, **changes)
    assert result.history[0]["step"] == 1


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "training.json", "checkpoint-500/trainer_state.json"]
)
def test_what_no_run_wrote_is_refused_and_never_removed(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"lr": 1}')
    for resume in (True, False)[: 2 if "tr" in name else 1]:  # a new run may replace a model
        with pytest.raises(InputError, match="that no run of minrm wrote: name another folder"):
            start_run(tmp_path, {"seed": 0}, resume)
    assert contents(tmp_path) == {path: b'{"lr": 1}'}
