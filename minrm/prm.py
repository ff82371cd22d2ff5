"""The process reward model (PRM): is this step good? Answered at the end of every step, in the model's own words.

A causal language model is taught to continue each step, ended by a special token, with `+` or `-`, after Lightman
et al. 2023 (section 2.6; they predict three labels and add no token) and Wang et al. 2023 (Math-Shepherd). In come
*process* rows; out comes P(+) at each step. A checkpoint is a stock `AutoModelForCausalLM`, with the step token in its
tokenizer and what scoring needs in its config.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import AddedToken
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from minrm import loading, reward_model
from minrm.errors import InputError
from minrm.reward_model import batches, read_out
from minrm.rows import check_rows
from minrm.text import CORRECT, STEP_TOKEN, join_steps, split_steps, with_step_tokens

AGGREGATES = ("product", "min", "last", "mean")


def prm_loss(step_logits: Tensor, step_labels: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy between each step and its label, which may be soft (Wang et al. 2023, eq. 2).

    step_logits: [S, 2] of `-` and `+`, any float dtype. step_labels: [S] in [0, 1], the probability that the step is
    good. reduction: "mean" over steps or "sum". Returns a scalar of at least float32. Raises ValueError on wrong shapes
    or labels.
    """
    if step_logits.shape != (*step_labels.shape, 2) or step_labels.ndim != 1:
        shapes = f"step_logits {tuple(step_logits.shape)} and step_labels {tuple(step_labels.shape)}"
        raise ValueError(f"{shapes}; wanted [S, 2] and [S]")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}; it can be 'mean' or 'sum'")
    if not ((step_labels >= 0) & (step_labels <= 1)).all():
        raise ValueError(f"step_labels go from {step_labels.min()} to {step_labels.max()}; wanted 0 (bad) to 1 (good)")
    if reduction == "mean" and len(step_labels) == 0:
        raise ValueError("no step is labelled, so there is no mean")
    dtype = torch.promote_types(step_logits.dtype, torch.float32)
    good = step_labels.to(dtype)
    log_p = F.log_softmax(step_logits.to(dtype), dim=-1)
    losses = -(good * log_p[:, CORRECT] + (1 - good) * log_p[:, 1 - CORRECT])
    return losses.mean() if reduction == "mean" else losses.sum()


