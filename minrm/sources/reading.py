"""Publishers' records -> rows of a schema: read from a file or the hub, converted one at a time, counted.

The functions of `minrm.sources` say what a record holds and how it becomes rows; this file does what they have in
common. Every record is used, or dropped and counted with its cause; one of another layout is an `InputError` that names
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
Record = tuple[str, Row]  # where it stands, such as "train.jsonl, row 17", and what is there
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_log = logging.getLogger(__name__)
ANNOTATION = re.compile(r"<<[^<>\n]*>>")
SIGNS = {"+": CORRECT, "-": INCORRECT}
NUMBER = re.compile(r"^\s*step \d+\s*:\s*", re.IGNORECASE | re.MULTILINE)
_FIRST = re.compile(r"\bstep 1\s*:", re.IGNORECASE)
NO_START = "no 'Step 1:' says where the solution begins"


def read_records(path: str | os.PathLike, function: str, **hub: Any) -> Iterator[Record]:
    """Yield (place, record) of a local file, or of the hub where `hub` says how its data set is loaded.

    function: the source's name, for messages. Raises InputError where there is neither a file nor a way to the hub.
    """
    text = os.fspath(path)
    looks_local = Path(text).exists() or not _HUB_NAME.fullmatch(text) or re.search(r"\.(jsonl?|gz|parquet)$", text)
    if looks_local:
        for number, row in enumerate(read_rows(text), start=1):
            yield f"{text}, row {number}", row
        return
    if not hub:
        raise InputError(
            f"{text}: no such file, and {function} has no data set on the hub that its publisher made; "
            "give the publisher's file (see help(minrm.sources))"
        )
    try:
        for number, row in enumerate(_load(text, hub), start=1):
            yield f"{text} ({hub['split']}), row {number}", row
    except Exception as error:  # what the hub's client raises offline depends on its version and its transport
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise InputError(
            f"{text}: not to be had from the hub ({reason}); "
            f'give a file that you have, {function}("train.jsonl"), or use the world that needs no download, '
            "minrm.world.generate"
        ) from error


def _load(name: str, hub: dict[str, Any]) -> Iterable[Row]:
    import datasets

    return datasets.load_dataset(name, **{key: value for key, value in hub.items() if value not in (None, False)})


def get(record: Row, name: str, kind: type, place: str) -> Any:
    """The field `name`, which must be there and of that kind. Raises InputError."""
    if not isinstance(record.get(name), kind):
        what = f"is a {type(record[name]).__name__}, not a {kind.__name__}" if name in record else "is missing"
        raise InputError(f"{place}: the field {name!r} {what}; there is {', '.join(map(str, record)) or 'nothing'}")
    return record[name]


def texts(record: Row, place: str, *names: str) -> list[str]:
    """Several fields that are texts."""
    return [get(record, name, str, place) for name in names]


@dataclass
class _Tally:
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
    records: Iterable[Record],
    convert: Callable[[Row, str], tuple[list[Row], str]],
    streaming: bool = False,
) -> Any:
    """A `datasets.Dataset` of what `convert(record, place)` gives: a record's rows, and why there are none, else "".

    streaming: an iterator in its place, which holds one record at a time. The counts are logged when all are read, and
    stand in the data set's `info.description`. Raises InputError for a row that does not fit, and where none is left.
    """
    tally = _Tally(title, schema)
    rows = _converted(records, convert, tally)
    return rows if streaming else _dataset(list(rows), tally)


def _converted(
    records: Iterable[Record], convert: Callable[[Row, str], tuple[list[Row], str]], tally: _Tally
) -> Iterator[Row]:
    for place, record in records:
        tally.records += 1
        rows, cause = convert(record, place)
        if cause:
            tally.dropped[cause] += 1
        for row in rows:
            check_row(row, tally.schema, place)
            tally.rows += 1
            yield row
    if not tally.rows:
        raise InputError(f"{tally.title}: none of {tally.records} rows can be used{tally.causes()}")
    _log.info(tally)


def _dataset(rows: list[Row], tally: _Tally) -> Any:
    import datasets

    text = datasets.Value("string")
    kinds: dict[str, Any] = {"correct": datasets.Value("bool"), "steps": datasets.List(text)}
    soft = any(isinstance(label, float) for row in rows for label in row.get("labels", ()))
    kinds["labels"] = datasets.List(datasets.Value("float64" if soft else "int64"))
    dataset = datasets.Dataset.from_list(rows, datasets.Features({name: kinds.get(name, text) for name in rows[0]}))
    dataset.info.description = str(tally)
    return dataset


def process_row(question: str, steps: list[Any], labels: list[Any]) -> tuple[list[Row], str]:
    """The row, its steps without their numbers; none, and why, where a step is without text."""
    steps = [_unnumbered(step) if isinstance(step, str) else step for step in steps]
    if "" in steps:
        return [], "a step without text"
    return [{"question": question.strip(), "steps": steps, "labels": labels}], ""


def _unnumbered(step: str) -> str:
    number = NUMBER.match(step)
    return step[number.end() if number else 0 :].strip()


def split_question(text: str) -> tuple[str, str] | None:
    """A question and what follows it, cut where "Step 1:" begins; None where there is none."""
    found = _FIRST.search(text)
    return (text[: found.start()], text[found.start() :]) if found and text[: found.start()].strip() else None


def plain(solution: str, annotations: bool) -> str:
    """The solution without the calculator's marks, `<<48/2=24>>`, unless they are to stay."""
    return solution if annotations else ANNOTATION.sub("", solution)
