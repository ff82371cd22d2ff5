"""The process reward model (PRM): is this step good? The model answers with a token at the end of every step.

A causal language model is taught to continue each step, ended by a special token, with `+` or `-`, after Lightman
et al. 2023 (section 2.6; they predict three labels and add no token) and Wang et al. 2023 (Math-Shepherd). In come
*process* rows; out comes P(+) at each step. A checkpoint has the step token in its tokenizer, its ids in its config.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import AddedToken
from torch import Tensor
from transformers import AutoModelForCausalLM

from minrm import loading, reward_model
from minrm.errors import InputError, check_numbers
from minrm.reward_model import RewardModel, Texts, finite_float64
from minrm.rows import Row, check_rows
from minrm.text import CORRECT, STEP_TOKEN, join_steps, split_steps, with_step_tokens

AGGREGATES = ("product", "min", "last", "mean")


def prm_loss(step_logits: Tensor, step_labels: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy between each step and its label, which may be soft (Wang et al. 2023, eq. 2).

    step_logits: [S, 2] of `-` and `+`, any float dtype. step_labels: [S], the probability that the step is good.
    reduction: "mean" over steps or "sum". Returns a scalar of at least float32. Raises ValueError.
    """
    if step_logits.shape != (*step_labels.shape, 2) or step_labels.ndim != 1:
        shapes = f"step_logits {tuple(step_logits.shape)} and step_labels {tuple(step_labels.shape)}"
        raise ValueError(f"{shapes}; expected [S, 2] and [S]")
    if not ((step_labels >= 0) & (step_labels <= 1)).all():
        raise ValueError(f"step_labels of {step_labels.min()} to {step_labels.max()}; expected 0 (bad) to 1 (good)")
    if reduction == "mean" and len(step_labels) == 0:
        raise ValueError("no step is labelled, so there is no mean")
    dtype = torch.promote_types(step_logits.dtype, torch.float32)
    good = step_labels.to(dtype)
    log_p = F.log_softmax(step_logits.to(dtype), dim=-1)
    shares = torch.stack([1 - good, good], dim=-1)  # [S, 2], as classes in `text.py`
    losses = -torch.where(shares > 0, shares * log_p, 0).sum(dim=-1)  # 0 · log 0 is 0
    return {"mean": losses.mean, "sum": losses.sum}[reduction]()