class ProcessRewardModel(nn.Module):
    """A stock causal language model that knows the step token, and its tokenizer. `.model` is the stock module."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        self.step_id, self.plus_id, self.minus_id = label_ids(tokenizer)
        self.head_is_plain = head_is_plain(model)

    @classmethod
    def from_base(
        cls, base: Any, *, tokenizer: Any = None, device: Any = None, dtype: Any = torch.float32, seed: int = 0
    ) -> ProcessRewardModel:
        """A causal language model (folder, hub name, or built model with its tokenizer) that learns the step token.

        The model keeps its own output head, so `seed` matters only for a base that has none.
        """
        options = {"tokenizer": tokenizer, "device": device, "dtype": dtype, "seed": seed}
        model, tokenizer = loading.load(AutoModelForCausalLM, base, **options)
        add_step_token(model, tokenizer)
        self = cls(model, tokenizer)
        ids = {"step_id": self.step_id, "plus_id": self.plus_id, "minus_id": self.minus_id}
        model.config.minrm = {"kind": "prm", "step_token": STEP_TOKEN, "template": join_steps(["{text}"]), **ids}
        return self

    @classmethod
    def from_pretrained(
        cls, path: Any, *, tokenizer: Any = None, device: Any = None, dtype: Any = None
    ) -> ProcessRewardModel:
        """A trained checkpoint: folder or hub name. dtype: by default what the device computes best in."""
        config = loading.check_kind(AutoModelForCausalLM, path, "a process reward model")
        saved = getattr(config, "minrm", None) or {}
        if saved.get("kind") != "prm":
            raise InputError(f"{path} is a language model without a step token; ProcessRewardModel.from_base adds it")
        dtype = dtype or loading.compute_dtype(loading.pick_device(device))
        self = cls(*loading.load(AutoModelForCausalLM, path, tokenizer=tokenizer, device=device, dtype=dtype))
        for name in ("step_id", "plus_id", "minus_id"):
            if saved[name] != getattr(self, name):
                raise InputError(f"{path} has {name} {saved[name]} in its config, its tokenizer {getattr(self, name)}")
        return self

    def save_pretrained(self, path: str | Path) -> None:
        """Write a folder that `from_pretrained` and stock transformers load."""
        loading.save(self.model, self.tokenizer, path)

    def tokenize(self, question: str, solution: str) -> tuple[list[int], list[bool]]:
        """Input ids, with the step token after each step, and a mask that is true on the solution's tokens."""
        return reward_model.encode(self.tokenizer, [question], [solution], _end_steps)[0]

    def forward(self, input_ids: Tensor, attention_mask: Tensor, steps: Tensor) -> Tensor:
        """[B, T] ids, mask and step positions (bool) → logits of `-` and `+` at these positions [S, 2], row by row.

        Two rows of the output head are multiplied there, not the whole vocabulary everywhere.
        """
        signs = torch.tensor([self.minus_id, self.plus_id], device=input_ids.device)  # the class order of `text.py`
        return token_logits(self.model, self.head_is_plain, input_ids, attention_mask, steps, signs)

    # Scoring

    def step_scores(
        self, questions: Sequence[str], solutions: Sequence[str], *, batch_tokens: int = 16384, progress: bool = False
    ) -> list[np.ndarray]:
        """P(+) after each step of each solution: float64 [steps], in the order given."""
        return [np.exp(steps) for steps in self._step_log_scores(questions, solutions, batch_tokens, progress)]

    def score(
        self,
        questions: Sequence[str],
        solutions: Sequence[str],
        aggregate: str = "product",
        *,
        batch_tokens: int = 16384,
        progress: bool = False,
    ) -> np.ndarray:
        """One number a solution, float64 [N]: the product (Lightman et al. 2023), min, last or mean of its steps."""
        if aggregate not in AGGREGATES:
            raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
        steps = self._step_log_scores(questions, solutions, batch_tokens, progress)
        return np.array([aggregate_steps(log_p, aggregate) for log_p in steps])

    def _step_log_scores(
        self, questions: Sequence[str], solutions: Sequence[str], batch_tokens: int, progress: bool
    ) -> list[np.ndarray]:
        rows = [ids for ids, _ in reward_model.encode(self.tokenizer, questions, solutions, _end_steps)]
        scores: list[np.ndarray] = [np.empty(0)] * len(rows)
        name = "scoring" if progress else ""
        with reward_model.evaluating(self):
            for batch, inputs in batches(rows, self.tokenizer, self.model, batch_tokens, name):
                steps = inputs["input_ids"] == self.step_id  # [B, T]
                log_p = read_out(self(**inputs, steps=steps), self.model).log_softmax(dim=-1)[:, CORRECT]  # [S]
                for row, values in zip(batch, log_p.split(steps.sum(dim=1).tolist()), strict=True):
                    scores[row] = values.numpy()
        return scores

    # Training

    def prepare(
        self, rows: Iterable[dict[str, Any]], max_length: int | None = None, place: str = "dataset"
    ) -> list[dict[str, Any] | None]:
        """Check and tokenise *process* rows; None for one without a label, or longer than max_length (steps lost)."""
        rows = list(check_rows(rows, "process", place))
        texts = [join_steps(row["steps"]) for row in rows]
        pairs = reward_model.encode(self.tokenizer, [row["question"] for row in rows], texts, _end_steps)
        return [
            self._features(torch.tensor(ids), row["labels"], f"{place}, row {number}")
            if max_length is None or len(ids) <= max_length
            else None
            for number, ((ids, _), row) in enumerate(zip(pairs, rows, strict=True), start=1)
        ]

    def _features(self, ids: Tensor, labels: Sequence[float | None], place: str) -> dict[str, Any] | None:
        steps = ids == self.step_id
        if int(steps.sum()) != len(labels):
            raise InputError(
                f"{place}: {int(steps.sum())} step tokens but {len(labels)} labels; "
                "a step holds a line that begins like a step header (Step: 1:), write it differently"
            )
        labelled = torch.tensor([label is not None for label in labels])
        steps[steps.clone()] = labelled
        kept = torch.tensor([label for label in labels if label is not None], dtype=torch.float32)
        return {"input_ids": ids, "steps": steps, "labels": kept} if len(kept) else None

    def collate(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Prepared rows → one padded batch. Steps without a label are not read. count: the labelled steps."""
        inputs = reward_model.pad([row["input_ids"] for row in rows], self.tokenizer)
        inputs["steps"] = reward_model.pad_as([row["steps"] for row in rows], False, self.tokenizer.padding_side)
        labels = torch.cat([row["labels"] for row in rows])
        return {"inputs": inputs, "targets": {"labels": labels}, "count": len(labels)}

    def loss_sum(self, step_logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The sum of the losses of all labelled steps of a batch."""
        return prm_loss(step_logits, targets["labels"], reduction="sum")

    def hits(self, step_logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """[S] bool: is the likelier of `+` and `-` what the label says?"""
        return (step_logits.argmax(dim=-1) == CORRECT) == (targets["labels"] >= 0.5)


def add_step_token(model: Any, tokenizer: Any) -> None:
    """Teach tokenizer and model the step token, in place: a special token, and a row that starts at the mean.

    Public models often have more rows than tokens, so the embedding grows only where there is no row for it, and never
    shrinks. A tokenizer that has the token already keeps its row, if the model has one.
    """
    rows = len(model.get_input_embeddings().weight)
    known = min(len(tokenizer), rows)
    added = tokenizer.add_tokens([AddedToken(STEP_TOKEN, special=True, normalized=False)], special_tokens=True)
    row = tokenizer.convert_tokens_to_ids(STEP_TOKEN)
    if not added and row < rows:
        return
    with loading.quiet(), torch.no_grad():
        if row >= rows:
            model.resize_token_embeddings(row + 1, mean_resizing=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):  # tied or not
            for weight in (layer.weight, getattr(layer, "bias", None)):
                if weight is not None:
                    weight[row] = weight[:known].mean(dim=0)


def label_ids(tokenizer: Any) -> tuple[int, int, int]:
    """Ids of the step token, and of `+` and `-` as they are tokenised right after it; InputError if one splits."""
    found = [tokenizer(STEP_TOKEN + sign, add_special_tokens=False)["input_ids"] for sign in ("", "+", "-")]
    step = found[0]
    if len(step) != 1:
        raise InputError(f"the tokenizer splits {STEP_TOKEN} into {len(step)} ids; from_base adds it as one")
    for sign, ids in zip("+-", found[1:], strict=True):
        if len(ids) != 2 or ids[0] != step[0] or ids[1] == tokenizer.unk_token_id:
            pieces = tokenizer.convert_ids_to_tokens(ids[1:])
            raise InputError(
                f"after {STEP_TOKEN}, {sign!r} must be one known token, not {pieces}; take another tokenizer"
            )
    return step[0], found[1][1], found[2][1]


def _end_steps(solution: str) -> str:
    return with_step_tokens(split_steps(solution))


def aggregate_steps(log_p: np.ndarray, how: str) -> float:
    """log P(+) of each step [steps] → one probability."""
    if how == "mean":
        return float(np.exp(log_p).mean())
    return float(np.exp({"product": log_p.sum(), "min": log_p.min(), "last": log_p[-1]}[how]))


def token_logits(
    model: Any, plain: bool, input_ids: Tensor, attention_mask: Tensor, at: Tensor, tokens: Tensor
) -> Tensor:
    """Logits of `tokens` [K] at the positions that are true in `at` [B, T] bool, row by row: [S, K].

    plain: what `head_is_plain` says of the model. Where it is false, the model's own forward runs, over the whole
    vocabulary but only at the columns that are needed.
    """
    where = {
        "attention_mask": attention_mask,
        "position_ids": reward_model.positions(attention_mask),
        "use_cache": False,
    }
    if not plain:
        columns = at.any(dim=0).nonzero().squeeze(-1)
        logits = model(input_ids, logits_to_keep=columns, **where).logits  # [B, columns, V]
        return logits[at[:, columns]][:, tokens]
    states = model.base_model(input_ids, **where).last_hidden_state[at]  # [S, D]
    head = model.get_output_embeddings()
    bias = getattr(head, "bias", None)
    return F.linear(states, head.weight[tokens], None if bias is None else bias[tokens])


@torch.no_grad()
def head_is_plain(model: Any) -> bool:
    """Are the logits exactly `head(last hidden state)`? Gemma 2 caps them afterwards, Cohere and Granite scale them.

    Asked of the model itself, not of a list of config fields that the next architecture would outgrow: one forward in
    which the head's output is replaced by large numbers, which must come out unchanged. Comparing ordinary logits
    would not do, since a cap leaves small ones almost as they are.
    """
    seen: dict[str, Tensor] = {}

    def replace(head: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen["states"] = inputs[0]
        seen["logits"] = torch.linspace(-1e3, 1e3, output.numel()).view_as(output).to(output)
        return seen["logits"]

    ids = torch.tensor([[0, 1, 2]], device=model.device)
    hook = model.get_output_embeddings().register_forward_hook(replace)
    try:
        logits = model(ids, use_cache=False).logits
    finally:
        hook.remove()
    states = model.base_model(ids, use_cache=False).last_hidden_state
    return bool(seen) and torch.equal(logits, seen["logits"]) and torch.allclose(states, seen["states"])
