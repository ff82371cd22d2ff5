"""Train any of the three reward models: check, prepare, resume or start, save, describe."""

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
from accelerate import PartialState
from accelerate.utils import extract_model_from_parallel
from torch import Tensor

from minrm import loading
from minrm.errors import ABOVE_ZERO, InputError, check_numbers
from minrm.files.runs import name_of
from minrm.inference.batches import length_limit
from minrm.orm import OutcomeRewardModel, every_token
from minrm.training import checkpoints
from minrm.training import lora as adapt
from minrm.training.card import write_card
from minrm.training.checkpoints import first_process
from minrm.training.trainer import Collate, RewardTrainer, load_weights, training_arguments

log = logging.getLogger("minrm")
COUNTS = ("batch_size", "accumulate", "max_length", "save_steps", "eval_steps", "log_steps")
Row = dict[str, Any]


@dataclass
class TrainingResult:
    """The record of a run. history: dicts of step, epoch, and loss or eval_loss and eval_accuracy. dropped: a count."""

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
    """The result of a run that trains `model` in place and saves it, with a model card, to `output_dir`.

    Calling `train` again resumes from the last checkpoint, or returns the finished run. Raises InputError
    before anything is written if rows, settings or the folder do not fit, and after training if the loss overflows.

    - dataset: rows of the model's schema: a list of dicts or a `datasets.Dataset`.
    - eval_dataset: rows on which loss and accuracy are measured every `eval_steps` updates (by default, every epoch).
    - batch_size: rows in one forward pass on one device. accumulate: forward passes in one update.
    - learning_rate: the peak, after 5 % of the updates, of a cosine; 1e-3 suits a million parameters, 1e-5 billions.
    - resume: False removes the checkpoints of the folder's run and starts over.
    - supervised: which tokens an outcome reward model learns from.
    - max_length: in tokens, by default the model's own limit. A row that a cut would spoil is dropped and counted.
    - lora: rank of adapters (see `minrm.training.lora`), merged in the end; 0 trains all weights, in float32.
    - gradient_checkpointing: computes activations again: less memory for a third (with adapters, a half) more time.
    - dtype: of the computation, by default the device's best; "float32" helps where a base overflows in float16.
    - save_steps, log_steps: updates between checkpoints and between noted losses; by default a tenth of the run (at
      least 50) and a hundredth.
    """
    folder, device = Path(output_dir), model.model.device
    if not str(output_dir).strip():
        raise InputError("output_dir is empty; name the folder to write")
    precision = loading.as_dtype(dtype or loading.compute_dtype(device))
    name = str(precision).removeprefix("torch.")
    settings = _settings(
        model, supervised, epochs=epochs, batch_size=batch_size, accumulate=accumulate, learning_rate=learning_rate,
        seed=seed, max_length=max_length, lora=lora, dtype=dtype and name,
    )  # fmt: skip
    steps = {"save_steps": save_steps, "eval_steps": eval_steps, "log_steps": log_steps}
    _check(settings | steps, device)
    if gradient_checkpointing and not model.model.supports_gradient_checkpointing:
        raise InputError(f"{type(model.model).__name__} has no gradient checkpointing; train in smaller batches")
    collate = partial(model.collate, supervised=supervised) if "supervised" in settings else model.collate
    rows, dropped = _prepare(model, collate, dataset, max_length, "dataset")
    held_out = ([], 0) if eval_dataset is None else _prepare(model, collate, eval_dataset, max_length, "eval_dataset")
    with checkpoints.held(folder):
        record = checkpoints.start_run(folder, settings | {"data": checkpoints.digest(rows)}, resume)
        if not lora or precision == torch.float32:
            model.float()  # small updates vanish in half precision; a frozen base may stay in it
        if not record.get("finished"):
            arguments = training_arguments(folder, device, precision, settings, steps, len(rows), bool(held_out[0]))
            given = (model, arguments, collate, rows, held_out[0])
            history = _run(given, record, lora, gradient_checkpointing, progress)
            record |= {"finished": True, "history": history, "dropped": dropped}
            if first_process():
                write_card(folder, model, settings | {"dtype": name}, history, (rows, dropped), held_out)
                checkpoints.write_record(folder, record)  # last
            PartialState().wait_for_everyone()
        else:
            load_weights(model, folder)
        if first_process():
            checkpoints.finish(folder)
    return TrainingResult(folder, record["history"], record["dropped"])


def _run(
    given: tuple[Any, Any, Collate, list, list], record: Row, lora: int, checkpointing: bool, progress: bool
) -> list[dict[str, float]]:
    """The history of a run that trains from the last checkpoint, or the start, and saves the model.

    given: what the trainer takes first, the model, its arguments, the collate function and the rows.
    """
    model, arguments = given[:2]
    folder, device, base_dtype = Path(arguments.output_dir), model.model.device, model.model.dtype
    with loading.quiet(), _training(model, lora, arguments.seed, checkpointing) as adapters:
        trainer = RewardTrainer(*given, adapters, progress)
        trainer.accelerator.wait_for_everyone()  # until the first process has opened the folder
        trainer.train(resume_from_checkpoint=checkpoints.last_checkpoint(folder))
        try:
            history = _history(model, trainer)
        except InputError:  # also after the same call again; other settings may do better
            if first_process():
                checkpoints.write_record(folder, record | {"failed": True})
            raise
    trainer.adapters = None  # merged
    trainer.save_model(str(folder))
    if lora:  # back to the device and precision of its base
        for weight in model.parameters():  # not the buffers: the frequencies of rotary positions stay float32
            weight.data = weight.data.to(base_dtype)
        model.to(device)
    trainer.accelerator.wait_for_everyone()
    return history


