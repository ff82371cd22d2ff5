"""Rows in .jsonl and .json files, also gzipped, and what may be wrong with such a text. `minrm.rows` is the way in."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from minrm.errors import InputError

_HALF_WRITTEN = re.compile(r"\\u[dD][89a-fA-F]")  # a surrogate: JSON may write one of a pair alone, UTF-8 may not
_HALF = re.compile("[\ud800-\udfff]")


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """The text of a file, also a gzipped one; newline as in `open`. Raises InputError where it is not UTF-8."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline=newline) as file:
            yield file
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not readable as UTF-8 text ({error}); fetch or write the file again") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value); empty lines are passed over."""
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, loads(line, f"{path}, row {number}")


def read_json(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (number from 1, value) of a file that is one list."""
    with open_text(path) as file:
        rows = loads(file.read(), str(path))
    if not isinstance(rows, list):
        raise InputError(f"{path}: a JSON {type(rows).__name__}; it should be a list of rows, or a .jsonl file")
    yield from enumerate(rows, start=1)


def loads(text: str, place: str) -> Any:
    """What a JSON text says. place: where it stands, such as "train.jsonl, row 17". Raises InputError."""
    if text.startswith("version https://git-lfs"):
        raise InputError(f"{place}: a Git LFS pointer, not the data; run `git lfs pull` in the publisher's repository")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: broken JSON ({error}); it begins {short(text.strip())}") from error
    if half := _HALF.search(json.dumps(value, ensure_ascii=False) if _HALF_WRITTEN.search(text) else ""):
        raise InputError(f"{place}: half a character, {half[0]!r}, which no tokenizer takes; mend or remove it")
    return value


def as_text(value: Any) -> str:
    """For `json.dumps`: what JSON has no form for but a .parquet file has, dates and decimals. Raises InputError."""
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal):
        return str(value)
    raise InputError(f"JSON has no form for {type(value).__name__}, {short(value)}; leave that column out of the rows")


def write_jsonl(rows: Iterable[dict[str, Any]], path: Path, zipped: bool) -> int:
    """Write one row a line; returns how many."""
    count = 0
    with (gzip.open if zipped else open)(path, "wt", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=as_text) + "\n")
            count += 1
    return count


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
