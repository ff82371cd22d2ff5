"""Rows in files: jsonl, json and parquet are read one row at a time, checked against a schema, and written.

The four schemas are what every other file speaks. A row that does not fit is refused where it enters, by one line that
names the file and the row, what is there, and what should be.
"""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import math
import numbers
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from minrm.errors import InputError
from minrm.parquet import read_parquet, write_parquet
from minrm.text import check_text

Rows = Iterable[dict[str, Any]] | Iterable[tuple[int, dict[str, Any]]]
SCHEMAS: dict[str, dict[str, str]] = {
    "problem": {"question": "text", "answer": "text"},  # answer: the right final answer
    # of the problem, too; null where a publisher says that a solution is wrong, but not what would be right
    "outcome": {"question": "text", "solution": "text", "answer": "text or null", "correct": "bool"},
    "process": {"question": "text", "steps": "steps", "labels": "labels"},  # 1 good, 0 bad, between soft, None unknown
    "pair": {"prompt": "text", "chosen": "text", "rejected": "text"},
}
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")


def read_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, row) of a .jsonl, .json (one list) or .parquet file; the first two also gzipped.

    In a .jsonl file the row number is the line number; empty lines are passed over. Raises InputError for a missing
    file (it says what lies beside it), an unknown kind of file, broken JSON, and a row that is not an object.
    """
    path = Path(path)
    check_file(path)
    if path.name.endswith(".parquet"):
        yield from read_parquet(path)
        return
    reader = _read_jsonl if ".jsonl" in path.suffixes else _read_json
    for number, row in reader(path):
        if not isinstance(row, dict):
            raise InputError(f"{path}, row {number}: a {type(row).__name__}; each row is a JSON object, {{…}}")
        yield number, row


def write_rows(rows: Iterable[dict[str, Any]], path: str | Path) -> int:
    """Write rows to a .jsonl (also .gz) or .parquet file, making its folder; returns how many.

    Rows are taken one at a time, so that memory does not grow with their number. The file appears when it is complete:
    until then it has the ending `.part`, and an error in the rows leaves what was there before. Raises InputError for
    other endings.
    """
    path = Path(path)
    check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".parquet":
            count = write_parquet(rows, part)
        else:
            count = _write_jsonl(rows, part, gzip.open if path.suffix == ".gz" else open)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def check_ending(path: Path) -> None:
    """Refuse, before long work, a file that `write_rows` could not write at its end. Raises InputError."""
    if not path.name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        raise InputError(f"{path}: rows are written as .jsonl, .jsonl.gz or .parquet; choose one of these endings")


def numbered(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number, row) of rows that come numbered (from `read_rows`) or plain (numbered from 1)."""
    for position, item in enumerate(rows, start=1):
        yield item if isinstance(item, tuple) else (position, item)


def check_rows(rows: Rows, schema: str, place: str | Path = "rows") -> Iterator[dict[str, Any]]:
    """Yield the rows unchanged, each checked; rows come as `numbered` takes them.

    schema: a name in SCHEMAS. place: the file, for the message. Raises InputError for a missing or unknown field, a
    field of the wrong kind, an empty text, a step token inside a text, a label outside [0, 1], counts of steps and
    labels that differ, and a pair whose responses are equal.
    """
    if schema not in SCHEMAS:
        raise InputError(f"no schema {schema!r}; the schemas are {', '.join(SCHEMAS)}")
    for number, row in numbered(rows):
        check_row(row, schema, f"{place}, row {number}")
        yield row


def check_row(row: dict[str, Any], schema: str, place: str) -> None:
    """Check one row; place is how the message begins, such as "train.jsonl, row 17". Raises as `check_rows`."""
    fields = SCHEMAS[schema]
    wanted = f"the {schema} schema has exactly {', '.join(fields)}" + _meant(row)
    if fields.keys() < row.keys():
        raise InputError(f"{place}: unknown field {_listed(row.keys() - fields.keys())}; {wanted}")
    check_fields(row, fields, place, wanted)
    if schema == "process" and len(row["steps"]) != len(row["labels"]):
        raise InputError(
            f"{place}: {len(row['steps'])} steps but {len(row['labels'])} labels; "
            "each step needs one label (1, 0, or null for none)"
        )
    if schema == "pair" and row["chosen"] == row["rejected"]:
        raise InputError(f"{place}: chosen and rejected are equal, so there is nothing to prefer; leave the row out")


