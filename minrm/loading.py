"""Stock models and their tokenizers, loaded and saved; the device and precision to compute in; what is printed."""

import copy
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import parse_flag_from_env
from safetensors import SafetensorError
from torch import Tensor
from tqdm import tqdm
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from minrm.errors import InputError

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the bars and reports that transformers 5 prints when it loads and saves; errors still come through."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def progress_bar(total: int, name: str, unit: str, shown: bool, start: int = 0, over: Iterable | None = None) -> tqdm:
    """The one style of progress bar: plain text on stderr, gone when it ends. over: what it counts when iterated."""
    return tqdm(over, name, total, leave=False, initial=start, unit=unit, disable=not shown, dynamic_ncols=True)


def pick_device(device: str | torch.device | None) -> torch.device:
    """`device`; by default the GPU, each of several processes its own, and without a GPU the CPU."""
    if device is None and torch.cuda.is_available() and not parse_flag_from_env("ACCELERATE_USE_CPU"):
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    return torch.device(device or "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """The precision to compute in: float32 on CPUs; on GPUs bfloat16 where the hardware has it, else float16.

    A T4 emulates bfloat16, slowly, and says that it supports it: hence `including_emulation=False`.
    """
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def as_dtype(dtype: Any) -> torch.dtype:
    """A precision, or its name such as "float32". Raises InputError."""
    precision = getattr(torch, dtype, dtype) if isinstance(dtype, str) else dtype
    if not isinstance(precision, torch.dtype) or not precision.is_floating_point:
        raise InputError(f"dtype is {precision!r}; it can be float32, bfloat16 or float16")
    return precision


def load(
    auto_class: Any, source: Any, *, tokenizer: Any, device: Any, dtype: Any, seed: int = 0, **changes: Any
) -> tuple[PreTrainedModel, Any]:
    """The stock model of class `auto_class`, in eval mode on its device, and its tokenizer.

    source: a folder, a hub name, or a built transformers model, which is copied. tokenizer: likewise; by default the
    one beside the model. changes: fields of the config. A head that the checkpoint lacks is drawn with `seed`;
    `model.missing` names its tensors. Code that lies beside the weights is never run. Raises InputError.
    """
    dtype = as_dtype(dtype)
    tokenizer = load_tokenizer(source if tokenizer is None else tokenizer)
    with quiet(), torch.random.fork_rng(devices=[]), _explain(source):
        torch.manual_seed(seed)
        built = isinstance(source, PreTrainedModel)
        config = copy.deepcopy(source.config) if built else AutoConfig.from_pretrained(source, trust_remote_code=False)
        for name, value in {"pad_token_id": tokenizer.pad_token_id, **changes}.items():
            setattr(config, name, value)
        if built:
            model, report = auto_class.from_config(config, dtype=dtype), {"missing_keys": ()}
            model.base_model.load_state_dict(source.base_model.state_dict())
            if type(model) is type(source):
                model.load_state_dict(source.state_dict())
        else:
            options = {"config": config, "dtype": dtype, "trust_remote_code": False, "output_loading_info": True}
            model, report = auto_class.from_pretrained(source, **options)
    name = (source.name_or_path or type(source).__name__) if built else str(source)
    model.origin = {"base": name, "head_seed": seed}  # what tells one run from another, beside its settings
    model.missing = sorted(report["missing_keys"])
    return model.to(pick_device(device)).eval(), tokenizer


def check_kind(auto_class: Any, source: str | Path, kind: str) -> Any:
    """The config of a checkpoint that holds the head of `auto_class`. Raises InputError for any other.

    Without this check transformers would load the backbone of any checkpoint and draw a new head at random.
    """
    with quiet(), _explain(source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    expected = auto_class._model_mapping.get(type(config), None)
    name = (getattr(config, "architectures", None) or ["an unknown class"])[0]
    if expected is None or name != expected.__name__:
        raise InputError(f"{source} is not {kind}: it holds {name}; from_base starts a new one from it")
    return config


def save(model: PreTrainedModel, tokenizer: Any, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write the model (with `weights` in place of its own) and its tokenizer into one folder for stock Auto classes."""
    with quiet():
        model.save_pretrained(path, state_dict=weights)
        tokenizer.save_pretrained(path)


def load_tokenizer(source: Any) -> Any:
    """A tokenizer, from a folder or hub name or as a copy, with a pad token: its end token where it has none."""
    if isinstance(source, PreTrainedModel):
        raise InputError("a model that is already built needs its tokenizer: pass tokenizer=…")
    if isinstance(source, str | Path):
        with quiet(), _explain(source):
            tokenizer = tokenizer_class(Path(source)).from_pretrained(source, trust_remote_code=False)
    else:
        tokenizer = copy.deepcopy(source)
    if tokenizer.pad_token_id is None:  # padding is masked everywhere, so any token will do
        if tokenizer.eos_token is None:
            raise InputError("the tokenizer has no pad and no end token; set tokenizer.pad_token to any token it knows")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def tokenizer_class(folder: Path) -> Any:
    """AutoTokenizer, except where a folder says that its tokenizer.json is the whole of it.

    For some architectures (Qwen 2) transformers 5 would put rules of its own in place of what that file says.
    """
    if folder.is_dir() and not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise InputError(f"{folder} holds no tokenizer; save it there (tokenizer.save_pretrained) or pass tokenizer=…")
    config = folder / "tokenizer_config.json"
    named = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class") if config.exists() else None
    return PreTrainedTokenizerFast if named in ("TokenizersBackend", "PreTrainedTokenizerFast") else AutoTokenizer


@contextmanager
def _explain(source: Any) -> Iterator[None]:
    """Turn the errors of transformers for a model that cannot be loaded into one line with a remedy."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if isinstance(error, InputError) or isinstance(source, PreTrainedModel):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if Path(source).is_dir():
            raise InputError(f"{source} cannot be loaded as a model: {reason}") from error
        remedy = 'without a network, minrm.shipped("policy") is a small one that comes with the package'
        raise InputError(
            f"{source} is neither a folder nor a model within reach on the hub ({reason}); {remedy}"
        ) from error


class Machine(str):
    """One line about a machine; profile: "gpu" or, for tiny models, "smoke"."""

    profile: str


def machine() -> Machine:
    """This machine as it is now: its first GPU with the memory that is free, precision, versions and profile."""
    device = pick_device(None)
    if device.type == "cuda":
        free, memory = (size / 2**30 for size in torch.cuda.mem_get_info())  # GiB; a "16 GB" T4 has 14.7 of them
        several = f"{torch.cuda.device_count()} × " if torch.cuda.device_count() > 1 else ""
        hardware = f"{several}{torch.cuda.get_device_name()}, {memory:.1f} GiB, {free:.1f} free"
    else:
        hardware = f"no GPU, {os.cpu_count()} CPU cores"
    precision = str(compute_dtype(device)).removeprefix("torch.")
    others = ", ".join(f"{name} {installed(name) or 'not installed'}" for name in ("transformers", "peft"))
    profile = "gpu" if device.type == "cuda" else "smoke: tiny models"
    here = Machine(f"{hardware} · computes in {precision} · torch {torch.__version__}, {others} · profile {profile}")
    here.profile = profile.split(":")[0]
    return here


def installed(package: str) -> str | None:
    """The installed version of a package, None without one; the package is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
