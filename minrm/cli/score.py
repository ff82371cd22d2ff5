"""`minrm score`: the rows of a file with the scores of a reward model; a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.errors import InputError

Row = dict[str, Any]
CHUNK = 256  # rows scored between two writes
COLUMNS = ("score", "step_scores", "chosen_score", "rejected_score", "scored_by")


def score(
    model: Annotated[str, typer.Argument(help="A trained checkpoint of any kind, or the name of a published model.")],
    rows: Annotated[Path, typer.Argument(help="Rows with question and solution (or steps), or pairs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (jsonl, parquet) to write.")],
    aggregate: Annotated[str, typer.Option(help="Of a PRM's steps: product, min, last or mean.")] = "product",
    dtype: Annotated[
        str | None, typer.Option(help="To compute in: float32, bfloat16, float16.  [default: the device's best]")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Add scores to rows. Stopped (Ctrl-C) and called again, it goes on where it was.

    \b
      minrm score prm test.jsonl -o scored.jsonl --aggregate min
      minrm score Qwen/Qwen2.5-Math-PRM-7B test.jsonl -o scored.parquet
    """
    print(f"{out}: {score_file(model, rows, out, aggregate, dtype, progress)} rows scored by {model}")


def score_file(
    model: str, path: Path, out: Path, aggregate: str = "product", dtype: str | None = None, progress: bool = True
) -> int:
    """The number of rows that are written to `out`: those of `path` with their scores (COLUMNS) added.

    Until the last row is scored, the scores lie beside `out` in a .jsonl file that a stopped call goes on from; the
    settings of the run stay beside `out`. An empty solution gets the worst score. Raises InputError for rows that
    cannot be scored, before the model is loaded, and if `out` or the file beside it holds another run.
    """
    from minrm import loading
    from minrm.prm import AGGREGATES
    from minrm.published import load_published
    from minrm.rows import RunFile, check_ending, read_rows, write_rows

    check_ending(out)
    if aggregate not in AGGREGATES:
        raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
    rows = list(read_rows(path))
    check_to_score(rows, path)
    precision = loading.as_dtype(dtype or loading.compute_dtype(loading.pick_device(None)))
    settings = {
        "model": model, "weights_sha256": weights_digest(model), "aggregate": aggregate, "dtype": str(precision),
        "rows": len(rows), "rows_sha256": hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest(),
    }  # fmt: skip
    beside = out.with_name(out.name.removesuffix(".gz")).with_suffix(".settings.json")
    if out.exists():
        if not beside.exists() or json.loads(beside.read_text()) != settings:
            raise InputError(f"{out} holds another run, or something else; name another file, or remove this one")
        return len(rows)
    run = RunFile(out.with_name(out.name + ".unfinished.jsonl"), settings)
    run.keep(len(run.rows) // CHUNK * CHUNK)  # whole chunks, so that the scores are those of an unstopped run
    loaded = load_published(model, dtype=precision) if len(run.rows) < len(rows) else None
    with loading.progress_bar(len(rows), "scoring", " rows", shown=progress, start=len(run.rows)) as bar:
        for start in range(len(run.rows), len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            run.append(_scores_at(loaded, chunk, aggregate, path, start))
            bar.update(len(chunk))
    kept = ({name: value for name, value in row.items() if name not in COLUMNS} for row in rows)
    beside.write_text(json.dumps(settings, indent=1))
    count = write_rows((row | scores for row, scores in zip(kept, run.rows, strict=True)), out)
    run.remove()
    return count


def scores_of(model: Any, rows: Sequence[Row], aggregate: str = "product") -> list[Row]:
    """The columns that scoring adds to each row: score (and step_scores from a PRM), or two scores of a pair.

    scored_by: orm, prm or bradley_terry.
    """
    from minrm import OutcomeRewardModel
    from minrm.prm import aggregate_steps
    from minrm.text import join_steps

    process = hasattr(model, "step_scores")  # ours, or a published one
    by = {"scored_by": "prm" if process else "orm" if isinstance(model, OutcomeRewardModel) else "bradley_terry"}
    if _are_pairs(rows):
        prompts, how = [row["prompt"] for row in rows], {"aggregate": aggregate} if process else {}
        chosen, rejected = (model.score(prompts, [row[name] for row in rows], **how) for name in ("chosen", "rejected"))
        pairs = zip(chosen, rejected, strict=True)
        return [{"chosen_score": float(a), "rejected_score": float(b)} | by for a, b in pairs]
    questions = [row["question"] for row in rows]
    solutions = [row["solution"] if "solution" in row else join_steps(row["steps"]) for row in rows]
    if not process:
        return [{"score": float(value)} | by for value in model.score(questions, solutions)]
    steps = model.step_scores(questions, solutions)
    scores = zip(aggregate_steps(steps, aggregate), steps, strict=True)
    return [{"score": float(value), "step_scores": values.tolist()} | by for value, values in scores]


def check_to_score(rows: Sequence[Row], path: str | Path) -> None:
    """Refuse rows without the fields to score. An empty solution is no mistake. Raises InputError."""
    from minrm.rows import SCHEMAS, check_fields

    if not rows:
        raise InputError(f"{path}: no rows to score")
    pairs = _are_pairs(rows)
    for number, row in enumerate(rows, start=1):
        if pairs:
            fields = SCHEMAS["pair"]
        elif "steps" in row and "solution" not in row:
            fields = {"question": "text", "steps": SCHEMAS["process"]["steps"]}
        else:
            empty = isinstance(row.get("solution"), str) and not row["solution"].strip()
            fields = {"question": "text"} | ({} if empty else {"solution": "text"})
        check_fields(row, fields, f"{path}, row {number}")


def weights_digest(name: str) -> str | None:
    """The digest of the weights in a folder, so that a model trained anew there is another one; None for a hub name."""
    total = hashlib.sha256()
    stored = sorted(path for path in Path(name).glob("*") if path.suffix in (".safetensors", ".bin"))
    for path in stored:
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest() if stored else None


def _are_pairs(rows: Sequence[Row]) -> bool:
    return {"prompt", "chosen", "rejected"} <= rows[0].keys()


def _scores_at(model: Any, chunk: Sequence[Row], aggregate: str, path: Path, start: int) -> list[Row]:
    """`scores_of`, with the file and its row number in an error: the model counts the rows of the chunk."""
    try:
        return scores_of(model, chunk, aggregate)
    except InputError as error:
        number = re.match(r"row (\d+): ", str(error))
        if number is None:
            raise
        raise InputError(f"{path}, row {start + int(number[1])}: {str(error)[number.end() :]}") from error
