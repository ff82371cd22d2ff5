"""Train any of the three reward models on `transformers.Trainer`, so that a run can be killed and taken up again.

In come a model and rows of its schema; out go the trained model, saved in one folder, and what was measured on the way.
The loss of an update is a sum over all that is supervised in it (tokens, steps or pairs), divided by their count over
all accumulated batches and all processes, so neither `accumulate` nor the number of processes changes the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch import Tensor
from transformers.trainer_callback import PrinterCallback

from minrm import loading
from minrm.errors import InputError
from minrm.orm import every_token
from minrm.training import lora as adapt
from minrm.training.card import write_card
from minrm.training.checkpoints import (
    close_record,
    last_checkpoint,
    load_weights,
    open_record,
    patient_interrupt,
    run_settings,
)
from minrm.training.rows import Prepared, check_supervision, collator, prepared
from minrm.training.trainer import RewardTrainer, Watch, training_arguments


@dataclass
class TrainingResult:
    """history: dicts with step, epoch and loss, or eval_loss and eval_accuracy. dropped: rows that were not used."""

    output_dir: Path
    history: list[dict[str, float]]
    dropped: int


def train(
    model: Any,
    dataset: Iterable[dict[str, Any]],
    output_dir: str | Path,
    *,
    eval_dataset: Iterable[dict[str, Any]] | None = None,
    epochs: float = 1,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    accumulate: int = 1,
    seed: int = 0,
    resume: bool = True,
    supervised: Callable[[Tensor], Tensor] = every_token,
    max_length: int | None = None,
    lora: int = 0,
    gradient_checkpointing: bool = False,
    dtype: Any = None,
    save_steps: int | None = None,
    eval_steps: int | None = None,
    log_steps: int | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train `model` in place on rows of its schema (a list of dicts or a `datasets.Dataset`) and save it to output_dir.

    batch_size: rows in one forward pass on one device; accumulate: passes before an update. learning_rate: its peak,
    after a warm-up over 5 % of the updates, then a cosine down to 0; 1e-3 suits a model of a million parameters, 1e-5
    one of billions. supervised: which tokens an outcome reward model learns from. max_length: in tokens, by default the
    model's own limit; a row that it would spoil is dropped and counted. Weights are float32. dtype: what is computed
    in, by default bfloat16 on a GPU that has it, float16 on others, float32 on a CPU; "float32" helps where a base
    overflows in float16, and costs memory and several times the time.

    lora: the rank of adapters (see `minrm.training.lora`), 0 to train all weights; a frozen base in half precision stays so
    while a GPU trains, and afterwards in `model`; for the folder all is merged in float32, on the CPU.
    gradient_checkpointing: keep no activations inside a layer and compute them again for the gradient, which saves
    memory and costs a third more time, with adapters half as much again.

    Every save_steps updates (a tenth of the run, at least 50) the state is saved. The same call takes an interrupted
    run up where it was saved last, and returns at once after a finished one; resume=False clears the folder's state
    and starts over. Every eval_steps updates (an epoch) loss and accuracy are measured on eval_dataset; every log_steps
    (a hundredth of the run) the training loss is noted. Raises InputError for rows or settings that do not fit;
    Ctrl-C stops after the update at hand with its state saved. The folder also gets a model card (`cards.py`).
    """
    output_dir = Path(output_dir)
    collate = collator(model, supervised)
    adapt.check(lora)
    device = model.model.device
    precision = _precision(dtype, device)
    settings = run_settings(
        model, supervised, epochs=epochs, batch_size=batch_size, accumulate=accumulate, learning_rate=learning_rate,
        seed=seed, max_length=max_length, lora=lora, dtype=dtype and str(precision).removeprefix("torch."),
    )  # fmt: skip
    rows, dropped, _ = used = prepared(model, dataset, max_length, "dataset")
    nothing = Prepared([], 0, [])
    held_out = nothing if eval_dataset is None else prepared(model, eval_dataset, max_length, "eval_dataset")
    eval_rows = held_out.rows
    check_supervision(collate, rows, eval_rows, batch_size)
    finished = open_record(output_dir, settings, rows, resume)
    if not lora or precision == torch.float32:
        model.float()  # master weights: small updates vanish in half precision; a frozen base may be in it
    kept_in = model.model.dtype
    if finished:
        load_weights(model, output_dir)
        return TrainingResult(output_dir, finished["history"], finished["dropped"])

    steps = _steps(settings, len(rows), save_steps, eval_steps, log_steps)
    steps["eval_strategy"] = "steps" if eval_rows else "no"
    with loading.quiet(), _prepared(model, lora, seed, gradient_checkpointing) as adapters:
        arguments = training_arguments(device, precision, str(output_dir), settings, steps)
        trainer = RewardTrainer(model, arguments, collate, rows, eval_rows, adapters)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(watch := Watch(progress))
        trainer.accelerator.wait_for_everyone()  # until the first process has opened the folder
        with patient_interrupt(lambda: setattr(watch, "stopped", True)):
            trainer.train(resume_from_checkpoint=last_checkpoint(output_dir))
        state = trainer.state
        if watch.stopped and state.global_step < state.max_steps:
            done = f"stopped after update {state.global_step} of {state.max_steps}, saved in {output_dir}"
            raise KeyboardInterrupt(f"{done}; the same call of train goes on from there")
    trainer.adapters = None  # merged
    logged = [entry for entry in state.log_history if "loss" in entry or "eval_loss" in entry]
    history = [{key: entry[key] for key in _KEPT if key in entry} for entry in logged]
    try:
        _check_learnt(history)
        trainer.save_model(str(output_dir))  # every process: where weights are sharded, each gives its part
    finally:
        if lora:
            adapt.give_back(model, device, kept_in)
    if state.is_world_process_zero:
        write_card(output_dir, model, settings, history, used, held_out)
        close_record(output_dir, history=history, dropped=dropped)  # last: after it the same call returns at once
    trainer.accelerator.wait_for_everyone()
    return TrainingResult(output_dir, history, dropped)


