"""Costs: counted on real modules, on the tensors that autograd keeps, and on a published shape."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import causal
from transformers import AutoModelForCausalLM, Qwen2Config

from minrm.notebook import cost

# config.json of Qwen2.5-0.5B, which its card calls "0.49B"
QWEN = Qwen2Config(
    vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
    num_key_value_heads=2, tie_word_embeddings=True,
)  # fmt: skip
with torch.device("meta"):
    SHAPE = cost.shape(AutoModelForCausalLM.from_config(QWEN))


def test_a_published_shape_has_the_published_number_of_weights():
    assert SHAPE.weights == 494_032_768 and SHAPE.cache == 2 * 24 * 2 * 64


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_adapters_are_as_many_as_peft_makes(architecture):
    adapted = get_peft_model(causal(architecture), LoraConfig(r=8, target_modules="all-linear"))
    assert cost.shape(causal(architecture)).adapters(8) == adapted.get_nb_trainable_parameters()[0]


def test_the_cache_is_as_large_as_the_one_that_a_model_fills():
    model = causal("llama")
    filled = model(torch.arange(10)[None], use_cache=True).past_key_values
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in filled.layers)
    assert numbers == cost.shape(model).cache * 10


@pytest.mark.parametrize("checkpointing", [False, True])
def test_activations_are_about_what_autograd_keeps(checkpointing):
    """Counted on the tensors that a real backward pass of a bfloat16 model is given, weights left out.
    The model is deep, so that what is kept once (for the last norm, the rotations) weighs little."""
    model = causal("qwen2", hidden_size=128, intermediate_size=352, num_hidden_layers=24).bfloat16().train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    rows, tokens = 2, 64
    ids = torch.randint(0, 600, (rows, tokens), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = model.base_model(ids, use_cache=False).last_hidden_state
    measured, shape = sum(kept.values()), cost.shape(model)
    counted = cost.activations(shape, rows, tokens, checkpointing)
    if checkpointing:  # the layer that is computed anew comes later, in the backward pass
        counted -= cost.activations(shape, rows, tokens, False) // shape.layers
    assert states.requires_grad
    assert 0.75 < counted / measured < 1.33, (counted, measured)


def test_lora_keeps_a_small_part_and_checkpointing_another():
    lora, whole = (cost.training_gb(SHAPE, 8, 512, rank) for rank in (16, 0))
    assert whole["trained"] == pytest.approx(16 * 0.494, rel=1e-3)
    assert lora["trained"] < 0.02 * whole["trained"] and lora["weights"] == whole["weights"]
    assert cost.training_gb(SHAPE, 8, 512, 16, False)["activations"] > 5 * lora["activations"]


def test_time_follows_the_tokens_and_the_gpu():
    shape, t4, h100 = SHAPE, cost.GPUS["T4"], cost.GPUS["H100"]
    once = 2 * 494_032_768 * 1e6 / (0.3 * 65e12)
    assert cost.scoring_seconds(shape, 1e6, t4) == pytest.approx(once)
    assert [cost.training_seconds(shape, 1e6, t4, rank) for rank in (16, 0)] == pytest.approx([3 * once, 4 * once])
    slow, fast = (cost.sampling_seconds(shape, 64, 100, 200, gpu) for gpu in (t4, h100))
    assert slow / fast == pytest.approx(3350 / 320)
    assert slow > 200 * 2 * 494_032_768 / 320e9
