"""The small language model of the embedded world: its tokenizer, its shape and the corpus it reads.

A Llama-architecture model of 0.9 million parameters in stock files. It is the *policy*: the model whose solutions are
voted on and judged; `data/` has its training. `<|prm_label|>` is not in its vocabulary: adding that token is what the
course teaches.
"""

import random
from collections.abc import Iterator

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from minrm.world.classroom import write, write_direct, write_drill
from minrm.world.generator import generate
from minrm.world.problems import ITEMS, LIMIT, NAMES

END = "<|end|>"  # ends every text; also the padding, as in many published models
DRILLS, DIRECT = 0.1, 0.04  # shares of the corpus: pages of drills, which have no question, and bare answers

_WORDS = [
    "has", "have", "now", "How", "many", "does", "more", "fewer", "than", "That", "is", "buys", "loses", "gives",
    "boxes", "of", "to", "each", "friends", "So", "Is", "Yes", "No",
]  # fmt: skip


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The world's tokenizer: one token for each word, number, step header and answer header.

    A BPE without merges that looks whole pieces up first; a piece that is not in the vocabulary is spelt in characters
    and, beyond ASCII, in bytes. So it encodes every text and decodes it to the same text.
    """
    pieces = [END] + [f"<0x{byte:02X}>" for byte in range(256)] + [chr(code) for code in range(32, 127)]
    pieces += ["\n", "\n\n", "# Answer\n\n"] + [f"Step: {number}:" for number in range(1, 10)]
    words = [*_WORDS, *NAMES, *ITEMS, *map(str, range(LIMIT + 1)), *"+-*="]
    pieces += words + [" " + word for word in words]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    core = Tokenizer(BPE(vocab=vocabulary, merges=[], byte_fallback=True, ignore_merges=True))
    piece = Regex(r"Step: \d+:|# Answer\n\n|\n\n|\n| ?[A-Za-z]+| ?\d+| ?[^\sA-Za-z\d]|\s")
    core.pre_tokenizer = pre_tokenizers.Split(piece, behavior="isolated")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, pad_token=END)
    tokenizer.clean_up_tokenization_spaces = False
    return tokenizer


def new_policy(
    tokenizer: PreTrainedTokenizerFast, seed: int = 0, layers: int = 4, width: int = 128
) -> LlamaForCausalLM:
    """An untrained policy in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=width * 11 // 4, num_hidden_layers=layers,
        num_attention_heads=4, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def corpus(n: int, seed: int) -> Iterator[tuple[str, str]]:
    """`n` texts of the class as (question with its newline, what follows): solved problems, bare answers, drills."""
    rng = random.Random(seed)
    for problem in generate(n, seed + 1, split="policy"):
        kind = rng.random()
        if kind < DRILLS:
            yield "", write_drill(rng)
        elif kind < DRILLS + DIRECT:
            yield f"{problem.question}\n", write_direct(problem, rng)
        else:
            yield f"{problem.question}\n", write(problem, rng)[0]