def _precision(asked_for: Any, device: torch.device) -> torch.dtype:
    precision = loading.as_dtype(asked_for or loading.compute_dtype(device))
    if asked_for and precision == torch.float16 and device.type == "cpu":
        raise InputError("dtype float16 needs a GPU, whose gradient scaler keeps it from underflow: take float32 here")
    return precision


def _check_learnt(history: list[dict[str, float]]) -> None:
    losses = [entry["loss"] for entry in history if "loss" in entry]
    if losses and not math.isfinite(losses[-1]):  # float16's scaler passes over such updates, to the end if need be
        remedy = "where a GPU has no bfloat16, the base may overflow in float16: then train with dtype='float32'"
        raise InputError(f"the loss is {losses[-1]}, nothing was learnt; lower the learning rate ({remedy})")


def _steps(settings: dict, rows: int, save: int | None, evaluate: int | None, note: int | None) -> dict[str, Any]:
    """When to do what, counted in updates, in the words of transformers."""
    updates_per_epoch = -(-rows // (settings["batch_size"] * settings["accumulate"] * settings["processes"]))
    updates = max(1, round(settings["epochs"] * updates_per_epoch))
    return {
        "warmup_steps": round(0.05 * updates),
        "save_steps": save or max(50, updates // 10),
        "logging_steps": note or max(1, updates // 100),
        "eval_steps": evaluate or min(updates_per_epoch, updates),
    }


_KEPT = ("step", "epoch", "loss", "learning_rate", "eval_loss", "eval_accuracy")


@contextmanager
def _prepared(model: Any, rank: int, seed: int, gradient_checkpointing: bool) -> Iterator[Any]:
    """Ready the model for the optimizer; gives its adapters, or None. They are merged in the end, or taken off."""
    stock = model.model
    adapters = adapt.attach(model, rank, seed) if rank else None
    try:
        with _checkpointing(stock) if gradient_checkpointing else nullcontext():
            yield adapters
    except BaseException:
        if rank:
            adapt.remove(model, adapters)
        raise
    else:
        if rank:
            adapt.merge(model, adapters)
    finally:
        extract_model_from_parallel(model, keep_fp32_wrapper=False)  # takes off autocast: scores as after a reload
        model.__dict__.pop("_is_accelerate_prepared", None)  # by which the next run would get no autocast
        model.eval()


@contextmanager
def _checkpointing(stock: Any) -> Iterator[None]:
    """Compute activations again for the gradient, under the name that this transformers has for it."""
    enable = getattr(stock, "activation_checkpointing_enable", None) or stock.gradient_checkpointing_enable
    disable = getattr(stock, "activation_checkpointing_disable", None) or stock.gradient_checkpointing_disable
    try:
        enable({"use_reentrant": False})  # the other kind needs inputs with a gradient, which a frozen base lacks
    except ValueError as error:
        remedy = "train without gradient_checkpointing, in smaller batches"
        raise InputError(f"{type(stock).__name__} does not support gradient checkpointing; {remedy}") from error
    try:
        yield
    finally:
        disable()
