"""The append-only files of long runs: a first record that says what was asked for, then one row a line.

`sample` and sharded scoring write them chunk by chunk; a run that is killed and called again goes on where its file
ends. `minrm.shards` joins those of several machines, `minrm.cli.preparing` makes training rows of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.jsonl import as_text, loads, open_text
from minrm.rows import check_file

KINDS = {"samples": "a sampling run", "scores": "a scoring run"}  # the key of the first record → what it describes
WRITERS = {
    "samples": "minrm sample wrote",
    "scores": "minrm score --shard wrote",
    None: "minrm sample or minrm score wrote with --shard",
}

_TWICE = "did two commands write there at once? Remove the file, or its rows from there on, and call one again"


def read_samples(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the complete rows of a file that `sample` wrote. A last line cut off by a kill is left out.

    Raises InputError for a missing file (it says what lies beside it), one of another kind, and a broken row.
    """
    (_, header), *rows = stream_samples(path)
    return header, [row for _, row in rows]


def stream_samples(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The same one at a time, with their line numbers: the header (1), then the rows. Raises as `read_samples`."""
    path = Path(path)
    check_file(path)
    if path.suffix != ".jsonl":
        raise InputError(f"{path}: samples are read from the .jsonl file that minrm sample wrote; give that")
    lines = whole_lines(path)
    yield 1, read_header(path, next(lines, ""), "samples")
    for number, line in enumerate(lines, start=2):
        row = loads(line, f"{path}, row {number}")
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("question", "solution")):
            raise InputError(f"{path}, row {number}: no question with a solution; each row after the first holds one")
        yield number, row


def resume(
    path: Path, kind: str, header: dict[str, Any], total: int, whole: Callable[[int], int]
) -> list[dict[str, Any]]:
    """The rows of whole chunks that the file holds; everything after them is cut off. A new file is not made yet.

    kind: a key of KINDS. total: how many rows the finished file has. whole(count): how many of the first `count` rows
    make whole chunks. Raises InputError if the file holds another run, something else, or rows out of their places.
    """
    if path.suffix != ".jsonl" or path.is_dir():
        raise InputError(f"{path}: {kind} are appended as they come, which needs a file that ends in .jsonl")
    if _opening(kind, header).startswith(path.read_bytes() if path.exists() else b""):  # new, or nothing but its header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # a folder that cannot be written to shows now, not after the first chunk
        path.unlink()
        return []
    lines = list(whole_lines(path)) or [""]
    if difference := differing(read_header(path, lines[0], kind), header):
        name, found, asked = difference
        raise InputError(
            f"{path} holds another run: its {name} is {found!r}, asked for was {asked!r}; "
            "name another file, or remove this one"
        )
    rows = lines[1:]
    if len(rows) < total:
        rows = rows[: whole(len(rows))]
    check_count(path, len(rows), total)
    records = [loads(row, f"{path}, row {number}") for number, row in enumerate(rows, start=2)]
    if kind == "samples":
        check_places(path, records, header)
    with open(path, "r+b") as file:
        file.truncate(sum(len(line.encode()) for line in [lines[0], *rows]))
    return records


def check_count(path: Path, found: int, total: int) -> None:
    """Refuse a file with more rows than its run has. Raises InputError."""
    if found > total:
        raise InputError(f"{path}: {found} rows where its run has {total}; {_TWICE}")


def check_places(path: Path, records: Iterable[dict[str, Any]], header: dict[str, Any]) -> None:
    """Refuse samples that are there twice or missing, as when two processes wrote one file. Raises InputError."""
    for at, record in enumerate(records):
        fields = record if isinstance(record, dict) else {}  # a header that is there twice has none of them
        found, wanted = (fields.get("problem"), fields.get("sample")), divmod(header.get("first", 0) + at, header["n"])
        if found != wanted:
            told = "sample {1} of problem {0}".format
            there = "no sample" if None in found else told(*found)
            raise InputError(f"{path}, row {at + 2}: {there} where {told(*wanted)} belongs; {_TWICE}")


def append(path: Path, kind: str, header: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write a chunk behind what the file holds; a new file begins with its header."""
    with open(path, "ab") as file:
        opening = b"" if file.tell() else _opening(kind, header)
        lines = [json.dumps(row, ensure_ascii=False, default=as_text) + "\n" for row in rows]
        file.write(opening + "".join(lines).encode())


def _opening(kind: str, header: dict[str, Any]) -> bytes:
    return json.dumps({kind: header}).encode() + b"\n"


def read_header(path: Path, line: str, kind: str | None = None) -> dict[str, Any]:
    """What the first line says of the run; of `kind`, or without one of any, whose name it then holds as `kind`."""
    try:
        record = loads(line, str(path))
        if kind is None:
            (kind,) = record.keys() & KINDS.keys()
            return record[kind] | {"kind": kind}
        return record[kind] | {}
    except (InputError, KeyError, TypeError, AttributeError, ValueError):
        wanted = " or ".join([KINDS[kind]] if kind else KINDS.values())
        raise InputError(
            f"{path}: its first record does not describe {wanted}; name a file that {WRITERS[kind]}"
            + (", or one that is not there yet to write to" if kind else "")
        ) from None


def differing(found: dict[str, Any], asked: dict[str, Any]) -> tuple[str, Any, Any] | None:
    """The first field in which two headers differ, with both values; a field that one of them lacks is None there."""
    for name in [*asked, *found]:
        if found.get(name) != asked.get(name):
            return name, found.get(name), asked.get(name)
    return None


def whole_lines(path: Path) -> Iterator[str]:
    """The lines that end in a newline; a kill in the middle of a write leaves one that does not."""
    with open_text(path, newline="\n") as file:  # kept as they are: their lengths say where to cut
        yield from (line for line in file if line.endswith("\n"))
