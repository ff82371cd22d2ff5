"""Publishers' records -> rows of a schema: read from a file or the hub, converted one at a time, counted.

Every record is used, or dropped and counted with its cause; a record of another layout raises an InputError that names
its file and row.
"""

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from minrm.errors import InputError
from minrm.rows import check_row, read_rows
from minrm.text import CORRECT, INCORRECT, join_steps, split_steps

Row = dict[str, Any]
Source = str | os.PathLike  # a file or a hub name
Rows = Any  # a `datasets.Dataset`, or with streaming=True an iterator over rows
Convert = Callable[[Row, str], list[Row] | str]  # of a record and its place: rows, or the cause for which it is dropped
LABELS = {"+": CORRECT, "-": INCORRECT}
NUMBER = re.compile(r"^\s*step \d+\s*:\s*", re.IGNORECASE | re.MULTILINE)
NO_START = "no 'Step 1:' says where the solution begins"
_STEP = re.compile(r"\bstep (\d+)\s*:", re.IGNORECASE)
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(?<!\.jsonl)(?<!\.json)(?<!\.gz)(?<!\.parquet)")
_log = logging.getLogger(__name__)


def collect(title: str, schema: str, convert: Convert, path: Source, streaming: bool = False, **hub: Any) -> Rows:
    """A `datasets.Dataset` of the rows that `convert(record, where)` makes of each record of a file or hub data set.

    title: the data set's name, for messages and counts. streaming: returns an iterator in place of the Dataset. hub:
    how `datasets.load_dataset` finds the data; without it only files are read. Raises InputError for a row that does
    not fit, and where none is left.
    """
    counts: list[str] = []
    rows = _convert(_records(path, title, hub and hub | {"streaming": streaming}), convert, title, schema, counts)
    return rows if streaming else _dataset(list(rows), counts)


def _records(path: Source, title: str, hub: dict[str, Any]) -> Iterator[tuple[str, Row]]:
    text = os.fspath(path)
    if Path(text).exists() or not _HUB_NAME.fullmatch(text):
        rows = _list_of(text) if text.endswith(".json") else read_rows(text)
        yield from ((f"{text}, row {number}", row) for number, row in enumerate(rows, start=1))
        return
    if not hub:
        remedy = "give the publisher's file (see help(minrm.sources))"
        raise InputError(f"{text}: no such file, and {title} is not on the hub; {remedy}")
    import datasets

    try:
        records = datasets.load_dataset(text, **{key: value for key, value in hub.items() if value})
        yield from ((f"{text} ({hub['split']}), row {number}", row) for number, row in enumerate(records, start=1))
    except Exception as error:  # what the hub's client raises offline depends on its version and its transport
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        remedy = "give a file that you have, or use the world that needs no download, minrm.world.generate"
        raise InputError(f"{text}: not within reach on the hub ({reason}); {remedy}") from error


def _list_of(path: str) -> list[Row]:
    """The records of a .json file, which is one list, as some publishers write them. Raises InputError."""
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; is its name spelt right?") from None
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); fetch the file again") from error
    if not isinstance(rows, list):
        raise InputError(f"{path}: a {type(rows).__name__}; a .json file of rows is a list, [{{…}}, {{…}}]")
    return rows


def _convert(
    records: Iterable[tuple[str, Row]], convert: Convert, title: str, schema: str, counts: list[str]
) -> Iterator[Row]:
    """The rows of all records; at the end their counts are logged, and added to `counts`."""
    dropped: Counter[str] = Counter()
    used = made = 0
    for where, record in records:
        rows = convert(record, where)
        if isinstance(rows, str):
            dropped[rows] += 1
            continue
        used += 1
        for row in rows:
            check_row(row, schema, where)
            made += 1
            yield row
    read = used + dropped.total()
    causes = "".join(f"; {number} dropped: {cause}" for cause, number in sorted(dropped.items()))
    if not made:
        raise InputError(f"{title}: none of {read} rows can be used{causes}")
    counts.append(f"{title}: {used} of {read} rows used, {made} {schema} rows{causes}")
    _log.info(counts[0])


def _dataset(rows: list[Row], counts: list[str]) -> Any:
    import datasets

    text = datasets.Value("string")
    kinds: dict[str, Any] = {"correct": datasets.Value("bool"), "steps": datasets.List(text)}
    soft = any(isinstance(label, float) for row in rows for label in row.get("labels", ()))
    kinds["labels"] = datasets.List(datasets.Value("float64" if soft else "int64"))
    dataset = datasets.Dataset.from_list(rows, datasets.Features({name: kinds.get(name, text) for name in rows[0]}))
    dataset.info.description = counts[0]
    return dataset


# What several converters need


def get(record: Any, name: str, kind: type, where: str, null: bool = False) -> Any:
    """The field `name` of a JSON object, which must be there and of that kind, or null. Raises InputError."""
    if not isinstance(record, dict):
        raise InputError(f"{where}: a {type(record).__name__}; it should be an object with a field {name!r}")
    value = record.get(name)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))  # true is no number
    if name not in record or not (fits or (null and value is None)):
        kinds = kind.__name__ + (" or null" if null else "")
        what = f"is a {type(value).__name__}, not a {kinds}" if name in record else "is missing"
        raise InputError(f"{where}: the field {name!r} {what}; there is {', '.join(map(str, record)) or 'nothing'}")
    return value


def texts(record: Any, where: str, *names: str) -> list[str]:
    """Several fields that are texts."""
    return [get(record, name, str, where) for name in names]


def process_row(question: str, steps: list[Any], labels: list[Any]) -> list[Row] | str:
    """The row, its steps without their numbers; or the cause for which it is dropped, as in `readable`."""
    steps = [_unnumbered(step) if isinstance(step, str) else step for step in steps]
    return readable([{"question": question.strip(), "steps": steps, "labels": labels}])


def readable(rows: list[Row]) -> list[Row] | str:
    """The process rows whose steps a model reads as they are; or, where there is none, why not."""
    cause = "no step carries a label"
    kept = []
    for row in rows:
        texts = [step for step in row["steps"] if isinstance(step, str)]  # others are refused by the schema
        if not all(map(str.strip, texts)):
            cause = "a step without text"
        elif split_steps(join_steps(texts)) != texts:
            cause = "a step with a line that begins like a header (Step: 1:)"
        else:
            kept.append(row)
    return kept or cause


def _unnumbered(step: str) -> str:
    number = NUMBER.match(step)
    return step[number.end() if number else 0 :].strip()


def split_question(text: str, whole: bool = False) -> tuple[str, str] | None:
    """A question and what follows it, cut at the last "Step 1:", since a question may mention one; None without one.

    whole: the text holds all steps, which may mention one too: at the last from which most steps follow in order.
    """
    marks = list(_STEP.finditer(text))
    starts = [
        (_in_order(marks[place:]) if whole else 0, mark.start()) for place, mark in enumerate(marks) if mark[1] == "1"
    ]
    start = max(starts, default=(0, 0))[1]
    return (text[:start], text[start:]) if text[:start].strip() else None


def _in_order(marks: list[re.Match[str]]) -> int:
    """How many of the marks count up: "Step 1:", the next "Step 2:", the next "Step 3:" …"""
    count = 0
    for mark in marks:
        count += int(mark[1]) == count + 1
    return count


def without_annotations(solution: str) -> str:
    """The solution without the calculator's marks, `<<48/2=24>>`."""
    return _ANNOTATION.sub("", solution)
