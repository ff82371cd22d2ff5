"""`minrm score`: the rows of a file with the scores of a reward model; a stopped run goes on."""

import hashlib
import json
import math
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
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.  [default: the device's best]")] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Add scores to rows. Stopped (Ctrl-C) and called again, it goes on where it was.

    \b
      minrm score prm test.jsonl -o scored.jsonl --aggregate min
      minrm score Qwen/Qwen2.5-Math-PRM-7B test.jsonl -o scored.parquet

    Until the last row is scored, the scores lie in a .jsonl file beside --out. An empty solution gets the worst score.
    """
    from minrm import loading
    from minrm.prm import AGGREGATES
    from minrm.published import load_published
    from minrm.rows import RunFile, check_ending, read_rows, write_rows

    check_ending(out)
    if aggregate not in AGGREGATES:
        raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
    check_to_score(dataset := list(read_rows(rows)), rows)
    precision = loading.as_dtype(dtype or loading.compute_dtype(loading.pick_device(None)))
    weights = sorted(path for path in Path(model).glob("*") if path.suffix in (".safetensors", ".bin"))
    settings = {
        "model": model, "weights_sha256": [_digest(path) for path in weights], "aggregate": aggregate,
        "dtype": str(precision).removeprefix("torch."),
        "rows_sha256": hashlib.sha256(json.dumps(dataset, default=str).encode()).hexdigest(),
    }  # fmt: skip
    beside = out.with_name(out.name.split(".jsonl")[0].removesuffix(".parquet") + ".settings.json")
    if not out.exists():
        run = RunFile(out.with_name(out.name + ".unfinished.jsonl"), settings)
        run.keep(len(run.rows) // CHUNK * CHUNK)  # whole chunks, so that the scores are those of an unstopped run
        loaded = load_published(model, dtype=precision) if len(run.rows) < len(dataset) else None
        with loading.progress_bar(len(dataset), "scoring", " rows", shown=progress, start=len(run.rows)) as bar:
            for start in range(len(run.rows), len(dataset), CHUNK):
                chunk = dataset[start : start + CHUNK]
                try:
                    run.append(scores_of(loaded, chunk, aggregate))
                except InputError as error:  # which counts the rows of the chunk
                    number = re.match(r"row (\d+)(.*)", str(error))
                    text = f", row {start + int(number[1])}{number[2]}" if number else f": {error}"
                    raise InputError(f"{rows}{text}") from error
                bar.update(len(chunk))
        before = ({name: value for name, value in row.items() if name not in COLUMNS} for row in dataset)
        beside.write_text(json.dumps(settings, indent=1))
        write_rows((row | scores for row, scores in zip(before, run.rows, strict=True)), out)
        for path in (run.path, run.path.with_suffix(".settings.json")):
            path.unlink()
    elif not beside.exists() or json.loads(beside.read_text()) != settings:
        raise InputError(f"{out} holds another run, or something else; name another file, or remove this one")
    print(f"{out}: {len(dataset)} rows scored by {model}")


def scores_of(model: Any, rows: Sequence[Row], aggregate: str = "product") -> list[Row]:
    """The columns that scoring adds to each row: score (and step_scores from a PRM), or two scores of a pair.

    scored_by: orm, prm or bradley_terry. JSON has no -inf: the score of an empty solution by the last is null.
    """
    from minrm import OutcomeRewardModel
    from minrm.prm import aggregate_steps
    from minrm.rows import SCHEMAS
    from minrm.text import join_steps

    process = hasattr(model, "step_scores")  # ours, or a published one
    by = {"scored_by": "prm" if process else "orm" if isinstance(model, OutcomeRewardModel) else "bradley_terry"}
    if rows[0].keys() >= SCHEMAS["pair"].keys():
        prompts, how = [row["prompt"] for row in rows], {"aggregate": aggregate} if process else {}
        both = (model.score(prompts, [row[name] for row in rows], **how) for name in ("chosen", "rejected"))
        return [{"chosen_score": float(a), "rejected_score": float(b)} | by for a, b in zip(*both, strict=True)]
    questions = [row["question"] for row in rows]
    solutions = [row["solution"] if "solution" in row else join_steps(row["steps"]) for row in rows]
    if not process:
        return [{"score": s if s > -math.inf else None} | by for s in map(float, model.score(questions, solutions))]
    steps = model.step_scores(questions, solutions)
    totals: Any = aggregate_steps(steps, aggregate)
    return [{"score": float(s), "step_scores": each.tolist()} | by for s, each in zip(totals, steps, strict=True)]


def check_to_score(rows: Sequence[Row], path: str | Path) -> None:
    """Refuse rows without the fields to score. An empty solution is no mistake. Raises InputError."""
    from minrm.rows import SCHEMAS, check_fields, check_headers

    if not rows:
        raise InputError(f"{path}: no rows to score")
    remedy = "rows to score have question and solution or steps, or all are pairs"
    for number, row in enumerate(rows, start=1):
        solution = {"steps": "steps"} if "steps" in row and "solution" not in row else {"solution": "any text"}
        fields = SCHEMAS["pair"] if rows[0].keys() >= SCHEMAS["pair"].keys() else {"question": "text"} | solution
        check_fields(row, fields, f"{path}, row {number}", remedy)
        check_headers(row["steps"] if "steps" in fields else [], f"{path}, row {number}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
