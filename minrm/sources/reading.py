"""Publishers' records -> rows of a schema: read from a file or the hub, converted one at a time, counted.

Every record is used, or dropped and counted with its cause; a record of another layout raises an InputError that names
its file and row.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.rows import check_row, read_rows
from minrm.text import CORRECT, INCORRECT

Row = dict[str, Any]
Rows = Any  # a `datasets.Dataset`, or with streaming=True an iterator over rows
Record = tuple[str, Row]  # where it stands, such as "train.jsonl, row 17", and what is there
LABELS = {"+": CORRECT, "-": INCORRECT}
NUMBER = re.compile(r"^\s*step \d+\s*:\s*", re.IGNORECASE | re.MULTILINE)
NO_START = "no 'Step 1:' says where the solution begins"
_FIRST = re.compile(r"\bstep 1\s*:", re.IGNORECASE)
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(?<!\.jsonl)(?<!\.json)(?<!\.gz)(?<!\.parquet)")
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """How many records of a source were read, dropped for which cause, and turned into how many rows of its schema."""

    title: str
    schema: str
    records: int = 0
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def causes(self) -> str:
        return "".join(f"; {number} dropped: {cause}" for cause, number in sorted(self.dropped.items()))

    def __str__(self) -> str:
        used = self.records - sum(self.dropped.values())
        return f"{self.title}: {used} of {self.records} rows used, {self.rows} {self.schema} rows{self.causes()}"


def collect(
    title: str,
    schema: str,
    convert: Callable[[Row, str], tuple[list[Row], str]],
    path: str | os.PathLike,
    streaming: bool = False,
    **hub: Any,
) -> Rows:
    """A `datasets.Dataset` of the rows that `convert(record, where)` makes of each record of a file or hub data set.

    title: the data set's name, for messages and counts. convert: returns a record's rows, and the cause where there
    are none, else "". streaming: returns an iterator in place of the Dataset. hub: how `datasets.load_dataset` finds
    the data; without it only files are read. Raises InputError for a row that does not fit, and where none is left.
    """
    tally = Tally(title, schema)
    rows = _convert(_records(path, title, hub and hub | {"streaming": streaming}), convert, tally)
    return rows if streaming else _dataset(list(rows), tally)


def _records(path: str | os.PathLike, title: str, hub: dict[str, Any]) -> Iterator[Record]:
    text = os.fspath(path)
    if Path(text).exists() or not _HUB_NAME.fullmatch(text):
        yield from ((f"{text}, row {number}", row) for number, row in enumerate(read_rows(text), start=1))
        return
    if not hub:
        what = f"{title} has no data set on the hub that its publisher made"
        raise InputError(f"{text}: no such file, and {what}; give the publisher's file (see help(minrm.sources))")
    import datasets

    try:
        records = datasets.load_dataset(text, **{key: value for key, value in hub.items() if value})
        yield from ((f"{text} ({hub['split']}), row {number}", row) for number, row in enumerate(records, start=1))
    except Exception as error:  # what the hub's client raises offline depends on its version and its transport
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        remedy = "give a file that you have, or use the world that needs no download, minrm.world.generate"
        raise InputError(f"{text}: not within reach on the hub ({reason}); {remedy}") from error


def _convert(
    records: Iterable[Record], convert: Callable[[Row, str], tuple[list[Row], str]], tally: Tally
) -> Iterator[Row]:
    for where, record in records:
        tally.records += 1
        rows, cause = convert(record, where)
        if cause:
            tally.dropped[cause] += 1
        for row in rows:
            check_row(row, tally.schema, where)
            tally.rows += 1
            yield row
    if not tally.rows:
        raise InputError(f"{tally.title}: none of {tally.records} rows can be used{tally.causes()}")
    _log.info(tally)


def _dataset(rows: list[Row], tally: Tally) -> Any:
    import datasets

    text = datasets.Value("string")
    kinds: dict[str, Any] = {"correct": datasets.Value("bool"), "steps": datasets.List(text)}
    soft = any(isinstance(label, float) for row in rows for label in row.get("labels", ()))
    kinds["labels"] = datasets.List(datasets.Value("float64" if soft else "int64"))
    dataset = datasets.Dataset.from_list(rows, datasets.Features({name: kinds.get(name, text) for name in rows[0]}))
    dataset.info.description = str(tally)
    return dataset


# What several converters need


def get(record: Any, name: str, kind: type, where: str, null: bool = False) -> Any:
    """The field `name` of a JSON object, which must be there and of that kind, or null. Raises InputError."""
    if not isinstance(record, dict):
        raise InputError(f"{where}: a {type(record).__name__}; it should be an object with a field {name!r}")
    if name not in record or not (isinstance(record[name], kind) or (null and record[name] is None)):
        kinds = kind.__name__ + (" or null" if null else "")
        what = f"is a {type(record[name]).__name__}, not a {kinds}" if name in record else "is missing"
        raise InputError(f"{where}: the field {name!r} {what}; there is {', '.join(map(str, record)) or 'nothing'}")
    return record[name]


def texts(record: Any, where: str, *names: str) -> list[str]:
    """Several fields that are texts."""
    return [get(record, name, str, where) for name in names]


def process_row(question: str, steps: list[Any], labels: list[Any]) -> tuple[list[Row], str]:
    """The row, its steps without their numbers; no row, and the cause, where a step has no text."""
    steps = [_unnumbered(step) if isinstance(step, str) else step for step in steps]
    if "" in steps:
        return [], "a step without text"
    return [{"question": question.strip(), "steps": steps, "labels": labels}], ""


def _unnumbered(step: str) -> str:
    number = NUMBER.match(step)
    return step[number.end() if number else 0 :].strip()


def split_question(text: str) -> tuple[str, str] | None:
    """A question and what follows it, cut where "Step 1:" begins; None where there is none."""
    first = _FIRST.search(text)
    return (text[: first.start()], text[first.start() :]) if first and text[: first.start()].strip() else None


def without_annotations(solution: str) -> str:
    """The solution without the calculator's marks, `<<48/2=24>>`."""
    return _ANNOTATION.sub("", solution)
