"""What lets a run be killed and taken up again: a record, whole checkpoints, an order that repeats, a patient Ctrl-C.

`training.py` writes a record of the run's settings into its folder, and after each checkpoint a list of the files in
it. A checkpoint without its list, or with a file of another size, was being written when the process died.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from minrm.errors import InputError
from minrm.loading import quiet

RECORD, MANIFEST = "training.json", "complete.json"
log = logging.getLogger("minrm")


def run_settings(model: Any, supervised: Callable[[Tensor], Tensor], **options: Any) -> dict[str, Any]:
    """What tells one run from another, beside its rows. The weights do not: an interrupted run may go on from its own.

    Raises InputError for options that would train nothing.
    """
    for name in ("epochs", "batch_size", "accumulate"):
        if not options[name] > 0:
            raise InputError(f"{name} is {options[name]}; it must be above 0")
    stock = model.model
    origin = getattr(
        stock, "origin", None
    )  # the base, and the seed of the new head: not known if it was built elsewhere
    origin = origin or {"base": stock.name_or_path or type(stock).__name__}
    size = sum(parameter.numel() for parameter in model.parameters())
    processes = int(os.environ.get("WORLD_SIZE", 1))
    kind = {"model": type(model).__name__, "parameters": size, **origin, "processes": processes}
    return kind | options | {"supervised": _version(supervised)}


def _version(supervised: Callable[[Tensor], Tensor]) -> str:
    """Name a supervision by what it does, too: corrected under the same name, it is another one.

    It is shown one batch that is padded on the right and one that is padded on the left.
    """
    name = getattr(supervised, "__qualname__", type(supervised).__name__)
    generator = torch.Generator().manual_seed(0)
    start, length = torch.randint(1, 12, (2, 12, 1), generator=generator)
    place = torch.arange(24)
    masks = (place >= start) & (place < start + length), place >= 24 - length  # [B, T] each, as in training
    try:
        seen = [str([torch.as_tensor(supervised(mask.clone())).tolist() for mask in masks]) for _ in range(2)]
    except Exception as error:  # whatever it is: training calls it too, and lets its error through
        return f"{name}, raises {type(error).__name__}"
    if seen[0] != seen[1]:
        return f"{name}, by chance"  # what it draws tells nothing
    return f"{name}, version {hashlib.sha256(seen[0].encode()).hexdigest()[:6]}"


def open_record(folder: Path, settings: dict[str, Any], rows: list[dict[str, Any]], resume: bool) -> dict | None:
    """The record of a finished run with these settings and prepared rows, or None if there is training to do.

    A folder that holds another run, or a model that no run of ours wrote, is refused with an InputError;
    resume=False removes what a run left there.
    """
    path, settings = folder / RECORD, settings | {"data": _digest(rows)}
    record = json.loads(path.read_text()) if resume and path.exists() else None
    if record is not None:
        there = {"lora": 0, "dtype": None} | record["settings"]  # older records do not speak of them
        changed = [f"{k} {there.get(k)!r} there, {v!r} here" for k, v in settings.items() if there.get(k) != v]
        if changed:
            remedy = "name another folder, or pass resume=False to replace it"
            raise InputError(f"{folder} holds a run with other settings ({'; '.join(changed)}): {remedy}")
        return record if record["finished"] else None
    if resume and ((folder / "config.json").exists() or any(folder.glob("checkpoint-*"))):
        raise InputError(f"{folder} holds a model that no run wrote: name another folder, or pass resume=False")
    if first_process():
        folder.mkdir(parents=True, exist_ok=True)
        _remove_checkpoints(folder)
        _write_json(path, {"settings": settings, "finished": False})
    return None


def close_record(folder: Path, **results: Any) -> None:
    """Note that the run is finished, and what came of it; its checkpoints are no longer needed."""
    record = json.loads((folder / RECORD).read_text())
    _write_json(folder / RECORD, record | {"finished": True} | results)
    _remove_checkpoints(folder)


def seal(checkpoint: Path) -> None:
    """Note that a checkpoint is whole: the sizes of its files."""
    _write_json(checkpoint / MANIFEST, {file.name: file.stat().st_size for file in checkpoint.iterdir()})


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is whole; half-written ones are passed over and removed."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])):
        if _is_whole(checkpoint):
            return str(checkpoint)
        log.warning("%s was not written to its end; going back to the one before", checkpoint)
        if first_process():
            shutil.rmtree(checkpoint)
    return None


def _is_whole(checkpoint: Path) -> bool:
    if not (checkpoint / MANIFEST).exists():
        return False
    sizes = json.loads((checkpoint / MANIFEST).read_text())
    files = {name: checkpoint / name for name in sizes}
    return all(file.exists() and file.stat().st_size == sizes[name] for name, file in files.items())


class ByLength(Sampler[int]):
    """Row numbers of an epoch: shuffled, grouped so that an update sees rows of like length, groups in random order.

    lengths: of the rows; group: rows in an update; epoch: tells which one begins; size: of the data set, if gaps follow
    its rows: their numbers come last. The order depends on seed and epoch alone. The sampler behind
    `train_sampling_strategy="group_by_length"` draws from the global random state, which a run resumed in its second
    epoch does not have, and goes from long to short through fifty batches at a time.
    """

    def __init__(self, lengths: list[int], group: int, seed: int, epoch: Callable[[], int], size: int = 0) -> None:
        self.lengths, self.group, self.seed, self.epoch = lengths, group, seed, epoch
        self.size = max(size, len(lengths))

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.epoch())
        rows = torch.randperm(len(self.lengths), generator=generator).tolist()
        for start in range(0, len(rows), 50 * self.group):
            window = slice(start, start + 50 * self.group)
            rows[window] = sorted(rows[window], key=self.lengths.__getitem__)
        groups = [rows[start : start + self.group] for start in range(0, len(rows), self.group)]
        last = groups.pop() if len(groups[-1]) < self.group else []  # in the middle it would shift the others
        for index in torch.randperm(len(groups), generator=generator).tolist():
            yield from groups[index]
        yield from last
        yield from range(len(self.lengths), self.size)


def load_weights(model: Any, folder: str | Path) -> None:
    """Put the saved weights of a checkpoint into a reward model, in the precision that it has."""
    with quiet():
        saved = type(model.model).from_pretrained(folder, dtype=torch.float32)
    model.model.load_state_dict(saved.state_dict())


def _digest(rows: list[dict[str, Any]]) -> str:
    """What tells one prepared data set from another."""
    total = hashlib.sha256()
    for row in rows:
        for name, value in row.items():
            total.update(name.encode() + (value.numpy().tobytes() if isinstance(value, Tensor) else bytes([value])))
    return total.hexdigest()[:16]


@contextmanager
def patient_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C wait until the update is complete; the second one stops at once. Not where several processes train."""
    if threading.current_thread() is not threading.main_thread() or "WORLD_SIZE" in os.environ:
        yield
        return

    def note(number: int, frame: Any) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def first_process() -> bool:
    """The one of several that writes files and speaks; true where there is only one."""
    return os.environ.get("RANK", "0") == "0"


def _remove_checkpoints(folder: Path) -> None:
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the file at once or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1))
    part.replace(path)
