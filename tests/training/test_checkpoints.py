"""A run that is killed, interrupted or half-written ends where the uninterrupted one ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learners import OUTCOMES, orm

from minrm.errors import InputError
from minrm.orm import every_token
from minrm.training import train
from minrm.training.checkpoints import MANIFEST, ByLength, last_checkpoint, open_record, run_settings

HERE = Path(__file__).parent
OPTIONS = {"epochs": 2, "batch_size": 4, "accumulate": 2, "learning_rate": 1e-2, "save_steps": 3, "progress": False}
calls = 0


def run(folder, supervised=every_token, **changes):
    model = orm()
    result = train(model, OUTCOMES, folder, supervised=supervised, **OPTIONS | changes)
    return model.model.state_dict(), result


def after(count, action):
    """Supervision that does `action` when it is asked for the `count`-th batch: where the tests reach into a run.

    The first is looked at before the run begins.
    """

    def watched(mask):
        global calls
        calls += len(mask) <= OPTIONS["batch_size"]  # the run's settings ask with a larger mask what it does
        if calls == count:
            action()
        return every_token(mask)

    globals()["calls"] = 0
    watched.__qualname__ = "every_token"  # to the record it is the same supervision
    return watched


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
    assert last_checkpoint(tmp_path / "run").endswith("checkpoint-6")
    half = tmp_path / "run" / "checkpoint-9"  # as if it had died while it wrote the next one
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    weights, result = run(tmp_path / "run")
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)
    assert [entry["step"] for entry in result.history] == [entry["step"] for entry in whole[1].history]
    assert [e["loss"] for e in result.history] == pytest.approx([e["loss"] for e in whole[1].history], abs=1e-5)
    assert not list((tmp_path / "run").glob("checkpoint-*"))


@pytest.mark.parametrize("damage", ["manifest", "weights", "optimizer.pt", "trainer_state.json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, whole, damage, caplog):
    with pytest.raises(RuntimeError, match="power"):
        run(tmp_path, after(20, lambda: (_ for _ in ()).throw(RuntimeError("power cut"))), save_steps=2)
    newest = Path(last_checkpoint(tmp_path))
    file = newest / {"manifest": MANIFEST, "weights": "model.safetensors"}.get(damage, damage)
    file.unlink() if damage == "manifest" else file.write_bytes(file.read_bytes()[:-1])
    older = last_checkpoint(tmp_path)
    assert older is not None
    assert older != str(newest)
    assert not newest.exists()
    assert "not written to its end" in caplog.text
    weights, _ = run(tmp_path, save_steps=2)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)


def test_ctrl_c_waits_for_the_update_saves_and_says_how_to_go_on(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt, match=r"stopped after update 2 of \d+, saved in .*the same call"):
        run(tmp_path, after(5, lambda: signal.raise_signal(signal.SIGINT)))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    weights, _ = run(tmp_path)
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-5)


def test_a_finished_run_returns_at_once_with_its_weights(tmp_path, whole):
    run(tmp_path)
    weights, result = run(tmp_path, after(2, lambda: pytest.fail("it trained again")))
    torch.testing.assert_close(weights, whole[0], rtol=0, atol=1e-6)
    assert result.history == whole[1].history


def test_another_run_or_a_foreign_model_in_the_folder_is_refused(tmp_path):
    open_record(tmp_path / "run", {"epochs": 1}, [], resume=True)
    with pytest.raises(InputError, match="epochs 1 there, 2 here.*resume=False"):
        open_record(tmp_path / "run", {"epochs": 2}, [], resume=True)
    assert open_record(tmp_path / "run", {"epochs": 2}, [], resume=False) is None
    assert json.loads((tmp_path / "run" / "training.json").read_text())["settings"]["epochs"] == 2
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no run wrote"):
        open_record(tmp_path / "model", {}, [], resume=True)


def version(supervised):
    return run_settings(orm(), supervised, epochs=1, batch_size=1, accumulate=1)["supervised"]


def test_a_supervision_is_told_by_what_it_does():
    def final(mask):
        return mask & (mask.cumsum(dim=1) == mask.sum(dim=1, keepdim=True))

    def column(mask):  # right only where the padding is on the left
        return mask & (torch.arange(mask.shape[1]) == mask.shape[1] - 1)

    def cleared(mask):  # works on the mask that it is given
        mask[:, :5] = False
        return mask

    def broken(mask):
        raise IndexError("off by one")

    functions = [lambda mask: mask, final, column, cleared, lambda mask: torch.zeros_like(mask)]
    for function in functions:
        function.__qualname__ = "same"
    versions = [version(function) for function in functions]
    assert versions == [version(function) for function in functions]
    assert len(set(versions)) == len(functions)
    assert version(broken).endswith("broken, raises IndexError")
    assert version(lambda mask: None).split(", ")[1].startswith("raises")
    assert version(lambda mask: mask & (torch.rand(mask.shape) < 0.5)).endswith("by chance")


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=80),
    group=st.integers(1, 9),
    seed=st.integers(0, 5),
)
def test_an_epoch_holds_every_row_once_grouped_by_length_and_repeats(lengths, group, seed):
    def order(epoch):
        return list(ByLength(lengths, group, seed, lambda: epoch))

    first = order(0)
    assert sorted(first) == list(range(len(lengths)))
    assert first == order(0)
    by_length = sorted(lengths)
    full = [first[i : i + group] for i in range(0, len(first) - group + 1, group)]
    tail = first[len(full) * group :]
    runs = sorted((sorted(lengths[row] for row in rows) for rows in full), key=lambda run: (run[0], run[-1]))
    assert [length for run in runs for length in run] + sorted(lengths[row] for row in tail) == by_length


def test_epochs_and_seeds_differ():
    orders = {tuple(ByLength([1] * 30, 4, seed, lambda e=epoch: e)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4
