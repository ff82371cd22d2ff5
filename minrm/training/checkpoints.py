"""The record of a run in its folder: its settings, whether it is finished, and the checkpoint from which it goes on."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from minrm.errors import InputError


def start_run(folder: Path, settings: dict[str, Any], resume: bool) -> dict[str, Any]:
    """The run's record: its settings, whether it is finished, then also its results. A new run gets a new record.

    Raises InputError, before anything is written, if the folder holds another run or what no run wrote.
    """
    path = folder / "training.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    foreign = path.exists() or checkpoints(folder) or (resume and (folder / "config.json").exists())
    if "settings" not in record and foreign:
        raise InputError(f"{folder} holds a model or checkpoints that no run of minrm wrote: name another folder")
    if record and resume:
        there = record["settings"]
        if changed := [f"{k} {there.get(k)!r} there, {v!r} here" for k, v in settings.items() if there.get(k) != v]:
            remedy = "name another folder, or pass resume=False to replace it"
            raise InputError(f"{folder} holds a run with other settings ({'; '.join(changed)}): {remedy}")
        return record
    record = {"settings": settings, "finished": False}
    if first_process():
        remove_checkpoints(folder)  # first: killed in between, a new record must not go on from them
        write_record(folder, record)
    return record


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "training.json.part"
    part.write_text(json.dumps(record, indent=1), encoding="utf-8")
    part.replace(folder / "training.json")


def checkpoints(folder: Any) -> list[Path]:
    """Folders named as the Trainer names them, oldest first, and no other: what lies beside them is not ours."""
    ours = [path for path in Path(folder).glob("checkpoint-*/") if re.fullmatch("checkpoint-[0-9]+", path.name)]
    return sorted(ours, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def last_checkpoint(folder: Any) -> str | None:
    """The newest checkpoint that was written to its end: the Trainer writes `trainer_state.json` last."""
    return next((str(path) for path in reversed(checkpoints(folder)) if (path / "trainer_state.json").exists()), None)


def remove_checkpoints(folder: Any, keep: int = 0) -> None:
    """Remove all checkpoints but the last `keep`."""
    for path in checkpoints(folder)[: -keep or None]:
        shutil.rmtree(path)


def digest(rows: list[dict[str, Any]]) -> str:
    """A fingerprint of prepared rows: a run does not go on with other data under its settings."""
    total = hashlib.sha256()
    for name, value in (item for row in rows for item in row.items()):
        total.update(name.encode() + (value.numpy().tobytes() if isinstance(value, Tensor) else str(value).encode()))
    return total.hexdigest()[:16]


def first_process() -> bool:
    """True in the one of several processes that writes files and messages, and where there is only one."""
    return os.environ.get("RANK", "0") == "0"
