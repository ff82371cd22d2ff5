"""Tiny models in the layouts of published ones, so that pages and tests need no download.

`stand_in(family, folder)` writes a reward model as its publishers do (architecture, tensor names, kind of tokenizer,
chat template) with random weights: its scores mean nothing; that they come out as the publisher's own steps give them
is what the tests prove. `qwen_stand_in(name, folder)` writes one of the world's language models in Qwen 2's layout: it
solves the world's problems, and stands where the GPU chapter has a public model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from minrm import loading
from minrm.errors import InputError
from minrm.world import shipped

TEXT = (
    "Tom has 9 pens. Mia buys 5 pens. How many pens does Mia have now?\nStep 1: 9 - 3 = 6 ки\n\nThe answer is + 11.\n\n"
)
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"  # Llama 3's, Qwen 2's
LLAMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
)
QWEN_CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
# Of the user's turn only the first paragraph, the question: the world's model was never told what to do.
QUESTION_CHAT = "{% for m in messages %}{{ m.content.split('\\n\\n')[0] }}\n{% endfor %}"
SHAPE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip


def stand_in(family: str, folder: str | Path, seed: int = 0) -> Path:
    """Write a tiny checkpoint in the layout of `family`, a key of `minrm.published.formats.RECIPES`; returns the folder."""
    if family not in _WRITERS:
        raise InputError(f"no stand-in for {family!r}; there are {', '.join(_WRITERS)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with loading.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _WRITERS[family](folder)
    return folder


def qwen_stand_in(name: str, folder: str | Path) -> Path:
    """Write `shipped(name)`, a Llama, as a Qwen 2 checkpoint that computes the same; returns the folder.

    Qwen 2 is Llama with biases on queries, keys and values; here they are 0. Its chat template gives the model the
    question alone, which is all that it understands.
    """
    with loading.quiet():
        llama = AutoModelForCausalLM.from_pretrained(shipped(name), dtype=torch.float32)
        tokenizer = loading.load_tokenizer(shipped(name))
        same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "rope_parameters",
                "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id")  # fmt: skip
        qwen = Qwen2ForCausalLM(Qwen2Config(**{field: getattr(llama.config, field) for field in same}))
        weights = qwen.state_dict()
        zeros = {key: torch.zeros_like(weights[key]) for key in weights.keys() - llama.state_dict().keys()}
        qwen.load_state_dict(llama.state_dict() | zeros)
        tokenizer.chat_template = QUESTION_CHAT
        qwen.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return Path(folder)


def _math_shepherd(folder: Path) -> None:
    _llama(folder, sentencepiece())


def _rlhflow(folder: Path) -> None:
    tokenizer = byte_level(["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], LLAMA_CHAT)
    tokenizer.bos_token, tokenizer.eos_token = "<|begin_of_text|>", "<|eot_id|>"
    start = [("<|begin_of_text|>", tokenizer.bos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=start
    )
    _llama(folder, tokenizer)


def _llama(folder: Path, tokenizer: Any) -> None:
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SHAPE)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _qwen_math_prm(folder: Path) -> None:
    """The published config names a class that lies in Python files beside the weights. None is written here."""
    tokenizer = qwen_tokenizer()
    config = Qwen2Config(vocab_size=len(tokenizer), **SHAPE)
    size = config.hidden_size
    head = {"0": torch.nn.Linear(size, size), "2": torch.nn.Linear(size, 2)}
    tensors = dict(Qwen2ForCausalLM(config).state_dict())
    for place, layer in head.items():
        tensors |= {f"score.{place}.{name}": tensor.detach() for name, tensor in layer.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    code = {"AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel", "AutoConfig": "configuration_qwen2_rm.Config"}
    _write_config(folder, config, "Qwen2ForProcessRewardModel", code)
    tokenizer.save_pretrained(folder)


def _skywork_o1_prm(folder: Path) -> None:
    """Published as a pickle of tensors, the value head among those of a causal language model with tied embeddings."""
    tokenizer = qwen_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    config = Qwen2Config(vocab_size=len(tokenizer), tie_word_embeddings=True, **SHAPE)
    tensors = dict(Qwen2ForCausalLM(config).state_dict())
    tensors |= {f"v_head.summary.{k}": v for k, v in torch.nn.Linear(config.hidden_size, 1).state_dict().items()}
    torch.save(tensors, folder / "pytorch_model.bin")
    code = {"AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel", "AutoConfig": "configuration_qwen2_rm.Config"}
    _write_config(folder, config, "Qwen2ForPrmModel", code)
    tokenizer.save_pretrained(folder)


def _trl(folder: Path) -> None:
    tokenizer = qwen_tokenizer()
    Qwen2ForTokenClassification(Qwen2Config(vocab_size=len(tokenizer), **SHAPE)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _skywork_reward_v2(folder: Path) -> None:
    tokenizer = qwen_tokenizer()
    reward = {"num_labels": 1, "pad_token_id": tokenizer.pad_token_id}
    config = Qwen3Config(vocab_size=len(tokenizer), **SHAPE | reward)
    Qwen3ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _write_config(folder: Path, config: Any, architecture: str, code: dict[str, str]) -> None:
    written = config.to_dict() | {"architectures": [architecture], "auto_map": code}
    (folder / "config.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


def sentencepiece() -> PreTrainedTokenizerFast:
    """Llama 2's and Mistral's kind: spaces become ▁, a start token is added; no pad token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    options: dict[str, Any] = {"vocab_size": 420, "show_progress": False, "special_tokens": specials}
    tokenizer.train_from_iterator([TEXT + "+ - ки 0 1 2 3 4 5 6 7 8"] * 3, trainers.BpeTrainer(**options))
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def byte_level(specials: list[str], template: str) -> PreTrainedTokenizerFast:
    """Llama 3's and Qwen's kind: any text, a full stop and the line breaks after it may merge; adds no start token."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template)


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """With Qwen's special tokens and chat template; no start token."""
    tokenizer = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"], QWEN_CHAT)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    return tokenizer


_WRITERS = {
    "math-shepherd": _math_shepherd,
    "rlhflow": _rlhflow,
    "qwen-math-prm": _qwen_math_prm,
    "skywork-o1-prm": _skywork_o1_prm,
    "trl": _trl,
    "trl-paragraphs": _trl,
    "skywork-reward-v2": _skywork_reward_v2,
}