def _settings(model: Any, supervised: Callable[[Tensor], Tensor], **options: Any) -> Row:
    """What tells one run from another, beside its rows. Weights do not: an interrupted run may go on from its own."""
    stock = model.model
    origin = getattr(stock, "origin", None) or {"base": stock.name_or_path or type(stock).__name__}
    origin = origin | {"base": name_of(origin["base"])}
    size, name = sum(weight.numel() for weight in model.parameters()), type(model).__name__
    if isinstance(model, OutcomeRewardModel):
        options["supervised"] = getattr(supervised, "__qualname__", type(supervised).__name__)
    elif supervised is not every_token:
        raise InputError(f"supervised is for an outcome reward model; leave it out for {name}")
    return {"model": name, "parameters": size, **origin, "processes": int(os.environ.get("WORLD_SIZE", 1)), **options}


def _check(options: Row, device: torch.device) -> None:
    check_numbers(1, **{name: options[name] for name in COUNTS})
    check_numbers(ABOVE_ZERO, whole=False, epochs=options["epochs"], learning_rate=options["learning_rate"])
    check_numbers(0, seed=options["seed"])
    if options["seed"] >= 2**32:
        raise InputError(f"seed is {options['seed']}; it must be below {2**32}")
    adapt.check(options["lora"])
    if options["dtype"] == "float16" and device.type == "cpu":  # which accelerate would pass over
        raise InputError("dtype float16 needs a GPU, whose gradient scaler keeps it from underflow: take float32 here")


def _prepare(model: Any, collate: Collate, dataset: Any, max_length: int | None, name: str) -> tuple[list[Row], int]:
    """Features of the rows that the model can use, each with its question, and how many rows were dropped."""
    if isinstance(dataset, str | Path) or hasattr(dataset, "iloc"):
        raise InputError(f"{name} is a {type(dataset).__name__}; pass its rows: a list of dicts or a datasets.Dataset")
    rows, limit = list(dataset), max_length or length_limit(model.model)
    pairs = zip(rows, model.prepare(rows, limit, name), strict=True)
    used = [made | {"question": row.get("question") or row["prompt"]} for row, made in pairs if made is not None]
    dropped = len(rows) - len(used)
    reason = f"longer than {limit} tokens, and spoilt if cut there, or without any label"
    if not any(collate([row])["count"] for row in used):  # stops at the first row that has a term
        raise InputError(f"{name}: none of its {len(rows)} rows can be used ({reason}, or without a supervised token)")
    if dropped and first_process():
        log.warning("%s: dropped %d of %d rows, %s", name, dropped, len(rows), reason)
    return used, dropped


@contextmanager
def _training(model: Any, rank: int, seed: int, checkpointing: bool) -> Iterator[Any]:
    """The model's adapters, or None: merged in the end, or taken off after an error. checkpointing: of activations."""
    stock, name = model.model, "gradient_checkpointing"
    if hasattr(stock, "activation_checkpointing_enable"):  # from transformers 5.23 on
        name = "activation_checkpointing"
    adapters, trained = adapt.add_adapters(model, rank, seed) if rank else None, False
    try:
        if checkpointing:  # the other kind needs inputs with a gradient, which a frozen base lacks
            getattr(stock, f"{name}_enable")({"use_reentrant": False})
        yield adapters
        trained = True
    finally:
        if checkpointing:
            getattr(stock, f"{name}_disable")()
        extract_model_from_parallel(model, keep_fp32_wrapper=False)  # takes off autocast: scores as after a reload
        model.__dict__.pop("_is_accelerate_prepared", None)  # by which the next run would get no autocast
        model.eval()
        if rank:
            adapt.take_off(model, adapters, merge=trained)


def _history(model: Any, trainer: RewardTrainer) -> list[dict[str, float]]:
    """The losses and measures of a run. Raises InputError if the loss (float16 skips updates) or weights overflow."""
    logged = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    loss = [entry["loss"] for entry in logged if "loss" in entry][-1]
    if not (math.isfinite(loss) and all(weight.isfinite().all() for weight in model.parameters())):
        remedy = "where a GPU has no bfloat16, the base may overflow in float16: then train with --dtype float32"
        raise InputError(f"loss {loss} or weights not finite, nothing was learnt; lower the learning rate ({remedy})")
    kept = ("step", "epoch", "loss", "learning_rate", "eval_loss", "eval_accuracy")
    return [{key: entry[key] for key in kept if key in entry} for entry in logged]
