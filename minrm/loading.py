"""Stock models and their tokenizers, loaded and saved; the device and precision to compute in; what is printed."""

import copy
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import parse_flag_from_env
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from minrm.errors import InputError
from minrm.files.weights import check_causal, check_weights, in_backbone

_PROBE = "Step: 1: 12345 + 67.5 = 12412.5\n\n  It's naïve, I'll\tsay: 中文 😀 x² aB a_b 1,000\r\n"
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
    """A progress bar in our one style: plain text on stderr, gone when it ends. over: the items that it counts."""
    return tqdm(over, name, total, leave=False, initial=start, unit=unit, disable=not shown, dynamic_ncols=True)


def pick_device(device: str | torch.device | None) -> torch.device:
    """`device` as a torch.device; by default the GPU of this process, or the CPU where there is no GPU."""
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
    """The torch dtype of a precision or of its name, such as "float32". Raises InputError for anything else."""
    precision = getattr(torch, dtype, dtype) if isinstance(dtype, str) else dtype
    if not isinstance(precision, torch.dtype) or not precision.is_floating_point:
        raise InputError(f"dtype is {precision!r}; it can be float32, bfloat16 or float16")
    return precision


def load(
    auto_class: Any, source: Any, *, tokenizer: Any, device: Any, dtype: Any, seed: int = 0, base: bool = False,
    **changes: Any,
) -> tuple[PreTrainedModel, Any]:  # fmt: skip
    """The stock causal model of class `auto_class`, in eval mode on its device, and its tokenizer.

    source: a folder, a hub name, or a built transformers model, which is copied. tokenizer: a folder, hub name or
    tokenizer; by default the one beside the model. changes: fields of the config. base: a new reward model starts from
    the source, so a head that the source lacks is drawn with `seed`; otherwise, and in the backbone always, every
    tensor must be there. Code that lies beside the weights is never run. Raises InputError.
    """
    dtype = as_dtype(dtype)
    tokenizer = load_tokenizer(source if tokenizer is None else tokenizer)
    built = isinstance(source, PreTrainedModel)
    name = (source.name_or_path or type(source).__name__) if built else str(source)
    with quiet(), torch.random.fork_rng(devices=[]), _explain(source):
        torch.manual_seed(seed)
        config = copy.deepcopy(source.config) if built else AutoConfig.from_pretrained(source, trust_remote_code=False)
        for field, value in {"pad_token_id": tokenizer.pad_token_id, **changes}.items():
            setattr(config, field, value)
        if "gguf" in str(getattr(config, "quantization_config", "")).lower():
            del config.quantization_config  # weights from a GGUF file are plain numbers once they are loaded
        if type(config) not in AutoModelForCausalLM._model_mapping or config.is_encoder_decoder:
            raise InputError(f"{name} is not a causal language model, but a {config.model_type}; name another")
        model, report = (_copy if built else read)(auto_class, source, config=config, dtype=dtype)
        model.to(pick_device(device)).eval()  # type: ignore[arg-type]
        check_causal(model, name)
        check_weights(model, report, name, base)
    model.origin = {"base": name, "head_seed": seed}  # type: ignore[assignment]  # tells one run from another
    return model, tokenizer


