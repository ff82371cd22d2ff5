"""The small language model of the embedded world: its tokenizer, its shape and the corpus it reads.

A Llama-architecture model of 1.9 million parameters in stock files. It is the *policy*: the model whose solutions are
voted on and judged; `data/` has its training. `<|prm_label|>` is not in its vocabulary: adding that token is what the
course teaches.
"""

import random
from collections.abc import Iterator

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from minrm.sampling import COT
from minrm.sampling import DIRECT as DIRECT_PROMPT
from minrm.world.classroom import CLASS, Habits, write, write_direct
from minrm.world.generator import generate
from minrm.world.problems import FAR_ITEMS, FAR_NAMES, ITEMS, LIMIT, NAMES, OPENINGS, SIGNS

END = "<|end|>"  # ends every text; also the padding, as in many published models
DIRECT, FAR = 0.2, 0.05  # shares of the corpus: bare answers, where the prompt asks for them; far problems

_WORDS = [
    "has", "have", "now", "How", "many", "does", "more", "fewer", "than", "That", "is", "of", "to", "each", "friends",
]  # fmt: skip


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The world's tokenizer: one token for each word, number, step header and answer header.

    A BPE without merges that looks whole pieces up first; a piece that is not in the vocabulary is spelt in characters
    and, beyond ASCII, in bytes. So it encodes every text and decodes it to the same text.
    """
    pieces = [END] + [f"<0x{byte:02X}>" for byte in range(256)] + [chr(code) for code in range(32, 127)]
    pieces += ["\n", "\n\n", "# Answer\n\n"] + [f"Step: {number}:" for number in range(1, 10)]
    words = [*_WORDS, *SIGNS, *OPENINGS, *NAMES, *FAR_NAMES, *ITEMS, *FAR_ITEMS, *map(str, range(LIMIT + 1)), *"+-*="]
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
    tokenizer: PreTrainedTokenizerFast, seed: int = 0, layers: int = 4, width: int = 192
) -> LlamaForCausalLM:
    """An untrained policy in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=width * 11 // 4, num_hidden_layers=layers,
        num_attention_heads=width // 32, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def corpus(n: int, seed: int, habits: Habits = CLASS) -> Iterator[tuple[str, str]]:
    """`n` texts of the class as (prompt, what follows), two of each problem: solutions, and bare answers where they are
    asked for."""
    rng = random.Random(seed)
    near = iter(generate(-(-n // 2), seed + 1, split="policy"))
    far = iter(generate(int(n * FAR) + 100, seed + 2, split="policy", far=True))
    for text in range(n):
        if text % 2 == 0:
            problem = next(far if rng.random() < FAR else near)
        if rng.random() < DIRECT:
            yield DIRECT_PROMPT.replace("{question}", problem.question), write_direct(problem, rng, habits)
        else:
            yield COT.replace("{question}", problem.question), write(problem, rng, habits)[0]
