"""The printed command is the one that was run: what it says of a model is what the model is."""

import json
import shlex

import pytest
from served import KINDS, recorded, tiny
from tiny import causal, sentencepiece_like

from minrm.errors import InputError
from minrm.inference.engines import engine_command
from minrm.prm import ProcessRewardModel


@pytest.mark.parametrize("name", KINDS)
def test_the_command_is_the_one_with_which_vllm_served_the_model(name):
    ours, run = (shlex.split(text) for text in (engine_command(tiny(name), "FOLDER"), recorded()[name]["command"]))
    assert run[: len(ours)] == ours and run[len(ours)] == "--dtype"


def test_the_command_of_a_process_model_names_its_tokens_as_its_tokenizer_does():
    model = ProcessRewardModel.from_base(causal(), tokenizer=sentencepiece_like())
    words = shlex.split(engine_command(model, "a folder"))
    overrides, pooler = (json.loads(words[words.index(name) + 1]) for name in ("--hf-overrides", "--pooler-config"))
    ids = model.tokenizer.convert_tokens_to_ids(overrides["classifier_from_token"])
    assert ids == [model.minus_id, model.plus_id] and pooler["step_tag_id"] == model.step_id
    assert words[:3] == ["vllm", "serve", "a folder"]


def test_a_reward_that_vllm_would_squash_is_served_raw():
    model = tiny("bradley_terry")
    assert engine_command(model, "m") == "vllm serve m" and model.model.config.problem_type == "regression"
    model.model.config.problem_type = None  # as an older checkpoint
    assert engine_command(model, "m") == """vllm serve m --hf-overrides '{"problem_type": "regression"}'"""


def test_sglang_serves_two_kinds():
    assert engine_command(tiny("bradley_terry"), "m", "sglang").endswith("--model-path m --is-embedding")
    assert engine_command(tiny("prm"), "m", "sglang").endswith("--disable-radix-cache --chunked-prefill-size -1")
    with pytest.raises(InputError, match="SGLang has no token classification"):
        engine_command(tiny("orm"), "m", "sglang")
    with pytest.raises(InputError, match="no engine 'tgi'; the engines are vllm, sglang"):
        engine_command(tiny("orm"), "m", "tgi")


def test_a_head_that_the_conversion_would_read_otherwise_is_refused():
    with pytest.raises(InputError, match="m: Gemma2ForCausalLM caps or scales its logits.*without --endpoint"):
        engine_command(tiny("prm", "gemma2", head_dim=32), "m")
    assert "--chunked-prefill-size" in engine_command(tiny("prm", "gemma2", head_dim=32), "m", "sglang")
