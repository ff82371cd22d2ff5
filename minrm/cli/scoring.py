"""Long scoring runs: row by row into a file that a stopped call goes on from, alone or as one of many machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from minrm import loading
from minrm.cli import files
from minrm.errors import InputError
from minrm.jsonl import as_text, loads, open_text
from minrm.rows import check_ending, write_rows
from minrm.run_files import append, resume
from minrm.shards import part, place

CHUNK = 256  # rows scored between two writes


def score_shard(
    model: Callable[[], Any],
    name: str,
    rows: Sequence[tuple[int, dict[str, Any]]],
    source: str | Path,
    out: str | Path,
    shard: str,
    aggregate: str = "product",
    progress: bool = True,
) -> int:
    """Score one shard of numbered rows into a .jsonl file, CHUNK rows at a time; returns how many rows it now holds.

    model: a function that loads the reward model, called if something is left to do. name: what tells the model from
    others. rows: all rows of the run, as `read_rows` gives them from `source`. A call that finds the file goes on
    behind its last whole chunk, so that the scores are those of an uninterrupted run. Raises InputError as
    `minrm.cli.files.score` does, and if the file holds another run, or other rows than these in their order.
    """
    mine = part(shard, len(rows))
    given = [row for _, row in rows]
    header = {
        "model": name, **_weights(name), "aggregate": aggregate, "of_rows": len(rows),
        "rows_sha256": hashlib.sha256(json.dumps(given, default=as_text).encode()).hexdigest(),
        **place(shard, mine.start, mine.stop),
    }  # fmt: skip
    files.check_to_score(rows, source, aggregate)
    held = resume(Path(out), "scores", header, len(mine), lambda count: count // CHUNK * CHUNK)
    _check_same(held, given[mine.start :], out)
    done = len(held)
    if done == len(mine):
        if not done:  # a shard of nothing: more shards than rows
            append(Path(out), "scores", header, [])
        return done
    loaded = model()
    with loading.progress_bar(len(mine), "scoring", " rows", shown=progress, start=done) as bar:
        for start in range(mine.start + done, mine.stop, CHUNK):
            chunk = rows[start : min(start + CHUNK, mine.stop)]
            append(Path(out), "scores", header, files.score(loaded, chunk, source, aggregate, progress=False))
            bar.update(len(chunk))
    return len(mine)


def score_all(
    model: Callable[[], Any],
    name: str,
    rows: Sequence[tuple[int, dict[str, Any]]],
    source: str | Path,
    out: str | Path,
    aggregate: str = "product",
    progress: bool = True,
) -> int:
    """Score all rows into a file of any kind; returns how many. Arguments and errors as for `score_shard`.

    Until the last one is scored they lie beside `out`, in a file that a stopped call goes on from and that is then
    removed. What came with a row is written as it came, dates and numbers of a .parquet file too.
    """
    out = Path(out)
    check_ending(out)
    unfinished = out.with_name(out.name + ".unfinished.jsonl")
    score_shard(model, name, rows, source, unfinished, "1/1", aggregate, progress)
    with open_text(unfinished, newline="\n") as lines:
        scored = (loads(line, str(unfinished)) for line in islice(lines, 1, None))
        added = ({key: row[key] for key in files.SCORES if key in row} for row in scored)
        count = write_rows((row | new for (_, row), new in zip(rows, added, strict=True)), out)
    unfinished.unlink()
    return count


def _check_same(held: list[dict[str, Any]], given: list[dict[str, Any]], out: str | Path) -> None:
    """Refuse rows that are not those given, in their order: two runs that write one file at a time leave such."""
    for number, (row, asked) in enumerate(zip(held, given, strict=False), start=2):
        kept = {key: value for key, value in asked.items() if key not in files.SCORES}
        found = {key: row.get(key) for key in kept}
        if json.dumps(found, default=as_text) != json.dumps(kept, default=as_text):
            raise InputError(
                f"{out}, row {number}: another row than is to be scored in its place; did two runs write here? remove "
                "this row and all behind it, and the same command goes on from there"
            )


def _weights(name: str) -> dict[str, str]:
    """What tells the model in a folder from one that is trained into the same folder later; of a hub name nothing."""
    total = hashlib.sha256()
    stored = sorted(path for path in Path(name).glob("*") if path.suffix in (".safetensors", ".bin"))
    for path in stored:
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return {"weights_sha256": total.hexdigest()} if stored else {}
