"""Rows in files: jsonl, json and parquet are read one row at a time, checked against a schema, and written.

The four schemas are what every other file speaks. A row that does not fit is refused where it enters, by one line that
names the file and the row, what is there, and what should be.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.jsonl import read_json, read_jsonl, short, write_jsonl
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
    reader = read_jsonl if ".jsonl" in path.suffixes else read_json
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
        count = (
            write_parquet(rows, part) if path.suffix == ".parquet" else write_jsonl(rows, part, path.suffix == ".gz")
        )
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
        raise InputError(f"{place}: {name} is {short(value)}; it should be a text")
    check_text(value, place, name)


def _check_bool(value: Any, name: str, place: str) -> None:
    if value not in (True, False) or isinstance(value, float):
        raise InputError(f"{place}: {name} is {short(value)}; it should be true or false")


def _check_steps(value: Any, name: str, place: str) -> None:
    if not isinstance(value, list) or not value:
        raise InputError(f"{place}: {name} is {short(value)}; it should be a list of at least one step")
    for number, step in enumerate(value, start=1):
        _check_string(step, f"step {number}", place)


def _check_labels(value: Any, name: str, place: str) -> None:
    if not isinstance(value, list):
        raise InputError(f"{place}: {name} is {short(value)}; it should be a list with one label a step")
    for number, label in enumerate(value, start=1):
        number_like = isinstance(label, numbers.Real) and math.isfinite(label) and 0 <= float(label) <= 1
        if label is not None and not number_like:
            raise InputError(
                f"{place}: the label of step {number} is {short(label)}; "
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
