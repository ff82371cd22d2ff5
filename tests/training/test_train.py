"""Training: three models that learn, rows that are dropped or refused, settings and supervision that train nothing."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from learners import KINDS, OUTCOMES, TEXTS, breaking, orm, rows
from tiny import causal, word_level
from transformers import AutoModelForTokenClassification

import minrm
from minrm import loading
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.training import train


def test_the_function_is_imported_from_the_room_whose_module_has_its_name():
    assert train is minrm.train is sys.modules["minrm.training.train"].train


@pytest.mark.parametrize("kind", KINDS)
def test_each_model_learns_and_its_folder_holds_what_was_trained(kind, tmp_path, capfd):
    model = KINDS[kind].from_base(causal(), tokenizer=word_level())
    data = Dataset.from_list(rows(kind)) if kind == "process" else rows(kind)
    options = {"epochs": 12, "batch_size": 8, "learning_rate": 1e-2, "progress": False}
    result = train(model, data, tmp_path, eval_dataset=rows(kind), **options)
    first, last = [[e for e in result.history if "eval_loss" in e][i] for i in (0, -1)]
    assert last["eval_loss"] < 0.5 * first["eval_loss"] or last["eval_loss"] < 0.05
    assert last["eval_accuracy"] > 0.9
    assert last["step"] == 60
    assert capfd.readouterr() == ("", "")
    assert not model.training
    np.testing.assert_allclose(KINDS[kind].from_pretrained(tmp_path).score(*TEXTS), model.score(*TEXTS), atol=1e-5)


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


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("train.jsonl", "is a str; pass its rows: a list of dicts"),
        (pd.DataFrame(OUTCOMES), "is a DataFrame; pass its rows: a list of dicts"),
        ([], "none of its 0 rows can be used"),
        ([*OUTCOMES[:4], {"question": "q"}], "row 5: missing field"),
    ],
)
def test_rows_that_cannot_be_trained_on_stop_the_run_before_it_starts(data, told, tmp_path):
    with pytest.raises(InputError, match=f"^dataset.*{told}"):
        train(orm(), data, tmp_path / "run", progress=False)
    with pytest.raises(InputError, match=f"^eval_dataset.*{told}"):
        train(orm(), OUTCOMES, tmp_path / "run", eval_dataset=data, progress=False)
    assert not (tmp_path / "run").exists()


def test_rows_that_a_cut_would_spoil_are_dropped_counted_and_reported(tmp_path, caplog):
    lengths = np.array([len(row["input_ids"]) for row in orm().prepare(OUTCOMES)])
    limit = int(np.median(lengths))
    longer = sum(lengths > limit)
    read_once = iter(OUTCOMES)
    assert train(orm(), read_once, tmp_path / "run", max_length=limit, progress=False).dropped == longer > 0
    assert f"dataset: dropped {longer} of 40 rows, longer than {limit} tokens" in caplog.text
    short = OutcomeRewardModel.from_base(causal(max_position_embeddings=60), tokenizer=word_level())
    assert train(short, OUTCOMES, tmp_path / "short", progress=False).dropped == sum(lengths > 60) > 0
    with pytest.raises(InputError, match="none of its 40 rows can be used .longer than 3 tokens"):
        train(orm(), OUTCOMES, tmp_path / "none", max_length=3, progress=False)


OPTIONS = {name: "whole number of at least 1" for name in sys.modules["minrm.training.train"].COUNTS}
OPTIONS |= {"epochs": "number above 0", "learning_rate": "number above 0"}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True])
def test_options_that_would_train_nothing_are_refused(option, value, tmp_path):
    with pytest.raises(InputError, match=f"{option} is {value}; it must be a {OPTIONS[option]}"):
        train(orm(), OUTCOMES, tmp_path / "run", progress=False, **{option: value})
    assert not (tmp_path / "run").exists()


def test_supervision_of_no_token_at_all_is_refused_but_rows_without_one_are_not(tmp_path):
    def only_long(mask):  # most rows, and whole updates of short ones, have no token there
        return mask & (mask.cumsum(dim=1) > longest - 3)

    model = orm()
    longest = max(int(row["solution_mask"].sum()) for row in model.prepare(OUTCOMES))
    result = train(model, OUTCOMES, tmp_path / "long", supervised=only_long, batch_size=1, progress=False)
    assert np.isfinite([entry["loss"] for entry in result.history if "loss" in entry]).all()
    with pytest.raises(InputError, match="^dataset: none of its 40 rows .* without a supervised token"):
        train(model, OUTCOMES, tmp_path / "run", supervised=torch.zeros_like, progress=False)
    few = sorted(OUTCOMES, key=lambda row: len(row["solution"]))[:5]
    with pytest.raises(InputError, match="^eval_dataset: none of its 5 rows"):
        train(model, OUTCOMES, tmp_path / "run", eval_dataset=few, supervised=only_long, progress=False)
    assert not (tmp_path / "run").exists()


def test_another_head_or_base_is_another_run(tmp_path):
    train(orm(), OUTCOMES, tmp_path, progress=False)
    options = {"tokenizer": word_level()}
    with pytest.raises(InputError, match=r"head_seed 1 there, 5 here\)"):
        train(OutcomeRewardModel.from_base(causal(seed=3), seed=5, **options), OUTCOMES, tmp_path, progress=False)
    again = OutcomeRewardModel.from_pretrained(tmp_path)  # what came of it: a run of its own if trained on
    with pytest.raises(InputError, match="base 'LlamaForCausalLM' there"):
        train(again, OUTCOMES, tmp_path, progress=False)


def test_a_model_of_the_plain_constructor_is_trained_and_its_card_names_its_class(tmp_path):
    stock = AutoModelForTokenClassification.from_config(causal().config)
    result = train(OutcomeRewardModel(stock, word_level()), OUTCOMES[:8], tmp_path, progress=False)
    assert "| Base | `LlamaForTokenClassification`, not from the Hub |" in (tmp_path / "README.md").read_text()
    again = train(OutcomeRewardModel(stock, word_level()), OUTCOMES[:8], tmp_path, progress=False)
    assert again.history == result.history


def test_killed_before_its_card_is_written_a_run_is_not_finished(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["minrm.training.train"], "write_card", killed)
        with pytest.raises(KeyboardInterrupt):
            train(orm(), OUTCOMES[:8], tmp_path, progress=False)
    result = train(orm(), OUTCOMES[:8], tmp_path, progress=False)
    assert (tmp_path / "README.md").exists()
    assert train(orm(), OUTCOMES[:8], tmp_path, progress=False).history == result.history


@pytest.mark.parametrize("lora", [0, 4])
def test_a_model_that_knows_no_gradient_checkpointing_is_refused_and_left_as_it_was(lora, tmp_path, monkeypatch):
    model = orm()
    monkeypatch.setattr(type(model.model), "supports_gradient_checkpointing", False)
    names = list(model.model.state_dict())
    with pytest.raises(ValueError, match="LlamaForTokenClassification has no gradient checkpointing"):
        train(model, OUTCOMES, tmp_path, lora=lora, gradient_checkpointing=True, progress=False)
    assert list(model.model.state_dict()) == names
    assert all(weight.requires_grad for weight in model.parameters())
    train(model, OUTCOMES, tmp_path, lora=lora, progress=False)


@pytest.mark.parametrize("lora", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_autocast_is_on_in_every_run_of_a_model_and_off_when_it_ends_or_breaks(kind, lora, tmp_path, monkeypatch):
    """bfloat16 as on a GPU, by autocast on the CPU: a run that breaks, the same again, and a second one."""
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    model, seen = KINDS[kind].from_base(causal(), tokenizer=word_level()), []
    model.model.base_model.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))

    def autocast(action, *arguments):
        seen.clear()
        action(*arguments)
        return set(seen)

    def run(name):
        options = {"batch_size": 8, "lora": lora, "save_steps": 1, "eval_dataset": rows(kind, 8), "progress": False}
        train(model, rows(kind), tmp_path / name, **options)

    breaking(model, 4)
    with pytest.raises(RuntimeError, match="power cut"):
        run("first")
    assert set(seen) == {True} and autocast(model.score, *TEXTS) == {False} and not model.training
    del model.collate
    for name in "first", "second":
        assert autocast(run, name) == {True}
        assert autocast(model.score, *TEXTS) == {False}


@pytest.mark.parametrize("lora", [0, 4])
def test_a_run_computes_in_float32_where_asked_to(lora, tmp_path, monkeypatch):
    """On a GPU that would compute in half precision; here autocast on the CPU stands for it."""
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    model, seen = KINDS["pair"].from_base(causal("qwen2"), tokenizer=word_level(), dtype=torch.bfloat16), set()
    model.model.base_model.layers[0].mlp.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    options = {"lora": lora, "epochs": 6, "batch_size": 8, "learning_rate": 1e-2, "progress": False}
    result = train(model, rows("pair"), tmp_path, dtype="float32", **options)
    losses = [entry["loss"] for entry in result.history]
    assert seen == {torch.float32} and np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert model.model.dtype == torch.float32, "where half precision overflows, scores are computed in it too"
    assert "dtype `float32`" in (tmp_path / "README.md").read_text()
    assert train(model, rows("pair"), tmp_path, dtype=torch.float32, **options).history == result.history
    with pytest.raises(InputError, match="other settings .dtype 'float32' there, None here"):
        train(model, rows("pair"), tmp_path, **options)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [("float16", "float16 needs a GPU.*take float32"), ("double-ish", "it can be float32, bfloat16 or float16")],
)
def test_a_precision_that_this_machine_cannot_train_in_is_refused(dtype, error, tmp_path):
    with pytest.raises(InputError, match=error):
        train(orm(), OUTCOMES, tmp_path, dtype=dtype, progress=False)
    assert not list(tmp_path.iterdir())
