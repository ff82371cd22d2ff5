"""Reward models that others have published, behind the same `score` as ours.

`load_published(name)` takes the stock backbone and the checkpoint's own head tensors; code that lies beside the weights
is never run. The records of `minrm.published.formats` say how question and steps become ids, where they are read, and what is
read there. In come questions and solutions; out come P(good) of each step, or a reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

from minrm import loading, reward_model
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel
from minrm.prm import AGGREGATES, ProcessRewardModel, aggregate_steps, head_is_plain, token_logits
from minrm.published.formats import MODELS, RECIPES, Encoded, Recipe, token_id
from minrm.reward_model import batches, read_out
from minrm.text import CORRECT, split_steps

T4_WEIGHTS = 13.0  # GB: of a T4's 16 PyTorch sees 15.8; the rest is for CUDA itself and the activations

_OURS: dict[Any, Any] = {
    AutoModelForTokenClassification: OutcomeRewardModel,
    AutoModelForCausalLM: ProcessRewardModel,
    AutoModelForSequenceClassification: BradleyTerryRewardModel,
}
Solution = str | Sequence[str]  # a text, or its steps


def load_published(
    name: str | Path, like: str | None = None, *, tokenizer: Any = None, device: Any = None, dtype: Any = None
) -> Any:
    """A published reward model by its hub name, or a folder. One's own checkpoints load as what they are.

    like: the family of `minrm.published.formats` by which a copy in a folder, or another model of the same layout, is read;
    without it a folder is taken for one's own. dtype: by default what the device computes best in. Returns a
    `PublishedProcessModel`, a `PublishedRewardModel`, or one of our three models. Raises InputError.
    """
    family = like or MODELS.get(str(name), ("",))[0]
    if like is not None and like not in RECIPES:
        raise InputError(f"no family {like!r}; the families are {', '.join(RECIPES)}")
    if not family:
        return _own(name, tokenizer=tokenizer, device=device, dtype=dtype)
    recipe = RECIPES[family]
    dtype = dtype or loading.compute_dtype(loading.pick_device(device))
    model, tokenizer = loading.load(recipe.loads, name, tokenizer=tokenizer, device=device, dtype=dtype)
    missing: Any = model.missing
    if missing:
        raise InputError(f"{name} is not read as {family}: it holds no {missing[0]}; give another like=")
    return (PublishedRewardModel if recipe.reward else PublishedProcessModel)(model, tokenizer, recipe)


def _own(path: str | Path, **options: Any) -> Any:
    """One of our three models, whichever the folder holds."""
    if not Path(path).is_dir():
        raise InputError(f"{path} is neither a folder nor among the published models: {', '.join(MODELS)}")
    complaints = []
    for auto_class, model in _OURS.items():
        try:
            loading.check_kind(auto_class, path, "a reward model")
        except InputError as error:
            complaints.append(error)
        else:
            return model.from_pretrained(path, **options)  # whatever is wrong now is wrong with this kind
    raise InputError(f"{complaints[0]}; a published model in a folder needs like=, one of {', '.join(RECIPES)}")


def sizes() -> list[dict[str, Any]]:
    """A row for each published model: name, family, parameters (billions), their GB in half precision, fits a T4.

    Computed: two bytes a parameter, which must leave a T4 room for the rest (`T4_WEIGHTS`). Nothing was run there.
    """
    return [
        {"model": name, "family": family, "billions": count, "GB": 2 * count, "fits a T4": 2 * count <= T4_WEIGHTS}
        for name, (family, count) in MODELS.items()
    ]


class Published(nn.Module):
    """What both kinds share: text to ids, and what is read at the positions. `.model` is the transformers module."""

    def __init__(self, model: Any, tokenizer: Any, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.tokenizer, self.recipe = model, tokenizer, recipe
        if recipe.signs:
            self.signs = [token_id(tokenizer, sign) for sign in "-+"]  # the class order of `text.py`
            self.head_is_plain = head_is_plain(model)
        else:
            self.head = (model.v_head["summary"] if hasattr(model, "v_head") else model.score).float()
            wanted = 1 if recipe.reward else 2
            if isinstance(self.head, nn.Linear) and not hasattr(model, "v_head") and self.head.out_features != wanted:
                raise InputError(f"the head has {self.head.out_features} labels, not {wanted}; give another like=")

    def tokenize(self, question: str, solution: Solution) -> Encoded:
        """Input ids and the positions that are read, one for each step. Raises InputError."""
        steps = split_steps(solution) if isinstance(solution, str) else list(solution)
        steps = [_joined(solution)] if self.recipe.reward else steps
        ids, positions = self.recipe.encode(self.tokenizer, question, steps)
        start = self.tokenizer.bos_token_id
        if start is not None and ids[:2] == [start, start]:
            twice = f"the text begins with {self.tokenizer.bos_token} twice"
            raise InputError(f"{twice}; of text, template and tokenizer only one may write it")
        if len(positions) != len(steps):
            raise InputError(f"{len(steps)} steps but {len(positions)} marks; take the mark out of the text")
        return ids, positions

    def forward(self, input_ids: Tensor, attention_mask: Tensor, at: Tensor) -> Tensor:
        """[B, T] ids, mask and positions (bool) → two logits or one number at each position, [S, 2] or [S, 1]."""
        if self.recipe.signs:
            signs = torch.tensor(self.signs, device=input_ids.device)
            return token_logits(self.model, self.head_is_plain, input_ids, attention_mask, at, signs)
        where = {"attention_mask": attention_mask, "position_ids": reward_model.positions(attention_mask)}
        states = self.model.base_model(input_ids, **where, use_cache=False).last_hidden_state[at]
        return self.head(states.float())

    def _read(
        self, questions: Sequence[str], solutions: Sequence[Solution], batch_tokens: int, progress: bool
    ) -> list[Tensor]:
        """The number read at each position, float64: a reward, or the log-odds that the step is good."""
        rows, masks = self._encode(questions, solutions)
        found = [torch.empty(0)] * len(rows)
        name = "scoring" if progress else ""
        with reward_model.evaluating(self):
            for batch, inputs in batches(rows, self.tokenizer, self.model, batch_tokens, name):
                at = reward_model.pad_as([masks[row] for row in batch], False, self.tokenizer)  # [B, T]
                logits = read_out(self(**inputs, at=at.to(self.model.device)), self.model)
                values = logits[:, CORRECT] - logits[:, 1 - CORRECT] if logits.shape[1] == 2 else logits[:, 0]  # [S]
                for row, part in zip(batch, values.split(at.sum(dim=1).tolist()), strict=True):
                    found[row] = part
        return found

    def _encode(self, questions: Sequence[str], solutions: Sequence[Solution]) -> tuple[list[list[int]], list[Tensor]]:
        """Ids of each row, and a mask that is true where it is read."""
        whole = solutions if isinstance(solutions, str) else [_joined(solution) for solution in solutions]
        reward_model.check_pairs(questions, whole)
        rows, masks = [], []
        for number, (question, solution) in enumerate(zip(questions, solutions, strict=True), start=1):
            try:
                ids, positions = self.tokenize(question, solution)
            except InputError as error:
                raise InputError(f"row {number}: {error}") from error
            rows.append(ids)
            masks.append(torch.zeros(len(ids), dtype=torch.bool).index_fill_(0, torch.tensor(positions), True))
        return rows, masks


class PublishedProcessModel(Published):
    """A published process reward model. A solution is a text, split as everywhere, or the list of its steps."""

    def step_scores(
        self,
        questions: Sequence[str],
        solutions: Sequence[Solution],
        *,
        batch_tokens: int = 16384,
        progress: bool = False,
    ) -> list[np.ndarray]:
        """P(good) of each step of each solution: float64 [steps], in the order given."""
        return [torch.sigmoid(odds).numpy() for odds in self._read(questions, solutions, batch_tokens, progress)]

    def score(
        self,
        questions: Sequence[str],
        solutions: Sequence[Solution],
        aggregate: str = "product",
        *,
        batch_tokens: int = 16384,
        progress: bool = False,
    ) -> np.ndarray:
        """One number a solution, float64 [N]: the product, min, last or mean of its steps."""
        if aggregate not in AGGREGATES:
            raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
        found = self._read(questions, solutions, batch_tokens, progress)
        return np.array([aggregate_steps(F.logsigmoid(odds).numpy(), aggregate) for odds in found])


class PublishedRewardModel(Published):
    """A published Bradley–Terry model: one raw reward for a response."""

    def score(
        self,
        prompts: Sequence[str],
        responses: Sequence[Solution],
        *,
        batch_tokens: int = 16384,
        progress: bool = False,
    ) -> np.ndarray:
        """The raw reward of each response: float64 [N], in the order given."""
        return np.array([float(reward) for reward in self._read(prompts, responses, batch_tokens, progress)])

    def preference(self, prompt: str, a: str, b: str) -> float:
        """P(a ≻ b): the logistic function of the difference of rewards."""
        reward_a, reward_b = torch.from_numpy(self.score([prompt, prompt], [a, b]))
        return float(torch.sigmoid(reward_a - reward_b))


def _joined(solution: Solution) -> str:
    return solution if isinstance(solution, str) else "\n".join(solution)
