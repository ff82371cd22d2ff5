"""What the arguments of the commands name: rows of a file, their schema, and models."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from minrm.errors import InputError


def read_fields(path: Path, *names: str) -> Iterator[dict[str, Any]]:
    """The rows of a file that have a text in each of these fields. Raises InputError for a row that has not."""
    from minrm.rows import check_fields, read_rows

    for number, row in enumerate(read_rows(path), start=1):
        check_fields(row, dict.fromkeys(names, "text"), f"{path}, row {number}")
        yield row


def checked(path: Path, schema: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a file, each checked against `schema`, or the schema of the first. Raises InputError."""
    from minrm.rows import check_rows, read_rows

    rows = read_rows(path)
    for first in islice(rows, 1):
        yield from check_rows(chain([first], rows), schema_of(first, path, schema), path)


def schema_of(row: dict[str, Any], path: str | Path, schema: str | None = None) -> str:
    """The schema by which to read a file: `schema`, or the only one that its first row fits. Raises InputError."""
    from minrm.rows import SCHEMAS, schemas_of

    sides = [row.get(name, ()) for name in ("prompt", "chosen", "rejected")]
    if all(sides[1:]) and not all(isinstance(side, str) for side in sides):
        layout = "conversations, or pairs that share their prompt"
        raise InputError(f"{path}, row 1: {layout}; minrm prepare --source trl_preference makes pairs of them")
    fitting = [schema] if schema else schemas_of(row)
    if not fitting and SCHEMAS["problem"].keys() <= row.keys():
        fitting = ["problem"]
    if len(fitting) > 1:
        raise InputError(f"{path}: its rows fit {' and '.join(fitting)}; choose one, --schema {fitting[0]}")
    if not fitting:
        known = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in SCHEMAS.items())
        raise InputError(f"{path}, row 1: fields {', '.join(row) or 'none'} fit no schema ({known}); see minrm prepare")
    return fitting[0]


def new_model(schema: str, base: str, **options: Any) -> Any:
    """The untrained reward model that learns from rows of `schema`. Raises InputError."""
    import minrm

    orm, prm, pair = minrm.OutcomeRewardModel, minrm.ProcessRewardModel, minrm.BradleyTerryRewardModel
    models: dict[str, Any] = {"outcome": orm, "process": prm, "pair": pair}
    if schema not in models:
        raise InputError(f"no reward model learns from {schema} rows; the schemas to train on are {', '.join(models)}")
    return models[schema].from_base(find_model(base), **options)


def find_model(name: str) -> str:
    """The folder of the shipped language model for `policy`, unless a folder of that name lies here; else `name`."""
    from minrm.world.shipped import shipped

    return str(shipped(name)) if name == "policy" and not Path(name).exists() else name
