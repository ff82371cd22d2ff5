"""Train any of the three reward models on `transformers.Trainer`.

The loss of an update is a sum over all supervised terms in it (tokens, steps or pairs), divided by their count over all
accumulated batches and all processes, so neither `accumulate` nor the number of processes changes the gradient.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch import Tensor

from minrm import loading
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.reward_model import length_limit
from minrm.training import lora as adapt
from minrm.training.card import write_card
from minrm.training.checkpoints import digest, finish_run, first_process, load_weights, start_run
from minrm.training.trainer import Collate, RewardTrainer, training_arguments

log = logging.getLogger("minrm")
POSITIVE = {"epochs", "batch_size", "accumulate", "max_length", "save_steps", "eval_steps", "log_steps"}
KEPT = ("step", "epoch", "loss", "learning_rate", "eval_loss", "eval_accuracy")
Row = dict[str, Any]


@dataclass
class TrainingResult:
    """history: dicts with step, epoch and loss, or eval_loss and eval_accuracy. dropped: rows that were not used."""

    output_dir: Path
    history: list[dict[str, float]]
    dropped: int


def train(
    model: Any, dataset: Iterable[Row], output_dir: str | Path, *, eval_dataset: Iterable[Row] | None = None,
    epochs: float = 1, batch_size: int = 32, learning_rate: float = 1e-4, accumulate: int = 1, seed: int = 0,
    resume: bool = True, supervised: Callable[[Tensor], Tensor] = every_token, max_length: int | None = None,
    lora: int = 0, gradient_checkpointing: bool = False, dtype: Any = None, save_steps: int | None = None,
    eval_steps: int | None = None, log_steps: int | None = None, progress: bool = True,
) -> TrainingResult:  # fmt: skip
    """The history of a run that trains `model` in place and saves it, with a model card, to `output_dir`.

    Calling `train` again resumes from the last checkpoint, or returns the finished run. Raises InputError for rows and
    settings that do not fit, and for a folder that holds anything else, before it writes.

    - dataset: rows of the model's schema: a list of dicts or a `datasets.Dataset`.
    - eval_dataset: rows on which loss and accuracy are measured every `eval_steps` updates (by default, every epoch).
    - epochs, batch_size: passes over the rows; rows in one forward pass on one device.
    - accumulate: forward passes in one update.
    - learning_rate: its peak, after a warm-up over 5 % of the updates, then a cosine down to 0. 1e-3 suits a model of a
      million parameters, 1e-5 one of billions.
    - seed: of the rows' order and the adapters.
    - resume: False removes the checkpoints of the folder's run and starts over.
    - supervised: which tokens an outcome reward model learns from.
    - max_length: in tokens, by default the model's own limit. A row that a cut would spoil is dropped and counted.
    - lora: rank of adapters (see `minrm.training.lora`); 0 trains all weights, in float32. A frozen half-precision base
      keeps its precision; the saved checkpoint is merged in float32 on the CPU.
    - gradient_checkpointing: computes activations again for the gradient: less memory for a third more time (with
      adapters, half as much again).
    - dtype: precision of the computation, by default bfloat16 on a GPU that has it, float16 on others, float32 on
      CPUs. "float32" helps where a base overflows in float16, and costs memory and several times the time.
    - save_steps, log_steps: updates between checkpoints (a tenth of the run, at least 50) and between noted training
      losses (a hundredth of the run).
    - progress: shows a bar.
    """
    folder, stock = Path(output_dir), model.model
    device, precision = stock.device, _precision(dtype, stock.device)
    collate = _collate(model, supervised)
    settings = _settings(
        model, supervised, epochs=epochs, batch_size=batch_size, accumulate=accumulate, learning_rate=learning_rate,
        seed=seed, max_length=max_length, lora=lora, dtype=dtype and str(precision).removeprefix("torch."),
    )  # fmt: skip
    steps = {"save_steps": save_steps, "eval_steps": eval_steps, "log_steps": log_steps}
    _check_options(stock, gradient_checkpointing, settings | steps)
    rows, dropped = _prepare(model, collate, dataset, max_length, "dataset")
    held_out: tuple[list[Row], int] = [], 0
    if eval_dataset is not None:
        held_out = _prepare(model, collate, eval_dataset, max_length, "eval_dataset")
    record = start_run(folder, settings | {"data": digest(rows)}, resume)
    if not lora or precision == torch.float32:
        model.float()  # small updates vanish in half precision; a frozen base may stay in it
    if record["finished"]:
        load_weights(model, folder)
        return TrainingResult(folder, record["history"], record["dropped"])

    base_dtype = stock.dtype
    with loading.quiet(), adapters_and_checkpointing(model, lora, seed, gradient_checkpointing) as adapters:
        arguments = training_arguments(folder, device, precision, settings, steps, len(rows), bool(held_out[0]))
        trainer = RewardTrainer(model, arguments, collate, rows, held_out[0], adapters, progress)
        trainer.run()
    trainer.adapters = None  # merged
    logged = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    history = [{key: entry[key] for key in KEPT if key in entry} for entry in logged]
    try:
        _check_learnt(model, history)
        trainer.save_model(str(folder))  # in every process: the Trainer may have to gather weights
    finally:
        if lora:
            adapt.restore(model, device, base_dtype)
    if first_process():
        shown = settings | {"dtype": str(precision).removeprefix("torch.")}
        write_card(folder, model, shown, history, (rows, dropped), held_out)
        finish_run(folder, record | {"history": history, "dropped": dropped})  # last: now a call returns at once
    trainer.accelerator.wait_for_everyone()
    return TrainingResult(folder, history, dropped)


def _settings(model: Any, supervised: Callable[[Tensor], Tensor], **options: Any) -> dict[str, Any]:
    """What tells one run from another, beside its rows. Weights do not: an interrupted run may go on from its own."""
    stock = model.model
    origin = getattr(stock, "origin", None) or {"base": stock.name_or_path or type(stock).__name__}
    size, name = sum(weight.numel() for weight in model.parameters()), type(model).__name__
    if isinstance(model, OutcomeRewardModel):
        options["supervised"] = getattr(supervised, "__qualname__", type(supervised).__name__)
    return {"model": name, "parameters": size, **origin, "processes": int(os.environ.get("WORLD_SIZE", 1)), **options}


def _check_options(stock: Any, checkpointing: bool, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name in POSITIVE and value is not None and not value > 0:
            raise InputError(f"{name} is {value}; it must be above 0")
    adapt.check(options["lora"])
    if checkpointing and not stock.supports_gradient_checkpointing:
        remedy = "train without gradient_checkpointing, in smaller batches"
        raise InputError(f"{type(stock).__name__} does not support gradient checkpointing; {remedy}")


def _precision(dtype: Any, device: torch.device) -> torch.dtype:
    precision = loading.as_dtype(dtype or loading.compute_dtype(device))
    if dtype and precision == torch.float16 and device.type == "cpu":
        raise InputError("dtype float16 needs a GPU, whose gradient scaler keeps it from underflow: take float32 here")
    return precision


def _collate(model: Any, supervised: Callable[[Tensor], Tensor]) -> Collate:
    """The model's `collate`; only an outcome reward model has a choice of supervised tokens."""
    if isinstance(model, OutcomeRewardModel):
        return partial(model.collate, supervised=supervised)
    if supervised is not every_token:
        raise InputError(f"supervised is for an outcome reward model; {type(model).__name__} has no such choice")
    return model.collate


