"""LoRA: what moves and what does not, small checkpoints, resuming, precision, and a folder that is stock in the end."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from learners import KINDS, TEXTS, breaking, rows
from safetensors.torch import load_file, save_file
from tiny import causal, word_level

from minrm import loading
from minrm.errors import InputError
from minrm.training import lora, train
from minrm.training.trainer import RewardTrainer

SHAPES = {(name, tied): f"{name}, {'tied' if tied else 'untied'}" for name in ("llama", "qwen2") for tied in (0, 1)}
STOCK = {"outcome": "TokenClassification", "process": "CausalLM", "pair": "SequenceClassification"}
RANK = 4


def new(kind, shape=("llama", 0), **options):
    base = causal(shape[0], tie_word_embeddings=bool(shape[1]), seed=3)
    return KINDS[kind].from_base(base, tokenizer=word_level(), seed=1, **options)


def run(model, kind, folder, **changes):
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "lora": RANK, "progress": False}
    return train(model, rows(kind), folder, **options | changes)


def weights(model):
    return {name: weight.detach().clone() for name, weight in model.model.state_dict().items()}


CASES = [(kind, shape) for kind in KINDS for shape in SHAPES]


@pytest.fixture(scope="module", params=CASES, ids=[f"{kind}: {SHAPES[shape]}" for kind, shape in CASES])
def trained(request, tmp_path_factory):
    """kind, tied?, the weights before, the stock module before, the reward model after, result."""
    kind, shape = request.param
    model = new(kind, shape)
    before, stock = weights(model), model.model
    result = run(model, kind, tmp_path_factory.mktemp("trained"), epochs=6)
    return kind, bool(shape[1]), before, stock, model, result


def test_linear_layers_move_by_the_rank_the_head_and_the_step_tokens_row_freely_and_nothing_else(trained):
    kind, tied, before, stock, model, result = trained
    losses = [entry["loss"] for entry in result.history]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    linear = [name for name, module in stock.base_model.named_modules() if type(module) is torch.nn.Linear]
    layers = {f"{stock.base_model_prefix}.{name}.weight" for name in linear}
    assert len(layers) == 2 * 7  # q, k, v, o, gate, up, down
    embeddings = {"model.embed_tokens.weight"} | ({"lm_head.weight"} if tied else set())
    for name, after in weights(model).items():
        change = after - before[name]
        if name in layers:
            assert 1 <= torch.linalg.matrix_rank(change.double(), rtol=1e-4) <= RANK, name
        elif name.startswith("score."):
            assert change.count_nonzero() > 0
        elif kind == "process" and name in embeddings:
            assert change.any(dim=1).nonzero().flatten().tolist() == [model.step_id]
        else:
            assert not change.any(), name


def test_what_is_left_is_the_same_stock_module_and_its_folder_loads_as_one(trained):
    kind, tied, before, stock, model, result = trained
    folder = result.output_dir
    assert model.model is stock
    assert weights(model).keys() == before.keys()
    assert not any("peft" in type(module).__module__ for module in stock.modules())
    assert not hasattr(stock, "peft_config")
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in stock.parameters())
    if kind == "process":
        assert (stock.lm_head.weight is stock.model.embed_tokens.weight) == tied
    assert not list(folder.glob("*adapter*")) and not list(folder.glob("checkpoint-*"))
    loaded = getattr(transformers, f"AutoModelFor{STOCK[kind]}").from_pretrained(folder).eval()
    torch.testing.assert_close(loaded.state_dict(), stock.state_dict(), rtol=0, atol=0)
    ids = torch.tensor([model.tokenize(TEXTS[0][0], TEXTS[1][0])[0]]) if kind != "pair" else torch.tensor([[5, 6, 7]])
    torch.testing.assert_close(loaded(ids).logits, stock(ids).logits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(KINDS[kind].from_pretrained(folder).score(*TEXTS), model.score(*TEXTS), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_run_leaves_the_base_as_it_was_and_ends_like_a_whole_one(kind, tmp_path):
    whole = new(kind, ("qwen2", 1))
    result = run(whole, kind, tmp_path / "whole", save_steps=3)
    model = breaking(new(kind, ("qwen2", 1)), 9)
    before = weights(model)
    with pytest.raises(RuntimeError, match="power"):
        run(model, kind, tmp_path / "run", save_steps=3)
    torch.testing.assert_close(weights(model), before, rtol=0, atol=0)
    assert all(weight.requires_grad for weight in model.parameters())
    checkpoint = Path(max((tmp_path / "run").glob("checkpoint-*")))
    kept = load_file(checkpoint / "adapter_model.safetensors")
    assert not (checkpoint / "model.safetensors").exists()
    hidden = model.model.config.hidden_size
    new_weights = {"outcome": 2 * hidden + 2, "process": hidden, "pair": hidden}[kind]
    linear = [module for module in model.model.base_model.modules() if hasattr(module, "in_features")]
    adapters = sum(module.in_features + module.out_features for module in linear)
    assert sum(weight.numel() for weight in kept.values()) == RANK * adapters + new_weights
    other = new(kind, ("qwen2", 1))  # trained a little further, under the same name
    other.model.base_model.layers[0].mlp.up_proj.weight.data *= 1.01
    with pytest.raises(InputError, match=r"checkpoint-\d+: its adapters belong to another base"):
        run(other, kind, tmp_path / "run", save_steps=3)
    weight = next(name for name in kept if "lora_B" in name)
    save_file({name: kept[name] for name in kept if name != weight}, checkpoint / "adapter_model.safetensors")
    with pytest.raises(InputError, match=rf"checkpoint-\d+: adapter weights are missing.*{weight}"):
        run(new(kind, ("qwen2", 1)), kind, tmp_path / "run", save_steps=3)
    save_file(kept, checkpoint / "adapter_model.safetensors")
    again = run(new(kind, ("qwen2", 1)), kind, tmp_path / "run", save_steps=3)
    assert [e["loss"] for e in again.history] == pytest.approx([e["loss"] for e in result.history], abs=1e-5)
    resumed = KINDS[kind].from_pretrained(tmp_path / "run")
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=1e-5)


def test_a_run_is_not_taken_up_with_another_rank(tmp_path):
    run(new("pair"), "pair", tmp_path, epochs=1)
    for other in (0, 8):
        with pytest.raises(InputError, match=f"lora 4 there, {other} here.*resume=False"):
            run(new("pair"), "pair", tmp_path, epochs=1, lora=other)


def test_a_rank_that_cannot_be_or_a_missing_peft_is_told_before_anything_happens(tmp_path, monkeypatch):
    for rank in (-1, 2.5):
        with pytest.raises(InputError, match=f"lora is {rank}; it is the rank"):
            run(new("pair"), "pair", tmp_path / "run", lora=rank)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r'lora needs peft, .*: pip install "peft'):
        run(new("pair"), "pair", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_seed_draws_the_adapters_and_leaves_the_random_state_alone():
    drawn = []
    for seed in (0, 0, 1):
        state = torch.random.get_rng_state()
        adapters = lora.add_adapters(new("pair"), RANK, seed)
        assert torch.equal(state, torch.random.get_rng_state())
        drawn.append(torch.cat([w.flatten() for name, w in adapters.named_parameters() if "lora_A" in name]))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_in_half_precision_stays_so_while_what_is_trained_is_float32(kind, tmp_path, monkeypatch):
    """bfloat16 as on a GPU, by autocast on the CPU; merged in float32, from the very weights that were frozen."""
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    model = new(kind, ("qwen2", 1), dtype=torch.bfloat16)
    before, seen, loss_sum, collate = weights(model), {}, model.loss_sum, model.collate

    def watched(outputs, targets):
        seen["loss"] = loss_sum(outputs, targets)
        seen["inside"] = torch.is_autocast_enabled("cpu")
        seen["dtypes"] = {(w.requires_grad, w.dtype) for w in model.parameters()}
        return seen["loss"]

    model.loss_sum = watched
    run(model, kind, tmp_path, batch_size=4)
    assert seen["dtypes"] == {(True, torch.float32), (False, torch.bfloat16)}
    assert seen["loss"].dtype == torch.float32
    after = weights(KINDS[kind].from_pretrained(tmp_path, dtype=torch.float32))
    for name in ("model.norm.weight", "model.layers.0.input_layernorm.weight"):
        assert torch.equal(after[name], before[name].float())
    name = "model.layers.1.mlp.up_proj.weight"
    change = after[name] - before[name].float()
    assert 1 <= torch.linalg.matrix_rank(change.double(), rtol=1e-4) <= RANK  # rounded to bfloat16 it would be full
    assert model.collate == collate
    loaded = KINDS[kind].from_pretrained(tmp_path)  # in what the device computes in: bfloat16, as in memory
    for which in ("parameters", "buffers"):
        pairs = zip(getattr(loaded, which)(), getattr(model, which)(), strict=True)
        assert all(there.dtype == here.dtype and torch.equal(there, here) for there, here in pairs)
    np.testing.assert_allclose(loaded.score(*TEXTS), model.score(*TEXTS), atol=1e-5)
    finished = new(kind, ("qwen2", 1), dtype=torch.bfloat16)
    run(finished, kind, tmp_path, batch_size=4)
    torch.testing.assert_close(weights(finished), weights(model), rtol=0, atol=0)


def test_the_merge_is_on_the_cpu_and_a_gpu_never_holds_the_base_at_twice_its_size(tmp_path, monkeypatch):
    """Its GPU is what `.cpu()` leaves and `.to(device)` comes back to."""
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    model, calls = new("pair", dtype=torch.bfloat16), []
    before, frozen = model.score(*TEXTS), model.model.model.norm.weight
    for name, original in [(name, getattr(torch.nn.Module, name)) for name in ("cpu", "float", "to")]:

        def called(module, *arguments, name=name, original=original, **options):
            if isinstance(module, KINDS["pair"]):
                calls.append((name, *map(str, arguments), frozen.dtype))
            return original(module, *arguments, **options)

        monkeypatch.setattr(torch.nn.Module, name, called)
    run(model, "pair", tmp_path)
    half = torch.bfloat16
    assert calls[-3:] == [("cpu", half), ("float", half), ("to", "cpu", half)]
    assert "float" not in {name for name, *_ in calls[:-3]}
    assert not np.allclose(before, model.score(*TEXTS))
    calls.clear()
    run(new("pair", dtype=half), "pair", tmp_path)  # finished: loaded, not widened either
    assert not calls


@pytest.mark.parametrize(("kind", "rank"), [("outcome", 0), ("process", RANK), ("pair", RANK)])
def test_a_run_in_float16_is_scaled_and_learns(kind, rank, tmp_path, monkeypatch):
    """As on a T4. Accelerate would pass over float16 on a CPU, so the trainer is given autocast and a scaler for it."""
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.float16)
    scalers, seen = [], set()

    class Scaled(RewardTrainer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            scalers.append(torch.amp.GradScaler("cpu"))
            self.accelerator.native_amp, self.accelerator.scaler = True, scalers[-1]

    monkeypatch.setattr(sys.modules["minrm.training.train"], "RewardTrainer", Scaled)  # the function hides the module
    model = new(kind, ("qwen2", 1), dtype=torch.float16)
    model.model.base_model.layers[0].mlp.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    losses = [entry["loss"] for entry in run(model, kind, tmp_path, lora=rank, epochs=3).history]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert seen == {torch.float16}
    assert scalers[0].state_dict()["_growth_tracker"] > 5  # updates that it let through
    assert model.model.dtype == (torch.float16 if rank else torch.float32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: float16 with its real gradient scaler")
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_gpu_a_half_precision_base_learns(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.float16)
    model = new(kind, ("qwen2", 1), dtype=torch.float16, device="cuda")
    result = run(model, kind, tmp_path, epochs=6)
    losses = [entry["loss"] for entry in result.history]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    assert next(model.parameters()).device.type == "cuda" and model.model.dtype == torch.float16
    np.testing.assert_allclose(KINDS[kind].from_pretrained(tmp_path).score(*TEXTS), model.score(*TEXTS), atol=1e-5)


def test_a_torchao_that_is_too_old_for_peft_is_passed_over(tmp_path, monkeypatch):
    """Colab has 0.10, and peft refuses to make any adapter beside one below 0.16."""
    from peft.import_utils import is_torchao_available
    from peft.tuners.lora import torchao

    metadata = "Metadata-Version: 2.1\nName: torchao\nVersion: 0.10.0\n"
    for path, text in (("torchao/__init__.py", ""), ("torchao-0.10.0.dist-info/METADATA", metadata)):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    getattr(is_torchao_available, "cache_clear", lambda: None)()
    with pytest.raises(ImportError, match="incompatible version of torchao"):
        torchao.is_torchao_available()
    run(new("outcome"), "outcome", tmp_path / "run", epochs=1)
    with pytest.raises(ImportError, match="incompatible version of torchao"):  # and peft is as it was
        torchao.is_torchao_available()
    monkeypatch.undo()
    getattr(is_torchao_available, "cache_clear", lambda: None)()


@pytest.mark.parametrize("good", [0, 4])
def test_a_run_that_ends_without_a_number_is_not_finished(good, tmp_path):
    """In every update, or in the last one, after the last loss that is noted; nor when it is called again."""
    for _ in range(2):
        model = new("outcome")
        factors, loss_sum = iter([1.0] * good), model.loss_sum
        model.loss_sum = lambda *batch, f=factors, loss_sum=loss_sum: loss_sum(*batch) * next(f, float("nan"))
        with pytest.raises(InputError, match="nothing was learnt; lower the learning rate"):
            run(model, "outcome", tmp_path, epochs=1, lora=0 if good else RANK, log_steps=good or None)
    assert not (tmp_path / "model.safetensors").exists()
