"""Scores for the rows of a file, by any reward model, in a run that goes on where it was stopped."""

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minrm.cli.inputs import UNFINISHED, samples
from minrm.errors import InputError

Row = dict[str, Any]
CHUNK = 256  # rows scored between two writes
REQUEST = 32  # rows in one request to a server
COLUMNS = ("score", "step_scores", "chosen_score", "rejected_score", "scored_by", "scored_with")
SETTINGS = ".settings.json"


def score_file(
    model: str, rows: Path, out: Path, load: Callable[[list[Row], Any], Any], *, aggregate: str = "product",
    dtype: str | None = None, concurrent: int = 0, progress: bool = True,
) -> None:  # fmt: skip
    """Write `rows` with the scores of `model` to `out`, whole; until then they lie in a .jsonl file beside it.

    load: makes the model from the rows and the dtype, if there is a row left to score. concurrent: requests at a time
    to a server, whose precision is its own; 0 for a model that runs here. Raises InputError.
    """
    from minrm import loading
    from minrm.files.runs import RunFile, name_of, writing
    from minrm.prm import AGGREGATES
    from minrm.rows import check_ending, write_rows

    check_ending(out)
    if aggregate not in AGGREGATES:
        raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
    check_to_score(dataset := list(samples(rows)), rows)
    precision = loading.as_dtype(dtype or loading.compute_dtype(loading.pick_device(None)))
    settings = {
        "model": name_of(model), "aggregate": aggregate,
        "dtype": "the server's" if concurrent else str(precision).removeprefix("torch."),
        "rows_sha256": hashlib.sha256(json.dumps(dataset, default=str).encode()).hexdigest(),
    }  # fmt: skip
    part, beside = out.with_name(out.name + UNFINISHED), out.with_name(out.name.removesuffix(".jsonl") + SETTINGS)
    if not _finished(out, part, beside, settings):
        if out.suffix == ".parquet":  # do the rows make a table? Better asked now than after the last score
            with tempfile.TemporaryDirectory() as folder:
                write_rows(dataset, Path(folder, out.name))
        with RunFile(part, settings) as run:
            _go_on(run, lambda: load(dataset, precision), dataset, rows, aggregate, concurrent, progress)
            with writing(beside):
                beside.write_text(json.dumps(settings, indent=1))
            by = {"scored_with": ", ".join(str(settings[name]) for name in ("model", "aggregate", "dtype"))}
            before = ({name: value for name, value in row.items() if name not in COLUMNS} for row in dataset)
            write_rows((row | scores | by for row, scores in zip(before, run.rows, strict=True)), out)
            _remove(part)
    print(f"{out}: {len(dataset)} rows scored by {model}")


def _finished(out: Path, part: Path, beside: Path, settings: Row) -> bool:
    """Is this run complete? Raises InputError for another run, and for settings that no run of ours wrote.

    A kill may leave `beside` cut short, but then `part` is there; or `part` although `out` is complete.
    """
    from minrm.files.lines import loads
    from minrm.files.runs import tidy

    cut = part.exists() and not out.exists()
    there = loads(beside.read_bytes(), str(beside)) if beside.exists() and not cut else None
    if there is not None and "rows_sha256" not in there:
        raise InputError(f"{beside}: no run of minrm score wrote it, but this one would replace it; name another file")
    if not out.exists():
        return False
    if there != settings:
        told = f"no {beside.name} of minrm score lies beside it"
        for name in [name for name, value in settings.items() if there and there.get(name) != value][:1]:
            told = f"its {name} is {(there or {}).get(name)!r}, you asked for {settings[name]!r}"
        raise InputError(f"{out} holds another run, or something else: {told}; name another file, or remove this one")
    record = part.with_suffix(SETTINGS)
    if record.exists() and loads(record.read_bytes(), str(record)) == settings:
        _remove(part)
    tidy(out)
    return True


def _remove(part: Path) -> None:
    for path in (part, part.with_suffix(SETTINGS)):
        path.unlink(missing_ok=True)


