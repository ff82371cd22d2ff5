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
SIZE = 32
SHAPE: dict[str, Any] = {
    "hidden_size": SIZE, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip


def write_tiny_checkpoint(family: str, folder: str | Path, seed: int = 0) -> Path:
    """The folder, with a tiny checkpoint in the layout of `family`, a key of `minrm.published.formats.FORMATS`."""
    if family not in _STOCK | _OWN_HEADS:
        raise InputError(f"no tiny checkpoint for {family!r}; there are {', '.join(_STOCK | _OWN_HEADS)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with loading.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if family in _OWN_HEADS:
            tokenizer = _write_own_head(folder, *_OWN_HEADS[family])
        else:
            model, config, make_tokenizer, labels = _STOCK[family]
            tokenizer = make_tokenizer()
            options = SHAPE | {"num_labels": labels, "pad_token_id": tokenizer.pad_token_id}
            model(config(vocab_size=len(tokenizer), **options)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def with_chat_template(model: str | Path, folder: str | Path) -> Path:
    """The folder, with a copy of a language model whose chat template passes on the question alone."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = QUESTION_CHAT
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _write_own_head(folder: Path, architecture: str, heads: dict[str, tuple[int, int]], value: bool) -> Any:
    """A Qwen 2 under a head that stock classes lack. The config names Python files, as published; none is written.

    value: a value head is published as a pickle, among the tensors of a model with tied embeddings.
    """
    tokenizer = qwen_tokenizer()
    config = Qwen2Config(vocab_size=len(tokenizer), tie_word_embeddings=value, **SHAPE)
    tensors = dict(Qwen2ForCausalLM(config).state_dict())
    for head, shape in heads.items():
        tensors |= {f"{head}.{name}": tensor for name, tensor in torch.nn.Linear(*shape).state_dict().items()}
    if value:
        tokenizer.bos_token = "<|im_start|>"
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    code = {"AutoModel": "modeling_qwen2_rm.Model", "AutoConfig": "configuration_qwen2_rm.Config"}
    fields = config.to_dict() | {"architectures": [architecture], "auto_map": code}
    (folder / "config.json").write_text(json.dumps(fields, indent=1), encoding="utf-8")
    return tokenizer


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


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """With Llama 3's special tokens and chat template; adds a start token."""
    start = "<|begin_of_text|>"
    tokenizer = byte_level([start, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], LLAMA_CHAT)
    tokenizer.bos_token, tokenizer.eos_token = start, "<|eot_id|>"
    specials = [(start, tokenizer.bos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(f"{start} $A", special_tokens=specials)
    return tokenizer


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """With Qwen's special tokens and chat template; no start token."""
    tokenizer = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"], QWEN_CHAT)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    return tokenizer


_STOCK: dict[str, Any] = {  # family → model, config, tokenizer, labels of the head
    "math-shepherd": (LlamaForCausalLM, LlamaConfig, sentencepiece, 2),
    "rlhflow": (LlamaForCausalLM, LlamaConfig, llama_tokenizer, 2),
    "trl": (Qwen2ForTokenClassification, Qwen2Config, qwen_tokenizer, 2),
    "trl-paragraphs": (Qwen2ForTokenClassification, Qwen2Config, qwen_tokenizer, 2),
    "skywork-reward-v2": (Qwen3ForSequenceClassification, Qwen3Config, qwen_tokenizer, 1),
}
_OWN_HEADS: dict[str, Any] = {  # family → architecture, layers of the head, is it a value head?
    "qwen-math-prm": ("Qwen2ForProcessRewardModel", {"score.0": (SIZE, SIZE), "score.2": (SIZE, 2)}, False),
    "skywork-o1-prm": ("Qwen2ForPrmModel", {"v_head.summary": (SIZE, 1)}, True),
}