class ProcessRewardModel(RewardModel):
    """A stock causal language model that knows the step token; it keeps its own output head."""

    kind, auto_class = "a process reward model", AutoModelForCausalLM

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.step_id, self.plus_id, self.minus_id = label_ids(tokenizer)
        for name, id_ in (getattr(model.config, "minrm", None) or {}).items():
            if name.endswith("_id") and id_ != getattr(self, name):
                raise InputError(f"the config has {name} {id_}, the tokenizer {getattr(self, name)}; load its own")
        self.logits_are_linear = logits_are_linear(model)

    @classmethod
    def adapt(cls, model: Any, tokenizer: Any) -> None:
        """Teach a language model the step token, and write into its config what scoring needs."""
        add_step_token(model, tokenizer)
        ids = dict(zip(("step_id", "plus_id", "minus_id"), label_ids(tokenizer), strict=True))
        model.config.minrm = {"kind": "prm", "step_token": STEP_TOKEN, "template": join_steps(["{text}"]), **ids}

    @classmethod
    def check_config(cls, path: Any, config: Any) -> None:
        """Refuse a language model that was never taught the step token. Raises InputError."""
        if (getattr(config, "minrm", None) or {}).get("kind") != "prm":
            raise InputError(f"{path} is a language model without a step token; ProcessRewardModel.from_base adds it")

    def as_read(self, solution: str) -> str:
        """The text of a solution with the step token after each step."""
        return with_step_tokens(split_steps(solution))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, steps: Tensor) -> Tensor:
        """[B, T] ids, mask and step positions (bool) → logits of `-` and `+` at these positions [S, 2], row by row.

        In one line, `self.model(input_ids, attention_mask=attention_mask).logits[steps][:, [minus_id, plus_id]]`; but
        that multiplies the whole vocabulary at every token, and we need two rows of the output head at a few.
        """
        label_tokens = torch.tensor([self.minus_id, self.plus_id], device=input_ids.device)  # as classes in `text.py`
        return token_logits(self.model, self.logits_are_linear, input_ids, attention_mask, steps, label_tokens)

    def step_scores(
        self, questions: Texts, solutions: Texts, *, batch_tokens: int | None = None, progress: bool = False
    ) -> list[np.ndarray]:
        """P(+) after each step of each solution: float64 [steps], in the order given; an empty one has no scores."""

        def read(inputs: dict[str, Tensor]) -> list[np.ndarray]:
            steps = inputs["input_ids"] == self.step_id  # [B, T]
            good = finite_float64(self(**inputs, steps=steps), self.model).softmax(dim=-1)[:, CORRECT]  # [S]
            return [values.numpy() for values in good.split(steps.sum(dim=1).tolist())]

        return self.score_each(questions, solutions, read, np.empty(0), batch_tokens, progress)

    def score(self, questions: Texts, solutions: Texts, aggregate: str = "product", **options: Any) -> np.ndarray:
        """One score for each solution, float64 [N], by `aggregate_steps`; options: as for `step_scores`."""
        aggregate_steps([], aggregate)  # refuses an unknown one before the work
        return aggregate_steps(self.step_scores(questions, solutions, **options), aggregate)

    def prepare(self, rows: Iterable[Row], max_length: int | None = None, where: str = "dataset") -> list[Row | None]:
        """Features of *process* rows; None for a row without a label, or longer than max_length (a cut loses steps)."""
        check_numbers(1, max_length=max_length)
        rows = list(check_rows(rows, "process", where))
        texts = [with_step_tokens(row["steps"]) for row in rows]
        pairs = reward_model.encode(self.tokenizer, [row["question"] for row in rows], texts)
        return [
            self._features(torch.tensor(ids), row["labels"]) if max_length is None or len(ids) <= max_length else None
            for (ids, _), row in zip(pairs, rows, strict=True)
        ]

    def _features(self, ids: Tensor, labels: Sequence[float | None]) -> dict[str, Any] | None:
        steps = ids == self.step_id
        steps[steps.clone()] = torch.tensor([label is not None for label in labels])
        known = torch.tensor([label for label in labels if label is not None], dtype=torch.float32)
        return {"input_ids": ids, "steps": steps, "labels": known} if len(known) else None

    def collate(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Features as one padded batch; count: the labelled steps, which alone are read."""
        inputs = reward_model.pad([row["input_ids"] for row in rows], self.tokenizer)
        inputs["steps"] = reward_model.pad_as([row["steps"] for row in rows], False, self.tokenizer)
        labels = torch.cat([row["labels"] for row in rows])
        return {"inputs": inputs, "targets": {"labels": labels}, "count": len(labels)}

    def loss_sum(self, step_logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The sum of the losses of all labelled steps of a batch."""
        return prm_loss(step_logits, targets["labels"], reduction="sum")

    def is_correct(self, step_logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """[S] bool: does the likelier of `+` and `-` agree with the label?"""
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
    step, plus, minus = (tokenizer(STEP_TOKEN + sign, add_special_tokens=False)["input_ids"] for sign in ("", "+", "-"))
    if len(step) != 1:
        raise InputError(f"the tokenizer splits {STEP_TOKEN} into {len(step)} ids; from_base adds it as one")
    for sign, ids in (("+", plus), ("-", minus)):
        if len(ids) != 2 or ids[0] != step[0] or ids[1] == tokenizer.unk_token_id:
            problem = f"{sign!r} must be one known token, not {tokenizer.convert_ids_to_tokens(ids[1:])}"
            raise InputError(f"after {STEP_TOKEN}, {problem}; take another tokenizer")
    return step[0], plus[1], minus[1]


def aggregate_steps(steps: Sequence[np.ndarray], how: str) -> np.ndarray:
    """One probability for each solution, float64 [N], from P(+) of each of its steps; 0 for a solution without steps.

    how: "product" (Lightman et al. 2023), "min", "last" or "mean". Raises InputError for another one.
    """
    if how not in AGGREGATES:
        raise InputError(f"aggregate is {how!r}; it can be {', '.join(AGGREGATES)}")
    flat = np.concatenate([np.empty(0), *steps])  # the steps of all solutions, one after another
    counts = np.array([len(of_one) for of_one in steps], dtype=int)
    ends, has = counts.cumsum(), counts > 0
    scores = np.zeros(len(steps))
    if how == "last":
        scores[has] = flat[ends[has] - 1]
    elif has.any():
        function = {"product": np.multiply, "min": np.minimum, "mean": np.add}[how]
        scores[has] = function.reduceat(flat, (ends - counts)[has])
    return scores / np.maximum(counts, 1) if how == "mean" else scores


def token_logits(model: Any, linear: bool, input_ids: Tensor, mask: Tensor, at: Tensor, tokens: Tensor) -> Tensor:
    """Logits of `tokens` [K] at the positions that are true in `at` [B, T] bool, row by row: [S, K].

    linear: `logits_are_linear(model)`; where it is false, the model's own forward runs over the whole vocabulary.
    """
    context = {"attention_mask": mask, "position_ids": reward_model.positions(mask), "use_cache": False}
    if not linear:
        columns = at.any(dim=0).nonzero().squeeze(-1)
        logits = model(input_ids, logits_to_keep=columns, **context).logits  # [B, columns, V]
        return logits[at[:, columns]][:, tokens]
    states = model.base_model(input_ids, **context).last_hidden_state[at]  # [S, D]
    head = model.get_output_embeddings()
    bias = getattr(head, "bias", None)
    return F.linear(states, head.weight[tokens], None if bias is None else bias[tokens])


@torch.no_grad()
def logits_are_linear(model: Any) -> bool:
    """Are the logits exactly `head(last hidden state)`? Gemma 2 caps them afterwards, Cohere and Granite scale them.

    The model itself is asked, not a list of config fields that the next architecture would outgrow: in one forward the
    head's output is replaced by large numbers, which must come out unchanged. Ordinary logits would not do, since a cap
    leaves small ones almost as they are.
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
    return bool(seen) and torch.equal(logits, seen["logits"]) and torch.allclose(states, seen["states"].to(states))