def _prepare(model: Any, collate: Collate, dataset: Any, max_length: int | None, name: str) -> tuple[list[Row], int]:
    """Features of the rows that the model can use, each with its question, and how many rows were dropped.

    Raises InputError if nothing is left to learn from.
    """
    if isinstance(dataset, str | Path) or hasattr(dataset, "iloc"):
        raise InputError(f"{name} is a {type(dataset).__name__}; pass its rows: a list of dicts or a datasets.Dataset")
    rows, limit = list(dataset), max_length or length_limit(model.model)
    if not rows:
        raise InputError(f"{name} is empty; training needs at least one row")
    features = model.prepare(rows, limit, name)
    dropped = [str(number) for number, feature in enumerate(features, start=1) if feature is None]
    reason = f"longer than {limit} tokens, and spoilt if cut there, or without any label"
    if len(dropped) == len(rows):
        raise InputError(f"{name}: none of its {len(rows)} rows can be used ({reason}); check max_length and labels")
    if dropped and first_process():
        numbers = ", ".join(dropped[:8]) + (", …" if len(dropped) > 8 else "")
        log.warning("%s: dropped %d of %d rows, %s (rows %s)", name, len(dropped), len(rows), reason, numbers)
    pairs = [(row, feature) for row, feature in zip(rows, features, strict=True) if feature is not None]
    if not any(collate([feature])["count"] for _, feature in pairs):  # stops at the first row that has one
        raise InputError(f"{name}: supervised is false on every token; make it true on those to learn from")
    return [feature | {"question": row.get("question") or row["prompt"]} for row, feature in pairs], len(dropped)


def _check_learnt(model: Any, history: list[dict[str, float]]) -> None:
    """float16's scaler passes over updates that are not finite, to the end if need be: so the loss tells, too."""
    losses = [entry["loss"] for entry in history if "loss" in entry]
    if not (math.isfinite(losses[-1]) and all(weight.isfinite().all() for weight in model.parameters())):
        remedy = "where a GPU has no bfloat16, the base may overflow in float16: then train with dtype='float32'"
        what = f"the loss is {losses[-1]}" if not math.isfinite(losses[-1]) else "weights are not finite"
        raise InputError(f"{what}, nothing was learnt; lower the learning rate ({remedy})")


@contextmanager
def adapters_and_checkpointing(model: Any, rank: int, seed: int, checkpointing: bool) -> Iterator[Any]:
    """The model's adapters, or None: merged in the end, or taken off after an error. checkpointing: of activations."""
    stock = model.model  # transformers 5.23 has a new name for it
    new = hasattr(stock, "activation_checkpointing_enable")
    name = "activation_checkpointing" if new else "gradient_checkpointing"
    adapters = adapt.add_adapters(model, rank, seed) if rank else None
    try:
        if checkpointing:  # the other kind needs inputs with a gradient, which a frozen base lacks
            getattr(stock, f"{name}_enable")({"use_reentrant": False})
        yield adapters
    except BaseException:
        if rank:
            adapt.drop_adapters(model, adapters)
        raise
    else:
        if rank:
            adapt.merge(model, adapters)
    finally:
        if checkpointing:
            getattr(stock, f"{name}_disable")()
        extract_model_from_parallel(model, keep_fp32_wrapper=False)  # takes off autocast: scores as after a reload
        model.__dict__.pop("_is_accelerate_prepared", None)  # by which the next run would get no autocast
        model.eval()
