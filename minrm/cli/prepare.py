"""`minrm prepare`: training rows from public data, from samples or checked rows, and one row as a model sees it."""

import json
import logging
from collections.abc import Iterator
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.cli.inputs import checked, new_model, read_fields, samples, schema_of
from minrm.errors import InputError

Row = dict[str, Any]
log = logging.getLogger("minrm")
EMPTY = "(empty)"  # stands for an empty solution, which no model can be trained on: it has no answer, so it is wrong


def prepare(
    path: Annotated[str | None, typer.Argument(help="A file or hub name.  [default: the publisher's]")] = None,
    source: Annotated[str, typer.Option(help="rows (to be checked), samples, or a data set named above.")] = "rows",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file (jsonl, parquet) to write.")] = None,
    preview: Annotated[int, typer.Option(min=0, help="Show this many rows and the counts; write nothing.")] = 0,
    schema: Annotated[str | None, typer.Option(help="Schema of samples or rows: outcome, process or pair.")] = None,
    problems: Annotated[Path | None, typer.Option(help="Answers for samples, or questions for rlhflow.")] = None,
    split: Annotated[str | None, typer.Option(help="Part of a data set on the hub, such as test.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Part of hh_rlhf: helpful-base, harmless-base, …")] = None,
    neutral: Annotated[str | None, typer.Option(help="For prm800k: neutral steps are good, bad or none.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="For trl_preference: whose chat template to use.")] = None,
    first_error: Annotated[bool, typer.Option("--until-first-error", help="Labels stop at the first error.")] = False,
    base: Annotated[str, typer.Option(help="The language model whose tokens are shown, as in minrm train.")] = "policy",
) -> None:
    """Turn data into training rows, and show the first with what a model learns from in ⟦brackets⟧.

    Data sets: gsm8k (problems); gsm8k_solutions, rlhflow_outcomes, rewardbench2 (outcomes); prm800k, math_shepherd,
    rlhflow, processbench, trl_stepwise (steps); hh_rlhf, trl_preference (pairs). Written as .jsonl, a set may be larger
    than memory.

    \b
      minrm prepare my_rows.jsonl --preview 3
      minrm prepare phase2_train.jsonl --source prm800k --neutral bad -o process.jsonl
      minrm prepare --source hh_rlhf --data-dir helpful-base -o pairs.parquet
      minrm prepare samples.jsonl --source samples --schema process -o process.jsonl
    """
    from minrm.rows import check_ending, write_rows
    from minrm.text import labels_until_first_error

    if not out and not preview:
        raise InputError("name a file to write, -o rows.jsonl, or look first: --preview 3")
    if out and not preview:
        check_ending(out)
    given = {"split": split, "data_dir": data_dir, "neutral": neutral, "problems": problems, "schema": schema}
    given |= {"tokenizer": tokenizer}
    rows = rows_from(source, path, **{name: value for name, value in given.items() if value is not None})
    head = list(islice(rows, max(preview, 1)))
    if not head:
        raise InputError(f"{path}: no row is left; the counts above say why")
    kind = schema_of(head[0], path or source, schema)
    rows = chain(head, rows)
    if first_error and kind == "process":
        rows = (row | {"labels": labels_until_first_error(row["labels"])} for row in rows)
    example = "" if kind == "problem" else shown(head[0], kind, base) + "\n\n"
    if preview:
        print("".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in islice(rows, len(head))))
        print(f"{example}{len(head) + sum(1 for _ in rows)} {kind} rows, none written")
    elif out:
        count = write_rows(rows, out)  # before anything is shown
        print(f"{example}{out}: {count} {kind} rows")


def rows_from(source: str, path: str | Path | None = None, **options: Any) -> Iterator[Row]:
    """Rows of one schema, one at a time. options: arguments of the source. Raises InputError, for a row in its turn."""
    from minrm import sources

    functions: dict[str, Any] = {"rows": checked, "samples": judged}
    functions |= {name: getattr(sources, name) for name in sources.__all__}
    if source not in functions:
        raise InputError(f"no source {source!r}; the sources are {', '.join(functions)}")
    if source in sources.__all__:
        options["streaming"] = True
        if "problems" in options:
            options["problems"] = read_fields(options["problems"], "question")
    try:
        return functions[source](*([] if path is None else [path]), **options)
    except TypeError as error:  # arguments that are not its own
        raise InputError(f"{error}; see minrm prepare --help") from error


def judged(path: Path, schema: str = "outcome", problems: Path | None = None) -> Iterator[Row]:
    """Sampled solutions as *outcome* or *process* rows, judged by a file of answers or by the embedded world's checker.

    An outcome row of an empty sample, which is a wrong one of its problem's N, has the text EMPTY. No process row is
    made of a sample without steps, or with an empty one. A warning counts both. Raises InputError.
    """
    from minrm.rows import SCHEMAS, check_fields, check_row
    from minrm.text import final_answer, same_answer, split_steps
    from minrm.world import read_problem

    if schema not in ("outcome", "process") or (schema == "process" and problems):
        raise InputError(f"samples cannot become {schema} rows here, but outcome or, without --problems, process rows")
    truth = {row["question"]: row["answer"] for row in read_fields(problems, "question", "answer")} if problems else {}
    fate = f"counted as wrong, as {EMPTY}" if schema == "outcome" else "left out: empty, or with a step without text"
    unfit = count = 0
    for count, sample in enumerate(samples(Path(path)), start=1):  # noqa: B007
        where = f"{path}, row {count}"
        check_fields(sample, {"question": "text", "solution": "any text"}, where, "samples have question and solution")
        question, solution, steps = sample["question"], sample["solution"], split_steps(sample["solution"])
        if not steps or (schema == "process" and not all(map(str.strip, steps))):
            unfit, solution = unfit + 1, EMPTY
            if schema == "process":
                continue
        if not problems:
            try:
                row = read_problem(question).judge(solution)
            except InputError as error:
                raise InputError(f"{where}: {error}; give a file of the right answers, --problems") from error
        elif question in truth:
            correct = same_answer(final_answer(solution), truth[question])
            row = {"question": question, "solution": solution, "answer": truth[question], "correct": correct}
        else:
            raise InputError(f"{where}: its question is not in {problems}; give the file that it comes from")
        row = {name: row[name] for name in SCHEMAS[schema]}
        check_row(row, schema, where)
        yield row
    if unfit:
        log.warning("%s: %d of %d solutions %s", path, unfit, count, fate)


def shown(row: Row, schema: str, base: str) -> str:
    """The text that a model reads of one row, with what it learns from in ⟦brackets⟧."""
    model = new_model(schema, base)
    (features,) = model.prepare([row])
    if features is None:
        return "no model learns from this row: it has no label, or responses that are equal"
    if schema == "pair":  # the reward is read at the last token
        texts = [(ids, [*[False] * (len(ids) - 1), True]) for ids in (features["chosen"], features["rejected"])]
    else:
        texts = [(features["input_ids"], features["steps" if schema == "process" else "solution_mask"].tolist())]
    parts = []
    for ids, mask in texts:
        for supervised, run in groupby(zip(ids, mask, strict=True), itemgetter(1)):
            text = model.tokenizer.decode([int(i) for i, _ in run])
            parts.append(f"⟦{text}⟧" if supervised else text)
        parts.append(f"\n({sum(mask)} of {len(ids)} tokens are supervised)\n\n")
    return "".join(parts).rstrip("\n")
