"""Rows: the four schemas that every other file speaks, and files of rows.

A row that does not fit its schema is refused where it enters, in one line that names the file and the row.
"""

import gzip
import math
import numbers
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.files.lines import Row, dumps, loads, unique
from minrm.files.runs import whole
from minrm.text import check_text, join_steps, split_steps

SCHEMAS: dict[str, dict[str, str]] = {
    "problem": {"question": "text", "answer": "text"},  # answer: the right final answer
    # answer: null where a publisher says that a solution is wrong, but not what is right
    "outcome": {"question": "text", "solution": "text", "answer": "text or null", "correct": "bool"},
    "process": {"question": "text", "steps": "steps", "labels": "labels"},  # 1 good, 0 bad, between soft, None unknown
    "pair": {"prompt": "text", "chosen": "text", "rejected": "text"},
}
_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
_CHUNK = 5000  # rows of a .parquet file at a time


def schemas_of(row: Row) -> list[str]:
    """The schemas to train on whose fields a row has: none, one, or several, since a row may have more fields."""
    return [schema for schema in ("outcome", "process", "pair") if SCHEMAS[schema].keys() <= row.keys()]


def check_rows(rows: Iterable[Row], schema: str, where: str | Path = "rows") -> Iterator[Row]:
    """The rows unchanged, one at a time, each numbered from 1 and checked by `check_row`; where: their file."""
    if schema not in SCHEMAS:
        raise InputError(f"no schema {schema!r}; the schemas are {', '.join(SCHEMAS)}")
    for number, row in enumerate(rows, start=1):
        check_row(row, schema, f"{where}, row {number}")
        yield row


def check_row(row: Row, schema: str, where: str) -> None:
    """Check one row, which may have more fields than its schema. where: its place, such as "train.jsonl, row 17".

    Raises InputError for a missing field or one of the wrong kind, an empty text, a step token inside a text, steps
    that do not have one label each or that scoring would split differently, and a pair whose responses are equal.
    """
    fitting = schemas_of(row)
    hint = f" (this row fits the {fitting[0]} schema)" if fitting else ""
    check_fields(row, SCHEMAS[schema], where, f"the {schema} schema has {', '.join(SCHEMAS[schema])}{hint}")
    if schema == "process":
        check_headers(row["steps"], where)
        if (steps := len(row["steps"])) != (labels := len(row["labels"])):
            raise InputError(f"{where}: {steps} steps but {labels} labels; each needs one (1, 0, or null for none)")
    if schema == "pair" and row["chosen"] == row["rejected"]:
        raise InputError(f"{where}: chosen and rejected are equal, so there is nothing to prefer; leave the row out")


def check_headers(steps: list[str], where: str) -> None:
    """Refuse steps that scoring, which reads them as one solution, would split differently. Raises InputError."""
    if (read := split_steps(join_steps(steps))) != steps:
        remedy = "a step holds a line that begins like a header (Step: 1:), write it differently"
        raise InputError(f"{where}: {len(steps)} steps, which scoring would read as {len(read)}; {remedy}")


def check_fields(row: Row, fields: dict[str, str], where: str, remedy: str = "") -> None:
    """Check that a row has these fields, whatever else it has. Raises InputError.

    fields: name → kind, as in SCHEMAS or `_KINDS`; "any text" may be empty. remedy: said of a missing field.
    """
    if missing := fields.keys() - row.keys():
        names = ", ".join(map(repr, sorted(missing)))
        raise InputError(f"{where}: missing field {names}; {remedy or 'a row needs ' + ', '.join(fields)}")
    for name, kind in fields.items():
        _check(row[name], kind, name, where)
        of, item_name = _ITEMS.get(kind, ("", ""))
        for number, item in enumerate(row[name] if of else (), start=1):
            _check(item, of, f"{item_name} {number}", where)


def _check(value: Any, kind: str, name: str, where: str) -> None:
    fits, expected = _KINDS[kind]
    if not fits(value):
        raise InputError(f"{where}: {name} is {value!r:.60}; it should be {expected}")
    if isinstance(value, str) and (kind != "any text" or value.strip()):
        check_text(value, where, name)


def _is_number(value: Any, low: float = -sys.float_info.max, high: float = sys.float_info.max) -> bool:
    real: Any = value if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    return bool(low <= real <= high)  # neither NaN nor beyond every float


