"""The trainer: equal gradients however the batch is cut, several processes as one, evaluation, the bar."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_training import KINDS, OUTCOMES, orm, rows
from tiny import causal, word_level

from minrm import backbone
from minrm.orm import OutcomeRewardModel
from minrm.training import train

HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_is_the_mean_over_all_terms_whatever_the_batches(kind, tmp_path):
    model, data = KINDS[kind].from_base(causal(), tokenizer=word_level()), rows(kind, 11)
    result = train(model, data, tmp_path, eval_dataset=data, batch_size=4, learning_rate=1e-3, progress=False)
    batch = model.collate(model.prepare(data))
    with backbone.evaluating(model):
        outputs = model(**batch["inputs"])
    expected = model.loss_sum(outputs, batch["targets"]).item() / batch["count"]
    measured = [entry for entry in result.history if "eval_loss" in entry][-1]
    assert measured["eval_loss"] == pytest.approx(expected, rel=1e-4)
    assert measured["eval_accuracy"] == pytest.approx(model.hits(outputs, batch["targets"]).float().mean().item())


def first_update(kind, folder, **options):
    """Weights after one plain gradient step: they differ by the gradient alone."""
    model = KINDS[kind].from_base(causal(), tokenizer=word_level()).double()
    model.float = lambda: model  # keep float64: differences of 1e-6 shall be those of the method
    original = torch.optim.AdamW.step
    gradients = {}

    def note(optimizer, closure=None):
        gradients.update({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
        return original(optimizer, closure)

    torch.optim.AdamW.step = note
    try:
        train(model, rows(kind, 8), folder, learning_rate=1e-3, progress=False, **options)
    finally:
        torch.optim.AdamW.step = original
    return gradients


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_equal_however_the_batch_is_accumulated(kind, tmp_path):
    """Rows differ in tokens, steps and labels, so a mean of means, or Trainer's own count, would show."""
    whole = first_update(kind, tmp_path / "1", batch_size=8, accumulate=1)
    for accumulate in (2, 4):
        cut = first_update(kind, tmp_path / str(accumulate), batch_size=8 // accumulate, accumulate=accumulate)
        torch.testing.assert_close(cut, whole, rtol=1e-6, atol=1e-9)
    model = KINDS[kind].from_base(causal(), tokenizer=word_level()).double()
    batch = model.collate(model.prepare(rows(kind, 8)))
    (model.loss_sum(model(**batch["inputs"]), batch["targets"]) / batch["count"]).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # Trainer clips at 1, as we do here
    assert norm > 0
    expected = {name: p.grad for name, p in model.named_parameters()}
    torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-7)


def test_two_processes_do_what_one_does(tmp_path):
    one = orm()
    train(one, OUTCOMES, tmp_path / "one", batch_size=8, learning_rate=1e-2, progress=False)
    code = f"""
import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
import test_training as t
t.train(t.orm(), t.OUTCOMES, {str(tmp_path / "two")!r}, batch_size=2, accumulate=2, learning_rate=1e-2, progress=False)
"""
    (tmp_path / "run.py").write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29517"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    done = subprocess.run([*command, tmp_path / "run.py"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    two = OutcomeRewardModel.from_pretrained(tmp_path / "two")
    torch.testing.assert_close(two.model.state_dict(), one.model.state_dict(), rtol=0, atol=1e-5)


def test_the_bar_is_plain_text_on_stderr_and_only_when_asked_for(tmp_path, capfd):
    train(orm(), OUTCOMES[:8], tmp_path, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err
