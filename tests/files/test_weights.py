"""A checkpoint that does not fill its model, or whose model is not causal, is refused; nothing is drawn in silence."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import QUESTION, SOLUTION, causal, word_level
from transformers import AutoModelForCausalLM

from minrm import loading, sample
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel
from minrm.training import trainer

KINDS = [OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel]
HEADS = {
    OutcomeRewardModel: "score.bias",
    ProcessRewardModel: "lm_head.weight",
    BradleyTerryRewardModel: "score.weight",
}
LAYER = "model.layers.{}.input_layernorm.weight"


def damaged(kind, folder, what, architecture="llama"):
    """A checkpoint whose tensors are not those of its config, and what is told about them."""
    kind.from_base(causal(architecture), tokenizer=word_level()).save_pretrained(folder)
    path, config = folder / "model.safetensors", folder / "config.json"
    tensors, told = load_file(path), {}
    if what == "no head":
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    elif what == "renamed":
        tensors = {f"module.{name}": tensor for name, tensor in tensors.items()}
    elif what == "adapters":
        tensors["model.layers.0.mlp.up_proj.lora_A.weight"] = torch.ones(4, 32)
    elif what == "a tensor twice as wide":
        tensors[LAYER.format(1)] = torch.ones(64)
    else:
        told = {"num_hidden_layers": {"too few layers": 1, "too many layers": 3}[what]}
    config.write_text(json.dumps(json.loads(config.read_text()) | told))
    save_file(tensors, path, metadata={"format": "pt"})
    return {
        "no head": f"no {HEADS[kind]}", "renamed": r"no model.embed_tokens.weight.* and \d+ more",
        "adapters": "up_proj.lora_A.weight is left over",
        "too few layers": f"{LAYER.format(1)} is left over.* and 6 more",
        "a tensor twice as wide": rf"{LAYER.format(1)} is \[64\], not \[32\]",
        "too many layers": f"no {LAYER.format(2)}.* and 6 more",
    }[what]  # fmt: skip


DAMAGES = ["no head", "renamed", "adapters", "too few layers", "too many layers", "a tensor twice as wide"]


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_that_do_not_fit_are_named_and_never_drawn(kind, what, tmp_path):
    told = damaged(kind, tmp_path, what)
    loads = [lambda: kind.from_pretrained(tmp_path)]
    loads += [lambda: trainer.load_weights(kind.from_base(causal(), tokenizer=word_level()), tmp_path)]
    if kind is ProcessRewardModel:
        loads += [lambda: sample(str(tmp_path), [QUESTION], 1, max_new_tokens=2, progress=False)]
    if what != "no head" or kind is ProcessRewardModel:
        loads += [lambda: kind.from_base(tmp_path)]
    for load in loads:
        with pytest.raises(InputError, match=f"^{tmp_path}: the weights do not fit the Llama.*{told}"):
            load()


def test_a_config_at_odds_with_itself_is_one_line(tmp_path):
    damaged(OutcomeRewardModel, tmp_path, "too many layers", "qwen2")  # which names the type of each layer, too
    with pytest.raises(InputError, match="cannot be loaded as a model: .*num_hidden_layers") as caught:
        OutcomeRewardModel.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("built", [False, True])
def test_only_the_head_of_a_new_reward_model_is_drawn(built, tmp_path):
    """Not a language model's, which `sample` and a process reward model read."""
    loading.save(causal(), word_level(), tmp_path / "whole")
    loading.save(causal().model, word_level(), tmp_path / "backbone")
    whole, backbone = (causal(), causal().model) if built else (tmp_path / "whole", tmp_path / "backbone")
    options = {"tokenizer": word_level()}
    for kind in (OutcomeRewardModel, BradleyTerryRewardModel):
        same = [kind.from_base(base, **options, seed=1).score([QUESTION], [SOLUTION]) for base in (whole, backbone)]
        np.testing.assert_allclose(*same, atol=1e-5)
        assert kind.from_base(whole, **options, seed=2).score([QUESTION], [SOLUTION]) != same[0]
    for load in (ProcessRewardModel.from_base, lambda base, **o: sample(base, [QUESTION], 1, progress=False, **o)):
        with pytest.raises(InputError, match="no lm_head.weight"):
            load(backbone, **options)
    tied = causal("qwen2")
    loading.save(tied.model, word_level(), tmp_path / "tied")  # whose head is the embedding
    assert ProcessRewardModel.from_base(tied.model if built else tmp_path / "tied", **options)


