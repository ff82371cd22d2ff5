"""P4: Bradley–Terry for one epoch, against TRL's RewardTrainer on the same model, pairs and optimiser.

TRL is an extra: pip install 'minrm[bench]'. Without it this work says so and is left out.
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.measuring import NotInstalled, Work

from minrm import BradleyTerryRewardModel, train
from minrm.loading import installed
from minrm.world import FLAWLESS, generate, write
from minrm.world.policy import build_tokenizer, new_policy

SIZES = {"full": (4, 128, 2048), "quick": (2, 64, 64), "tiny": (1, 32, 8)}  # layers, width, pairs
BATCH, RATE = 32, 1e-3


def pairs(count: int) -> list[dict[str, str]]:
    """A right solution beside the same with another last number."""
    from random import Random

    rows = []
    for problem in generate(count, seed=3):
        right = write(problem, Random(0), FLAWLESS)[0]
        rows.append(
            {"prompt": problem.question, "chosen": right, "rejected": right[:-1] + str((int(right[-1]) + 1) % 10)}
        )
    return rows


def p4(size: str) -> Work:
    if not installed("trl"):
        raise NotInstalled("TRL is not installed (pip install 'minrm[bench]'), so it is not compared")
    layers, width, count = SIZES[size]
    base, tokenizer, rows = new_policy(build_tokenizer(), layers=layers, width=width), build_tokenizer(), pairs(count)

    def ours() -> float:
        model = BradleyTerryRewardModel.from_base(base, tokenizer=tokenizer)
        with tempfile.TemporaryDirectory() as folder:
            result = train(model, rows, folder, batch_size=BATCH, learning_rate=RATE, progress=False, log_steps=1)
        return result.history[0]["loss"]

    def theirs() -> float:
        from datasets import Dataset
        from trl import RewardConfig, RewardTrainer

        model = BradleyTerryRewardModel.from_base(base, tokenizer=tokenizer).model
        whole = [{side: f"{row['prompt']}\n{row[side]}" for side in ("chosen", "rejected")} for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            settings = RewardConfig(
                folder, per_device_train_batch_size=BATCH, learning_rate=RATE, num_train_epochs=1, report_to="none",
                lr_scheduler_type="cosine", warmup_steps=round(0.05 * count / BATCH), disable_tqdm=True, bf16=False,
                logging_steps=1, save_strategy="no", max_length=None, gradient_checkpointing=False, eos_token=None,
                dataloader_pin_memory=False,
            )  # fmt: skip
            trainer = RewardTrainer(model, settings, train_dataset=Dataset.from_list(whole), processing_class=tokenizer)
            trainer.train()
            (Path(folder) / "model").mkdir()
            trainer.save_model(str(Path(folder) / "model"))
        return next(line["loss"] for line in trainer.state.log_history if "loss" in line)

    def close(results: dict[str, Any]) -> None:
        """The first update's loss: of the same weights, but of other pairs, since the order differs."""
        assert abs(results["minrm"] - results["usual"]) < 0.3

    return Work(
        f"Bradley–Terry, one epoch of {count} pairs in batches of {BATCH} ({layers} layers of width {width})",
        {"usual": f"RewardTrainer of TRL {installed('trl')}"},
        {"minrm": ours, "usual": theirs},
        close,
    )
