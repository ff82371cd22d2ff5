"""Stand-ins lie on disk as the publishers' checkpoints do: tensor names, configs, what their tokenizers merge."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tiny import QUESTION

from minrm import shipped
from minrm.errors import InputError
from minrm.loading import load_tokenizer
from minrm.published.tiny import qwen_tokenizer, sentencepiece, with_chat_template, write_tiny_checkpoint


def config(folder):
    return json.loads((folder / "config.json").read_text())


def test_the_two_heads_that_stock_classes_lack_lie_beside_a_stock_backbone(tmp_path):
    qwen, skywork = (write_tiny_checkpoint(name, tmp_path / name) for name in ("qwen-math-prm", "skywork-o1-prm"))
    own = {name for name in load_file(qwen / "model.safetensors") if not name.startswith(("model.", "lm_head."))}
    assert own == {"score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"}
    assert config(qwen)["architectures"] == ["Qwen2ForProcessRewardModel"] and config(qwen)["model_type"] == "qwen2"
    assert "v_head.summary.weight" in torch.load(skywork / "pytorch_model.bin", weights_only=True)
    assert not list(skywork.glob("*.safetensors")) and not list(tmp_path.glob("*/*.py"))


ARCHITECTURES = {
    "math-shepherd": "LlamaForCausalLM", "rlhflow": "LlamaForCausalLM", "trl": "Qwen2ForTokenClassification",
    "skywork-reward-v2": "Qwen3ForSequenceClassification",
}  # fmt: skip


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_the_others_are_stock_checkpoints_that_a_seed_repeats(tmp_path, family):
    first, again, other = (write_tiny_checkpoint(family, tmp_path / str(i), seed) for i, seed in enumerate([1, 1, 2]))
    assert config(first)["architectures"] == [ARCHITECTURES[family]]
    a, b, c = (load_file(folder / "model.safetensors") for folder in (first, again, other))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_tokenizers_treat_marks_as_the_published_ones_do():
    llama, qwen = sentencepiece(), qwen_tokenizer()
    assert llama.convert_ids_to_tokens(llama.encode("6 ки")) == ["<s>", "▁6", "▁ки"]
    assert llama.pad_token is None and len(llama.encode("+ -")) == 3
    assert qwen.bos_token is None and len(qwen.encode("<extra_0>")) == 1
    assert len(qwen.encode("\n\n")) == 1 and qwen.decode(qwen.encode("11.\n\n")[-1]) == ".\n\n"


def test_an_unknown_family_lists_those_there_are(tmp_path):
    with pytest.raises(InputError, match="no tiny checkpoint for 'llama'; there are math-shepherd, rlhflow"):
        write_tiny_checkpoint("llama", tmp_path)


def test_a_chat_copy_writes_what_the_model_writes_and_its_template_leaves_the_question_alone(tmp_path):
    folder = with_chat_template(shipped("policy"), tmp_path / "chat")
    tokenizer = load_tokenizer(folder)
    turn = [{"role": "user", "content": QUESTION + "\n\nThink in steps."}]
    assert tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) == QUESTION + "\n"
    ours, copy = (load_file(path / "model.safetensors") for path in (shipped("policy"), folder))
    assert all(torch.equal(ours[name], copy[name]) for name in ours)
