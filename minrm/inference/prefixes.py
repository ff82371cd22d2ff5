"""What several texts begin with, read once: the keys and values of a question serve all its candidates.

In a causal model no state depends on what follows, so that 64 solutions can go on from one reading of their question.
Serving engines call this prefix caching. In come padded beginnings; scoring and sampling go on from them.
"""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from minrm.inference.batches import token_batches

log = logging.getLogger("minrm")


class Prefixes:
    """Beginnings [Q, P], padded on the left, that `model` has read; `past` holds its keys and values."""

    def __init__(self, model: Any, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> None:
        self.model, self.mask = model, attention_mask
        context = {"attention_mask": attention_mask, "position_ids": position_ids, "use_cache": True}
        self.past = model.base_model(input_ids, **context).past_key_values

    @contextmanager
    def before(self, rows: Sequence[int]) -> Iterator[None]:
        """A context in which the model reads each row of a batch as what follows a beginning. rows: which one, [B].

        The batch is padded on the right, so that no gap opens between the two.
        """
        index = torch.tensor(rows, device=self.mask.device)
        mask = self.mask[index]  # [B, P]

        def go_on(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            kwargs["position_ids"] = kwargs["position_ids"] + mask.sum(dim=1, keepdim=True)
            kwargs["attention_mask"] = torch.cat([mask, kwargs["attention_mask"]], dim=1)  # [B, P + T]
            return args, kwargs | {"past_key_values": _Lent(self.past, index), "use_cache": True}

        hook = self.model.base_model.register_forward_pre_hook(go_on, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def cache(self, rows: Tensor) -> Cache:
        """A cache for `generate`, which may change it. rows: the number of each sequence's beginning, [B]."""
        past = copy.copy(self.past)
        past.layers = [copy.copy(layer) for layer in past.layers]
        past.batch_select_indices(rows)
        return past


class _Lent(Cache):
    """Keys and values of beginnings, given to the rows that go on from them one layer at a time; nothing is kept."""

    def __init__(self, past: Cache, rows: Tensor) -> None:
        super().__init__(layers=past.layers)
        self.rows = rows

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        layer: Any = copy.copy(self.layers[layer_idx])  # whose tensors are replaced, not changed
        layer.batch_select_indices(self.rows)
        return layer.update(key_states, value_states, *args, **kwargs)


def continuations(
    beginnings: Sequence[Sequence[int]], rows: Sequence[Sequence[int]], budget: int
) -> Iterator[tuple[list[tuple[int, ...]], Iterator[tuple[list[int], list[int]]]]]:
    """Different beginnings to be read together, and the batches that go on from them: rows, and each row's beginning.

    beginnings: of each row, its first ids. Both a group of beginnings and a batch hold at most `budget` tokens.
    """
    members: dict[tuple[int, ...], list[int]] = {}
    for row, beginning in enumerate(beginnings):
        members.setdefault(tuple(beginning), []).append(row)
    different = list(members)
    for group in token_batches([len(beginning) for beginning in different], budget):
        together = [different[index] for index in group]
        own = [(row, place) for place, beginning in enumerate(together) for row in members[beginning]]
        batches = token_batches([len(rows[row]) - len(beginnings[row]) for row, _ in own], budget)
        yield together, (([own[i][0] for i in batch], [own[i][1] for i in batch]) for batch in batches)


def can_share(model: Any) -> bool:
    """Can texts go on from what the model has read once? Recurrent states, for one, change as they are read.

    The answer comes from a few tiny forward passes, once for each model; if it is no, a warning says so.
    """
    if not hasattr(model, "shares_prefixes"):
        try:
            model.shares_prefixes = _goes_on_alike(model)
        except Exception:  # a backbone that takes no cache, or none of this kind
            model.shares_prefixes = False
        if not model.shares_prefixes:
            log.warning("%s cannot share a question among its candidates: each is read whole", type(model).__name__)
    return model.shares_prefixes


@torch.no_grad()
def _goes_on_alike(model: Any) -> bool:
    def tensor(rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=model.device)

    prefixes = Prefixes(
        model, tensor([[0, 1, 2], [0, 0, 1]]), tensor([[1, 1, 1], [0, 0, 1]]), tensor([[0, 1, 2], [0] * 3])
    )
    wholes = tensor([[0, 1, 2, 2, 0]]), tensor([[1, 0, 2]]), tensor([[0, 1, 2, 1, 1]])
    rest = {"attention_mask": tensor([[1, 1]] * 3), "position_ids": tensor([[0, 1]] * 3), "use_cache": False}
    close = []
    for _ in range(2):  # the first time must leave the beginnings as they were
        with prefixes.before([0, 1, 0]):
            states = model.base_model(torch.cat([ids[:, -2:] for ids in wholes]), **rest).last_hidden_state
        for ids, own in zip(wholes, states, strict=True):
            whole = model.base_model(ids, use_cache=False).last_hidden_state[0, -2:]
            error = 1e-4 if model.dtype == torch.float32 else 0.05
            close.append(bool((own - whole).abs().max() <= error * whole.abs().max()))
    return all(close)
