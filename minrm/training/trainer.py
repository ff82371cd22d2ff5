"""Our `transformers.Trainer`: the loss of an update is a sum over all supervised terms in it, divided by their count.

The count goes over all accumulated batches and all processes, so neither changes the gradient. The order of the rows
depends on seed and epoch alone, so that a resumed run repeats it; checkpoints are stock models or adapters.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from minrm import loading, reward_model
from minrm.errors import InputError
from minrm.files.weights import check_weights
from minrm.training import checkpoints
from minrm.training.lora import without_warnings

Row = dict[str, Any]
Collate = Callable[[list], Row]
BASE = "base.txt"  # beside the adapters of a checkpoint: the digest of the base that they belong to


def training_arguments(
    folder: Path, device: torch.device, precision: torch.dtype, settings: Row, steps: Row, rows: int, evaluates: bool
) -> TrainingArguments:
    """The Trainer's arguments. steps: updates between saves, evaluations and logs; None for what suits the run."""
    updates_per_epoch = -(-rows // (settings["batch_size"] * settings["accumulate"] * settings["processes"]))
    updates = max(1, round(settings["epochs"] * updates_per_epoch))
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=settings["epochs"], learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch_size"], gradient_accumulation_steps=settings["accumulate"],
        lr_scheduler_type="cosine", warmup_steps=round(0.05 * updates), seed=settings["seed"],
        save_steps=steps["save_steps"] or max(50, updates // 10), eval_strategy="steps" if evaluates else "no",
        eval_steps=steps["eval_steps"] or min(updates_per_epoch, updates),
        logging_steps=min(steps["log_steps"] or max(1, updates // 100), updates),  # one loss at least, to be checked
        bf16=precision == torch.bfloat16, fp16=precision == torch.float16, use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda", ddp_find_unused_parameters=False, remove_unused_columns=False,
        report_to="none", disable_tqdm=True, log_level="error", logging_nan_inf_filter=False,
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs work as processes (accelerate launch), not as threads
    return arguments


class RewardTrainer(Trainer):
    """Trainer with our loss, our count, our order of rows and our checkpoints."""

    model: Any
    eval_dataset: Any
    loss_is_scaled_for_ga = True  # by our count, over the whole accumulated batch

    def __init__(
        self, model: Any, args: TrainingArguments, collate: Collate, rows: list, eval_rows: list, adapters: Any = None,
        progress: bool = False,
    ) -> None:  # fmt: skip
        gaps = -len(rows) % (args.per_device_train_batch_size * args.world_size) if args.world_size > 1 else 0
        options: dict[str, Any] = {"train_dataset": rows + [None] * gaps, "eval_dataset": eval_rows}
        super().__init__(model, args, data_collator=with_gaps(collate, rows[0]), **options)
        self.rows, self.adapters = rows, adapters
        self.model_accepts_loss_kwargs = True  # older releases ask this instead
        self.remove_callback(PrinterCallback)
        if progress:
            self.add_callback(Bar())

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: Any = None) -> tuple[list, Any]:
        """The batches of one update, and how many terms their losses sum, over all processes."""
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        count = torch.tensor(float(sum(batch["count"] for batch in batches)), device=self.args.device)
        return batches, self.accelerator.reduce(count, "sum").clamp(min=1)

    def compute_loss(self, model: Any, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = 1) -> Any:
        """This batch's share of the update's loss: its sum, divided by the count of the update."""
        loss = self.model.loss_sum(model(**inputs["inputs"]), inputs["targets"]) / num_items_in_batch
        loss = loss * (inputs["count"] > 0)  # a dummy row teaches nothing
        return loss * self.accelerator.num_processes  # gradients are averaged over processes; ours is a sum

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss per term and accuracy over eval_dataset, each row once, whatever the number of processes."""
        rows, size = sorted(self.eval_dataset, key=_length), self.args.train_batch_size
        sums = torch.zeros(4, device=self.args.device)  # loss, terms, correct, judged
        with reward_model.evaluating(self.model):
            for start in range(self.args.process_index * size, len(rows), self.args.world_size * size):
                batch: Any = self._prepare_inputs(self.data_collator(rows[start : start + size]))  # type: ignore[arg-type]
                outputs = self.model(**batch["inputs"])
                correct = self.model.is_correct(outputs, batch["targets"])
                loss = self.model.loss_sum(outputs, batch["targets"])
                sums += torch.tensor([loss, batch["count"], correct.sum(), correct.numel()], device=sums.device)
        loss, terms, correct, judged = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {"eval_loss": loss / max(terms, 1), "eval_accuracy": correct / max(judged, 1)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        group = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        size = len(self.train_dataset)  # type: ignore[arg-type]
        return ByLength(list(map(_length, self.rows)), group, self.args.seed, lambda: int(self.state.epoch or 0), size)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.args.should_save and self.adapters is not None:
            with without_warnings():
                self.adapters.save_pretrained(output_dir, save_embedding_layers=False)  # but of the row that is trained
            Path(str(output_dir), BASE).write_text(self._base_digest())
        elif self.args.should_save:  # state_dict: weights that the Trainer itself gathered from several processes
            weights = {name.removeprefix("model."): w for name, w in state_dict.items()} if state_dict else None
            loading.save(self.model.model, self.model.tokenizer, str(output_dir), weights)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.adapters is None:
            load_weights(self.model, resume_from_checkpoint)
        else:
            from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

            if Path(resume_from_checkpoint, BASE).read_text() != self._base_digest():
                remedy = "start from that base, or remove the folder to start over (in Python: resume=False)"
                raise InputError(f"{resume_from_checkpoint}: its adapters belong to another base; {remedy}")
            with without_warnings():
                weights = load_peft_weights(resume_from_checkpoint, device="cpu")
                own = get_peft_model_state_dict(self.adapters, save_embedding_layers=False)
                if differing := sorted(own.keys() ^ weights.keys()):
                    names = f"{', '.join(differing[:3])} and others, {len(differing)} in all"
                    raise InputError(
                        f"{resume_from_checkpoint}: adapter weights are missing or left over ({names}); remove it"
                    )
                set_peft_model_state_dict(self.adapters, weights)

    def _base_digest(self) -> str:
        """A digest of a sample of each frozen weight: trained a little further, nearly every number is another one."""
        frozen = [weight.detach().flatten() for weight in self.adapters.parameters() if not weight.requires_grad]
        return checkpoints.digest(
            [{"w": weight[:: max(1, len(weight) // 256)].float().cpu()} for weight in frozen if len(weight)]
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoint = Path(str(self.args.output_dir), f"checkpoint-{self.state.global_step}")
        before = checkpoints.files(checkpoint)
        self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # each process writes its random state
        if self.args.should_save:  # the Trainer's own limit would remove any folder whose name begins with checkpoint-
            checkpoints.mark(checkpoint, before)
            checkpoints.remove_checkpoints(self.args.output_dir, keep=2)


class Bar(ProgressCallback):
    """The Trainer's progress bar, with the last loss beside it in place of a line for each."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        if self.training_bar is not None:
            self.training_bar.set_postfix({k: f"{v:.3f}" for k, v in (logs or {}).items() if "loss" in k})


class ByLength(Sampler[int]):
    """Row numbers of an epoch: shuffled, grouped so that an update sees rows of like length, groups in random order.

    group: rows in an update; epoch: the one that begins; size: of the data set with the gaps, which come last. The
    stock sampler's order draws from a global state that resuming lacks.
    """

    def __init__(self, lengths: list[int], group: int, seed: int, epoch: Callable[[], int], size: int = 0) -> None:
        self.lengths, self.group, self.seed, self.epoch = lengths, group, seed, epoch
        self.size = max(size, len(lengths))

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.epoch())
        rows = torch.randperm(len(self.lengths), generator=generator).tolist()
        for start in range(0, len(rows), 50 * self.group):
            window = slice(start, start + 50 * self.group)
            rows[window] = sorted(rows[window], key=self.lengths.__getitem__)
        groups = [rows[start : start + self.group] for start in range(0, len(rows), self.group)]
        last = groups.pop() if len(groups[-1]) < self.group else []  # in the middle it would shift the others
        for index in torch.randperm(len(groups), generator=generator).tolist():
            yield from groups[index]
        yield from [*last, *range(len(self.lengths), self.size)]


def with_gaps(collate: Collate, dummy: Row) -> Collate:
    """`collate` without the rows that are None; where none is left, so that processes keep step, a dummy's batch."""

    def collated(batch: list) -> Row:
        rows = [row for row in batch if row is not None]
        return collate(rows) if rows else collate([dummy]) | {"count": 0}

    return collated


def load_weights(model: Any, folder: str | Path) -> None:
    """Put the saved weights of a checkpoint into a reward model, in the precision that it has."""
    with loading.quiet():
        saved, report = loading.read(type(model.model), folder, dtype=torch.float32)
    check_weights(saved, report, str(folder))
    model.model.load_state_dict(saved.state_dict())


def _length(row: Row) -> int:
    """Tokens of the longest text in a prepared row (a pair has two)."""
    return max(len(value) for value in row.values() if isinstance(value, Tensor))
