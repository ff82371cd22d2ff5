"""Supervised fine-tuning: a language model learns to write given solutions, by the stock Trainer."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from minrm import loading
from minrm.reward_model import start_ids


def fine_tune(
    model: Any, tokenizer: Any, texts: Iterable[tuple[str, str]] | Dataset, folder: str | Path, *, batch_size: int = 32,
    learning_rate: float = 1e-3, seed: int = 0, loss: Callable[..., Tensor] | None = None, **arguments: Any,
) -> list[dict[str, float]]:  # fmt: skip
    """The losses of a run that trains `model` in place on (prompt, completion) texts; the completion alone is learnt.

    texts: pairs, or what `as_rows` makes of them. The prompt holds what stands before the completion, newline included;
    the end token follows. folder: for the checkpoints, from which an interrupted run goes on. loss: a function that
    replaces cross-entropy, of the outputs, labels [B, T] and the number of tokens learnt from (Trainer's
    `compute_loss_func`). arguments: more of `TrainingArguments`, such as max_steps. Batches hold texts of like length
    and weigh the same, so a token of a short text counts for more.
    """
    settings: dict[str, Any] = {
        "output_dir": str(folder), "per_device_train_batch_size": batch_size, "learning_rate": learning_rate,
        "train_sampling_strategy": "group_by_length", "lr_scheduler_type": "cosine", "weight_decay": 0.01,
        "adam_beta2": 0.99, "seed": seed, "save_total_limit": 1, "logging_steps": 100, "remove_unused_columns": False,
        "report_to": [], "use_cpu": model.device.type == "cpu", "dataloader_pin_memory": model.device.type == "cuda",
    }  # fmt: skip
    dataset = texts if isinstance(texts, Dataset) else as_rows(tokenizer, texts)
    args = TrainingArguments(**settings | arguments)
    trainer = Trainer(model=model, args=args, train_dataset=dataset, data_collator=collate, compute_loss_func=loss)
    trainer.remove_callback(PrinterCallback)  # which prints where no bar is wanted
    with loading.quiet():
        trainer.train(resume_from_checkpoint=any(Path(folder).glob("checkpoint-*")))
    extract_model_from_parallel(model, keep_fp32_wrapper=False).eval()  # takes off autocast
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def as_rows(tokenizer: Any, texts: Iterable[tuple[str, str]]) -> Dataset:
    """Rows input_ids, length and prompt_length (in tokens): tokenised apart and joined, as in the whole course."""
    prompts, completions = zip(*texts, strict=True)
    options, start = {"add_special_tokens": False}, start_ids(tokenizer)
    first = [start + ids for ids in tokenizer(list(prompts), **options)["input_ids"]]
    then = tokenizer([completion + tokenizer.eos_token for completion in completions], **options)["input_ids"]
    rows = [prompt + completion for prompt, completion in zip(first, then, strict=True)]
    lengths = {"length": [len(row) for row in rows], "prompt_length": [len(prompt) for prompt in first]}
    return Dataset.from_dict({"input_ids": rows, **lengths})


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Right-padded ids, mask and labels [B, T]. Masked by length, since the padding token may also end every text."""
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    labels = [own.index_fill(0, torch.arange(row["prompt_length"]), -100) for own, row in zip(ids, rows, strict=True)]
    padded, mask = (pad_sequence(own, batch_first=True) for own in (ids, [torch.ones_like(own) for own in ids]))
    return {"input_ids": padded, "attention_mask": mask, "labels": pad_sequence(labels, True, -100)}
