"""`minrm evaluate`: scored rows → the table and the figure: how often each way of choosing is right, for every N.

Solutions with a known outcome give the figure of the field (best-of-N beside votes, after Lightman et al. 2023, figure
3, with the ceiling added); labelled steps give their accuracy and the F1 of the first error (ProcessBench, Zheng et al.
2024); pairs give the accuracy of preferences.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.errors import InputError

Row = dict[str, Any]
NAMES = {"orm": "ORM", "prm": "PRM", "bradley_terry": "Bradley–Terry"}  # of the reward models that `score` names


def evaluate(
    rows: Annotated[Path, typer.Argument(help="What `minrm score` wrote.")],
    figure: Annotated[Path | None, typer.Option(help="Write the figure there (png, svg, pdf).")] = None,
) -> None:
    """Print how often each way of choosing is right, and draw it.

    \b
      minrm evaluate scored.jsonl --figure curves.png
    """
    from minrm.rows import read_rows

    table, notes = measure(list(read_rows(rows)), rows)
    print("\n".join([format_table(table), *notes]))
    if figure:
        from minrm.notebook.figures import bars_with_intervals, selection_curves

        curves = [row for row in table if row["n"] is not None]
        bars = [{"name": row["way"], **row} for row in table]
        drawn = selection_curves(curves) if curves else bars_with_intervals(bars, "share (%)")
        drawn.savefig(figure, dpi=150)
        print(f"{figure}: the figure")


def measure(rows: list[Row], path: Any) -> tuple[list[Row], list[str]]:
    """A table (way, n, mean, low, high; shares from 0 to 1; n None beside curves) and sentences about the rest.

    Every measure is taken for which the first row has the fields. Raises InputError if there is none, or a later row
    lacks one of them.
    """
    fields = set(rows[0]) if rows else set()
    measures = [name for name, needed in _MEASURES.items() if needed <= fields]
    if not measures:
        remedy = "score outcome rows (question, solution, answer, correct), process rows or pairs with minrm score"
        raise InputError(f"{path}: has {', '.join(sorted(fields)) or 'no rows'}; to evaluate, {remedy}")
    needed = set().union(*(_MEASURES[name] for name in measures))
    for number, row in enumerate(rows, start=1):
        if missing := needed - row.keys():
            raise InputError(f"{path}, row {number}: has no {', '.join(sorted(missing))}, which the first row has")
        if "labels" in needed and len(row["labels"]) != len(row["step_scores"]):
            counts = f"{len(row['labels'])} labels but {len(row['step_scores'])} step scores"
            raise InputError(f"{path}, row {number}: {counts}; prepare and score the rows again")
    results = [measured(rows) for measured in measures]
    return [row for table, _ in results for row in table], [note for _, notes in results for note in notes]


def _choices(rows: list[Row]) -> tuple[list[Row], list[str]]:
    import numpy as np

    from minrm.metrics import curves, pooled_auc, within_problem_auc
    from minrm.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
    from minrm.text import final_answer

    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["question"]].append(row)
    size, most = min(map(len, groups.values())), max(map(len, groups.values()))
    notes = [f"{len(groups)} problems with {size} solutions each"]
    if most > size:
        notes = [f"{len(groups)} problems with {size} to {most} solutions; the first {size} of each are used"]
    used = [group[:size] for group in groups.values()]
    scores = np.array([[row["score"] for row in group] for group in used], dtype=float)
    correct = np.array([[row["correct"] for row in group] for group in used], dtype=bool)
    answers = [[final_answer(row["solution"]) for row in group] for group in used]
    # an unknown answer is one that no solution gave: a vote is then wrong, as it should be
    truth = [
        next((row["answer"] for row in group if row["answer"] is not None), "(unknown)") for group in groups.values()
    ]
    counts = [2**k for k in range(size.bit_length()) if 2**k <= size]
    kind = rows[0]["scored_by"]
    ways = {
        "one sample": best_of_n(np.zeros_like(scores), correct, counts),
        "vote": majority_vote(answers, truth, counts),
        NAMES[kind]: best_of_n(scores, correct, counts),
        "weighted vote": weighted_vote(answers, scores, truth, counts, reward=kind == "bradley_terry"),
        "pass@N": pass_at_n(correct, counts),
    }
    if 0 < correct.mean() < 1:
        try:
            within = within_problem_auc(scores, correct)
            interval = f"{within.mean:.3f} ({within.low:.3f} to {within.high:.3f}, {within.problems} problems)"
        except InputError as error:
            interval = f"none: {error}"
        notes.append(f"AUC within a problem {interval}; pooled {pooled_auc(scores, correct):.3f}")
    return curves(ways, counts), notes


def _steps(rows: list[Row]) -> tuple[list[Row], list[str]]:
    import numpy as np

    from minrm.metrics import Estimate, curves, first_error_f1, pooled_auc

    all_scores, all_labels = ([row[name] for row in rows] for name in ("step_scores", "labels"))
    labelled = [
        [(score, label >= 0.5) for score, label in zip(scores, labels, strict=True) if label is not None]
        for scores, labels in zip(all_scores, all_labels, strict=True)
    ]
    values, good = (np.array(column) for column in zip(*(pair for pairs in labelled for pair in pairs), strict=True))
    notes = [f"{len(rows)} solutions, {len(good)} labelled steps, {good.mean():.1%} of them good"]
    if 0 < good.mean() < 1:
        notes.append(f"AUC of steps {pooled_auc([values], [good]):.3f}")
    # the steps of a solution are not independent of each other: the interval is over solutions
    shares = [np.mean([(score > 0.5) == label for score, label in pairs]) for pairs in labelled if pairs]
    ways = {"steps judged rightly, mean per solution": Estimate.over_problems(np.array(shares))}
    pooled, base_rate = np.mean((values > 0.5) == good), max(good.mean(), 1 - good.mean())
    notes.append(f"steps judged rightly, pooled {pooled:.3f}; always saying the commoner label {base_rate:.3f}")
    try:
        first = first_error_f1(all_scores, all_labels)
        ways |= {"first error found": first.erroneous, "no error found where there is none": first.correct}
        notes.append(f"F1 of the first error {first.f1:.3f}")
    except InputError as error:
        notes.append(f"no F1 of the first error: {error}")
    return curves(ways, []), notes


def _preferences(rows: list[Row]) -> tuple[list[Row], list[str]]:
    from minrm.metrics import preference_accuracy

    accuracy = preference_accuracy(*([row[name] for row in rows] for name in ("chosen_score", "rejected_score")))
    return [accuracy.row(way="chosen above rejected", n=None)], [f"{len(rows)} pairs; a coin is right in half of them"]


_MEASURES: dict[Any, set[str]] = {  # a measure → the fields that it needs
    _choices: {"question", "solution", "answer", "correct", "score", "scored_by"},
    _steps: {"labels", "step_scores"},
    _preferences: {"chosen_score", "rejected_score"},
}


def format_table(table: list[Row]) -> str:
    """The table in plain text: a line a way and a column an N, or, without N, a line with its interval."""
    width = max(len(row["way"]) for row in table)
    counts = sorted({row["n"] for row in table if row["n"] is not None})
    lines = [f"{'N':<{width}}" + "".join(f"{n:>8}" for n in counts)] if counts else []
    for way in dict.fromkeys(row["way"] for row in table):
        means = {row["n"]: row for row in table if row["way"] == way}
        if level := means.get(None):
            lines.append(f"{way:<{width}}  {level['mean']:.3f}  (95 %: {level['low']:.3f} to {level['high']:.3f})")
        else:
            lines.append(f"{way:<{width}}" + "".join(f"{means[n]['mean']:>8.3f}" for n in counts))
    return "\n".join(lines)
