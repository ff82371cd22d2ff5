"""LoRA: train small matrices beside the frozen weights of a large model (Hu et al. 2021), through peft.

Each linear layer of the backbone computes W x + (alpha / rank) · B A x, where W is frozen and A [rank, in] and
B [out, rank] are learnt. What is new in a reward model cannot be a small correction of something learnt before, so it
is trained as a whole: the head of an outcome or Bradley–Terry model, the step token's row of a process reward model.
`training.py` attaches adapters to a reward model, saves them in its checkpoints and merges them in the end.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import parse_flag_from_env
from torch import Tensor, nn

from minrm.errors import InputError

ALPHA = 2  # alpha / rank: how far one step of the adapters moves the layer's output; 2 is common
BASE = "base.json"  # beside the adapters of a checkpoint: which weights they belong to


def check(rank: int) -> None:
    """Raises InputError for a rank that cannot be, with sharded weights (FSDP), and where peft is missing."""
    if not isinstance(rank, int) or rank < 0:
        raise InputError(f"lora is {rank!r}; it is the rank of the adapters, such as 16, or 0 to train all weights")
    if rank and parse_flag_from_env("ACCELERATE_USE_FSDP"):
        raise InputError("lora and FSDP do not go together here: launch without FSDP, or train all weights, lora=0")
    if rank:
        try:
            import peft  # noqa: F401
        except ImportError as error:
            raise InputError('lora needs peft, which is not installed: pip install "peft>=0.18"') from error


def attach(model: Any, rank: int, seed: int = 0) -> Any:
    """Put adapters into `model.model` in place and freeze all else; returns peft's object, for the functions below.

    model: a reward model. All linear layers of the backbone get adapters: A is drawn with `seed`, B = 0 at first, so
    nothing changes yet. What is trained is float32 (float64 in a float64 model) whatever the precision of the frozen
    weights: fp16's gradient scaler refuses half-precision gradients, and small updates vanish in half precision.
    """
    import peft

    stock = model.model
    heads = _heads(stock)
    step = getattr(model, "step_id", None)
    new = heads if step is None else [name for name in heads if f"{name}.weight" in getattr(stock, "missing", ())]
    embedding = next(name for name, module in stock.named_modules() if module is stock.get_input_embeddings())
    config = peft.LoraConfig(
        r=rank, lora_alpha=ALPHA * rank, target_modules="all-linear", exclude_modules=heads,
        modules_to_save=new or None, trainable_token_indices=None if step is None else {embedding: [step]},
    )  # fmt: skip
    with _hushed(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = peft.get_peft_model(stock, config)
    adapters.heads = {name: stock.get_submodule(name).original_module for name in new}  # type: ignore[assignment]
    for weight in trainable(model):
        weight.data = weight.data.to(torch.promote_types(weight.dtype, torch.float32))
    return adapters


def trainable(model: nn.Module) -> list[Tensor]:
    """The weights that an optimizer would get."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def save(adapters: Any, folder: str | Path) -> None:
    """Write what is trained, in peft's format, and which base it belongs to."""
    with _hushed():
        adapters.save_pretrained(folder, save_embedding_layers=False)  # of the embedding only the row that is trained
    (Path(folder) / BASE).write_text(json.dumps({"base": _digest(adapters)}))


def load(adapters: Any, folder: str | Path) -> None:
    """Put saved adapters in the place of those at hand. Raises InputError if they were trained on other weights."""
    import peft

    saved = json.loads((Path(folder) / BASE).read_text())["base"]
    if saved != _digest(adapters):
        raise InputError(
            f"{folder} holds adapters to other weights than this model's (or to the same in another precision): "
            "start from the base that the run was started from, or pass resume=False"
        )
    weights = peft.load_peft_weights(str(folder), device="cpu")
    with _hushed():
        peft.set_peft_model_state_dict(adapters, weights)


def merge(model: Any, adapters: Any) -> None:
    """Add the adapters to the frozen weights: `model.model` is a stock module again, the same object.

    It is left on the CPU in float32, to be saved; `give_back` undoes that. A base in half precision is widened first:
    rounded to bfloat16, a merged weight loses all of a correction that is smaller than one part in 512 of it. A GPU
    that trained beside such a base may have no room for it at twice the size.
    """
    model.cpu().float()
    with _hushed():
        adapters.merge_and_unload()
    _release(model)


def give_back(model: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Bring a merged model back to the device and precision of its base, as if it were loaded so from its folder.

    Weights only: the frequencies of rotary positions are float32 in a loaded model too.
    """
    for weight in model.parameters():  # before the device sees it
        weight.data = weight.data.to(dtype)
    model.to(device)


def remove(model: Any, adapters: Any) -> None:
    """Take the adapters off and leave the model as it was before `attach`."""
    with _hushed():
        adapters.unload()
    for name, head in adapters.heads.items():
        setattr(model.model, name, head)
    _release(model)


def _release(model: Any) -> None:
    if hasattr(model.model, "peft_config"):
        del model.model.peft_config
    model.requires_grad_(True)  # as it came; peft had frozen it


def _heads(stock: Any) -> list[str]:
    """Names of what comes after the backbone: `score`, `lm_head`."""
    parts = [(name, module) for name, module in stock.named_children() if module is not stock.base_model]
    return [name for name, module in parts if next(module.parameters(), None) is not None]


def _digest(adapters: Any) -> str:
    """Tells frozen weights apart by a sample of each; trained a little further, nearly every number is another one."""
    total = hashlib.sha256()
    for weight in adapters.parameters():
        if not weight.requires_grad and weight.numel():
            total.update(weight.detach().flatten()[:: max(1, weight.numel() // 256)].float().cpu().numpy().tobytes())
    return total.hexdigest()[:16]


@contextmanager
def _hushed() -> Iterator[None]:
    """Without peft's advice, which is about choices that are made here, and about names in transformers.

    And without its look at torchao, of which Colab has one too old for it: it would stop there for any model, though
    no weight of ours is torchao's.
    """
    names = "peft.tuners.lora.torchao", "peft.utils.quantization_utils"
    found: list[Any] = [sys.modules.get(name) for name in names]
    modules = [module for module in found if hasattr(module, "is_torchao_available")]
    looks = [module.is_torchao_available for module in modules]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for module in modules:
                module.is_torchao_available = lambda: False
            yield
        finally:
            for module, look in zip(modules, looks, strict=True):
                module.is_torchao_available = look
