"""The Bradley–Terry reward model: one number for a response, learnt from which of two people preferred.

A language model with a scalar head on the last token, trained so that the difference of two rewards is the log-odds of
the preference (Bradley & Terry 1952; Ouyang et al. 2022). In come *pair* rows; out comes a raw reward, which means
something only against another reward for the same prompt.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from minrm import reward_model
from minrm.errors import InputError, check_numbers
from minrm.reward_model import RewardModel, Texts, finite_float64
from minrm.rows import Row, check_rows


def bradley_terry_loss(
    chosen: Tensor, rejected: Tensor, margin: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood that `chosen` beats `rejected` (Bradley & Terry 1952; Ouyang et al. 2022, eq. 1).

    chosen, rejected: rewards [B], any float dtype. margin: [B], how far apart they should be (Touvron et al. 2023).
    reduction: "mean" over pairs or "sum". Returns a scalar of at least float32. Raises ValueError.
    """
    if chosen.shape != rejected.shape or (margin is not None and margin.shape != chosen.shape):
        shapes = [tuple(x.shape) for x in (chosen, rejected, margin) if x is not None]
        raise ValueError(f"chosen, rejected (and margin) must pair up one to one, not {', '.join(map(str, shapes))}")
    if reduction == "mean" and len(chosen) == 0:
        raise ValueError("no pair is given, so there is no mean")
    dtype = torch.promote_types(chosen.dtype, torch.float32)  # half precision underflows in the tail
    gap = chosen.to(dtype) - rejected.to(dtype)
    if margin is not None:
        gap = gap - margin
    losses = -F.logsigmoid(gap)
    return {"mean": losses.mean, "sum": losses.sum}[reduction]()


class BradleyTerryRewardModel(RewardModel):
    """A stock sequence classifier with one label, the reward."""

    kind, auto_class = "a Bradley–Terry reward model", AutoModelForSequenceClassification
    head: ClassVar = {  # problem_type: or vLLM returns a sigmoid of the reward
        "num_labels": 1, "classifier_dropout": 0.0, "problem_type": "regression"
    }  # fmt: skip

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        if not hasattr(model, "score"):
            raise InputError(f"{type(model).__name__} has no head named score, which is read here; take another base")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] ids and mask → rewards [B], read at the last real token.

        The stock module finds that token by the pad id. We find it by the mask, which stays right where a text itself
        holds the pad token; where it does not, both read the same token.
        """
        context = {"attention_mask": attention_mask, "position_ids": reward_model.positions(attention_mask)}
        states = self.model.base_model(input_ids, **context, use_cache=False)
        rows = torch.arange(len(input_ids), device=input_ids.device)
        return self.model.score(states.last_hidden_state[rows, reward_model.last_token(attention_mask)]).squeeze(-1)

    def score(
        self, prompts: Texts, responses: Texts, *, batch_tokens: int | None = None, progress: bool = False
    ) -> np.ndarray:
        """The raw reward of each response: float64 [N], in the order given; -inf for an empty one."""

        def read(inputs: dict[str, Tensor]) -> np.ndarray:
            return finite_float64(self(**inputs), self.model).numpy()

        return np.array(self.score_each(prompts, responses, read, -np.inf, batch_tokens, progress), dtype=np.float64)

    def preference(self, prompt: str, a: str, b: str) -> float:
        """P(a ≻ b): the probability that `a` is preferred, the logistic function of reward(a) - reward(b)."""
        reward_a, reward_b = torch.from_numpy(self.score([prompt, prompt], [a, b]))
        return float(torch.sigmoid(reward_a - reward_b))

    def prepare(self, rows: Iterable[Row], max_length: int | None = None, where: str = "dataset") -> list[Row | None]:
        """Features of *pair* rows, cut after max_length tokens; None for a row whose responses are then equal."""
        check_numbers(1, max_length=max_length)
        rows = list(check_rows(rows, "pair", where))
        sides = [
            [ids[:max_length] for ids, _ in self.encode([row["prompt"] for row in rows], texts)]
            for texts in ([row["chosen"] for row in rows], [row["rejected"] for row in rows])
        ]
        return [
            {"chosen": torch.tensor(chosen), "rejected": torch.tensor(rejected)} if chosen != rejected else None
            for chosen, rejected in zip(*sides, strict=True)
        ]

    def collate(self, rows: list[dict[str, Tensor]]) -> dict[str, Any]:
        """Features as one padded batch [2B, T], for one forward pass: first all chosen, then all rejected."""
        texts = [row["chosen"] for row in rows] + [row["rejected"] for row in rows]
        return {"inputs": reward_model.pad(texts, self.tokenizer), "targets": {}, "count": len(rows)}

    def loss_sum(self, rewards: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The sum of the losses of all pairs of a batch; rewards [2B] as `collate` orders them."""
        chosen, rejected = rewards.chunk(2)
        return bradley_terry_loss(chosen, rejected, reduction="sum")

    def is_correct(self, rewards: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """[B] bool: is the chosen response rewarded more?"""
        chosen, rejected = rewards.chunk(2)
        return chosen > rejected