def test_buffers_that_older_releases_stored_are_no_tensors_left_over(tmp_path):
    OutcomeRewardModel.from_base(causal(), tokenizer=word_level()).save_pretrained(tmp_path)
    expected = OutcomeRewardModel.from_pretrained(tmp_path).score([QUESTION], [SOLUTION])
    tensors = load_file(tmp_path / "model.safetensors")
    for name in ("self_attn.rotary_emb.inv_freq", "attn.masked_bias", "attn.bias"):
        tensors[f"model.layers.0.{name}"] = torch.ones(4)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert OutcomeRewardModel.from_pretrained(tmp_path).score([QUESTION], [SOLUTION]) == expected


SHAPE = {
    "vocab_size": 600, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64,
    "pad_token_id": 1,
}  # fmt: skip
WIDTHS = {"num_layers": 1, "num_heads": 4, "d_ff": 64, "d_kv": 8, "n_layers": 1, "n_heads": 4, "hidden_dim": 64}
BIDIRECTIONAL = {
    "BertConfig": {}, "RobertaConfig": {}, "ElectraConfig": {"embedding_size": 32}, "DebertaV2Config": {},
    "ModernBertConfig": {"local_attention": 2, "num_hidden_layers": 3, "bos_token_id": 2, "eos_token_id": 2,
        "cls_token_id": 2, "sep_token_id": 2}, "DistilBertConfig": {"dim": 32}, "T5Config": {"d_model": 32},
    "XLNetConfig": {"d_model": 32, "n_layer": 1, "n_head": 4, "d_inner": 64}, "BartConfig": {"d_model": 32},
    "Gemma3TextConfig": {"use_bidirectional_attention": True, "head_dim": 8, "num_key_value_heads": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", BIDIRECTIONAL)
def test_a_model_that_reads_ahead_is_not_a_causal_language_model(name, tmp_path):
    config = getattr(transformers, name)(**SHAPE | WIDTHS | BIDIRECTIONAL[name])
    base, options = transformers.AutoModel.from_config(config).eval(), {"tokenizer": word_level()}
    loading.save(base, word_level(), tmp_path)
    for kind in KINDS:
        for source in (base, tmp_path):
            missing = "|AutoModelForTokenClassification" if name == "Gemma3TextConfig" else ""
            with pytest.raises(InputError, match=f"is not a causal language model{missing}"):
                kind.from_base(source, **options)
    with pytest.raises(InputError, match="is not a causal language model"):
        sample(str(tmp_path), [QUESTION], 1, progress=False)


CAUSAL = {
    "GPT2Config": {"n_embd": 32, "n_layer": 1, "n_head": 4}, "BloomConfig": {}, "FalconConfig": {},
    "MixtralConfig": {"num_local_experts": 4, "num_key_value_heads": 2}, "BertConfig": {"is_decoder": True},
    "MistralConfig": {"sliding_window": 2, "num_key_value_heads": 2}, "MambaConfig": {}, "CTRLConfig": {"n_embd": 32,
        "n_layer": 1, "n_head": 4, "dff": 64},
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CAUSAL)
def test_causal_models_of_all_kinds_pass(name, dtype):
    base = AutoModelForCausalLM.from_config(getattr(transformers, name)(**SHAPE | CAUSAL[name]))
    assert ProcessRewardModel.from_base(base, tokenizer=word_level(), dtype=dtype)
    if name == "CTRLConfig":
        with pytest.raises(InputError, match="CTRLForSequenceClassification has no head named score"):
            BradleyTerryRewardModel.from_base(base, tokenizer=word_level())
