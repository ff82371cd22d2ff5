"""Reward models that others have published, behind the `score` of ours.

The stock backbone takes the checkpoint's tensors and its head; code that lies beside the weights is never run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minrm import loading, reward_model
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel, logits_are_linear, token_logits
from minrm.published.formats import FORMATS, MODELS, Encoded, Format, token_id
from minrm.reward_model import RewardModel
from minrm.text import CORRECT, split_steps

T4_WEIGHTS = 13.0  # GB: of a T4's 16 PyTorch sees 15.8; the rest is for CUDA itself and the activations


def load_published(
    name: str | Path, like: str | None = None, *, tokenizer: Any = None, device: Any = None, dtype: Any = None
) -> Any:
    """A reward model by name: one published on the hub, a folder in a published layout, or a checkpoint of ours.

    like: the family of `minrm.published.formats` by which a folder, or another hub name, is read. dtype: by default
    what the device computes best in. Returns a `PublishedProcessModel`, a `PublishedRewardModel` or one of our kinds.
    """
    if like is not None and like not in FORMATS:
        raise InputError(f"no family {like!r}; the families are {', '.join(FORMATS)}")
    family = like or MODELS.get(str(name), ("",))[0]
    dtype = dtype or loading.compute_dtype(loading.pick_device(device))
    if not family:
        return our_kind(name).from_pretrained(name, tokenizer=tokenizer, device=device, dtype=dtype)
    form = FORMATS[family]
    try:
        model, tokenizer = loading.load(form.loads, name, tokenizer=tokenizer, device=device, dtype=dtype)
    except InputError as error:
        raise InputError(f"{error}; read as {family}: give another like= if it is of another family") from error
    return (PublishedRewardModel if form.reward else PublishedProcessModel)(model, tokenizer, form)


def our_kind(name: str | Path) -> type[RewardModel]:
    """The class of a checkpoint of ours, by its config. Raises InputError for another model."""
    complaints: list[InputError] = []
    for kind in (OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel):
        config = None
        try:
            config = loading.check_kind(kind.auto_class, name, "a reward model")
            kind.check_config(name, config)
        except InputError as error:
            complaints.insert(len(complaints) if config is None else 0, error)  # of the right class, it says more
            if error.__cause__:  # nothing there, or not within reach
                break
        else:
            return kind
    remedy = f"another copy of a published model (see minrm.published.sizes()) needs like=, one of {', '.join(FORMATS)}"
    remedy += ", as load_published takes it in Python"
    raise InputError(f"{complaints[0]}; {remedy}")


def sizes() -> list[dict[str, Any]]:
    """A row for each published model: name, family, billions of parameters, GB at two bytes each, whether a T4 has room
    (`T4_WEIGHTS`). All is computed; nothing was run on a T4."""
    return [
        {"model": name, "family": family, "billions": count, "GB": 2 * count, "fits a T4": 2 * count <= T4_WEIGHTS}
        for name, (family, count) in MODELS.items()
    ]


class Published(nn.Module):
    """What both published kinds share: ids, and the numbers read at positions. `.model` is the transformers module."""

    def __init__(self, model: Any, tokenizer: Any, form: Format) -> None:
        super().__init__()
        self.model, self.tokenizer, self.format = model, tokenizer, form
        if form.label_tokens:
            self.label_ids = [token_id(tokenizer, sign) for sign in "-+"]  # the class order of `text.py`
            self.logits_are_linear = logits_are_linear(model)
            return
        value = hasattr(model, "v_head")
        self.head = (model.v_head["summary"] if value else model.score).float()
        labels, expected = getattr(self.head, "out_features", 2), 1 if form.reward or value else 2
        if labels != expected:
            raise InputError(f"the head has {labels} labels, not {expected}; give another like=")

    def tokenize(self, question: str, solution: str | Sequence[str]) -> Encoded:
        """Input ids and the positions that are read, one for each step. Raises InputError."""
        steps = split_steps(solution) if isinstance(solution, str) else list(solution)
        if self.format.reward:
            steps = [solution if isinstance(solution, str) else "\n".join(solution)]
        ids, positions = self.format.encode(self.tokenizer, question, steps)
        start = self.tokenizer.bos_token_id
        if start is not None and ids[:2] == [start, start]:
            remedy = "of text, template and tokenizer only one may write it"
            raise InputError(f"the text begins with {self.tokenizer.bos_token} twice; {remedy}")
        if len(positions) != len(steps):
            raise InputError(f"{len(steps)} steps but {len(positions)} marks; take the mark out of the text")
        return ids, positions

    def forward(self, input_ids: Tensor, attention_mask: Tensor, at: Tensor) -> Tensor:
        """[B, T] ids, mask and positions (bool) → two logits or one number at each position, [S, 2] or [S, 1]."""
        if self.format.label_tokens:
            tokens = torch.tensor(self.label_ids, device=input_ids.device)
            return token_logits(self.model, self.logits_are_linear, input_ids, attention_mask, at, tokens)
        context = {"attention_mask": attention_mask, "position_ids": reward_model.positions(attention_mask)}
        states = self.model.base_model(input_ids, **context, use_cache=False).last_hidden_state[at]
        return self.head(states.float())

    def _read(
        self,
        questions: Sequence[str],
        solutions: Sequence[Any],
        batch_tokens: int | None = None,
        progress: bool = False,
    ) -> list[Tensor]:
        """The numbers read at the positions of each row, float64: rewards, or log-odds that the step is good."""

        def read(questions: list[str], solutions: list[Any], numbers: list[int]) -> list[Tensor]:
            rows = []
            for question, solution, number in zip(questions, solutions, numbers, strict=True):
                try:
                    rows.append(self.tokenize(question, solution))
                except InputError as error:
                    raise InputError(f"row {number}: {error}") from error
            ids, name = [ids for ids, _ in rows], "scoring" if progress else ""
            masks = [torch.zeros(len(ids), dtype=torch.bool).index_fill(0, torch.tensor(at), True) for ids, at in rows]
            values = [torch.empty(0)] * len(rows)
            with reward_model.evaluating(self):
                for batch, inputs in reward_model.batches(ids, self.tokenizer, self.model, batch_tokens, name, numbers):
                    at = reward_model.pad_as([masks[row] for row in batch], False, self.tokenizer)
                    logits = reward_model.finite_float64(self(**inputs, at=at.to(self.model.device)), self.model)
                    odds = logits[:, CORRECT] - logits[:, 1 - CORRECT] if logits.shape[1] == 2 else logits[:, 0]
                    for row, part in zip(batch, odds.split(at.sum(dim=1).tolist()), strict=True):
                        values[row] = part
            return values

        return reward_model.score_once(questions, solutions, read, torch.empty(0))


class PublishedProcessModel(Published):
    """A published process reward model. A solution is a text, split as everywhere, or the list of its steps."""

    score = ProcessRewardModel.score

    def step_scores(self, questions: Sequence[str], solutions: Sequence[Any], **options: Any) -> list[np.ndarray]:
        """P(good) of each step of each solution: float64 [steps]; options as in `ProcessRewardModel.step_scores`."""
        return [torch.sigmoid(odds).numpy() for odds in self._read(questions, solutions, **options)]


class PublishedRewardModel(Published):
    """A published Bradley–Terry model: one raw reward for a response."""

    preference = BradleyTerryRewardModel.preference

    def score(self, prompts: Sequence[str], responses: Sequence[Any], **options: Any) -> np.ndarray:
        """The raw reward of each response: float64 [N], in the order given; an empty one has the worst, -inf."""
        rewards = self._read(prompts, responses, **options)
        return np.array([float(reward) if len(reward) else -np.inf for reward in rewards])
