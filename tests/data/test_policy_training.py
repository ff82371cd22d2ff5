"""The training of the policy: stock files in the end, and a stopped run that goes on."""

import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from minrm.world.policy import END, corpus, new_policy

sys.path.insert(0, str(Path(__file__).parents[2] / "data"))
from policy_training import train_policy  # noqa: E402 (a module of the recipe)


def test_training_writes_stock_files_that_have_learnt(tmp_path):
    model = train_policy(tmp_path / "whole", steps=40, batch_size=8, layers=1)
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "whole")
    text = "".join(next(corpus(1, seed=9))) + END
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    assert tokenizer.decode(ids[0]) == text
    learnt = ids.clone()
    learnt[:, : len(tokenizer(text.partition("\n")[0])["input_ids"]) + 1] = -100
    with torch.no_grad():
        fresh, loss, same = (m(ids, labels=learnt).loss for m in (new_policy(tokenizer, layers=1), stock, model))
    assert loss < fresh - 1 and torch.allclose(loss, same, atol=1e-5)


def test_a_run_that_was_killed_goes_on_and_ends_where_the_whole_one_ends(tmp_path, monkeypatch):
    """Stopped after its checkpoint by an error in the last updates, then called again."""
    options = {"steps": 12, "batch_size": 4, "layers": 1, "save_steps": 5}
    whole = train_policy(tmp_path / "whole", **options).state_dict()
    step, calls = Trainer.training_step, []

    def fails_once(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 9:
            raise RuntimeError("the power went out")
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", fails_once)
    with pytest.raises(RuntimeError):
        train_policy(tmp_path / "killed", **options)
    resumed = train_policy(tmp_path / "killed", **options).state_dict()
    assert len(calls) == 9 + 7  # from update 5, not from the start
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-5) for name in whole)
