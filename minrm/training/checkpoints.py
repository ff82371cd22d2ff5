"""The record of a run in its folder: its settings, whether it is finished, and the checkpoint from which it goes on."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from minrm.errors import InputError
from minrm.files.lines import loads
from minrm.files.runs import alone, tidy, unwritten, whole, writing

STATE = "trainer_state.json"  # the last file that the Trainer writes into a checkpoint
WRITTEN = "written_by_minrm.json"  # ours, after it: the names of the others
MODEL = ("model*.safetensors", "config.json", "generation_config.json", "tokenizer*")  # what a run would replace


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it for this run. Raises InputError if another run holds it, or it cannot be written."""
    with ExitStack() as stack:
        stack.enter_context(writing(folder))
        if first_process():
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone(folder))
        try:
            yield
        except (SafetensorError, RuntimeError) as error:  # how safetensors and torch say that they could not write
            if not re.search(r"I/O error|PytorchStreamWriter|inline_container", str(error)):
                raise
            raise unwritten(folder, str(error).splitlines()[0]) from error


def start_run(folder: Path, settings: dict[str, Any], resume: bool) -> dict[str, Any]:
    """The run's record: its settings, whether it is finished, then also its results. A new run gets a new record.

    Raises InputError, before anything is written, if the folder holds another run, or files that no run wrote.
    """
    path = folder / "training.json"
    record = loads(path.read_bytes(), str(path)) if path.exists() else {}
    foreign = path.exists() or checkpoints(folder) or (resume and any(any(folder.glob(name)) for name in MODEL))
    if not isinstance(record.get("settings"), dict) and foreign:
        raise InputError(f"{folder} holds a model or checkpoints that no run of minrm wrote: name another folder")
    if record and resume and not record.get("failed"):
        there = record["settings"]
        if changed := [f"{k} {there.get(k)!r} there, {v!r} here" for k, v in settings.items() if there.get(k) != v]:
            remedy = "name another folder, or remove this one to replace its run (in Python: resume=False)"
            raise InputError(f"{folder} holds a run with other settings ({'; '.join(changed)}): {remedy}")
        return record
    record = {"settings": settings, "finished": False}
    if first_process():
        remove_checkpoints(folder)  # first: killed in between, a new record must not go on from them
        write_record(folder, record)
    return record


def finish(folder: Path) -> None:
    """Remove what a run needed up to its end, also after a kill that came between the record and this call."""
    remove_checkpoints(folder)
    tidy(folder / "training.json")
    tidy(folder / "README.md")


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record whole or not at all."""
    with whole(folder / "training.json") as part:
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def checkpoints(folder: Any) -> list[Path]:
    """The checkpoint folders, named as the Trainer names them, oldest first; what lies beside them is not ours."""
    ours = [path for path in Path(folder).glob("checkpoint-*/") if re.fullmatch("checkpoint-[0-9]+", path.name)]
    return sorted(ours, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def last_checkpoint(folder: Any) -> str | None:
    """The newest checkpoint that a run wrote to its end; None if there is none."""
    complete = [str(path) for path in checkpoints(folder) if (path / STATE).exists() and written(path)]
    return complete[-1] if complete else None


def remove_checkpoints(folder: Any, keep: int = 0) -> None:
    """Remove all checkpoints that a run wrote but the last `keep`, and empty ones; what else lies in them stays."""
    ours = {path: names for path in checkpoints(folder) if (names := written(path))}
    kept = list(ours)[len(ours) - keep :]
    for path in [path for path in checkpoints(folder) if path not in kept]:
        names = [STATE, *ours[path], WRITTEN] if path in ours else []  # cut off, it is no checkpoint, but still ours
        for name in names:
            (path / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            path.rmdir()


def files(checkpoint: Path) -> dict[str, tuple[int, int]]:
    """The files of a folder: name → (when it was written, in ns; its size in bytes)."""
    stats = {path.name: path.stat() for path in checkpoint.glob("*") if path.is_file()}
    return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


def mark(checkpoint: Path, before: dict[str, tuple[int, int]]) -> None:
    """Note in a checkpoint which of its files the run wrote: those that are not as they were `before`."""
    names = [name for name, stat in files(checkpoint).items() if before.get(name) != stat]
    (checkpoint / WRITTEN).write_text(json.dumps({"files": names}), encoding="utf-8")


def written(checkpoint: Path) -> list[str]:
    """The files that a run wrote into a checkpoint; none, if it did not come to its end."""
    with suppress(OSError, InputError):
        return loads((checkpoint / WRITTEN).read_bytes(), "")["files"]
    return []


def digest(rows: list[dict[str, Any]]) -> str:
    """A fingerprint of prepared rows: a run does not go on with other data under its settings."""
    total = hashlib.sha256()
    for name, value in (item for row in rows for item in row.items()):
        total.update(name.encode() + (value.numpy().tobytes() if isinstance(value, Tensor) else str(value).encode()))
    return total.hexdigest()[:16]


def first_process() -> bool:
    """True in the one of several processes that writes files and messages, and where there is only one."""
    return os.environ.get("RANK", "0") == "0"