def check_fields(row: dict[str, Any], fields: dict[str, str], place: str, wanted: str) -> None:
    """Check that a row has these fields (name → kind, as in SCHEMAS), whatever else it has.

    place: as in `check_row`. wanted: how the message ends where one is missing. Raises InputError.
    """
    if missing := fields.keys() - row.keys():
        raise InputError(f"{place}: missing field {_listed(missing)}; {wanted}")
    for name, kind in fields.items():
        _CHECKS[kind](row[name], name, place)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _meant(row: dict[str, Any]) -> str:
    fitting = [name for name, fields in SCHEMAS.items() if fields.keys() == row.keys()]
    return f" (this row fits the {fitting[0]} schema)" if fitting else ""


def _check_string(value: Any, name: str, place: str) -> None:
    if not isinstance(value, str):
        raise InputError(f"{place}: {name} is {_show(value)}; it should be a text")
    check_text(value, place, name)


def _check_bool(value: Any, name: str, place: str) -> None:
    if value not in (True, False) or isinstance(value, float):
        raise InputError(f"{place}: {name} is {_show(value)}; it should be true or false")


def _check_steps(value: Any, name: str, place: str) -> None:
    if not isinstance(value, list) or not value:
        raise InputError(f"{place}: {name} is {_show(value)}; it should be a list of at least one step")
    for number, step in enumerate(value, start=1):
        _check_string(step, f"step {number}", place)


def _check_labels(value: Any, name: str, place: str) -> None:
    if not isinstance(value, list):
        raise InputError(f"{place}: {name} is {_show(value)}; it should be a list with one label a step")
    for number, label in enumerate(value, start=1):
        number_like = isinstance(label, numbers.Real) and math.isfinite(label) and 0 <= float(label) <= 1
        if label is not None and not number_like:
            raise InputError(
                f"{place}: the label of step {number} is {_show(label)}; "
                "labels are 1 (good), 0 (bad), between them (soft), or null (none)"
            )


def _check_string_or_null(value: Any, name: str, place: str) -> None:
    if value is not None:
        _check_string(value, name, place)


_CHECKS = {
    "text": _check_string,
    "text or null": _check_string_or_null,
    "bool": _check_bool,
    "steps": _check_steps,
    "labels": _check_labels,
}


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def check_file(path: Path) -> None:
    """Refuse a path that is no file of rows: a folder, nothing at all, or an unknown ending. Raises InputError."""
    if path.is_dir():
        found = sorted(file.name for file in path.iterdir() if file.name.endswith(_SUFFIXES))
        raise InputError(f"{path} is a folder; name one of its files" + (f": {', '.join(found[:8])}" if found else ""))
    if not path.exists():
        raise InputError(f"{path}: no such file; {_beside(path)}")
    if not path.name.endswith(_SUFFIXES):
        raise InputError(f"{path}: unknown kind of file; rows are read from {', '.join(_SUFFIXES)}")


def _beside(path: Path) -> str:
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    names = sorted(file.name + "/" * file.is_dir() for file in folder.iterdir() if not file.name.startswith("."))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"in {folder.resolve()} there is {', '.join(names[:8]) or 'nothing'}{more}"


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """The text of a file, also a gzipped one; newline as in `open`. Raises InputError where it is not UTF-8."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline=newline) as file:
            yield file
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not readable as UTF-8 text ({error}); fetch or write the file again") from error


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, loads(line, f"{path}, row {number}")


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    with open_text(path) as file:
        rows = loads(file.read(), str(path))
    if not isinstance(rows, list):
        raise InputError(f"{path}: a JSON {type(rows).__name__}; it should be a list of rows, or a .jsonl file")
    yield from enumerate(rows, start=1)


_HALF_WRITTEN = re.compile(r"\\u[dD][89a-fA-F]")  # a surrogate: JSON may write one of a pair alone, UTF-8 may not
_HALF = re.compile("[\ud800-\udfff]")


def loads(text: str, place: str) -> Any:
    """What a JSON text says. place: where it stands, such as "train.jsonl, row 17". Raises InputError."""
    if text.startswith("version https://git-lfs"):
        raise InputError(f"{place}: a Git LFS pointer, not the data; run `git lfs pull` in the publisher's repository")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: broken JSON ({error}); it begins {_show(text.strip())}") from error
    if half := _HALF.search(json.dumps(value, ensure_ascii=False) if _HALF_WRITTEN.search(text) else ""):
        raise InputError(f"{place}: half a character, {half[0]!r}, which no tokenizer takes; mend or remove it")
    return value


def as_text(value: Any) -> str:
    """For `json.dumps`: what JSON has no form for but a .parquet file has, dates and decimals. Raises InputError."""
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal):
        return str(value)
    raise InputError(f"JSON has no form for {type(value).__name__}, {_show(value)}; leave that column out of the rows")


def _write_jsonl(rows: Iterable[dict[str, Any]], part: Path, opener: Any) -> int:
    count = 0
    with opener(part, "wt", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=as_text) + "\n")
            count += 1
    return count
