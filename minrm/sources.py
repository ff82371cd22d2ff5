"""Public data sets, one function each, named after it: a local file or a hub name -> a `datasets.Dataset`.

| function | publisher | schema | hub name | or the publisher's file |
|---|---|---|---|---|
| `gsm8k` | Cobbe et al. 2021 | problem, outcome | `openai/gsm8k` (configuration `main`) | `train.jsonl`, `test.jsonl` |
| `gsm8k_solutions` | the same | outcome | none | `example_model_solutions.jsonl` |
| `prm800k` | Lightman et al. 2023 | process | none: GitHub, by Git LFS | `phase1_train.jsonl`, … |
| `hh_rlhf` | Bai et al. 2022 | pair | `Anthropic/hh-rlhf` (`data_dir`) | `train.jsonl.gz`, `test.jsonl.gz` |

The files lie in github.com/openai/grade-school-math, openai/prm800k and anthropics/hh-rlhf. Every row is kept, or
dropped and counted with its cause: the counts are logged and stand in the data set's `info.description`.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minrm.errors import InputError
from minrm.prm800k import check_neutral, trajectory
from minrm.rows import check_row, read_rows
from minrm.text import final_answer

if TYPE_CHECKING:
    from datasets import Dataset

SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_log = logging.getLogger(__name__)

Row = dict[str, Any]


def gsm8k(
    path: str | os.PathLike = "openai/gsm8k", split: str = "train", worked: bool = False, annotations: bool = False
) -> Dataset:
    """GSM8K (Cobbe et al. 2021): grade-school word problems -> problems {question, answer}, "18".

    worked: the published worked answers too, as right solutions (outcome schema). annotations: keep the calculator's
    marks in them, `<<48/2=24>>`. split: of the hub's data; a file is taken whole. Raises InputError for a file or row
    that cannot be used.
    """
    found: list[Row] = []
    for place, row in _rows(path, "gsm8k", name="main", split=split):
        question, solution = _texts(row, place, "question", "answer")
        answer = final_answer(solution)
        if answer is None:
            raise InputError(f"{place}: the worked answer has no line '#### …' with the final answer; is this GSM8K?")
        extra = {"solution": _plain(solution, annotations)} if worked else {}
        new = {"question": question, **extra, "answer": answer} | ({"correct": True} if worked else {})
        check_row(new, "outcome" if worked else "problem", place)
        found.append(new)
    return _dataset(found, "outcome" if worked else "problem", "GSM8K", Counter(), len(found))


def gsm8k_solutions(path: str | os.PathLike, models: Sequence[str] = SOLVERS, annotations: bool = False) -> Dataset:
    """The GSM8K test questions as four language models solved them (Cobbe et al. 2021) -> outcome rows.

    One row a question and model, in the order of `models` (default: all four, 6B and 175B, fine-tuned and chosen by
    a verifier); `answer` is the problem's, `correct` the publisher's judgement. annotations: as in `gsm8k`. Raises
    InputError for unknown models and for a file or row that cannot be used.
    """
    unknown = [model for model in models if model not in SOLVERS]
    if unknown or not models:
        raise InputError(f"models {unknown or list(models)}; choose some of {', '.join(SOLVERS)}")
    found: list[Row] = []
    for place, row in _rows(path, "gsm8k_solutions"):
        question, truth = _texts(row, place, "question", "ground_truth")
        answer = final_answer(truth)
        if answer is None:
            raise InputError(f"{place}: ground_truth has no line 'A: …' with the final answer")
        for model in models:
            written = _field(row, model, dict, place)
            solution, correct = _texts(written, f"{place}, {model}", "solution")[0], written.get("is_correct")
            new = {"question": question, "solution": _plain(solution, annotations), "answer": answer}
            check_row(new | {"correct": correct}, "outcome", f"{place}, {model}")
            found.append(new | {"correct": correct})
    return _dataset(found, "outcome", "GSM8K model solutions", Counter(), len(found))


def prm800k(path: str | os.PathLike, neutral: str = "good", alternatives: bool = False) -> Dataset:
    """PRM800K (Lightman et al. 2023): solutions to MATH problems, each step rated by people -> process rows.

    The solution follows `chosen_completion`, else `human_completion` (a good step); where both are null it ends with
    its first bad completion. Steps after the first bad one carry no label, and neither do flagged and unrated ones.

    neutral: a rating of 0 is "good" (the paper's choice), "bad" or "none" (no label); it never ends the labels.
    alternatives: one more row for each completion that was rated but not chosen: the same steps up to there, its
    label alone. Dropped, with their cause counted: quality-control and screening rows, problems reported as broken,
    and rows without any label. Raises InputError for a file or row that cannot be used.
    """
    check_neutral(neutral)
    found: list[Row] = []
    dropped: Counter[str] = Counter()
    count = 0
    for place, row in _rows(path, "prm800k"):
        count += 1
        rows, cause = trajectory(row, place, neutral, alternatives)
        if cause:
            dropped[cause] += 1
        for new in rows:
            check_row(new, "process", place)
        found.extend(rows)
    return _dataset(found, "process", "PRM800K", dropped, count)


def hh_rlhf(
    path: str | os.PathLike = "Anthropic/hh-rlhf",
    split: str = "train",
    data_dir: str | None = None,
    equal: str = "drop",
) -> Dataset:
    """HH-RLHF (Bai et al. 2022): two dialogues, one of them preferred -> pairs {prompt, chosen, rejected}.

    The prompt is everything up to and including the last "\\n\\nAssistant:" before which both dialogues are the same;
    what follows are the responses, without the space at their ends. Pairs whose responses are equal or empty are
    dropped and counted, or with equal="error" refused. split, data_dir ("harmless-base", …): of the hub's data.
    """
    if equal not in ("drop", "error"):
        raise InputError(f'equal={equal!r}; it is "drop" or "error"')
    found: list[Row] = []
    dropped: Counter[str] = Counter()
    count = 0
    for place, row in _rows(path, "hh_rlhf", split=split, data_dir=data_dir):
        count += 1
        chosen, rejected = _texts(row, place, "chosen", "rejected")
        new = _pair(chosen, rejected, place)
        cause = "chosen equals rejected" if new["chosen"] == new["rejected"] else ""
        cause = cause or ("" if new["chosen"] and new["rejected"] else "an empty response")
        if cause and equal == "drop":
            dropped[cause] += 1
            continue
        check_row(new, "pair", place)
        found.append(new)
    return _dataset(found, "pair", "HH-RLHF", dropped, count)


def _pair(chosen: str, rejected: str, place: str) -> Row:
    common = len(os.path.commonprefix([chosen, rejected]))
    turn = "\n\nAssistant:"
    start = chosen.rfind(turn, 0, common)
    if start < 0:
        raise InputError(f"{place}: the dialogues have no {turn!r} in common, so there is no prompt; is this HH-RLHF?")
    end = start + len(turn)
    return {"prompt": chosen[:end], "chosen": chosen[end:].strip(), "rejected": rejected[end:].strip()}


def _plain(solution: str, annotations: bool) -> str:
    return solution if annotations else _ANNOTATION.sub("", solution)


def _rows(path: str | os.PathLike, function: str, **hub: Any) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) of a local file, or of the hub where `hub` says how its data set is loaded."""
    text = os.fspath(path)
    looks_local = Path(text).exists() or not _HUB_NAME.fullmatch(text) or re.search(r"\.(jsonl?|gz|parquet)$", text)
    if looks_local:
        for number, row in read_rows(text):
            yield f"{text}, row {number}", row
        return
    if not hub:
        raise InputError(
            f"{text}: no such file, and {function} has no data set on the hub that its publisher made; "
            "give the publisher's file (see help(minrm.sources))"
        )
    for number, row in enumerate(_load(text, function, hub), start=1):
        yield f"{text} ({hub['split']}), row {number}", row


def _load(name: str, function: str, hub: dict[str, Any]) -> Iterable[Row]:
    import datasets

    try:
        return datasets.load_dataset(name, **{key: value for key, value in hub.items() if value is not None})
    except Exception as error:  # what the hub's client raises offline depends on its version and its transport
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise InputError(
            f"{name}: not to be had from the hub ({reason}); "
            f'give a file that you have, {function}("train.jsonl"), or use the world that needs no download, '
            "minrm.problems.generate"
        ) from error


def _field(row: Row, name: str, kind: type, place: str) -> Any:
    if not isinstance(row.get(name), kind):
        what = f"is a {type(row[name]).__name__}, not a {kind.__name__}" if name in row else "is missing"
        raise InputError(f"{place}: the field {name!r} {what}; there is {', '.join(map(str, row)) or 'nothing'}")
    return row[name]


def _texts(row: Row, place: str, *names: str) -> list[str]:
    return [_field(row, name, str, place) for name in names]


def _dataset(rows: list[Row], schema: str, title: str, dropped: Counter[str], count: int) -> Dataset:
    import datasets

    if not rows:
        raise InputError(f"{title}: none of {count} rows can be used" + _causes(dropped))
    text = datasets.Value("string")
    kinds: dict[str, Any] = {"correct": datasets.Value("bool")}
    kinds |= {"steps": datasets.List(text), "labels": datasets.List(datasets.Value("int64"))}
    dataset = datasets.Dataset.from_list(rows, datasets.Features({name: kinds.get(name, text) for name in rows[0]}))
    used = count - sum(dropped.values())
    dataset.info.description = f"{title}: {used} of {count} rows used, {len(rows)} {schema} rows" + _causes(dropped)
    _log.info(dataset.info.description)
    return dataset


def _causes(dropped: Counter[str]) -> str:
    return "".join(f"; {number} dropped: {cause}" for cause, number in sorted(dropped.items()))
