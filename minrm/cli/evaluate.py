"""`minrm evaluate`: scored rows → the table and the figure: how often each way of choosing is right, for every N.

Outcomes give best-of-N beside votes (Lightman et al. 2023, figure 3) and the ceiling; labelled steps their accuracy and
the F1 of the first error (ProcessBench, Zheng et al. 2024); pairs the accuracy of preferences. A public benchmark is
scored and measured by one command.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.cli.inputs import NAMES, check_scored
from minrm.errors import InputError

Row = dict[str, Any]
Measures = tuple[list[int], dict[str, Any], list[str]]  # counts N, an estimate for each way, and notes
FIGURES = (".png", ".svg", ".pdf")


def evaluate(
    rows: Annotated[list[Path], typer.Argument(help="What `minrm score` wrote; for --benchmark also several files.")],
    figure: Annotated[Path | None, typer.Option(help="Write the figure there (png, svg, pdf).")] = None,
    benchmark: Annotated[str | None, typer.Option(help="Apply its rules: processbench or rewardbench2.")] = None,
    model: Annotated[str | None, typer.Option(help="With --benchmark: score its files with this model first.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="With --model: the file to write scores to.")] = None,
) -> None:
    """Print how often each way of choosing is right, and draw it; or what a public benchmark says.

    \b
      minrm evaluate scored.jsonl --figure curves.png
      minrm evaluate gsm8k.json math.json --benchmark processbench --model prm -o scored.jsonl
      minrm evaluate scored.jsonl --benchmark processbench

    With --model, ROWS are the publisher's files, or the name on the hub; scoring goes on where it was stopped.
    """
    from minrm.cli.benchmarks import report
    from minrm.cli.inputs import samples
    from minrm.files.runs import writing

    if figure and benchmark:
        raise InputError(f"{figure}: a benchmark is a table; leave --figure out")
    if figure and figure.suffix not in FIGURES:
        raise InputError(f"{figure}: a figure is written as {', '.join(FIGURES)}")
    if (model or out or len(rows) > 1) and not benchmark:
        raise InputError("several files, --model and --out need --benchmark; add it, or leave them out")
    if benchmark:
        if bool(model) != bool(out):
            raise InputError("--model and --out belong together, since --out keeps the scores of the files; give both")
        files = [_score(benchmark, rows, model, out)] if model and out else rows
        print("\n".join(report(benchmark, files)))
        return
    (path,) = rows
    table, notes = measure(list(samples(path)), path)
    print("\n".join([format_table(table), *notes]))
    if figure:
        from minrm.notebook.figures import bars_with_intervals, selection_curves

        lines, bars = [row for row in table if row["n"]], [row | {"name": row["way"]} for row in table]
        drawn = selection_curves(lines) if lines else bars_with_intervals(bars, "share (%)")
        with writing(figure):
            figure.parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(figure, dpi=150)
        print(f"{figure}: the figure")


def _score(benchmark: str, files: Sequence[Path], model: str, out: Path) -> Path:
    """`out`, where the rows of the publisher's files now have scores."""
    from minrm.cli.scoring import score_file
    from minrm.published import load_published
    from minrm.rows import write_rows

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, f"{benchmark}.jsonl")
        write_rows(_published(benchmark, files), prepared)
        score_file(model, prepared, out, lambda rows, dtype: load_published(model, dtype=dtype))
    return out


def _published(benchmark: str, files: Sequence[Path]) -> Iterator[Row]:
    """The rows to score of the publisher's files, or of its name on the hub, one at a time."""
    from minrm import sources
    from minrm.cli.benchmarks import SIZES, check_name

    check_name(benchmark)
    splits = [{"split": name} for name in SIZES[benchmark]] if benchmark == "processbench" else [{}]
    for path in files:
        for split in [{}] if path.is_file() else splits:
            yield from getattr(sources, benchmark)(str(path), streaming=True, **split)


def measure(rows: list[Row], path: Any) -> tuple[list[Row], list[str]]:
    """A table (way, n, mean, low, high; shares from 0 to 1; n None beside curves) and sentences about the rest.

    Every measure is taken for which the first row has the fields. Raises InputError for none, and for a row that lacks
    one, has another kind of value there, or was scored by another model.
    """
    from minrm.metrics import curves

    fields = set(rows[0]) if rows else set()
    measures = {take: needed for take, needed in _MEASURES.items() if needed.keys() <= fields}
    if not measures:
        remedy = "score outcome rows (question, solution, answer, correct), process rows or pairs with minrm score"
        raise InputError(f"{path}: has {', '.join(sorted(fields)) or 'no rows'}; to evaluate, {remedy}")
    check_scored(rows, {name: kind for needed in measures.values() for name, kind in needed.items()}, path)
    table, notes = list[Row](), list[str]()
    for take in measures:
        counts, ways, about = take(rows)
        table, notes = table + curves(ways, counts), notes + about
    return table, notes


