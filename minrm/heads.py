"""A few rows of a language model's output head, at a few positions: what a process reward model reads.

For Qwen3 at 8 × 2,048 tokens the logits of the whole vocabulary take 10 GB in float32, to read two numbers a step. Here
the backbone runs, the positions are gathered, and two rows are multiplied: the same numbers, tested per architecture.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from minrm.backbone import positions


def token_logits(
    model: Any, plain: bool, input_ids: Tensor, attention_mask: Tensor, at: Tensor, tokens: Tensor
) -> Tensor:
    """Logits of `tokens` [K] at the positions that are true in `at` [B, T] bool, row by row: [S, K].

    plain: what `head_is_plain` says of the model. Where it is false, the model's own forward runs, over the whole
    vocabulary but only at the columns that are needed.
    """
    where = {"attention_mask": attention_mask, "position_ids": positions(attention_mask), "use_cache": False}
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
