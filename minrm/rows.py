"""Rows: the four schemas that every other file speaks, files of rows, and files of long runs.

A row that does not fit its schema is refused where it enters, in one line that names the file and the row.
"""

import gzip
import json
import numbers
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.text import check_text, join_steps, split_steps

Row = dict[str, Any]
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
    """The schemas to train on whose fields a row has; it may have more fields, and so fit several."""
    return [schema for schema in ("outcome", "process", "pair") if SCHEMAS[schema].keys() <= row.keys()]


def check_rows(rows: Iterable[Row], schema: str, where: str | Path = "rows") -> Iterator[Row]:
    """The rows unchanged, one at a time, each numbered from 1 and checked by `check_row`; where: their file."""
    if schema not in SCHEMAS:
        raise InputError(f"no schema {schema!r}; the schemas are {', '.join(SCHEMAS)}")
    for number, row in enumerate(rows, start=1):
        check_row(row, schema, f"{where}, row {number}")
        yield row


def check_row(row: Row, schema: str, where: str) -> None:
    """Check one row, which may have more fields than its schema; where: such as "train.jsonl, row 17".

    Raises InputError for a missing field or one of the wrong kind, an empty text, a step token inside a text, steps
    without a label each or that scoring would split in another way, and a pair whose responses are equal.
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
    """Refuse steps that scoring, which reads them as one solution, would split in another way. Raises InputError."""
    if (read := split_steps(join_steps(steps))) != steps:
        remedy = "a step holds a line that begins like a header (Step: 1:), write it differently"
        raise InputError(f"{where}: {len(steps)} steps, which scoring would read as {len(read)}; {remedy}")


def check_fields(row: Row, fields: dict[str, str], where: str, remedy: str = "") -> None:
    """Check that a row has these fields, whatever else it has. Raises InputError.

    fields: name → kind, as in SCHEMAS, or "any text", which may be empty. remedy: where a field is missing.
    """
    if missing := fields.keys() - row.keys():
        names = ", ".join(map(repr, sorted(missing)))
        raise InputError(f"{where}: missing field {names}; {remedy or 'a row needs ' + ', '.join(fields)}")
    for name, kind in fields.items():
        _check(row[name], kind, name, where)
        if kind in ("steps", "labels"):
            of, item_name = ("text", "step") if kind == "steps" else ("label", "the label of step")
            for number, item in enumerate(row[name], start=1):
                _check(item, of, f"{item_name} {number}", where)


def _check(value: Any, kind: str, name: str, where: str) -> None:
    fits, expected = _KINDS[kind]
    if not fits(value):
        raise InputError(f"{where}: {name} is {value!r:.60}; it should be {expected}")
    if isinstance(value, str) and (kind != "any text" or value.strip()):
        check_text(value, where, name)


def _is_label(value: Any) -> bool:
    return value is None or (isinstance(value, numbers.Real) and 0 <= float(value) <= 1)


_KINDS: dict[str, Any] = {
    "text": (lambda value: isinstance(value, str), "a text"),
    "any text": (lambda value: isinstance(value, str), "a text"),
    "text or null": (lambda value: value is None or isinstance(value, str), "a text or null"),
    "bool": (lambda value: value in (True, False) and not isinstance(value, float), "true or false"),
    "steps": (lambda value: isinstance(value, list) and value, "a list of at least one step"),
    "labels": (lambda value: isinstance(value, list), "a list with one label a step"),
    "label": (_is_label, "1 (good), 0 (bad), between them (soft), or null (none)"),
}


def read_rows(path: str | Path) -> Iterator[Row]:
    """The rows of a .jsonl, .jsonl.gz or .parquet file, one at a time; empty lines are passed over.

    Raises InputError for a missing file, another ending, broken JSON, and a row that is not an object.
    """
    path = Path(path)
    check_file(path)
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq  # imported where it is used: `minrm --help` needs no tables

            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_CHUNK):
                    yield from batch.to_pylist()
            return
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _loads(line, f"{path}, row {number}")
    except InputError:
        raise
    except (ValueError, OSError, EOFError, zlib.error) as error:  # those of pyarrow are ValueError and OSError, too
        raise InputError(f"{path}: not readable ({error}); fetch or write the file again") from error


def check_file(path: Path) -> None:
    """Refuse a path that is no file of rows. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path}" + (" is a folder; name one of its files" if path.is_dir() else ": no such file"))
    check_ending(path)


