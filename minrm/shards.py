"""A run in N parts, which any scheduler starts on as many machines, and their files joined again.

`sample` and `score` take "K/N" and do the K-th of N parts, whole chunks one behind the other; each file says in its
first record which rows of the whole it holds, and goes on when its machine was taken away. No process knows of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.jsonl import loads
from minrm.rows import check_file, write_rows
from minrm.run_files import check_count, check_places, differing, read_header, whole_lines

_PLACE = ("shard", "first", "rows")  # what the headers of one run's shards may differ in


def part(shard: str | None, count: int) -> range:
    """Which of `count` chunks the shard "K/N" does, K from 1 to N; without one all. Raises InputError."""
    number, of = _read(shard) if shard else (1, 1)
    return range(count * (number - 1) // of, count * number // of)


def place(shard: str | None, first: int, last: int) -> dict[str, Any]:
    """What a header says of a shard that holds the rows from `first` (of the whole, from 0) to before `last`."""
    if not shard:
        return {}
    number, of = _read(shard)
    return {"shard": f"{number}/{of}", "first": first, "rows": last - first}


def join(paths: Sequence[str | Path], out: str | Path) -> int:
    """Write the rows of all shards of one run, in order, to `out`; returns how many.

    paths: the files in any order. Samples become the .jsonl file that an unsharded run would have written; scored
    rows become plain rows (.jsonl, .jsonl.gz, .parquet), as `minrm score` writes them. The file appears when it is
    complete. Raises InputError, before anything is written, for a file that is no shard, shards of different runs, a
    shard that is missing, given twice or unfinished, and an `out` that is one of the shards.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise InputError("no shards to join; name the files that minrm sample or score wrote with --shard")
    out = Path(out)
    headers = {path: _shard_header(path) for path in files}
    if out.exists() and any(out.samefile(path) for path in files):
        raise InputError(f"{out} is one of the shards; name another file to write to")
    _check_one_run(files, headers)
    files = _in_order(files, headers)
    for path in files:
        _check_finished(path, headers[path])
    whole = {name: value for name, value in headers[files[0]].items() if name not in _PLACE}
    if whole.pop("kind") == "scores":
        rows = (loads(line, str(path)) for path in files for line in islice(whole_lines(path), 1, None))
        return write_rows(rows, out)
    if out.suffix != ".jsonl":
        raise InputError(f"{out}: joined samples are a .jsonl file, as minrm sample writes it; choose that ending")
    out.parent.mkdir(parents=True, exist_ok=True)
    unready = out.with_name(out.name + ".part")
    try:
        with open(unready, "w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"samples": whole}) + "\n")
            for path in files:
                file.writelines(islice(whole_lines(path), 1, None))
        unready.replace(out)
    finally:
        unready.unlink(missing_ok=True)
    return sum(headers[path]["rows"] for path in files)


def _read(shard: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", shard)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise InputError(f"shard is {shard!r}; wanted K/N, the K-th of N parts, such as 1/4, 2/4, 3/4 or 4/4")
    return number, of


def _shard_header(path: Path) -> dict[str, Any]:
    check_file(path)
    header = read_header(path, next(whole_lines(path), ""))
    if not all(name in header for name in _PLACE):
        raise InputError(f"{path} is no shard but a whole run; give files that were written with --shard")
    return header


def _check_one_run(files: list[Path], headers: dict[Path, dict[str, Any]]) -> None:
    def run(path: Path) -> dict[str, Any]:
        of = _read(headers[path]["shard"])[1]
        return {name: value for name, value in headers[path].items() if name not in _PLACE} | {"number of shards": of}

    for path in files[1:]:
        if difference := differing(run(path), run(files[0])):
            name, found, first = difference
            raise InputError(
                f"{path} and {files[0]} are of different runs: {name} {found!r} and {first!r}; join shards of one run"
            )


def _in_order(files: list[Path], headers: dict[Path, dict[str, Any]]) -> list[Path]:
    """The files by their place. Raises InputError where a shard is missing or there twice."""
    of = _read(headers[files[0]]["shard"])[1]
    held: dict[int, Path] = {}
    for path in files:
        number = _read(headers[path]["shard"])[0]
        if number in held:
            raise InputError(f"shard {number}/{of} is there twice, {held[number]} and {path}; leave one of them out")
        held[number] = path
    if missing := [f"{number}/{of}" for number in range(1, of + 1) if number not in held]:
        named = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise InputError(
            f"missing: shard {named}; give its file too, or run the same command with --shard {missing[0]}"
        )
    return [held[number] for number in sorted(held)]


def _check_finished(path: Path, header: dict[str, Any]) -> None:
    count = sum(1 for _ in islice(whole_lines(path), 1, None))
    check_count(path, count, header["rows"])
    if count < header["rows"]:
        raise InputError(
            f"{path}: shard {header['shard']} is unfinished, {count} of {header['rows']} rows; "
            "the command that wrote it goes on where it stopped"
        )
    if header["kind"] == "samples":
        lines = enumerate(islice(whole_lines(path), 1, None), start=2)
        check_places(path, (loads(line, f"{path}, row {number}") for number, line in lines), header)
