"""Tiny models and tokenizers, built in memory: the three kinds of tokenizer and three architectures that differ."""

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

QUESTION = "Tom has 9 pens. That is 3 more than Mia has. Mia buys 5 pens. How many pens does Mia have now?"
SOLUTION = "Step: 1: Mia has 3 fewer: 9 - 3 = 6\nStep: 2: 6 + 5 = 11\n\n# Answer\n\n11"
STEPS = ["Mia has 3 fewer: 9 - 3 = 6", "6 + 5 = 11\n\n# Answer\n\n11"]
NUMBERS = " ".join(map(str, range(100)))
CORPUS = [QUESTION + "\n" + SOLUTION, "+ - + - <>|_ Step: 1: 2: 3: True False", NUMBERS] * 3


def word_level(pad: str | None = "[PAD]") -> PreTrainedTokenizerFast:
    """Words, numbers, signs and single spaces are tokens; has a pad token and no start token."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]|\s"), "isolated")
    trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="</s>", pad_token=pad)


def byte_bpe() -> PreTrainedTokenizerFast:
    """GPT-2's kind: any text, merges across spaces, no pad token and no start token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"initial_alphabet": alphabet, "special_tokens": ["<|endoftext|>"], "show_progress": False}
    trainer = trainers.BpeTrainer(vocab_size=400, **options)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """Llama 2's kind: spaces become ▁, one is put before every text, a start token is added; padded on the left."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(show_progress=False, vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"])
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **names)


TOKENIZERS = {"word level": word_level, "byte-level BPE": byte_bpe, "SentencePiece-like": sentencepiece_like}


def causal(architecture: str = "llama", vocabulary: int = 600, seed: int = 0, **changes):
    """A causal language model of two layers; weights so large that padding or a neighbour would show in its scores."""
    shape = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
    }  # fmt: skip
    gemma = {"head_dim": 8, "sliding_window": 16, "final_logit_softcapping": 2.0}
    config = {
        "llama": lambda: LlamaConfig(**shape | changes),
        "qwen2": lambda: Qwen2Config(**shape | {"tie_word_embeddings": True} | changes),
        "gemma2": lambda: Gemma2Config(**shape | gemma | changes),
    }[architecture]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config).float().eval()


ARCHITECTURES = ("llama", "qwen2", "gemma2")


def random_world(problems=40, samples=64, seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.geometric(rng.uniform(0.2, 0.7, (problems, 1)), (problems, samples))
    answers = [[None if value > 9 else str(value) for value in row] for row in numbers.tolist()]
    return answers, numbers == 1, rng.random((problems, samples)) * 0.5 + 0.5 * (numbers == 1)
