"""LoRA: what moves and what does not, small checkpoints, resuming, precision, and a folder that is stock in the end."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from test_training import KINDS, rows
from tiny import QUESTION, STEPS, causal, word_level

from minrm import backbone, lora, training
from minrm.errors import InputError
from minrm.text import join_steps
from minrm.training import train

SHAPES = {(name, tied): f"{name}, {'tied' if tied else 'untied'}" for name in ("llama", "qwen2") for tied in (0, 1)}
STOCK = {"outcome": "TokenClassification", "process": "CausalLM", "pair": "SequenceClassification"}
TEXTS = [QUESTION] * 2, [join_steps(STEPS), "Step: 1: 3"]
RANK = 4


def new(kind, shape=("llama", 0), **options):
    base = causal(shape[0], tie_word_embeddings=bool(shape[1]), seed=3)
    return KINDS[kind].from_base(base, tokenizer=word_level(), seed=1, **options)


def run(model, kind, folder, **changes):
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "lora": RANK, "progress": False}
    return train(model, rows(kind), folder, **options | changes)


def weights(model):
    return {name: weight.detach().clone() for name, weight in model.model.state_dict().items()}


def breaking(model, count):
    """The same model, whose `count`-th batch cannot be had."""
    collate, calls = model.collate, iter(range(count))

    def collated(batch, **options):
        if next(calls, None) is None:
            raise RuntimeError("power cut")
        return collate(batch, **options)

    model.collate = collated
    return model


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
    adapters = sum(
        m.in_features + m.out_features for m in model.model.base_model.modules() if hasattr(m, "in_features")
    )
    assert sum(weight.numel() for weight in kept.values()) == RANK * adapters + new_weights
    again = run(new(kind, ("qwen2", 1)), kind, tmp_path / "run", save_steps=3)
    assert [e["loss"] for e in again.history] == pytest.approx([e["loss"] for e in result.history], abs=1e-5)
    resumed = KINDS[kind].from_pretrained(tmp_path / "run")
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=1e-5)


def test_adapters_are_not_put_onto_another_base_nor_a_run_taken_up_with_another_rank(tmp_path):
    with pytest.raises(RuntimeError, match="power"):
        run(breaking(new("pair"), 9), "pair", tmp_path, save_steps=3)
    further = new("pair")
    with torch.no_grad():
        further.model.model.layers[1].mlp.up_proj.weight += 1e-6
    with pytest.raises(InputError, match="adapters to other weights than this model's"):
        run(further, "pair", tmp_path, save_steps=3)
    for other in (0, 8):
        with pytest.raises(InputError, match=f"lora 4 there, {other} here.*resume=False"):
            run(new("pair"), "pair", tmp_path, lora=other)


def test_a_record_from_before_lora_is_one_that_trained_all_weights(tmp_path):
    run(new("pair"), "pair", tmp_path, lora=0)
    path = tmp_path / "training.json"
    record = json.loads(path.read_text())
    assert record["settings"].pop("lora") == 0
    path.write_text(json.dumps(record))
    assert run(new("pair"), "pair", tmp_path, lora=0).history == record["history"]
    with pytest.raises(InputError, match="lora 0 there, 4 here"):
        run(new("pair"), "pair", tmp_path)


def test_a_rank_that_cannot_be_or_a_missing_peft_is_told_before_anything_happens(tmp_path, monkeypatch):
    for rank in (-1, 2.5):
        with pytest.raises(InputError, match=f"lora is {rank}; it is the rank"):
            run(new("pair"), "pair", tmp_path / "run", lora=rank)
    with monkeypatch.context() as sharded:
        sharded.setenv("ACCELERATE_USE_FSDP", "true")
        with pytest.raises(InputError, match="lora and FSDP do not go together"):
            run(new("pair"), "pair", tmp_path / "run")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r'lora needs peft, .*: pip install "peft'):
        run(new("pair"), "pair", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_seed_draws_the_adapters_and_leaves_the_random_state_alone():
    drawn = []
    for seed in (0, 0, 1):
        state = torch.random.get_rng_state()
        adapters = lora.attach(new("pair"), RANK, seed)
        assert torch.equal(state, torch.random.get_rng_state())
        drawn.append(torch.cat([w.flatten() for name, w in adapters.named_parameters() if "lora_A" in name]))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_in_half_precision_stays_so_while_what_is_trained_is_float32(kind, tmp_path, monkeypatch):
    """bfloat16 as on a GPU, by autocast on the CPU; merged in float32, from the very weights that were frozen."""
    monkeypatch.setattr(backbone, "compute_dtype", lambda device: torch.bfloat16)
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
    after = weights(model)
    for name in ("model.norm.weight", "model.layers.0.input_layernorm.weight"):
        assert torch.equal(after[name], before[name].float())
    name = "model.layers.1.mlp.up_proj.weight"
    change = after[name] - before[name].float()
    assert 1 <= torch.linalg.matrix_rank(change.double(), rtol=1e-4) <= RANK  # rounded to bfloat16 it would be full
    monkeypatch.undo()
    assert model.collate == collate
    np.testing.assert_allclose(KINDS[kind].from_pretrained(tmp_path).score(*TEXTS), model.score(*TEXTS), atol=1e-5)


@pytest.mark.parametrize("rank", [0, RANK])
@pytest.mark.parametrize("kind", KINDS)
def test_each_training_of_one_object_is_under_autocast_and_scoring_never(kind, rank, tmp_path, monkeypatch):
    """Also after one that broke off: what accelerate puts around `forward` is taken off and put on again."""
    monkeypatch.setattr(backbone, "compute_dtype", lambda device: torch.bfloat16)
    model, inside = new(kind, dtype=torch.bfloat16 if rank else torch.float32), set()
    model.model.base_model.register_forward_pre_hook(lambda *_: inside.add(torch.is_autocast_enabled("cpu")))

    def autocast(work, *given, **options):
        inside.clear()
        work(*given, **options)
        return inside

    def broken():
        whole = model.collate
        with pytest.raises(RuntimeError, match="power cut"):
            run(breaking(model, 9), kind, tmp_path / "a", lora=rank, save_steps=3)
        model.collate = whole

    assert autocast(broken) == {True} and autocast(model.score, *TEXTS) == {False}
    for folder in ("a", "b"):
        assert autocast(run, model, kind, tmp_path / folder, lora=rank) == {True}
        assert autocast(model.score, *TEXTS) == {False}


def test_adapters_are_merged_on_the_cpu_and_what_does_not_fit_the_gpu_stays_there(tmp_path, monkeypatch, caplog):
    """The base in float32 may be larger than the GPU that trained it in half precision."""
    model, moves = new("outcome"), []

    def to(module, place):
        moves.append(str(place))
        if place == "gpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return module

    monkeypatch.setattr(type(model), "to", to)
    monkeypatch.setattr(type(model), "float", lambda module: moves.append("float") or module)
    lora.merge(model, lora.attach(model, RANK))
    assert moves == ["cpu", "float"]
    training._place(model, "gpu")
    assert moves[2:] == ["gpu", "cpu"] and "does not fit the GPU, so it stays on the CPU" in caplog.text


def test_a_model_that_cannot_compute_activations_again_is_told_of_before_adapters_are_put_on(tmp_path, monkeypatch):
    model = new("outcome")
    monkeypatch.setattr(type(model.model), "supports_gradient_checkpointing", False)
    with pytest.raises(InputError, match="cannot compute activations again: leave gradient_checkpointing out"):
        run(model, "outcome", tmp_path, gradient_checkpointing=True)
    assert not hasattr(model.model, "peft_config") and all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_scaler_of_float16_takes_what_is_trained(kind):
    model = new(kind, ("qwen2", 1), dtype=torch.float16)
    lora.attach(model, RANK)
    model.train()
    batch = model.collate(model.prepare(rows(kind, 8)))
    step_with_scaler(model, batch)
    trained = lora.trainable(model)
    assert {weight.dtype for weight in trained} == {torch.float32}
    assert sum(float(weight.grad.abs().sum()) for weight in trained) > 0
    trained[-1].data = trained[-1].data.half()  # and it would not take a half-precision weight
    with pytest.raises(ValueError, match="unscale FP16"):
        step_with_scaler(model, batch)


def step_with_scaler(model, batch):
    optimizer = torch.optim.AdamW(lora.trainable(model))
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    with torch.autocast("cpu", torch.float16):
        outputs = model(**batch["inputs"])
        loss = model.loss_sum(outputs, batch["targets"]) / batch["count"]
    assert loss.dtype == torch.float32
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: float16 with its real gradient scaler")
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_gpu_a_half_precision_base_learns(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(backbone, "compute_dtype", lambda device: torch.float16)
    model = new(kind, ("qwen2", 1), dtype=torch.float16, device="cuda")
    result = run(model, kind, tmp_path, epochs=6)
    losses = [entry["loss"] for entry in result.history]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    np.testing.assert_allclose(
        KINDS[kind].from_pretrained(tmp_path, dtype=torch.float32).score(*TEXTS), model.score(*TEXTS), atol=1e-4
    )
