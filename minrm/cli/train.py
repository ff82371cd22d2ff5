"""`minrm train`: the reward model that fits the rows, trained from a language model."""

import os
from pathlib import Path
from typing import Annotated

import typer

from minrm.cli.inputs import checked, find_model, new_model, schema_of


def train(
    rows: Annotated[Path, typer.Argument(help="Outcome rows train an ORM, process rows a PRM, pairs a Bradley-Terry.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    schema: Annotated[str | None, typer.Option(help="Needed if rows fit several: outcome, process or pair.")] = None,
    base: Annotated[str, typer.Option(help="The language model to start from: a folder or hub name.")] = "policy",
    evaluation: Annotated[Path | None, typer.Option("--eval", help="Held-out rows to measure on.")] = None,
    epochs: Annotated[float, typer.Option(help="Passes over the rows.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Rows in one forward pass.")] = 32,
    accumulate: Annotated[int, typer.Option(help="Forward passes in one update.")] = 1,
    learning_rate: Annotated[float | None, typer.Option(help="[default: policy 1e-3, else 1e-4]")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens: longer rows are dropped, longer pairs cut.")] = None,
    lora: Annotated[int, typer.Option(help="Rank of adapters (16, say) beside a frozen base; 0: train all.")] = 0,
    dtype: Annotated[str | None, typer.Option(help="float32 if a GPU overflows.  [default: the device's best]")] = None,
    gradient_checkpointing: Annotated[bool, typer.Option("--gradient-checkpointing", help="Saves memory.")] = False,
    save_steps: Annotated[int | None, typer.Option(help="Updates between checkpoints.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Train the reward model that fits the rows. Stopped (Ctrl-C) and called again, it goes on from its last save.

    \b
      minrm train outcome.jsonl -o orm --epochs 2
      minrm train process.jsonl -o prm --base Qwen/Qwen2.5-0.5B --learning-rate 1e-5
      minrm train process.jsonl -o prm --base Qwen/Qwen2.5-1.5B --lora 16 --gradient-checkpointing
      accelerate launch --num_processes 2 -m minrm.cli train process.jsonl -o prm
    """
    from minrm import loading
    from minrm.training import train as run

    dataset = list(checked(rows, schema))
    kind = schema_of(dataset[0] if dataset else {}, rows, schema)
    eval_dataset = list(checked(evaluation, kind)) if evaluation else None
    frozen = {"dtype": dtype or loading.compute_dtype(loading.pick_device(None))} if lora else {}
    model = new_model(kind, base, seed=seed, **frozen)
    if learning_rate is None:  # the shipped policy of a million parameters learns at a higher rate
        learning_rate = 1e-4 if find_model(base) == base else 1e-3
    result = run(
        model, dataset, out, eval_dataset=eval_dataset, epochs=epochs, batch_size=batch_size, accumulate=accumulate,
        learning_rate=learning_rate, lora=lora, dtype=dtype, max_length=max_length,
        gradient_checkpointing=gradient_checkpointing, save_steps=save_steps, seed=seed, progress=progress,
    )  # fmt: skip
    if os.environ.get("RANK", "0") == "0":  # of several processes, the first reports
        last = {name: value for entry in result.history for name, value in entry.items()}
        losses = ", ".join(f"{name} {value:.3f}" for name, value in last.items() if "loss" in name or "acc" in name)
        used = f"{len(dataset) - result.dropped} rows ({result.dropped} dropped)"
        print(f"{out}: {type(model).__name__} of {used}: {losses}")
