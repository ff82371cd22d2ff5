"""The outcome reward model (ORM): will this solution be right? The model answers at every token of the solution.

A language model with a two-class head on each token, trained with one label for a whole solution: whether its final
answer is right (Cobbe et al. 2021; Lightman et al. 2023, appendix E). In come *outcome* rows; out comes P(correct),
read at the last token. A checkpoint is a stock `AutoModelForTokenClassification` with two labels.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForTokenClassification

from minrm import reward_model
from minrm.errors import InputError, check_numbers
from minrm.reward_model import RewardModel, Texts, batches, finite_float64
from minrm.rows import Row, check_rows
from minrm.text import CORRECT, INCORRECT


def every_token(solution_mask: Tensor) -> Tensor:
    """Every token of the solution: [B, T] bool, true on the solution → [B, T] bool, true where the loss looks.

    The question is left out: no solution exists yet at its tokens, so the label would only teach how hard it is.
    """
    return solution_mask.clone()


def orm_loss(logits: Tensor, labels: Tensor, supervised: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy between each supervised token and its solution's label (after Cobbe et al. 2021, appendix E).

    Their language-modelling term is left out; cross-entropy is our choice.

    logits: [B, T, 2], any float dtype. labels: [B], 1 where the final answer is right. supervised: [B, T] bool.
    reduction: "mean" over all supervised tokens of the batch, or "sum". The mean over tokens gives a solution weight in
    proportion to its length; a mean per solution first would weigh solutions alike, and the tokens of long ones less.
    Returns a scalar of at least float32. Raises ValueError for shapes or labels that do not fit, or no supervision.
    """
    if logits.shape != (*supervised.shape, 2) or labels.shape != supervised.shape[:1] or supervised.dtype != torch.bool:
        shapes = f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)}, supervised {tuple(supervised.shape)}"
        raise ValueError(f"{shapes} {supervised.dtype}; expected [B, T, 2], [B] and [B, T] bool")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"labels of {labels.min()} to {labels.max()}; expected 0 (incorrect) or 1 (correct)")
    targets = labels.long()[:, None].expand_as(supervised)[supervised]  # [tokens]
    if reduction == "mean" and len(targets) == 0:
        raise ValueError("no token is supervised, so there is no mean")
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return F.cross_entropy(logits[supervised].to(dtype), targets, reduction=reduction)


class OutcomeRewardModel(RewardModel):
    """A stock token classifier with two labels, incorrect and correct."""

    kind, auto_class = "an outcome reward model", AutoModelForTokenClassification
    head: ClassVar = {
        "id2label": {INCORRECT: "incorrect", CORRECT: "correct"},
        "label2id": {"incorrect": INCORRECT, "correct": CORRECT},
        "classifier_dropout": 0.0,
    }

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] ids and mask → logits [B, T, 2]."""
        positions = reward_model.positions(attention_mask)
        return self.model(input_ids, attention_mask=attention_mask, position_ids=positions, use_cache=False).logits

    def score(
        self, questions: Texts, solutions: Texts, *, batch_tokens: int | None = None, progress: bool = False
    ) -> np.ndarray:
        """P(correct) of each solution, read at its final token: float64 [N], in the order given; 0 for an empty one."""

        def read(inputs: dict[str, Tensor]) -> np.ndarray:
            last = reward_model.last_token(inputs["attention_mask"])
            logits = self(**inputs)[torch.arange(len(last)), last]  # [B, T, 2] → [B, 2]
            return _probability(logits, self.model)

        return np.array(self.score_each(questions, solutions, read, 0.0, batch_tokens, progress), dtype=np.float64)

    def token_scores(self, question: str, solution: str) -> np.ndarray:
        """P(correct) as it stands after each token of the solution: float64 [solution tokens]."""
        ids, mask = self.tokenize(question, solution)
        ((_, inputs),) = batches([ids], self.tokenizer, self.model, budget=len(ids))
        with reward_model.evaluating(self):
            return _probability(self(**inputs)[0], self.model)[mask]

    def prepare(self, rows: Iterable[Row], max_length: int | None = None, where: str = "dataset") -> list[Row | None]:
        """Features of *outcome* rows; None for a row longer than max_length (cut short, it has no final token)."""
        check_numbers(1, max_length=max_length)
        rows = list(check_rows(rows, "outcome", where))
        pairs = self.encode([row["question"] for row in rows], [row["solution"] for row in rows])
        features: list[Row] = [
            {"input_ids": torch.tensor(ids), "solution_mask": torch.tensor(mask), "label": int(row["correct"])}
            for (ids, mask), row in zip(pairs, rows, strict=True)
        ]
        return [row if len(row["input_ids"]) <= (max_length or np.inf) else None for row in features]

    def collate(self, rows: list[Row], supervised: Callable[[Tensor], Tensor] = every_token) -> dict[str, Any]:
        """Features as one padded batch; count: the supervised tokens. InputError if `supervised` gives no mask."""
        inputs = reward_model.pad([row["input_ids"] for row in rows], self.tokenizer)
        solution_mask = reward_model.pad_as([row["solution_mask"] for row in rows], False, self.tokenizer)
        mask = supervised(solution_mask)
        if getattr(mask, "shape", None) != solution_mask.shape or mask.dtype != torch.bool:
            result = f"{tuple(mask.shape)} {mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
            expected = f"a tensor {tuple(solution_mask.shape)} torch.bool, like the mask it is given"
            raise InputError(f"supervised returns {result}; it should return {expected}")
        labels = torch.tensor([row["label"] for row in rows])
        targets = {"labels": labels, "supervised": mask, "last": reward_model.last_token(inputs["attention_mask"])}
        return {"inputs": inputs, "targets": targets, "count": int(mask.sum())}

    def loss_sum(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The sum of the losses of all supervised tokens of a batch."""
        return orm_loss(logits, targets["labels"], targets["supervised"], reduction="sum")

    def is_correct(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """[B] bool: does the prediction at the final token agree with the label?"""
        final = logits[torch.arange(len(logits), device=logits.device), targets["last"]]
        return final.argmax(dim=-1) == targets["labels"]


def _probability(logits: Tensor, model: Any) -> np.ndarray:
    return finite_float64(logits, model).softmax(dim=-1)[..., CORRECT].numpy()