def _choices(rows: list[Row]) -> Measures:
    import numpy as np

    from minrm.metrics import pooled_auc, within_problem_auc
    from minrm.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
    from minrm.text import final_answer

    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["question"]].append(row)
    size = min(map(len, groups.values()))
    notes = [f"{len(groups)} problems, the first {size} solutions of each: {size * len(groups)} of {len(rows)} rows"]
    used = [group[:size] for group in groups.values()]
    scores = np.array([[-np.inf if row["score"] is None else row["score"] for row in group] for group in used])
    correct = np.array([[row["correct"] for row in group] for group in used], dtype=bool)
    answers = [[final_answer(row["solution"]) for row in group] for group in used]
    known = {row["question"]: row["answer"] for row in reversed(rows) if row["answer"] is not None}
    truth = [known.get(question, "(unknown)") for question in groups]  # then each vote is wrong, as it should be
    counts, kind = [2**k for k in range(size.bit_length())], rows[0]["scored_by"]
    ways = {
        "one sample": best_of_n(np.zeros_like(scores), correct, counts),
        "vote": majority_vote(answers, truth, counts),
        NAMES[kind]: best_of_n(scores, correct, counts),
        "weighted vote": weighted_vote(answers, scores, truth, counts, reward=kind == "bradley_terry"),
        "pass@N": pass_at_n(correct, counts),
    }
    try:
        auc, pooled = within_problem_auc(scores, correct), pooled_auc(scores, correct)
        interval = f"{auc.low:.3f} to {auc.high:.3f}, {auc.problems} problems"
        notes.append(f"AUC within a problem {auc.mean:.3f} ({interval}); pooled {pooled:.3f}")
    except InputError as error:
        notes.append(f"no AUC: {error}")
    return counts, ways, notes


def _steps(rows: list[Row]) -> Measures:
    import numpy as np

    from minrm.metrics import Estimate, first_error_f1, pooled_auc

    labels = [np.array(row["labels"], dtype=float) for row in rows]  # null becomes NaN
    scores = [np.array(row["step_scores"])[~np.isnan(of)] for row, of in zip(rows, labels, strict=True)]
    good = [values[~np.isnan(values)] >= 0.5 for values in labels]
    right = [(values > 0.5) == truth for values, truth in zip(scores, good, strict=True)]
    shares = Estimate.over_problems([values.mean() for values in right if len(values)])  # steps depend on each other
    ways, share = {"steps judged rightly, mean per solution": shares}, np.concatenate(good).mean()
    notes = [
        f"{len(rows)} solutions, {sum(map(len, good))} labelled steps, {share:.1%} of them good",
        f"steps judged rightly, pooled {np.concatenate(right).mean():.3f}; "
        f"always saying the commoner label {max(share, 1 - share):.3f}",
    ]
    try:
        notes.append(f"AUC of steps {pooled_auc(scores, good):.3f}")
        first = first_error_f1([row["step_scores"] for row in rows], [row["labels"] for row in rows])
        ways |= {"first error found": first.erroneous, "no error found where there is none": first.correct}
        notes.append(f"F1 of the first error {first.f1:.3f}")
    except InputError as error:
        notes.append(f"not measured: {error}")
    return [], ways, notes


def _preferences(rows: list[Row]) -> Measures:
    from minrm.metrics import preference_accuracy

    accuracy = preference_accuracy(*([row[name] for row in rows] for name in ("chosen_score", "rejected_score")))
    return [], {"chosen above rejected": accuracy}, [f"{len(rows)} pairs; a coin is right in half of them"]


_MEASURES: dict[Any, dict[str, str]] = {  # a measure → the fields that it needs, and their kinds
    _choices: {
        "question": "text", "solution": "any text", "answer": "text or null", "correct": "bool",
        "score": "number or null", "scored_by": "text",
    },
    _steps: {"labels": "labels", "step_scores": "probabilities"},
    _preferences: {"chosen_score": "number", "rejected_score": "number"},
}  # fmt: skip


def format_table(table: list[Row]) -> str:
    """The table in plain text: a line a way and a column an N, or, without N, a line with its interval."""
    width = max(len(row["way"]) for row in table)
    counts = sorted({row["n"] for row in table if row["n"] is not None})
    lines = [f"{'N':<{width}}" + "".join(f"{n:>8}" for n in counts)] if counts else []
    for way in dict.fromkeys(row["way"] for row in table):
        rows = [row for row in table if row["way"] == way]
        interval = f"  (95 %: {rows[0]['low']:.3f} to {rows[0]['high']:.3f})" if rows[0]["n"] is None else ""
        lines.append(f"{way:<{width}}" + "".join(f"{row['mean']:>8.3f}" for row in rows) + interval)
    return "\n".join(lines)
