"""What publishers or `minrm sample` wrote -> rows of a schema, one at a time, and one row as a model sees it.

`minrm prepare` is the command around it. Nothing is held but the row at hand, so a set may be larger than memory.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from minrm import sources
from minrm.cli.files import checked, find_model, with_fields
from minrm.errors import InputError
from minrm.rows import check_rows
from minrm.text import (
    STEP_TOKEN,
    final_answer,
    join_steps,
    labels_until_first_error,
    same_answer,
    split_steps,
    with_step_tokens,
)

Row = dict[str, Any]
log = logging.getLogger("minrm")
EMPTY = "(empty)"  # stands for a solution without text, which no model can read: no final answer, so wrong
SOURCES = ("samples", "rows", *sources.__all__)


def prepare(
    source: str,
    path: str | Path | None = None,
    schema: str | None = None,
    problems: Path | None = None,
    options: dict[str, Any] | None = None,
) -> Iterator[Row]:
    """Rows of one schema, one at a time, from a publisher, from sampled solutions, or from rows to be checked.

    source: one of SOURCES. path: a file, or a data set on the hub; None is the publisher's own name there. schema: for
    samples "outcome" (default) or "process"; elsewhere it follows from the source. problems: a file with question and
    answer, which judges the outcome of samples, and tells `rlhflow` where a question ends; without it the questions of
    samples must be the embedded world's, whose exact checker also labels steps. options: more of the source's own
    arguments, by name, such as {"neutral": "bad"}. Raises InputError, for a row when its turn comes.

    An empty sample is a wrong one among the N of its problem: as an outcome row it is kept, with the text EMPTY and
    correct false. It has no step to label, so process rows leave it out, as they do a solution with a step without
    text. A warning counts them.
    """
    if source not in SOURCES:
        raise InputError(f"no source {source!r}; the sources are {', '.join(SOURCES)}")
    if source not in ("samples", "rows"):
        if schema:
            raise InputError(f"{source} has a schema of its own; leave out --schema")
        return _published(source, path, problems, options or {})
    if path is None:
        raise InputError(f"{source} come from a file; give its path")
    if options:
        raise InputError(f"{source} have no options of their own; here: {', '.join(options)}")
    if source == "rows":
        return checked(Path(path), schema)
    return check_rows(_judge(Path(path), schema or "outcome", problems), schema or "outcome", path)


def read_options(given: list[str]) -> dict[str, Any]:
    """name=value of the command line as arguments: true and false are what they say. Raises InputError."""
    if wrong := [text for text in given if "=" not in text.strip("=")]:
        raise InputError(f"--set {wrong[0]}: an argument is name=value, such as neutral=bad")
    said = {"true": True, "false": False}
    return {name: said.get(value, value) for name, value in (text.split("=", maxsplit=1) for text in given)}


def until_first_error(rows: Iterable[Row]) -> Iterator[Row]:
    """Process rows whose labels stop at the first error, PRM800K's way."""
    return (row | {"labels": labels_until_first_error(row["labels"])} for row in rows)


def preview(row: Row, schema: str, base: str) -> str:
    """One row as a model sees it, with what it learns from in ⟦brackets⟧."""
    from minrm import loading, reward_model

    tokenizer = loading.load_tokenizer(find_model(base))
    if schema == "process":
        tokenizer.add_special_tokens({"additional_special_tokens": [STEP_TOKEN]})
        texts = [(row["question"], join_steps(row["steps"]))]
    elif schema == "pair":
        texts = [(row["prompt"], row["chosen"]), (row["prompt"], row["rejected"])]
    else:
        texts = [(row["question"], row["solution"])]
    shown = []
    for question, solution in texts:
        rewrite = (lambda text: with_step_tokens(split_steps(text))) if schema == "process" else str
        ids, mask = reward_model.encode(tokenizer, [question], [solution], rewrite)[0]
        if schema == "process":
            step = tokenizer.convert_tokens_to_ids(STEP_TOKEN)
            labels = iter(row["labels"])
            mask = [token == step and next(labels) is not None for token in ids]
        elif schema == "pair":
            mask = [False] * (len(ids) - 1) + [True]
        shown.append(f"{_bracketed(tokenizer, ids, mask)}\n({sum(mask)} of {len(ids)} tokens are supervised)")
    return "\n\n".join(shown)


def _bracketed(tokenizer: Any, ids: list[int], mask: list[bool]) -> str:
    """The decoded text, runs of supervised tokens in brackets."""
    text, start = "", 0
    for end in range(1, len(ids) + 1):
        if end == len(ids) or mask[end] != mask[start]:
            piece = tokenizer.decode(ids[start:end])
            text, start = text + (f"⟦{piece}⟧" if mask[start] else piece), end
    return text


def _published(source: str, path: str | Path | None, problems: Path | None, options: dict[str, Any]) -> Iterator[Row]:
    function = getattr(sources, source)
    known = inspect.signature(function).parameters
    own = {name: known[name].default for name in known if name not in ("path", "problems", "streaming")}
    for name, value in options.items():
        if name not in own:
            raise InputError(f"{source} has no argument {name!r}; it has {', '.join(own) or 'none'}")
        if isinstance(own[name], bool) != isinstance(value, bool):
            right = "true or false" if isinstance(own[name], bool) else f"a text, such as {own[name]}"
            raise InputError(f"{source}: {name} is {value}; it should be {right}")
    if path is None and known["path"].default is inspect.Parameter.empty:
        raise InputError(f"{source} has no data set on the hub; give the publisher's file (see help(minrm.sources))")
    if problems:
        if "problems" not in known:
            raise InputError(f"{source} needs no --problems; leave it out")
        options = options | {"problems": [row for _, row in with_fields(problems, "question")]}
    return function(*([] if path is None else [path]), streaming=True, **options)


def _judge(path: Path, schema: str, problems: Path | None) -> Iterator[tuple[int, Row]]:
    """Sampled solutions with their outcome or step labels. A step is judged only in the embedded world."""
    from minrm.run_files import stream_samples
    from minrm.world import read_problem

    if schema not in ("outcome", "process") or (schema == "process" and problems):
        raise InputError(f"samples cannot become {schema} rows here, but outcome or, without --problems, process rows")
    known = with_fields(problems, "question", "answer") if problems else []
    truth = {row["question"]: row["answer"] for _, row in known}
    unfit = count = 0
    for number, row in islice(stream_samples(path), 1, None):  # without the header
        count += 1
        question, solution = row["question"], row["solution"]
        if problems and question not in truth:
            raise InputError(f"{path}, row {number}: its question is not in {problems}; give the file it comes from")
        steps = split_steps(solution)
        if schema == "outcome":
            unfit += not steps
            answer = truth[question] if problems else read_problem(question).answer
            correct = bool(same_answer(final_answer(solution) or "", answer))
            text = solution if steps else EMPTY
            yield number, {"question": question, "solution": text, "answer": answer, "correct": correct}
        elif steps and all(step.strip() for step in steps):
            labels = [int(good) for good in read_problem(question).check_steps(solution)]
            yield number, {"question": question, "steps": steps, "labels": labels}
        else:
            unfit += 1
    if unfit:
        fate = (
            "left out: empty, or with a step without text" if schema == "process" else f"empty: kept, wrong, as {EMPTY}"
        )
        log.warning("%s: %d of %d solutions %s", path, unfit, count, fate)
