"""Is a checkpoint what its config says: are all weights there, none left over, and is the model causal?"""

import re
from typing import Any

import torch
from transformers import PreTrainedModel

from minrm.errors import InputError

_BUFFER = re.compile(r"(inv_freq|position_ids|masked_bias|attn\.bias|attention\.bias)$")  # of older checkpoints
_HEAD = re.compile(r"(score|classifier)\.")


def check_weights(model: PreTrainedModel, report: dict[str, Any], name: str, base: bool = False) -> None:
    """Refuse a checkpoint that does not fill the model, or that has tensors of a backbone or head left over.

    report: from `read`. base: a classifier's head is new, and another head may be left over. Raises InputError.
    """
    new = base and model.get_output_embeddings() is None  # a language model's head is not new
    wrong = {key: f"{key} is {list(there)}, not {list(here)}" for key, there, here in report["mismatched_keys"]}
    wrong |= {key: f"no {key}" for key in report["missing_keys"]}
    wrong = {key: text for key, text in wrong.items() if not new or in_backbone(model, key)}
    left = [key for key in report["unexpected_keys"] if in_backbone(model, key) or (not base and _HEAD.match(key))]
    wrong |= {key: f"{key} is left over" for key in left if not _BUFFER.search(key)}
    if wrong:
        told = [wrong[key] for key in sorted(wrong)]
        which = ", ".join(told[:3] + [f"and {len(told) - 3} more"][: len(told) > 3])
        of = f"the weights do not fit the {type(model).__name__} of its config ({which})"
        raise InputError(f"{name}: {of}; fetch or save it again, or name another model")


def in_backbone(model: PreTrainedModel, key: str) -> bool:
    """Does a tensor of that name, with or without the backbone's prefix, belong to the backbone, not to a head?"""
    return key.split(".")[0] in {model.base_model_prefix, *(name for name, _ in model.base_model.named_children())}


@torch.inference_mode()
def check_causal(model: PreTrainedModel, name: str) -> None:
    """Refuse a model whose states change with later tokens, as an encoder's do. Raises InputError.

    The model itself is asked: two texts that begin alike, in one batch, must have the same states there.
    """
    size = model.get_input_embeddings().weight.shape[0]  # type: ignore[index]
    place = torch.arange(8, device=model.device).repeat(2, 1)
    ids, context = place.clone(), {"attention_mask": torch.ones_like(place), "position_ids": place}
    ids[1, 4:] += size // 2
    states = model.base_model(ids % size, **context, use_cache=False).last_hidden_state[:, :4].float()
    if (states[0] - states[1]).abs().max() > 1e-4 * states.abs().max():  # not where they are NaN: scoring says that
        what = "a token changes the states of the tokens before it"
        raise InputError(f"{name} is not a causal language model: {what}; take a decoder, such as GPT-2")