def _go_on(run: Any, load: Any, dataset: list[Row], path: Path, aggregate: str, concurrent: int, bar: bool) -> None:
    """Append the scores of the rows that the run has not come to, chunk by chunk. path: of the rows, for messages.

    load: makes the model. concurrent: requests at a time; 0 for a model that runs here.
    """
    from minrm import loading
    from minrm.cli.client import in_order

    size = REQUEST if concurrent else CHUNK
    run.keep(len(run.rows) // size * size)  # whole chunks, so that the scores are those of an unstopped run
    starts = range(len(run.rows), len(dataset), size)
    model = load() if starts else None

    def scores_from(start: int) -> list[Row]:
        try:
            return scores_of(model, dataset[start : start + size], aggregate)
        except InputError as error:
            raise placed(error, path, range(start + 1, start + size + 1)) from error

    answers = in_order(scores_from, starts, concurrent) if concurrent else None
    with loading.progress_bar(len(dataset), "scoring", " rows", shown=bar, start=len(run.rows)) as shown:
        for start in starts:
            scores = next(answers) if answers else scores_from(start)
            run.append(scores)
            shown.update(len(scores))


def placed(error: InputError, path: Path, numbers: Sequence[int]) -> InputError:
    """The error with its place in the file. numbers: in the file, of the rows that the error counts from 1."""
    number = re.match(r"row (\d+)(.*)", str(error), re.DOTALL)
    text = f", row {numbers[int(number[1]) - 1]}{number[2]}" if number else f": {error}"
    return InputError(f"{path}{text}")


def scores_of(model: Any, rows: Sequence[Row], aggregate: str = "product") -> list[Row]:
    """The columns that scoring adds to each row: score (and step_scores from a PRM), or two scores of a pair.

    scored_by: orm, prm or bradley_terry. JSON has no -inf, so a Bradley–Terry score of an empty solution is null.
    """
    from minrm import OutcomeRewardModel
    from minrm.prm import aggregate_steps

    process = hasattr(model, "step_scores")  # ours, a published one, or a served one
    kind = "prm" if process else "orm" if isinstance(model, OutcomeRewardModel) else "bradley_terry"
    by = {"scored_by": getattr(model, "scored_by", kind)}
    questions, *columns = columns_of(rows)
    if len(columns) == 2:
        how = {"aggregate": aggregate} if process else {}
        both = (model.score(questions, column, **how) for column in columns)
        return [{"chosen_score": float(a), "rejected_score": float(b)} | by for a, b in zip(*both, strict=True)]
    (solutions,) = columns
    if not process:
        return [{"score": s if s > -math.inf else None} | by for s in map(float, model.score(questions, solutions))]
    steps = model.step_scores(questions, solutions)
    totals: Any = aggregate_steps(steps, aggregate)
    return [{"score": float(s), "step_scores": each.tolist()} | by for s, each in zip(totals, steps, strict=True)]


def columns_of(rows: Sequence[Row]) -> list[list[str]]:
    """The questions of rows and their solutions, or the prompts of pairs and their two responses."""
    from minrm.rows import SCHEMAS
    from minrm.text import join_steps

    if rows[0].keys() >= SCHEMAS["pair"].keys():
        return [[row[name] for row in rows] for name in ("prompt", "chosen", "rejected")]
    solutions = [row["solution"] if "solution" in row else join_steps(row["steps"]) for row in rows]
    return [[row["question"] for row in rows], solutions]


def check_to_score(rows: Sequence[Row], path: str | Path) -> None:
    """Refuse rows without the fields to score, or with values that do not fit a schema whose fields they have.

    An empty solution is no mistake. Raises InputError.
    """
    from minrm.rows import SCHEMAS, check_fields, check_headers, schemas_of

    if not rows:
        raise InputError(f"{path}: no rows to score")
    remedy = "rows to score have question and solution or steps, or all are pairs"
    for number, row in enumerate(rows, start=1):
        solution = {"steps": "steps"} if "steps" in row and "solution" not in row else {"solution": "any text"}
        fields = SCHEMAS["pair"] if rows[0].keys() >= SCHEMAS["pair"].keys() else {"question": "text"} | solution
        rest = {name: kind for schema in schemas_of(row) for name, kind in SCHEMAS[schema].items()}  # for `evaluate`
        check_fields(row, rest | fields, f"{path}, row {number}", remedy)
        check_headers(row["steps"] if "steps" in fields else [], f"{path}, row {number}")
