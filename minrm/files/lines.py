"""Lines of JSON, and files of one JSON object: anything else is refused in one line that names its place."""

import json
from typing import Any

from minrm.errors import InputError

Row = dict[str, Any]


def loads(line: bytes, where: str) -> Row:
    """The JSON object in a line of a file, or in a file; where: its place. Raises InputError for anything else."""
    try:
        text = line.decode("utf-8-sig")  # a mark of the order of bytes says nothing here
        row = json.loads(text, object_pairs_hook=unique)
        if "\\ud" in text or "\\uD" in text:  # half a character, which JSON lets through: no model reads it
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        begins = f"it begins {line.decode(errors='replace').strip()!r:.60}"
        raise InputError(f"{where}: broken JSON ({error}); {begins}; mend that line, or leave it out") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: a {type(row).__name__}; each row is a JSON object, {{…}}")
    return row


def unique(pairs: list[tuple[str, Any]]) -> Row:
    """The pairs as a dict. Raises ValueError for a name that comes twice, of which JSON would keep the last value."""
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError(f"one of the names {', '.join(name for name, _ in pairs)} comes twice")
    return row


def dumps(row: Row) -> str:
    """A row as a line of a file. Raises InputError for a value that has no form in JSON."""
    return json.dumps(row, ensure_ascii=False, default=_as_json) + "\n"


def _as_json(value: Any) -> Any:
    """A value that JSON has no form for: numbers of numpy as numbers, dates and decimals as text."""
    if isinstance(value, bytes | set):
        raise InputError(f"JSON has no form for {value!r:.60}; leave that column out of the rows")
    return value.tolist() if hasattr(value, "tolist") else str(value)
