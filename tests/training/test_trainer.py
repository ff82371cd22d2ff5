"""The trainer: equal gradients however the batch is cut, several processes as one, evaluation, the bar."""

import json
import os
import socket
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from learners import KINDS, OUTCOMES, orm, rows
from packaging.version import Version
from tiny import causal, word_level

from minrm import reward_model
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.orm import OutcomeRewardModel
from minrm.training import train
from minrm.training.trainer import ByLength, training_arguments, with_gaps

HERE = Path(__file__).parent
SETTINGS = {"epochs": 1, "batch_size": 2, "accumulate": 1, "processes": 1, "learning_rate": 1e-3, "seed": 0}
STEPS = {"save_steps": None, "eval_steps": None, "log_steps": None}


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_is_the_mean_over_all_terms_whatever_the_batches(kind, tmp_path):
    model, data = KINDS[kind].from_base(causal(), tokenizer=word_level()), rows(kind, 11)
    result = train(model, data, tmp_path, eval_dataset=data, batch_size=4, learning_rate=1e-3, progress=False)
    batch = model.collate(model.prepare(data))
    with reward_model.evaluating(model):
        outputs = model(**batch["inputs"])
    expected = model.loss_sum(outputs, batch["targets"]).item() / batch["count"]
    measured = [entry for entry in result.history if "eval_loss" in entry][-1]
    assert measured["eval_loss"] == pytest.approx(expected, rel=1e-4)
    assert measured["eval_accuracy"] == pytest.approx(model.is_correct(outputs, batch["targets"]).float().mean().item())


def last_gradients(kind, folder, count=8, **options):
    """Gradients of the last update; after the first, plain ones: what differs is the method alone."""
    model = KINDS[kind].from_base(causal(), tokenizer=word_level()).double()
    model.float = lambda: model  # keep float64: differences of 1e-6 shall be those of the method
    original = torch.optim.AdamW.step
    gradients = {}

    def note(optimizer, closure=None):
        gradients.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        return original(optimizer, closure)

    torch.optim.AdamW.step = note
    try:
        result = train(model, rows(kind, count), folder, learning_rate=1e-3, log_steps=1, progress=False, **options)
    finally:
        torch.optim.AdamW.step = original
    return gradients, [entry["loss"] for entry in result.history]


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_an_accumulated_batch_is_that_of_the_mean_over_all_its_terms(kind, tmp_path):
    """Rows differ in tokens, steps and labels, so a mean of means, or Trainer's own count, would show."""
    gradients, _ = last_gradients(kind, tmp_path, batch_size=2, accumulate=4)
    model = KINDS[kind].from_base(causal(), tokenizer=word_level()).double()
    batch = model.collate(model.prepare(rows(kind, 8)))
    (model.loss_sum(model(**batch["inputs"]), batch["targets"]) / batch["count"]).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # Trainer clips at 1, as we do here
    assert norm > 0
    expected = {name: p.grad for name, p in model.named_parameters()}
    torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("lora", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_equal_with_parts_of_batches_and_with_activations_computed_again(kind, lora, tmp_path):
    """Three epochs of two updates, the second a short one: then the adapters' B is no longer 0."""
    common = {"count": 13, "epochs": 3, "lora": lora}
    whole, losses = last_gradients(kind, tmp_path / "whole", batch_size=8, **common)
    assert len(losses) == 6 and all(gradient.any() for name, gradient in whole.items() if "lora_A" in name)
    cut, cut_losses = last_gradients(kind, tmp_path / "cut", batch_size=2, accumulate=4, **common)
    again, again_losses = last_gradients(kind, tmp_path / "again", batch_size=8, gradient_checkpointing=True, **common)
    for gradients, others in (cut, cut_losses), (again, again_losses):
        torch.testing.assert_close(gradients, whole, rtol=1e-5, atol=1e-8)
        assert others == pytest.approx(losses, abs=1e-6)


@pytest.mark.parametrize("lora", [0, 4])
def test_checkpointing_computes_each_layer_again_only_while_it_trains(lora, tmp_path):
    counts = {}
    for again in (False, True):
        model = orm()
        layer = model.model.model.layers[0].mlp
        calls = []
        layer.register_forward_pre_hook(lambda module, inputs, calls=calls: calls.append(module.training))
        options = {"batch_size": 8, "lora": lora, "gradient_checkpointing": again}
        train(model, OUTCOMES, tmp_path / str(again), eval_dataset=OUTCOMES[:8], progress=False, **options)
        counts[again] = calls.count(True), calls.count(False)
        assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    assert counts == {False: (5, 1), True: (10, 1)}


PAIRS = {"epochs": 2, "learning_rate": 1e-3, "eval_dataset": rows("pair", 11), "progress": False}
ADAPTERS = {"lora": 4, "epochs": 2, "learning_rate": 1e-2, "save_steps": 3, "progress": False}
RUN = f"""
import os, sys, learners as t
from minrm import train
calls, parts = 0, {{"batch_size": 2, "accumulate": 2}}
def every_token(mask):
    global calls
    calls += len(mask) == 2
    if calls == int(sys.argv[1]) and os.environ["RANK"] == "1":
        os.kill(os.getpid(), 9)
    return mask.clone()
pairs = t.KINDS["pair"].from_base(t.causal(), tokenizer=t.word_level())
train(pairs, t.rows("pair", 41), "pairs", **{PAIRS}, **parts)
train(t.orm(), t.OUTCOMES[:35], "adapters", supervised=every_token, **{ADAPTERS}, **parts)
"""


def launch(folder, kill):
    """Two processes on this machine, as `accelerate launch` starts them; one dies at its batch of number `kill`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", port]
    paths = os.pathsep.join(map(str, [HERE, *HERE.parents[:2]]))
    cpu = {"ACCELERATE_USE_CPU": "1"}  # its option --cpu would start a single process, whatever their number
    environment = os.environ | cpu | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    (folder / "run.py").write_text(RUN)
    whole = [*command, *options, "run.py", str(kill)]
    return Popen(whole, cwd=folder, env=environment, stdout=PIPE, stderr=PIPE, text=True)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of two runs, on pairs and with adapters, of two processes, of which one dies in the second run."""
    folder = tmp_path_factory.mktemp("two")
    out, err = launch(folder, 11).communicate()  # the first batch is looked at before a run begins: in update 5
    assert out == "" and "SIGKILL" in err, err
    return folder


def record(folder):
    return json.loads((folder / "training.json").read_text())


def test_two_processes_do_what_one_does(two, tmp_path):
    """41 pairs in updates of 8: in the last one a process has no pair at all."""
    one = KINDS["pair"].from_base(causal(), tokenizer=word_level())
    result = train(one, rows("pair", 41), tmp_path, batch_size=8, **PAIRS)
    history = record(two / "pairs")["history"]
    assert record(two / "pairs")["settings"]["processes"] == 2
    assert len(result.history) == len(history) == 14
    for entry, other in zip(result.history, history, strict=True):
        del entry["epoch"], other["epoch"]  # counted in passes, of which the last update of an epoch has fewer
        assert entry == pytest.approx(other, abs=1e-5)
    weights = BradleyTerryRewardModel.from_pretrained(two / "pairs").model.state_dict()
    torch.testing.assert_close(weights, one.model.state_dict(), rtol=0, atol=1e-4)


@pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.23"),
    reason="older Trainers load a checkpoint onto 'cpu:0' in several CPU processes, which torch.load refuses",
)
def test_two_processes_of_which_one_dies_resume_to_what_one_ends_with(two, tmp_path):
    """With adapters, and killed between two checkpoints."""
    assert [path.name for path in (two / "adapters").glob("checkpoint-*")] == ["checkpoint-3"]
    assert (two / "adapters" / "checkpoint-3" / "adapter_model.safetensors").exists()
    again, one = launch(two, -1), orm()
    result = train(one, OUTCOMES[:35], tmp_path, batch_size=8, **ADAPTERS)
    err = again.communicate()[1]
    assert again.returncode == 0, err
    history = record(two / "adapters")["history"]
    assert record(two / "adapters")["settings"]["processes"] == 2
    model = OutcomeRewardModel.from_pretrained(two / "adapters").model
    torch.testing.assert_close(model.state_dict(), one.model.state_dict(), rtol=0, atol=1e-4)
    losses = [[entry["loss"] for entry in entries] for entries in (result.history, history)]
    assert len(losses[0]) == 10 and losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_part_of_a_batch_may_be_missing_and_a_missing_batch_counts_nothing():
    collate = with_gaps(lambda batch: {"rows": batch, "count": 5 * len(batch)}, dummy="first")
    assert collate(["a", None, "b"]) == {"rows": ["a", "b"], "count": 10}
    assert collate([None, None]) == {"rows": ["first"], "count": 0}


