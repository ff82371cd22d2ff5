"""The policy's training from nothing, on texts of the class: the first unit of `make data`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

from minrm.loading import progress_bar
from minrm.world.policy import END, build_tokenizer, corpus, new_policy


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
