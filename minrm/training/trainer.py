"""Our `transformers.Trainer`: the loss of an update is a sum over all that is supervised in it, divided by their count.

`training.py` gives it a model and prepared rows. It counts over all accumulated batches and all processes, repeats the
order of a run that is taken up again, and writes stock checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from minrm import loading, reward_model
from minrm.training import lora
from minrm.training.checkpoints import ByLength, load_weights, seal

Collate = Callable[[list], dict[str, Any]]


def training_arguments(
    device: torch.device, precision: torch.dtype, folder: str, settings: dict[str, Any], steps: dict[str, Any]
) -> TrainingArguments:
    """What `transformers` is told: what to compute in, one process a GPU, nothing printed or reported."""
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


def with_gaps(collate: Collate, stand_in: dict[str, Any]) -> Collate:
    """Let a batch have rows that are None, even all of them: then it is of a stand-in row, with a count of 0.

    Several processes work in step, so each needs a batch where one of them has one: at the end of an epoch there may be
    too few rows. (Accelerate would repeat rows from its start, which then count twice.)
    """

    def collated(rows: list) -> dict[str, Any]:
        there = [row for row in rows if row is not None]
        return collate(there) if there else collate([stand_in]) | {"count": 0}

    return collated


class RewardTrainer(Trainer):
    """Trainer with our loss, our count, an order of batches that a resumed run repeats, and our checkpoints.

    model: a reward model. collate, rows, eval_rows: as it collates and prepares them. adapters: what `lora.attach` put
    into it; checkpoints then hold these alone.
    """

    model: Any
    train_dataset: Any
    eval_dataset: Any
    loss_is_scaled_for_ga = True  # by our count, over the whole accumulated batch

    def __init__(
        self, model: Any, args: TrainingArguments, collate: Collate, rows: list, eval_rows: list, adapters: Any = None
    ) -> None:
        gaps = -len(rows) % (args.per_device_train_batch_size * args.world_size) if args.world_size > 1 else 0
        padded: Any = rows + [None] * gaps
        collator: Any = with_gaps(collate, rows[0])
        model.tie_weights = model.model.tie_weights  # by this name accelerate ties shared weights again under FSDP
        super().__init__(model, args, data_collator=collator, train_dataset=padded, eval_dataset=eval_rows)  # type: ignore[arg-type]
        self.adapters = adapters
        self.model_accepts_loss_kwargs = True  # older releases ask this instead

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: Any = None) -> tuple[list, Any]:
        """The batches of one update, and how many terms their losses sum, over all processes."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        count = torch.tensor(float(sum(batch["count"] for batch in batches)), device=self.args.device)
        return batches, self.accelerator.reduce(count, "sum").clamp(min=1)

    def compute_loss(self, model: Any, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = 1) -> Any:
        outputs = model(**inputs["inputs"])
        loss = self.model.loss_sum(outputs, inputs["targets"]) / num_items_in_batch
        loss = loss * (inputs["count"] > 0)  # a stand-in for rows that are not there teaches nothing
        return loss * self.accelerator.num_processes  # gradients are averaged over processes; ours is a sum

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss per term and accuracy over eval_dataset, each row once, whatever the number of processes."""
        rows, size = sorted(self.eval_dataset, key=_length), self.args.train_batch_size
        here, processes = self.args.process_index, self.args.world_size
        sums = torch.zeros(4, device=self.args.device)  # loss, terms, hits, judged
        with reward_model.evaluating(self.model):
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
        lengths = [_length(row) for row in self.train_dataset if row is not None]
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return ByLength(
            lengths, group, self.args.seed, epoch=lambda: int(self.state.epoch or 0), size=len(self.train_dataset)
        )

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """state_dict: of the reward model, where sharded weights (FSDP) have been gathered for it."""
        if self.args.should_save and self.adapters is not None:
            lora.save(self.adapters, str(output_dir))
        elif self.args.should_save:
            weights = {name.removeprefix("model."): w for name, w in state_dict.items()} if state_dict else None
            loading.save(self.model.model, self.model.tokenizer, str(output_dir), weights)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        elif self.adapters is not None:
            lora.load(self.adapters, resume_from_checkpoint)
        else:
            load_weights(self.model, resume_from_checkpoint)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            seal(Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}")


class Watch(TrainerCallback):
    """The progress bar, and the end of a run after Ctrl-C."""

    stopped = False

    def __init__(self, progress: bool) -> None:
        self.progress = progress
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        shown = self.progress and state.is_world_process_zero
        self.bar = loading.progress_bar(state.max_steps, "training", " updates", shown, start=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        self.shown |= {k: f"{v:.3f}" for k, v in (logs or {}).items() if k in ("loss", "eval_loss", "eval_accuracy")}
        self.bar.set_postfix(self.shown, refresh=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update()
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()


def _length(row: dict[str, Any]) -> int:
    """Tokens of the longest text in a prepared row (a pair has two)."""
    return max(len(value) for value in row.values() if isinstance(value, Tensor))