def read(auto_class: Any, source: Any, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A stored model, and the report for `check_weights`: transformers draws at random what a checkpoint lacks."""
    report = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    return auto_class.from_pretrained(source, trust_remote_code=False, **report, **options)


def _copy(auto_class: Any, source: Any, config: Any, dtype: torch.dtype) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A copy of a built model, with those of its heads that fit, and the report for `check_weights`."""
    if any(not weight.is_floating_point() or weight.element_size() == 1 for weight in source.parameters()):
        raise InputError(f"the weights of the {type(source).__name__} are quantised; load it without quantisation")
    model = auto_class.from_config(config, dtype=dtype)
    backbone = model.base_model.load_state_dict(source.base_model.state_dict(), strict=False)
    heads = {name: head.shape for name, head in model.named_parameters() if not in_backbone(model, name)}  # or tied
    fits = {name: weight for name, weight in source.state_dict().items() if heads.get(name) == weight.shape}
    model.load_state_dict(fits, strict=False)
    missing = [*heads.keys() - fits, *(f"{model.base_model_prefix}.{name}" for name in backbone.missing_keys)]
    return model, {"missing_keys": missing, "unexpected_keys": backbone.unexpected_keys, "mismatched_keys": ()}


def check_kind(auto_class: Any, source: str | Path, kind: str) -> Any:
    """The config of a checkpoint that names the head of `auto_class`. Raises InputError for any other."""
    with quiet(), _explain(source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    expected = auto_class._model_mapping.get(type(config), None)
    name = (getattr(config, "architectures", None) or ["an unknown class"])[0]
    if expected is None or name != expected.__name__:
        raise InputError(f"{source} is not {kind}: it holds {name}; use from_base to make one of it")
    return config


def save(model: PreTrainedModel, tokenizer: Any, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write the model (with `weights` in place of its own) and its tokenizer into one folder for stock Auto classes."""
    with quiet():
        model.save_pretrained(path, state_dict=weights)
        tokenizer.save_pretrained(path)


def load_tokenizer(source: Any) -> Any:
    """The tokenizer of a folder or hub name, or a copy of one; without a pad token it pads with its end token."""
    if isinstance(source, PreTrainedModel):
        raise InputError("a model that is already built needs its tokenizer: pass tokenizer=…")
    if isinstance(source, str | Path):
        if Path(source).is_dir() and not any(Path(source, name).exists() for name in _TOKENIZER_FILES):
            raise InputError(f"{source} holds no tokenizer; tokenizer.save_pretrained it there or pass tokenizer=…")
        with quiet(), _explain(source):
            tokenizer = _by_its_file(source)
    else:
        tokenizer = copy.deepcopy(source)
    if tokenizer.pad_token_id is None:  # padding is masked everywhere, so any token will do
        if tokenizer.eos_token is None:
            raise InputError("the tokenizer has no pad and no end token; set tokenizer.pad_token to any token it knows")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _by_its_file(source: str | Path) -> Any:
    """AutoTokenizer's tokenizer; where its rules are not those of tokenizer.json, one that takes them from there.

    For some architectures (Qwen 2) and named classes (GPT2Tokenizer) transformers 5 puts its own in their place.
    """
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    try:
        rules = Tokenizer.from_file(str(cached_file(source, "tokenizer.json")))
    except OSError:  # a tokenizer in another format, such as tokenizer.model
        return tokenizer
    rules.no_truncation()
    words = range(0, rules.get_vocab_size(), 1 + rules.get_vocab_size() // 4096)
    text = _PROBE + "".join(rules.decode([word], skip_special_tokens=False) for word in words)
    if _rules(tokenizer, text) != _rules(rules, text):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
        if _rules(tokenizer, text)[0] != _rules(rules, text)[0]:
            raise InputError(f"{source}: the tokenizer as loaded disagrees with its tokenizer.json; save it again")
    return tokenizer


def _rules(tokenizer: Any, text: str) -> list[Any]:
    """The ids of a text, None where the rules do not fit the vocabulary; how texts are normalised and split."""
    core, ids = getattr(tokenizer, "backend_tokenizer", tokenizer), None
    with suppress(Exception):  # the package raises nothing more special
        ids = core.encode(text, add_special_tokens=False).ids
    return [ids, *(getattr(core, part, None).__getstate__() for part in ("normalizer", "pre_tokenizer"))]


@contextmanager
def _explain(source: Any) -> Iterator[None]:
    """Turn the errors of transformers for a model that cannot be loaded into one line with a remedy."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a broken config alone raises a dozen kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(source, PreTrainedModel):
            what = f"the {type(source).__name__} cannot be taken over: {reason}"
        elif Path(source).is_dir():
            what = f"{source} cannot be loaded as a model: {reason}; save it again, or name another"
        else:
            what = f"{source} is neither a folder nor a model within reach on the hub ({reason}); without a network, "
            what += 'minrm.shipped("policy") is a small one that comes with the package'
        raise InputError(what) from error


class Machine(str):
    """One line about a machine; profile: "gpu" or, for tiny models, "smoke"."""

    profile: str


def machine() -> Machine:
    """One line on this machine as it is now: its first GPU with its free memory, precision, versions and profile."""
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
