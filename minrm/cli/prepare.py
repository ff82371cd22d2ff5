"""The command `minrm prepare`: its arguments and what it prints. `minrm.cli.preparing` does the work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def prepare(
    path: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="A file, or a name on the hub.  [default: where the source's publisher has it]"),
    ] = None,
    source: Annotated[
        str, typer.Option(help="rows (to be checked), samples (of minrm sample), or a data set: see below.")
    ] = "rows",
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="The file to write.")] = None,  # noqa: UP045
    preview: Annotated[int, typer.Option(help="Show so many rows and the counts, and write nothing.")] = 0,
    schema: Annotated[Optional[str], typer.Option(help="Of samples: outcome or process.")] = None,  # noqa: UP045
    problems: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Questions and answers: they judge samples, and split rlhflow's texts."),
    ] = None,
    option: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="An argument of the data set: neutral=bad, split=test, annotations=true."),
    ] = None,
    first_error: Annotated[bool, typer.Option("--until-first-error", help="Labels stop at the first error.")] = False,
    tokenizer: Annotated[str, typer.Option(help="Whose tokens the shown row is in.")] = "policy",
) -> None:
    """Turn data into training rows, and show the first with what a model learns from in ⟦brackets⟧.

    Data sets: gsm8k, gsm8k_solutions, rlhflow_outcomes (outcomes); prm800k, math_shepherd, rlhflow, processbench,
    trl_stepwise (steps); hh_rlhf (pairs). Rows are written as they are read: a set may be larger than memory.

    \b
      minrm prepare my_rows.jsonl --preview 3
      minrm prepare phase2_train.jsonl --source prm800k --set neutral=bad -o process.jsonl
      minrm prepare --source hh_rlhf --set data_dir=helpful-base -o pairs.parquet
      minrm prepare samples.jsonl --source samples --schema process -o process.jsonl
    """
    from itertools import chain, islice

    from minrm.cli import preparing
    from minrm.cli.files import schema_of
    from minrm.errors import InputError
    from minrm.rows import write_rows

    if not out and not preview:
        raise InputError("name a file to write, -o rows.jsonl, or look first: --preview 3")
    rows = preparing.prepare(source, path, schema, problems, preparing.read_options(option or []))
    head = list(islice(rows, max(preview, 1)))
    if not head:
        raise InputError(f"{path}: no row is left; the counts above say why")
    kind = schema_of(head, path or source)
    rows = chain(head, rows)
    rows = preparing.until_first_error(rows) if first_error and kind == "process" else rows
    if preview:
        for row in islice(rows, len(head)):
            print(json.dumps(row, ensure_ascii=False))
        print()
    if kind != "problem":
        print(preparing.preview(head[0], kind, tokenizer) + "\n")
    if preview:
        print(f"{len(head) + sum(1 for _ in rows)} {kind} rows, none written")
    elif out:
        print(f"{out}: {write_rows(rows, out)} {kind} rows")
