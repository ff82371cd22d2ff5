"""Training: equal gradients however the batch is cut, three models that learn, rows that are dropped or refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from tiny import QUESTION, STEPS, causal, word_level

from minrm import backbone
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.prm import ProcessRewardModel
from minrm.text import join_steps
from minrm.training import train

HERE = Path(__file__).parent
KINDS = {"outcome": OutcomeRewardModel, "process": ProcessRewardModel, "pair": BradleyTerryRewardModel}


def rows(kind, count=40):
    """Sums that a tiny model learns: good ones end in "True", bad ones in "False"; their lengths differ."""
    made = []
    for n in range(count):
        good, steps = n % 3 != 0, [f"{n} + {k} = {n + k}" for k in range(1 + n % 4)]
        steps[-1] += f" {good}\n\n# Answer\n\n{n}"
        question, solution = f"What is {n} + {n % 4}?", join_steps(steps)
        made.append(
            {
                "outcome": {"question": question, "solution": solution, "answer": str(n), "correct": good},
                "process": {"question": question, "steps": steps, "labels": [None] * (len(steps) - 1) + [int(good)]},
                "pair": {"prompt": question, "chosen": f"{solution} True", "rejected": f"{n} False"},
            }[kind]
        )
    return made


OUTCOMES = rows("outcome")


def orm():
    return OutcomeRewardModel.from_base(causal(seed=3), tokenizer=word_level(), seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_model_learns_and_its_folder_holds_what_was_trained(kind, tmp_path, capfd):
    model = KINDS[kind].from_base(causal(), tokenizer=word_level())
    data = Dataset.from_list(rows(kind)) if kind == "process" else rows(kind)
    result = train(
        model, data, tmp_path, eval_dataset=rows(kind), epochs=12, batch_size=8, learning_rate=1e-2, progress=False
    )
    first, last = [[e for e in result.history if "eval_loss" in e][i] for i in (0, -1)]
    assert last["eval_loss"] < 0.5 * first["eval_loss"] or last["eval_loss"] < 0.05
    assert last["eval_accuracy"] > 0.9
    assert last["step"] == 60
    assert capfd.readouterr() == ("", "")
    assert not model.training
    texts = [QUESTION] * 2, [join_steps(STEPS), "Step: 1: 3"]
    np.testing.assert_allclose(KINDS[kind].from_pretrained(tmp_path).score(*texts), model.score(*texts), atol=1e-5)


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


def test_supervision_is_an_argument_for_the_outcome_model_only(tmp_path):
    def odd(mask):
        return mask & (torch.arange(mask.shape[1]) % 2 == 1)

    model = orm()
    batch = model.collate(model.prepare(OUTCOMES[:4]), supervised=odd)
    assert batch["count"] == int(odd(model.collate(model.prepare(OUTCOMES[:4]))["targets"]["supervised"]).sum())
    train(model, OUTCOMES, tmp_path / "odd", supervised=odd, progress=False)
    even = orm()
    train(even, OUTCOMES, tmp_path / "all", supervised=every_token, progress=False)
    assert not torch.equal(model.model.score.weight, even.model.score.weight)
    other = BradleyTerryRewardModel.from_base(causal(), tokenizer=word_level())
    with pytest.raises(InputError, match="supervised is for an outcome reward model"):
        train(other, rows("pair"), tmp_path / "pair", supervised=odd, progress=False)


def test_rows_that_truncation_would_spoil_are_dropped_counted_and_reported(tmp_path, caplog):
    model = orm()
    lengths = [len(row["input_ids"]) for row in model.prepare(OUTCOMES)]
    limit = sorted(lengths)[len(lengths) // 2]
    longer = [number for number, length in enumerate(lengths, start=1) if length > limit]
    result = train(model, OUTCOMES, tmp_path, max_length=limit, progress=False)
    assert result.dropped == len(longer) > 0
    assert f"dropped {len(longer)} of 40 rows" in caplog.text
    assert f"(rows {longer[0]}, {longer[1]}," in caplog.text
    with pytest.raises(InputError, match="none of its 40 rows"):
        train(model, OUTCOMES, tmp_path / "none", max_length=3, progress=False)


def test_bad_rows_stop_the_run_before_it_starts(tmp_path):
    bad = [*rows("process", 4), {"question": "q", "steps": ["a", "b"], "labels": [1]}]
    model = ProcessRewardModel.from_base(causal(), tokenizer=word_level())
    with pytest.raises(InputError, match="dataset, row 5: 2 steps but 1 labels"):
        train(model, bad, tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="eval_dataset, row 5"):
        train(model, bad[:4], tmp_path / "run", eval_dataset=bad, progress=False)
    with pytest.raises(InputError, match="wanted its rows"):
        train(model, "train.jsonl", tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_half_precision_weights_are_trained_in_float32(tmp_path):
    model = orm().half()
    train(model, OUTCOMES[:8], tmp_path, progress=False)
    assert model.model.dtype == torch.float32


def test_the_bar_is_plain_text_on_stderr_and_only_when_asked_for(tmp_path, capfd):
    train(orm(), OUTCOMES[:8], tmp_path, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err
