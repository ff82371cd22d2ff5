"""Tiny models in the layouts of published ones, so that pages and tests need no download.

`write_tiny_checkpoint(family, folder)` writes a reward model as its publishers do (architecture, tensor names, kind of
tokenizer, chat template) with random weights: its scores mean nothing, but they must equal what the publisher's own
steps compute. `with_chat_template(model, folder)` writes a language model of the world as a chat model, in place of the
public one of the GPU chapter.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
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


def write_tiny_checkpoint(family: str, folder: str | Path, seed: int = 0) -> Path:
    """The folder, with a tiny checkpoint in the layout of `family`, a key of `minrm.published.formats.FORMATS`."""
    if family not in _WRITERS:
        raise InputError(f"no tiny checkpoint for {family!r}; there are {', '.join(_WRITERS)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with loading.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _WRITERS[family](folder).save_pretrained(folder)
    return folder


def with_chat_template(model: str | Path, folder: str | Path) -> Path:
    """The folder, with a copy of a language model whose chat template passes on the question alone."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = QUESTION_CHAT
    tokenizer.save_pretrained(folder)
    return Path(folder)


# Each writer writes a model, and returns its tokenizer.


def _math_shepherd(folder: Path) -> Any:
    return _stock(folder, LlamaForCausalLM, LlamaConfig, sentencepiece())


def _rlhflow(folder: Path) -> Any:
    start = "<|begin_of_text|>"
    tokenizer = byte_level([start, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], LLAMA_CHAT)
    tokenizer.bos_token, tokenizer.eos_token = start, "<|eot_id|>"
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", special_tokens=[(start, tokenizer.bos_token_id)]
    )
    return _stock(folder, LlamaForCausalLM, LlamaConfig, tokenizer)


def _trl(folder: Path) -> Any:
    return _stock(folder, Qwen2ForTokenClassification, Qwen2Config, qwen_tokenizer())


def _skywork_reward_v2(folder: Path) -> Any:
    tokenizer = qwen_tokenizer()
    options = {"num_labels": 1, "pad_token_id": tokenizer.pad_token_id}
    return _stock(folder, Qwen3ForSequenceClassification, Qwen3Config, tokenizer, **options)


def _stock(folder: Path, model: Any, config: Any, tokenizer: Any, **options: Any) -> Any:
    model(config(vocab_size=len(tokenizer), **SHAPE | options)).save_pretrained(folder)
    return tokenizer


def _qwen_math_prm(folder: Path) -> Any:
    tokenizer, size = qwen_tokenizer(), SHAPE["hidden_size"]
    heads = {"score.0": torch.nn.Linear(size, size), "score.2": torch.nn.Linear(size, 2)}
    tensors = _with_heads(folder, Qwen2Config(vocab_size=len(tokenizer), **SHAPE), heads, "Qwen2ForProcessRewardModel")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return tokenizer


def _skywork_o1_prm(folder: Path) -> Any:
    """Published as a pickle of tensors, the value head among those of a causal language model with tied embeddings."""
    tokenizer = qwen_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    heads = {"v_head.summary": torch.nn.Linear(SHAPE["hidden_size"], 1)}
    config = Qwen2Config(vocab_size=len(tokenizer), tie_word_embeddings=True, **SHAPE)
    torch.save(_with_heads(folder, config, heads, "Qwen2ForPrmModel"), folder / "pytorch_model.bin")
    return tokenizer


def _with_heads(folder: Path, config: Any, heads: dict[str, Any], architecture: str) -> dict[str, torch.Tensor]:
    """Tensors under heads that stock classes lack. The config names Python files, as published; none is written."""
    code = {"AutoModel": "modeling_qwen2_rm.Model", "AutoConfig": "configuration_qwen2_rm.Config"}
    written = config.to_dict() | {"architectures": [architecture], "auto_map": code}
    (folder / "config.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
    own = {f"{head}.{name}": tensor for head in heads for name, tensor in heads[head].state_dict().items()}
    return dict(Qwen2ForCausalLM(config).state_dict()) | own


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
    "math-shepherd": _math_shepherd, "rlhflow": _rlhflow, "qwen-math-prm": _qwen_math_prm,
    "skywork-o1-prm": _skywork_o1_prm, "trl": _trl, "trl-paragraphs": _trl, "skywork-reward-v2": _skywork_reward_v2,
}  # fmt: skip
