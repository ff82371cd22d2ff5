"""LoRA: train small matrices beside the frozen weights of a large model (Hu et al. 2021), through peft.

Each linear layer of the backbone computes W x + (alpha / rank) · B A x, where W is frozen and A [rank, in] and
B [out, rank] are learnt. New parameters have nothing to correct, so they are trained in full: the head of an outcome or
Bradley–Terry model, the step token's row of a process reward model.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch

from minrm.errors import InputError


def check(rank: int) -> None:
    """Refuse an impossible rank, and any rank above 0 where peft is missing. Raises InputError."""
    if not isinstance(rank, int) or rank < 0:
        raise InputError(f"lora is {rank!r}; it is the rank of the adapters, such as 16, or 0 to train all weights")
    if rank:
        try:
            import peft  # noqa: F401
        except ImportError as error:
            raise InputError('lora needs peft, which is not installed: pip install "peft>=0.18"') from error


def add_adapters(model: Any, rank: int, seed: int = 0) -> Any:
    """peft's model around `model.model`, which now has adapters; all other weights are frozen, except new parameters.

    A is drawn with `seed`, and B = 0 at first. What is trained is float32 (float64 in a float64 model) whatever the
    frozen weights are: fp16's gradient scaler refuses half-precision gradients, and small updates vanish there.
    """
    import peft

    stock, step = model.model, getattr(model, "step_id", None)
    after = [(name, part) for name, part in stock.named_children() if part is not stock.base_model]
    heads = [name for name, part in after if next(part.parameters(), None) is not None]  # `score`, `lm_head`
    new = heads if step is None else []
    embedding = next(name for name, module in stock.named_modules() if module is stock.get_input_embeddings())
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=heads,
        modules_to_save=new or None, trainable_token_indices=None if step is None else {embedding: [step]},
    )  # fmt: skip
    with without_warnings(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = peft.get_peft_model(stock, config)
    adapters.heads = {name: stock.get_submodule(name).original_module for name in new}  # type: ignore[assignment]
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.promote_types(weight.dtype, torch.float32))
    return adapters


def take_off(model: Any, adapters: Any, merge: bool) -> None:
    """Make `model.model` a stock module again, in place: as before `add_adapters`, or with the adapters merged.

    A merged model is left on the CPU in float32, to be saved: bfloat16 would round away small corrections, and
    a GPU may have no room for the base at twice its size.
    """
    if merge:
        model.cpu().float()
    with without_warnings():
        adapters.merge_and_unload() if merge else adapters.unload()
    if not merge:
        for name, head in adapters.heads.items():
            setattr(model.model, name, head)
    model.model.__dict__.pop("peft_config", None)
    model.requires_grad_(True)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Hold back peft's advice, and its look at torchao, which stops at one as old as Colab's though we need none."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        for name in "peft.tuners.lora.torchao", "peft.utils.quantization_utils":
            if hasattr(module := sys.modules.get(name), "is_torchao_available"):
                stack.enter_context(patch.object(module, "is_torchao_available", lambda: False))
        yield
