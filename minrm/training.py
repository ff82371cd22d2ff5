"""Train any of the three reward models on `transformers.Trainer`, so that a run can be killed and taken up again.

In come a model and rows of its schema; out go the trained model, saved in one folder, and what was measured on the way.
The loss of an update is a sum over all that is supervised in it (tokens, steps or pairs), divided by their count over
all accumulated batches and all processes, so neither `accumulate` nor the number of processes changes the gradient.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from minrm import backbone
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel, every_token
from minrm.resume import ByLength, close_record, last_checkpoint, load_weights, open_record, patient_interrupt, seal

log = logging.getLogger("minrm")


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
    save_steps: int | None = None,
    eval_steps: int | None = None,
    log_steps: int | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train `model` in place on rows of its schema (a list of dicts or a `datasets.Dataset`) and save it to output_dir.

    batch_size: rows in one forward pass on one device; accumulate: passes before an update. learning_rate: its peak,
    after a warm-up over 5 % of the updates, then a cosine down to 0; 1e-3 suits a model of a million parameters, 1e-5
    one of billions. supervised: which tokens an outcome reward model learns from. max_length: in tokens, by default the
    model's own limit; a row that it would spoil is dropped and counted. Weights are float32; a GPU computes in bfloat16
    if it has it, else in float16.

    Every save_steps updates (a tenth of the run, at least 50) the state is saved. The same call takes an interrupted
    run up where it was saved last, and returns at once after a finished one; resume=False clears the folder's state
    and starts over. Every eval_steps updates (an epoch) loss and accuracy are measured on eval_dataset; every log_steps
    (a hundredth of the run) the training loss is noted. Raises InputError for rows or settings that do not fit;
    Ctrl-C stops after the update at hand with its state saved.
    """
    output_dir = Path(output_dir)
    collate = _collator(model, supervised)
    rows, dropped = _prepare(model, dataset, max_length, "dataset")
    eval_rows = _prepare(model, eval_dataset, max_length, "eval_dataset")[0] if eval_dataset is not None else None
    settings = {
        "model": type(model).__name__, "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": epochs, "batch_size": batch_size, "accumulate": accumulate, "learning_rate": learning_rate,
        "processes": int(os.environ.get("WORLD_SIZE", 1)), "seed": seed, "max_length": max_length,
        "supervised": getattr(supervised, "__qualname__", str(supervised)),
    }  # fmt: skip
    model.float()  # master weights: small updates vanish in half precision
    if finished := open_record(output_dir, settings, rows, resume):
        load_weights(model, output_dir)
        return TrainingResult(output_dir, finished["history"], finished["dropped"])

    updates_per_epoch = -(-len(rows) // (batch_size * accumulate * settings["processes"]))
    updates = max(1, round(epochs * updates_per_epoch))
    steps = {
        "warmup_steps": round(0.05 * updates),
        "save_steps": save_steps or max(50, updates // 10),
        "logging_steps": log_steps or max(1, updates // 100),
        "eval_steps": eval_steps or min(updates_per_epoch, updates),
        "eval_strategy": "steps" if eval_rows else "no",
    }
    with backbone.quiet():
        arguments = _arguments(model.model.device, str(output_dir), settings, steps)
        trainer = _Trainer(model, arguments, data_collator=collate, train_dataset=rows, eval_dataset=eval_rows)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(watch := _Watch(progress))
        trainer.accelerator.wait_for_everyone()  # until the first process has opened the folder
        with patient_interrupt(lambda: setattr(watch, "stopped", True)):
            trainer.train(resume_from_checkpoint=last_checkpoint(output_dir))
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # takes off autocast: scores as after a reload
    model.eval()
    state = trainer.state
    if watch.stopped and state.global_step < state.max_steps:
        done = f"stopped after update {state.global_step} of {state.max_steps}, saved in {output_dir}"
        raise KeyboardInterrupt(f"{done}; the same call of train goes on from there")
    logged = [entry for entry in state.log_history if "loss" in entry or "eval_loss" in entry]
    history = [{key: entry[key] for key in _KEPT if key in entry} for entry in logged]
    if state.is_world_process_zero:
        model.save_pretrained(output_dir)
        close_record(output_dir, history=history, dropped=dropped)
    trainer.accelerator.wait_for_everyone()
    return TrainingResult(output_dir, history, dropped)


_KEPT = ("step", "epoch", "loss", "learning_rate", "eval_loss", "eval_accuracy")


def _arguments(device: torch.device, folder: str, settings: dict[str, Any], steps: dict[str, Any]) -> TrainingArguments:
    precision = backbone.compute_dtype(device)
    arguments = TrainingArguments(
        output_dir=folder, num_train_epochs=settings["epochs"], learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch_size"], gradient_accumulation_steps=settings["accumulate"],
        lr_scheduler_type="cosine", seed=settings["seed"], save_total_limit=2, **steps,
        bf16=precision == torch.bfloat16, fp16=precision == torch.float16, use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda", ddp_find_unused_parameters=False, remove_unused_columns=False,
        report_to="none", disable_tqdm=True, log_level="error", logging_nan_inf_filter=False,
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs work as processes (torchrun), not as threads of one
    return arguments


class _Trainer(Trainer):
    """Trainer with our loss, our count, an order of batches that a resumed run repeats, and stock checkpoints."""

    model: Any  # a reward model
    train_dataset: Any
    eval_dataset: Any
    loss_is_scaled_for_ga = True  # by our count, over the whole accumulated batch

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # older releases ask this instead

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: Any = None) -> tuple[list, Any]:
        """The batches of one update, and how many terms their losses sum, over all processes."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        count = torch.tensor(float(sum(batch["count"] for batch in batches)), device=self.args.device)
        return batches, self.accelerator.reduce(count, "sum").clamp(min=1)

    def compute_loss(self, model: Any, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = 1) -> Any:
        outputs = model(**inputs["inputs"])
        loss = self.model.loss_sum(outputs, inputs["targets"]) / num_items_in_batch
        return loss * self.accelerator.num_processes  # gradients are averaged over processes; ours is a sum

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss per term and accuracy over eval_dataset, each row once, whatever the number of processes."""
        rows, size = sorted(self.eval_dataset, key=_length), self.args.train_batch_size
        here, processes = self.args.process_index, self.args.world_size
        sums = torch.zeros(4, device=self.args.device)  # loss, terms, hits, judged
        with backbone.evaluating(self.model):
            for start in range(here * size, len(rows), processes * size):
                batch: Any = self._prepare_inputs(self.data_collator(rows[start : start + size]))
                outputs = self.model(**batch["inputs"])
                hits = self.model.hits(outputs, batch["targets"])
                loss = self.model.loss_sum(outputs, batch["targets"])
                sums += torch.tensor([loss, batch["count"], hits.sum(), hits.numel()], device=sums.device)
        loss, terms, hits, judged = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {"eval_loss": loss / max(terms, 1), "eval_accuracy": hits / max(judged, 1)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        lengths = [_length(row) for row in self.train_dataset]
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return ByLength(lengths, group, self.args.seed, epoch=lambda: int(self.state.epoch or 0))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save:
            self.model.save_pretrained(output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, resume_from_checkpoint)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            seal(Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}")


class _Watch(TrainerCallback):
    """The progress bar, and the end of a run after Ctrl-C."""

    stopped = False

    def __init__(self, progress: bool) -> None:
        self.progress = progress
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        shown = self.progress and state.is_world_process_zero
        self.bar = backbone.progress_bar(state.max_steps, "training", " updates", shown, start=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        self.shown |= {k: f"{v:.3f}" for k, v in (logs or {}).items() if k in ("loss", "eval_loss", "eval_accuracy")}
        self.bar.set_postfix(self.shown, refresh=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update()
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()


def _collator(model: Any, supervised: Callable[[Tensor], Tensor]) -> Callable[[list], dict[str, Any]]:
    if isinstance(model, OutcomeRewardModel):
        return partial(model.collate, supervised=supervised)
    if supervised is not every_token:
        raise InputError(f"supervised is for an outcome reward model; {type(model).__name__} has no such choice")
    return model.collate


def _prepare(model: Any, dataset: Any, max_length: int | None, name: str) -> tuple[list[dict[str, Any]], int]:
    """Rows as tensors, and how many were dropped."""
    if isinstance(dataset, str | Path):
        raise InputError(f"{name} is the name {str(dataset)!r}; wanted its rows: a list of dicts or a datasets.Dataset")
    limit = max_length or getattr(model.model.config, "max_position_embeddings", None)
    rows = model.prepare(dataset, limit, name)
    dropped = [number for number, row in enumerate(rows, start=1) if row is None]
    reason = f"longer than {limit} tokens, and spoilt if cut there, or without any label"
    if len(dropped) == len(rows):
        raise InputError(f"{name}: none of its {len(rows)} rows can be used ({reason}); check max_length and labels")
    if dropped:
        numbers = ", ".join(map(str, dropped[:8])) + (", …" if len(dropped) > 8 else "")
        log.warning("%s: dropped %d of %d rows, %s (rows %s)", name, len(dropped), len(rows), reason, numbers)
    return [row for row in rows if row is not None], len(dropped)


def _length(row: dict[str, Any]) -> int:
    """Tokens of the longest text in a prepared row (a pair has two)."""
    return max(len(value) for value in row.values() if isinstance(value, Tensor))
