"""What the arguments of the commands name: rows of a file, their schema, and models."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from minrm.errors import InputError

NAMES = {"orm": "ORM", "prm": "PRM", "bradley_terry": "Bradley–Terry"}  # of the reward models that `score` names
UNFINISHED = ".unfinished.jsonl"  # ends the name of a file of scores that are not complete


def read_fields(path: Path, *names: str) -> Iterator[dict[str, Any]]:
    """The rows of a file that have a text in each of these fields. Raises InputError for a row that has not."""
    from minrm.rows import check_fields, read_rows

    for number, row in enumerate(read_rows(path), start=1):
        check_fields(row, dict.fromkeys(names, "text"), f"{path}, row {number}")
        yield row


def samples(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a file. Raises InputError for a run that is not finished, or that holds a sample twice."""
    from minrm.files.lines import loads
    from minrm.rows import read_rows

    path, settings, first = Path(path), dict[str, Any](), dict[tuple[str, str], int]()
    if path.name.endswith(UNFINISHED):
        raise InputError(f"{path}: a run of minrm score that was stopped; give its command again to finish it")
    if path.suffix == ".jsonl" and path.is_file():
        with suppress(OSError, InputError):  # none is there, or one of something else
            settings = loads(path.with_suffix(".settings.json").read_bytes(), "")
    if "questions_sha256" in settings:
        total, there = settings["problems"] * settings["n"], path.read_bytes().count(b"\n")
        if there < total:
            remedy = "give minrm sample again to finish it, or copy the rows that you need into another file"
            raise InputError(f"{path}: the run is not finished, {there} of {total} samples are there; {remedy}")
    for number, row in enumerate(read_rows(path), start=1):
        if type(row.get("problem")) is type(row.get("sample")) is int:
            sample = repr(row.get("question")), f"sample {row['sample']} of problem {row['problem']}"
            if first.setdefault(sample, number) != number:
                told = f"{sample[1]} again, as in row {first[sample]}"
                raise InputError(
                    f"{path}, row {number}: {told}; did two commands write there? Remove one, or renumber it"
                )
        yield row


def checked(path: Path, schema: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a file, each checked against `schema`, or the schema of the first. Raises InputError."""
    from minrm.rows import check_rows

    rows = samples(path)
    for first in islice(rows, 1):
        yield from check_rows(chain([first], rows), schema_of(first, path, schema), path)


def schema_of(row: dict[str, Any], path: str | Path, schema: str | None = None) -> str:
    """The schema by which to read a file: `schema`, or the only one that its first row fits. Raises InputError."""
    from minrm.rows import SCHEMAS, schemas_of

    if schema and schema not in SCHEMAS:
        raise InputError(f"no schema {schema!r}; the schemas are {', '.join(SCHEMAS)}")
    sides = [row.get(name, ()) for name in ("prompt", "chosen", "rejected")]
    if all(sides[1:]) and not all(isinstance(side, str) for side in sides):
        layout = "conversations, or pairs that share their prompt"
        raise InputError(f"{path}, row 1: {layout}; minrm prepare --source trl_preference makes pairs of them")
    fitting = [schema] if schema else schemas_of(row)
    if not fitting and SCHEMAS["problem"].keys() <= row.keys():
        fitting = ["problem"]
    if len(fitting) > 1:
        raise InputError(f"{path}: its rows fit {' and '.join(fitting)}; choose one, such as --schema {fitting[0]}")
    if not fitting:
        known = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in SCHEMAS.items())
        raise InputError(f"{path}, row 1: fields {', '.join(row) or 'none'} fit no schema ({known}); see minrm prepare")
    return fitting[0]


def check_scored(rows: list[dict[str, Any]], needed: dict[str, str], path: Any) -> None:
    """Refuse scored rows without these fields (name → kind), with other values, or of several models. InputError."""
    from minrm.rows import check_fields

    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        if missing := needed.keys() - row.keys():
            told = f"has no {', '.join(sorted(missing))}, which the first row has"
            raise InputError(f"{where}: {told}; score all rows in one run")
        reward = "score" not in needed or row["scored_by"] == "bradley_terry"  # the others are probabilities
        check_fields(row, needed if reward else needed | {"score": "probability"}, where)
        if "labels" in needed and len(row["labels"]) != len(row["step_scores"]):
            lengths = f"{len(row['labels'])} labels but {len(row['step_scores'])} step scores"
            raise InputError(f"{where}: {lengths}; prepare and score the rows again")
        if str(row.get("scored_by", "prm")) not in NAMES:
            raise InputError(f"{where}: scored_by is {row['scored_by']!r}; it should be one of {', '.join(NAMES)}")
        for name in ("scored_by", "scored_with"):
            if row.get(name) != rows[0].get(name):
                told = f"{name} is {row.get(name)!r}, but {rows[0].get(name)!r} in row 1"
                raise InputError(f"{where}: {told}; evaluate the rows of each model in a file of their own")


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