def check_ending(path: Path) -> None:
    """Refuse, before long work, a file that is neither read nor written here. Raises InputError."""
    if not path.name.endswith(_ENDINGS):
        raise InputError(f"{path}: unknown kind of file; rows are read and written as {', '.join(_ENDINGS)}")


def _loads(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: broken JSON ({error}); it begins {line.strip()!r:.60}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: a {type(row).__name__}; each row is a JSON object, {{…}}")
    return row


def write_rows(rows: Iterable[Row], path: str | Path) -> int:
    """How many rows were written, one at a time, to a .jsonl, .jsonl.gz or .parquet file; its folder is made.

    The file appears when it is complete. Raises InputError for another ending, and for values that have no form in JSON
    or do not fit into one column of a table.
    """
    path = Path(path)
    check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        part = Path(folder, path.name)
        if path.suffix == ".parquet":
            count = _write_parquet(rows, part)
        else:
            with (gzip.open if path.suffix == ".gz" else open)(part, "wt", encoding="utf-8") as file:
                count = sum(1 for row in rows if file.write(_dumps(row)))
        part.replace(path)
    return count


def _dumps(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, default=_as_json) + "\n"


def _as_json(value: Any) -> Any:
    """A value that JSON has no form for: numbers of numpy as numbers, dates and decimals as text."""
    if isinstance(value, bytes | set):
        raise InputError(f"JSON has no form for {value!r:.60}; leave that column out of the rows")
    return value.tolist() if hasattr(value, "tolist") else str(value)


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


class RunFile:
    """A .jsonl file to which a long run appends rows as they come; a stopped run goes on where its file ends.

    rows: what the file holds, but a line that a kill cut off. settings: kept in NAME.settings.json beside NAME.jsonl.
    """

    def __init__(self, path: str | Path, settings: Row) -> None:
        """Start a run, or take it up. Raises InputError if the file holds a run with other settings."""
        self.path = Path(path)
        if self.path.suffix != ".jsonl" or self.path.is_dir():
            raise InputError(f"{path}: rows are appended as they come, which needs a file that ends in .jsonl")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".settings.json")
        settings = json.loads(json.dumps(settings, default=_as_json))
        self.path.touch()  # a folder that cannot be written to shows now, not after the first chunk
        if content := self.path.read_bytes():
            remedy = "name another file, or remove this one"
            if not beside.exists():
                raise InputError(f"{path}: not the file of a run, since no {beside.name} lies beside it; {remedy}")
            there = _loads(beside.read_text(encoding="utf-8"), str(beside))
            if changed := [name for name in [*settings, *there] if there.get(name) != settings.get(name)]:
                difference = (
                    f"its {changed[0]} is {there.get(changed[0])!r}, asked for was {settings.get(changed[0])!r}"
                )
                raise InputError(f"{path} holds another run: {difference}; {remedy}")
            with open(self.path, "r+b") as file:  # bytes: a kill may cut inside a character
                file.truncate(content.rfind(b"\n") + 1)
        else:
            beside.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self.rows = list(read_rows(self.path))

    def keep(self, count: int) -> None:
        """Cut the file to its first `count` rows, such as whole chunks."""
        self.rows = self.rows[:count]
        with open(self.path, "r+b") as file:
            file.truncate(sum(len(file.readline()) for _ in self.rows))

    def append(self, rows: list[Row]) -> None:
        """Write rows behind those of the file."""
        with open(self.path, "ab") as file:
            file.write("".join(map(_dumps, rows)).encode())
        self.rows += rows
