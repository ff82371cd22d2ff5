"""The policy's training from nothing, on texts of the class: the first unit of `make data`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from minrm.loading import progress_bar
from minrm.using.fine_tuning import as_rows, fine_tune
from minrm.world.classroom import CLASS, Habits
from minrm.world.policy import build_tokenizer, corpus, new_policy

LAPSES = replace(CLASS, turned=0.3, skip=0.07, twice=0.08)  # the class that the policy reads first


def train_policy(
    folder: str | Path, steps: int, start: str | Path | None = None, *, habits: Habits = CLASS,
    learning_rate: float = 2e-3, batch_size: int = 32, seed: int = 0, layers: int = 4, save_steps: int = 1000,
) -> LlamaForCausalLM:  # fmt: skip
    """A policy trained on `steps` batches of fresh texts, and saved in half precision with its tokenizer in `folder`.

    It starts from nothing, or from the policy of another folder. Questions carry no loss. Called again with the same
    arguments, training goes on from its last checkpoint.
    """
    folder, tokenizer, count = Path(folder), build_tokenizer(), steps * batch_size
    texts = progress_bar(count, "writing the corpus", " texts", shown=True, over=corpus(count, seed, habits))
    rows = _with_bare_answers_between(as_rows(tokenizer, texts))
    model = LlamaForCausalLM.from_pretrained(start, dtype="float32") if start else new_policy(tokenizer, seed, layers)
    options: dict[str, Any] = {"batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    options |= {"max_steps": steps, "warmup_steps": min(200, steps // 10), "save_steps": save_steps}
    fine_tune(model, tokenizer, rows, folder / "checkpoints", loss=loss_by_text, **options)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.rmtree(folder / "checkpoints")
    return model.float()


def loss_by_text(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
    """Cross-entropy in which a text of n tokens counts as √n tokens: bare answers have two, and n would drown them."""
    learnt = labels[:, 1:] != -100
    losses = cross_entropy(outputs.logits[:, :-1][learnt].float(), labels[:, 1:][learnt], reduction="none")
    counts = learnt.sum(dim=1)
    weights = counts.rsqrt().repeat_interleave(counts)
    return (losses * weights).sum() / weights.sum()


def _with_bare_answers_between(rows: Dataset) -> Dataset:
    """The rows, of which a bare answer counts as long as the text before it: a batch of bare answers alone is noise."""
    lengths: list[int] = []
    for length, prompt in zip(rows["length"], rows["prompt_length"], strict=True):
        lengths.append(lengths[-1] if lengths and length - prompt == 2 else length)
    return rows.remove_columns("length").add_column("length", lengths)