def test_the_bar_is_on_stderr_and_only_where_asked_for(tmp_path, capfd):
    train(orm(), OUTCOMES[:8], tmp_path, eval_dataset=OUTCOMES[:8], progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "1/1" in err and "loss=" in err


def test_updates_between_checkpoints_evaluations_and_losses_follow_from_the_length_of_a_run(tmp_path):
    def steps(rows, evaluates=True, **changes):
        cpu, settings = torch.device("cpu"), SETTINGS | changes
        made = training_arguments(tmp_path, cpu, torch.float32, settings, STEPS, rows, evaluates)
        return made.warmup_steps, made.save_steps, made.eval_steps, made.logging_steps, made.eval_strategy.value

    assert steps(2001) == (50, 100, 1001, 10, "steps")
    assert steps(2001, accumulate=2, processes=5, epochs=0.1) == (0, 50, 10, 1, "steps")
    assert steps(1, evaluates=False) == (0, 50, 1, 1, "no")


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=80), group=st.integers(1, 9), seed=st.integers(0, 5))
def test_an_epoch_holds_every_row_once_grouped_by_length(lengths, group, seed):
    order = list(ByLength(lengths, group, seed, lambda: 0))
    assert sorted(order) == list(range(len(lengths)))
    groups = [[lengths[row] for row in order[start : start + group]] for start in range(0, len(order), group)]
    last = groups.pop() if len(groups[-1]) < group else []
    assert [length for ordered in sorted(map(sorted, groups)) for length in ordered] + sorted(last) == sorted(lengths)


def test_the_order_of_recorded_runs_stays_and_epochs_and_seeds_differ():
    lengths = [7, 3, 9, 4, 4, 8, 1, 6, 2, 5]
    orders = [list(ByLength(lengths, 3, seed, lambda e=epoch: e, size=12)) for seed in (0, 1) for epoch in (0, 1)]
    assert orders[0] == [6, 8, 1, 7, 0, 5, 4, 3, 9, 2, 10, 11] and len(set(map(tuple, orders))) == 4