def _is_bool(value: Any) -> bool:
    whole = isinstance(value, numbers.Integral) or type(value).__name__ in ("bool", "bool_")  # the latter: numpy's
    return whole and value in (True, False)


_KINDS: dict[str, Any] = {
    "text": (lambda value: isinstance(value, str), "a text"),
    "any text": (lambda value: isinstance(value, str), "a text"),
    "text or null": (lambda value: value is None or isinstance(value, str), "a text or null"),
    "bool": (_is_bool, "true or false"),
    "steps": (lambda value: isinstance(value, list) and value, "a list of at least one step"),
    "labels": (lambda value: isinstance(value, list), "a list with one label a step"),
    "label": (
        lambda value: value is None or isinstance(value, bool) or _is_number(value, 0, 1),
        "1 (good), 0 (bad), between them (soft), or null (none)",
    ),
    "number": (_is_number, "a finite number"),
    "number or null": (lambda value: value is None or _is_number(value), "a finite number or null"),
    "probabilities": (lambda value: isinstance(value, list), "a list with one probability a step"),
    "probability": (lambda value: _is_number(value, 0, 1), "a number from 0 to 1"),
}
_ITEMS = {  # a kind of list → the kind of its items, and their name
    "steps": ("text", "step"), "labels": ("label", "the label of step"),
    "probabilities": ("probability", "the score of step"),
}  # fmt: skip


def read_rows(path: str | Path) -> Iterator[Row]:
    """The rows of a .jsonl, .jsonl.gz or .parquet file, one at a time; empty lines are skipped.

    Raises InputError for a missing file, another ending, a file that cannot be read, and a row that is not an object.
    """
    path, number = Path(path), 0
    try:
        check_file(path)
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq  # imported where it is used: `minrm --help` needs no tables

            with pq.ParquetFile(path) as file:
                unique([(name, None) for name in file.schema_arrow.names])
                for batch in file.iter_batches(_CHUNK):
                    for number, row in enumerate(batch.to_pylist(), start=number + 1):  # noqa: B007, B020
                        yield row
            return
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007
                if line.strip():
                    yield loads(line, f"{path}, row {number}")
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a broken file is found out by pyarrow, gzip, zlib or the system, each in its own way
        place = f"{path}, after row {number}" if number else path
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise InputError(f"{place}: not readable ({reason}); fetch or write the file again") from error


def check_file(path: Path) -> None:
    """Refuse a path that is not a file of rows. Raises InputError."""
    check_ending(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; is its name spelt right?")


def check_ending(path: Path) -> None:
    """Refuse, before any long work, a path that rows cannot be read from or written to. Raises InputError."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one of its files, or a new one in it")
    if not path.name.endswith(_ENDINGS):
        raise InputError(f"{path}: unknown kind of file; rows are read and written as {', '.join(_ENDINGS)}")


def write_rows(rows: Iterable[Row], path: str | Path) -> int:
    """How many rows were written, one at a time, to a .jsonl, .jsonl.gz or .parquet file; its folder is made.

    The file appears when it is complete. Raises InputError for another ending, a place that cannot be written to, and
    values that have no form in JSON or do not fit into one column of a table.
    """
    path = Path(path)
    check_ending(path)
    with whole(path) as part:
        if path.suffix == ".parquet":
            return _write_parquet(rows, part)
        with (gzip.open if path.suffix == ".gz" else open)(part, "wt", encoding="utf-8") as file:
            return sum(1 for row in rows if file.write(dumps(row)))


def _write_parquet(rows: Iterable[Row], path: Path) -> int:
    """Chunks become tables, which are compact, and these are joined: only the last row says which columns there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, tables = iter(rows), [pa.table({})]
    try:
        while chunk := list(islice(rows, _CHUNK)):
            names = dict.fromkeys(name for row in chunk for name in row)
            tables.append(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in chunk]))
        table = pa.concat_tables(tables, promote_options="permissive")
        pq.write_table(table, path, compression="zstd")
    except (pa.ArrowException, OverflowError) as error:
        remedy = "make the values of each column of one kind, or write .jsonl"
        raise InputError(f"{path.name}: the rows make no table ({str(error).splitlines()[0]}); {remedy}") from error
    return len(table)
