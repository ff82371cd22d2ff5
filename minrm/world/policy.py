"""The small language model of the embedded world: its tokenizer, the corpus it reads, and its training from nothing.

A Llama-architecture model of 0.9 million parameters in stock files. It is the *policy*: the model whose solutions are
voted on and judged. `<|prm_label|>` is not in its vocabulary: adding that token is what the course teaches.
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

from minrm.loading import progress_bar
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


def train_policy(
    folder: str | Path, steps: int = 14000, batch_size: int = 32, seed: int = 0, layers: int = 4, save_steps: int = 1000
) -> LlamaForCausalLM:
    """A policy trained on `steps` batches of fresh texts, and saved in half precision with its tokenizer in `folder`.

    Questions carry no loss. Batches hold texts of like length and weigh the same, so a token of a short text counts for
    more: the model gives bare answers more often than it read them. Called again with the same arguments, training
    goes on from its last checkpoint.
    """
    folder = Path(folder)
    tokenizer = build_tokenizer()
    count = steps * batch_size
    texts = progress_bar(count, "writing the corpus", " texts", shown=True, over=corpus(count, seed))
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"), save_steps=save_steps, save_total_limit=1,
        max_steps=steps, per_device_train_batch_size=batch_size, train_sampling_strategy="group_by_length",
        learning_rate=2e-3, lr_scheduler_type="cosine", warmup_steps=min(100, steps // 10),
        weight_decay=0.01, adam_beta2=0.99, seed=seed,
        remove_unused_columns=False, logging_steps=100, report_to=[], use_cpu=not torch.cuda.is_available(),
    )  # fmt: skip
    model = new_policy(tokenizer, seed, layers)
    trainer = Trainer(model=model, args=arguments, train_dataset=_rows(tokenizer, texts), data_collator=_collate)
    trainer.train(resume_from_checkpoint=any((folder / "checkpoints").glob("checkpoint-*")))
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.float()


def _rows(tokenizer: PreTrainedTokenizerFast, texts: Iterable[tuple[str, str]]) -> Dataset:
    """Rows input_ids, length and question_length (in tokens): tokenised apart and joined, as in the whole course."""
    questions, solutions = zip(*texts, strict=True)
    first = tokenizer(list(questions))["input_ids"]
    then = tokenizer([solution + END for solution in solutions])["input_ids"]
    rows = [question + solution for question, solution in zip(first, then, strict=True)]
    lengths = {"length": [len(row) for row in rows], "question_length": [len(question) for question in first]}
    return Dataset.from_dict({"input_ids": rows, **lengths})


def _collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Right-padded ids [B,T]. Padding is masked by length, not by id: the padding token also ends every text."""
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    labels = [own.index_fill(0, torch.arange(row["question_length"]), -100) for own, row in zip(ids, rows, strict=True)]
    padded, mask = (pad_sequence(own, batch_first=True) for own in (ids, [torch.ones_like(own) for own in ids]))
    return {"input_ids": padded, "attention_mask": mask, "labels": pad_sequence(labels, True, -100)}
