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
    dataset = list(read_rows(rows))
    check_to_score(dataset, rows)
    precision = loading.as_dtype(dtype or loading.compute_dtype(loading.pick_device(None)))
    settings = {
        "model": model, "weights_sha256": weights_digest(model), "aggregate": aggregate,
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
                run.append(_scores_from(start, dataset, loaded, aggregate, rows))
                bar.update(min(CHUNK, len(dataset) - start))
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
    totals: Any = aggregate_steps(steps, aggregate)
    return [{"score": float(s), "step_scores": each.tolist()} | by for s, each in zip(totals, steps, strict=True)]


def check_to_score(rows: Sequence[Row], path: str | Path) -> None:
    """Refuse rows without the fields to score. An empty solution is no mistake. Raises InputError."""
    from minrm.rows import SCHEMAS, check_fields, check_headers

    if not rows:
        raise InputError(f"{path}: no rows to score")
    remedy = "rows to score have question and solution or steps, or all are pairs"
    for number, row in enumerate(rows, start=1):
        where, only_steps = f"{path}, row {number}", "steps" in row and "solution" not in row
        solution = {"steps": "steps"} if only_steps else {"solution": "any text"}
        check_fields(row, SCHEMAS["pair"] if _are_pairs(rows) else {"question": "text"} | solution, where, remedy)
        if only_steps:
            check_headers(row["steps"], where)


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


def _scores_from(start: int, rows: Sequence[Row], model: Any, aggregate: str, path: Path) -> list[Row]:
    """The scores of one chunk, with the file and its row number in an error: the model counts the rows of the chunk."""
    try:
        return scores_of(model, rows[start : start + CHUNK], aggregate)
    except InputError as error:
        number = re.match(r"row (\d+): ", str(error))
        if number is None:
            raise
        raise InputError(f"{path}, row {start + int(number[1])}: {str(error)[number.end() :]}") from error
