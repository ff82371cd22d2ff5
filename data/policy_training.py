"""The policy's training from nothing, on texts of the class: the first unit of `make data`."""

from __future__ import annotations

from pathlib import Path

from transformers import LlamaForCausalLM

from minrm.loading import progress_bar
from minrm.using import fine_tune
from minrm.world.policy import build_tokenizer, corpus, new_policy


def train_policy(
    folder: str | Path, steps: int = 14000, batch_size: int = 32, seed: int = 0, layers: int = 4, save_steps: int = 1000
) -> LlamaForCausalLM:
    """A policy trained on `steps` batches of fresh texts, and saved in half precision with its tokenizer in `folder`.

    Questions carry no loss. A token of a short text counts for more (see `fine_tune`): the model gives bare answers
    more often than it read them. Called again with the same arguments, training goes on from its last checkpoint.
    """
    folder, tokenizer = Path(folder), build_tokenizer()
    count = steps * batch_size
    texts = progress_bar(count, "writing the corpus", " texts", shown=True, over=corpus(count, seed))
    model = new_policy(tokenizer, seed, layers)
    options = {"batch_size": batch_size, "learning_rate": 2e-3, "seed": seed, "save_steps": save_steps}
    fine_tune(
        model, tokenizer, texts, folder / "checkpoints", max_steps=steps, warmup_steps=min(100, steps // 10), **options
    )
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.float()
