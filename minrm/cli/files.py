"""The steps of the course on files: rows come in and go out as jsonl or parquet. `minrm.cli` puts commands around it.

`minrm.cli.preparing` turns what publishers (or `minrm sample`) wrote into rows of a schema; train and score choose the
model that the schema or the checkpoint asks for; `minrm.cli.evaluate` turns scored rows into a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minrm.errors import InputError
from minrm.rows import SCHEMAS, Rows, check_fields, check_row, numbered, read_rows
from minrm.text import join_steps, split_steps
from minrm.world import shipped

Row = dict[str, Any]


def find_model(name: str) -> str:
    """`policy` is the shipped language model unless a folder of that name lies here; any other name stays as it is."""
    return str(shipped(name)) if name == "policy" and not Path(name).exists() else name


def read(path: Path, schema: str | None = None) -> tuple[list[Row], str]:
    """The rows of a file, each checked, and their schema, by default that of the first. Raises InputError."""
    rows = list(checked(path, schema))
    return rows, schema or schema_of(rows, path)


def checked(path: Path, schema: str | None = None) -> Iterator[Row]:
    """The same rows one at a time."""
    for number, row in read_rows(path):
        schema = schema or schema_of([row], path)
        check_row(row, schema, f"{path}, row {number}")
        check_headers(row, f"{path}, row {number}")
        yield row


def with_fields(path: Path, *names: str) -> Iterator[tuple[int, Row]]:
    """The numbered rows of a file, whose rows have a text in at least these fields. Raises InputError."""
    fields, wanted = dict.fromkeys(names, "text"), f"each row needs {' and '.join(names)}"
    for number, row in read_rows(path):
        check_fields(row, fields, f"{path}, row {number}", wanted)
        yield number, row


def check_headers(row: Row, place: str) -> None:
    """Refuse steps that, written as one text, would be read as other steps. Raises InputError."""
    steps = row.get("steps", [])
    if (read_as := len(split_steps(join_steps(steps)))) != len(steps):
        raise InputError(
            f"{place}: {len(steps)} steps, which a model would read as {read_as}; "
            "a step holds a line that begins like a header (Step: 1:), write it differently"
        )


def schema_of(rows: list[Row], path: str | Path) -> str:
    """Which schema the first row has. Raises InputError if none fits."""
    fields = set(rows[0]) if rows else set()
    for name, wanted in SCHEMAS.items():
        if fields == set(wanted):
            return name
    known = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in SCHEMAS.items())
    found = ", ".join(sorted(fields)) or "none"
    raise InputError(f"{path}, row 1: fields {found} fit no schema ({known}); see minrm prepare")


def new_model(schema: str, base: str, **options: Any) -> Any:
    """The untrained reward model that learns from rows of `schema`."""
    return _model_of(schema).from_base(find_model(base), **options)


def _model_of(schema: str) -> Any:
    import minrm

    orm, prm, pair = minrm.OutcomeRewardModel, minrm.ProcessRewardModel, minrm.BradleyTerryRewardModel
    models = {"outcome": orm, "process": prm, "pair": pair}
    if schema not in models:
        raise InputError(f"no reward model learns from {schema} rows; the schemas to train on are {', '.join(models)}")
    return models[schema]


def score(model: Any, rows: Rows, path: str | Path, aggregate: str = "product", progress: bool = True) -> list[Row]:
    """The rows with their scores added: score (and step_scores from a PRM), or chosen_score and rejected_score.

    rows: with question and solution, or question and steps, or prompt, chosen and rejected; numbered as `read_rows`
    gives them from `path`, or plain. scored_by tells `evaluate` which kind of model it was. Raises InputError.
    """
    import minrm
    from minrm.prm import aggregate_steps

    given = list(numbered(rows))
    pairs = check_to_score(given, path, aggregate)
    process = hasattr(model, "step_scores")  # ours, or a published one
    kind = "PRM" if process else "ORM" if isinstance(model, minrm.OutcomeRewardModel) else "Bradley–Terry"
    by = {"scored_by": kind}
    rows = [row for _, row in given]
    if pairs:
        prompts = [row["prompt"] for row in rows]
        with _row_of(path, given):
            both = [model.score(prompts, [row[name] for row in rows], progress=progress) for name in _RESPONSES]
        scored = zip(rows, *both, strict=True)
        return [row | {"chosen_score": float(a), "rejected_score": float(b)} | by for row, a, b in scored]
    questions = [row["question"] for row in rows]
    solutions = [row["solution"] if "solution" in row else join_steps(row["steps"]) for row in rows]
    with _row_of(path, given):
        found = (model.step_scores if process else model.score)(questions, solutions, progress=progress)
    if not process:
        return [row | {"score": float(value)} | by for row, value in zip(rows, found, strict=True)]
    return [
        row | {"score": aggregate_steps(np.log(values), aggregate), "step_scores": values.tolist()} | by
        for row, values in zip(rows, found, strict=True)
    ]


_RESPONSES = ("chosen", "rejected")
SCORES = ("score", "step_scores", "chosen_score", "rejected_score", "scored_by")  # what `score` adds to a row


@contextmanager
def _row_of(path: str | Path, given: Sequence[tuple[int, Row]]) -> Iterator[None]:
    """A model names a row by its place among those that it was given; here it gets its file and the number there."""
    try:
        yield
    except InputError as error:
        place = re.match(r"row (\d+): ", str(error))
        if not place:
            raise
        number = given[int(place[1]) - 1][0]
        raise InputError(f"{path}, row {number}: {str(error)[place.end() :]}") from error


def check_to_score(rows: Sequence[tuple[int, Row]], path: str | Path, aggregate: str = "product") -> bool:
    """Whether the numbered rows are pairs. Raises InputError if `score` could not score them all, or so."""
    from minrm.prm import AGGREGATES

    if not rows:
        raise InputError(f"{path}: no rows to score")
    if aggregate not in AGGREGATES:
        raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
    pairs = SCHEMAS["pair"].keys() <= rows[0][1].keys()
    for number, row in rows:
        written = {"solution": "text"} if "solution" in row or "steps" not in row else {"steps": "steps"}
        fields = SCHEMAS["pair"] if pairs else {"question": "text"} | written
        wanted = "rows to score have question and solution or steps, or all are pairs"
        check_fields(row, fields, f"{path}, row {number}", wanted)
        if "steps" in fields:
            check_headers(row, f"{path}, row {number}")
    return pairs
