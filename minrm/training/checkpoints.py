"""The record of a run in its folder: which settings it has, whether it is finished, and where it goes on.

The checkpoints are those of `transformers.Trainer`, which writes their `trainer_state.json` last: without it, a
checkpoint was cut off while it was written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minrm.errors import InputError
from minrm.loading import quiet

RECORD = "training.json"


def start_run(folder: Path, settings: dict[str, Any], resume: bool) -> dict[str, Any]:
    """The run's record: its settings, whether it is finished, then also its results. A new run gets a new record.

    Raises InputError, before anything is written, if the folder holds another run or what no run wrote.
    """
    path = folder / RECORD
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "settings" not in record and (path.exists() or checkpoints(folder)):
        raise InputError(f"{folder} holds checkpoints that no run of minrm wrote: name another folder")
    if not record and resume and (folder / "config.json").exists():
        raise InputError(f"{folder} holds a model that no run wrote: name another folder, or pass resume=False")
    if record and resume:
        there = record["settings"]
        changed = [f"{k} {there.get(k)!r} there, {v!r} here" for k, v in settings.items() if there.get(k) != v]
        if changed:
            remedy = "name another folder, or pass resume=False to replace it"
            raise InputError(f"{folder} holds a run with other settings ({'; '.join(changed)}): {remedy}")
        return record
    record = {"settings": settings, "finished": False}
    if first_process():
        remove_checkpoints(folder)  # first: killed in between, a new record must not go on from them
        _write_record(folder, record)
    return record


def finish_run(folder: Path, record: dict[str, Any]) -> None:
    """Note a finished run with its results; its checkpoints are no longer needed."""
    _write_record(folder, record | {"finished": True})
    remove_checkpoints(folder)


def last_checkpoint(folder: Any) -> str | None:
    """The newest checkpoint that was written to its end."""
    return next((str(path) for path in reversed(checkpoints(folder)) if (path / "trainer_state.json").exists()), None)


def remove_checkpoints(folder: Any, keep: int = 0) -> None:
    """Remove all checkpoints but the last `keep` that were written to their end."""
    paths = checkpoints(folder)
    whole = [path for path in paths if (path / "trainer_state.json").exists()]
    for path in set(paths) - set(whole[len(whole) - keep :]):
        shutil.rmtree(path)


def checkpoints(folder: Any) -> list[Path]:
    """Folders named as the Trainer names them, oldest first, and no other: what lies beside them is not ours."""
    ours = [path for path in Path(folder).glob("checkpoint-*/") if re.fullmatch("checkpoint-[0-9]+", path.name)]
    return sorted(ours, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def load_weights(model: Any, folder: str | Path) -> None:
    """Put the saved weights of a checkpoint into a reward model, in the precision that it has."""
    with quiet():
        saved = type(model.model).from_pretrained(folder, dtype=torch.float32)
    model.model.load_state_dict(saved.state_dict())


def digest(rows: list[dict[str, Any]]) -> str:
    """A fingerprint of prepared rows: a run does not go on with other data under its settings."""
    total = hashlib.sha256()
    for name, value in (item for row in rows for item in row.items()):
        total.update(name.encode() + (value.numpy().tobytes() if isinstance(value, Tensor) else str(value).encode()))
    return total.hexdigest()[:16]


def first_process() -> bool:
    """True in the one of several processes that writes files and messages, and where there is only one."""
    return os.environ.get("RANK", "0") == "0"


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the file at once or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record, indent=1), encoding="utf-8")
    part.replace(folder / RECORD)
