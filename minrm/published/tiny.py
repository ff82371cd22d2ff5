"""Tiny models in the layouts of published ones (architecture, tensor names, kind of tokenizer, chat template).

Their weights are random: a score means nothing, but it must equal what the publisher's own steps compute.
"""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from minrm import loading
from minrm.errors import InputError

TEXT = "Tom has 9 pens. Mia buys 5 pens. How many does Mia have now?\nStep 1: 9 - 3 = 6 ки\n\nThe answer is + 11.\n\n"
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
    if family not in _LAYOUTS:
        raise InputError(f"no tiny checkpoint for {family!r}; there are {', '.join(_LAYOUTS)}")
    name, make_tokenizer, fields = _LAYOUTS[family]
    stock, folder, tokenizer = getattr(transformers, name), Path(folder), make_tokenizer()
    fields = fields | {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    with loading.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = stock(stock.config_class(**SHAPE | fields))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if family in _OWN_HEADS:
            _add_own_head(model, folder, *_OWN_HEADS[family])
    return folder


def with_chat_template(model: str | Path, folder: str | Path) -> Path:
    """The folder, with a copy of a language model whose chat template passes on the question alone."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = QUESTION_CHAT
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _add_own_head(model: Any, folder: Path, architecture: str, heads: dict[str, tuple[int, int]]) -> None:
    """Add a head that stock classes lack. The config names Python files, as published; none of them is written."""
    tensors = dict(model.state_dict())
    for head, shape in heads.items():
        tensors |= {f"{head}.{name}": tensor for name, tensor in torch.nn.Linear(*shape).state_dict().items()}
    if model.config.tie_word_embeddings:  # published as a .bin file
        (folder / "model.safetensors").unlink()
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    code = {"AutoModel": "modeling_qwen2_rm.Model", "AutoConfig": "configuration_qwen2_rm.Config"}
    fields = model.config.to_dict() | {"architectures": [architecture], "auto_map": code}
    (folder / "config.json").write_text(json.dumps(fields, indent=1), encoding="utf-8")


def sentencepiece() -> PreTrainedTokenizerFast:
    """A tokenizer of Llama 2's and Mistral's kind: spaces become ▁, a start token is added; no pad token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    options: dict[str, Any] = {"vocab_size": 420, "show_progress": False, "special_tokens": specials}
    tokenizer.train_from_iterator([TEXT + "+ - ки 0 1 2 3 4 5 6 7 8"] * 3, trainers.BpeTrainer(**options))
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def byte_level(specials: list[str], template: str) -> PreTrainedTokenizerFast:
    """A tokenizer of Llama 3's and Qwen's kind: a full stop and line breaks after it may merge; adds no start token."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    options: dict[str, Any] = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(), "show_progress": False}
    tokenizer.train_from_iterator([TEXT] * 3, trainers.BpeTrainer(vocab_size=330, **options))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template)


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with Llama 3's special tokens and chat template; it adds a start token."""
    start = "<|begin_of_text|>"
    tokenizer = byte_level([start, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], LLAMA_CHAT)
    tokenizer.bos_token, tokenizer.eos_token = start, "<|eot_id|>"
    processor = processors.TemplateProcessing(f"{start} $A", special_tokens=[(start, tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = processor
    return tokenizer


def qwen_tokenizer(start: str | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer with Qwen's special tokens and chat template; it knows a start token only by name, and adds none."""
    tokenizer = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"], QWEN_CHAT)
    tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token = start, "<|im_end|>", "<|endoftext|>"
    return tokenizer


_LAYOUTS: dict[str, Any] = {  # family → stock class, tokenizer, fields of the config
    "math-shepherd": ("LlamaForCausalLM", sentencepiece, {}),
    "rlhflow": ("LlamaForCausalLM", llama_tokenizer, {}),
    "qwen-math-prm": ("Qwen2ForCausalLM", qwen_tokenizer, {}),
    "skywork-o1-prm": ("Qwen2ForCausalLM", partial(qwen_tokenizer, "<|im_start|>"), {"tie_word_embeddings": True}),
    "trl": ("Qwen2ForTokenClassification", qwen_tokenizer, {}),
    "trl-paragraphs": ("Qwen2ForTokenClassification", qwen_tokenizer, {}),
    "skywork-reward-v2": ("Qwen3ForSequenceClassification", qwen_tokenizer, {"num_labels": 1}),
}
_OWN_HEADS: dict[str, Any] = {  # family → architecture, layers of the head
    "qwen-math-prm": ("Qwen2ForProcessRewardModel", {"score.0": (SIZE, SIZE), "score.2": (SIZE, 2)}),
    "skywork-o1-prm": ("Qwen2ForPrmModel", {"v_head.summary": (SIZE, 1)}),
}
