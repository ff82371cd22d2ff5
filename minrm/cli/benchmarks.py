"""Public benchmarks for `minrm evaluate --benchmark`: scored rows → the publisher's figures, by its rules."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minrm.errors import InputError

Row = dict[str, Any]
SIZES = {  # the subsets in the publisher's order, and how many solutions or prompts each has
    "processbench": {"gsm8k": 400, "math": 1000, "olympiadbench": 1000, "omnimath": 1000},
    "rewardbench2": {"Factuality": 475, "Precise IF": 160, "Math": 183, "Safety": 450, "Focus": 495, "Ties": 102},
}
CHOSEN_ON = "gsm8k"  # the subset on which ProcessBench chooses the threshold
TIES = "Ties"  # RewardBench 2's subset with rules of its own


def check_name(benchmark: str) -> None:
    """Refuse a name that is not a benchmark's. Raises InputError."""
    if benchmark not in SIZES:
        raise InputError(f"no benchmark {benchmark!r}; the benchmarks are {', '.join(SIZES)}")


def report(benchmark: str, files: Sequence[Path]) -> list[str]:
    """The lines of a benchmark's report on scored rows, by its rules. Raises InputError for rows of anything else."""
    from minrm.cli.inputs import check_scored, samples

    check_name(benchmark)
    needed = {"subset": "text", **_NEEDED[benchmark]}
    rows: list[Row] = []
    for path in files:
        part = list(samples(path))
        if missing := needed.keys() - (part[0] if part else {}).keys():
            remedy = f"give --model to score the publisher's files, or minrm prepare --source {benchmark}, minrm score"
            raise InputError(f"{path}: its first row has no {', '.join(sorted(missing))}; {remedy}")
        check_scored(part, needed, path)
        if rows and part[0].get("scored_with") != rows[0].get("scored_with"):
            by = f"scored with {part[0].get('scored_with')}, but {files[0]} with {rows[0].get('scored_with')}"
            raise InputError(f"{path}: {by}; measure the rows of each model by themselves")
        rows += part
    subsets: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        subsets[row["subset"]].append(row)
    order = sorted(subsets, key=lambda name: [*SIZES[benchmark], name].index(name))
    return _REPORTS[benchmark]({name: subsets[name] for name in order})


def _processbench(subsets: dict[str, list[Row]]) -> list[str]:
    """The first error's F1 of each subset, at one half and at the threshold chosen on GSM8K (Zheng et al. 2024)."""
    from minrm.metrics import first_error_threshold

    columns = {name: ([r["step_scores"] for r in rows], [r["labels"] for r in rows]) for name, rows in subsets.items()}
    lines = _first_errors(columns, 0.5, "one half")
    if CHOSEN_ON in columns:
        lines += ["", *_first_errors(columns, first_error_threshold(*columns[CHOSEN_ON]), f"chosen on {CHOSEN_ON}")]
        lines += ["", f"{CHOSEN_ON} is measured where its threshold was chosen, as in published tables"]
    else:
        lines += ["", f"no rows of {CHOSEN_ON}, on which the threshold is chosen: one half only"]
    return lines + _compared("processbench", {name: len(rows) for name, rows in subsets.items()}, "solutions")


def _first_errors(columns: dict[str, tuple[list[Any], list[Any]]], threshold: float, how: str) -> list[str]:
    """A table of the first error's F1 at one threshold, with the mean over subsets."""
    from minrm.metrics import first_error_f1

    lines, f1s = [f"threshold {threshold:.6g}, {how}"], list[float]()
    lines.append(f"{'':<14}{'solutions':>10}{'first error found':>25}{'no error, none found':>25}{'F1':>8}")
    for name, (scores, labels) in columns.items():
        try:
            found = first_error_f1(scores, labels, threshold)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        sides = f"{_share(found.erroneous):>25}{_share(found.correct):>25}"
        lines.append(f"{name:<14}{len(labels):>10}{sides}{found.f1:>8.3f}")
        f1s.append(found.f1)
    total = sum(len(labels) for _, labels in columns.values())
    return [*lines, f"{'average':<14}{total:>10}{'':50}{sum(f1s) / len(f1s):>8.3f}"]


def _rewardbench2(subsets: dict[str, list[Row]]) -> list[str]:
    """The accuracy of best of four in each subset, the score of Ties, and their mean (Malik et al. 2025)."""
    from minrm.metrics import Estimate, ties, top_share

    lines, means, counts = [f"{'':<14}{'prompts':>10}{'score':>25}"], dict[str, float](), dict[str, int]()
    for name, rows in subsets.items():
        prompts = _prompts(name, rows)
        counts[name], about = len(prompts), ""
        if name == TIES:
            kinds = {kind: {n: p for (k, n), p in prompts.items() if k == kind} for kind in ("ref", "tied")}
            found = ties(kinds["ref"], kinds["tied"])
            means[name], text = found.score, f"{found.score:.3f}" + " " * 17
            about = (
                f"\n  one right answer {found.reference:.3f}, several {found.tied:.3f}, gap wider than spread "
                f"{found.preferred:.3f}, with the reference {found.preferred_hard:.3f}"
            )
        else:
            accuracy = Estimate.over_problems([top_share(*prompt) for prompt in prompts.values()])
            means[name], text = accuracy.mean, _share(accuracy)
        lines.append(f"{name:<14}{len(prompts):>10}{text:>25}{about}")
    lines.append(f"{'average':<14}{sum(counts.values()):>10}{sum(means.values()) / len(means):>8.3f}")
    return lines + _compared("rewardbench2", counts, "prompts")


def _prompts(subset: str, rows: list[Row]) -> dict[Any, tuple[list[float], list[bool]]]:
    """The scores and correctness of each prompt's completions; of Ties by kind and number, of the others four."""
    prompts: dict[Any, tuple[list[float], list[bool]]] = {}
    for row in rows:
        name: Any = (row["id"], row["question"]) if subset != TIES else tuple(row["id"].split(":"))
        if subset == TIES and (len(name) != 2 or name[0] not in ("ref", "tied")):
            raise InputError(f"{subset}: the id {row['id']!r} is neither ref:NUMBER nor tied:NUMBER; prepare it again")
        scores, correct = prompts.setdefault(name, ([], []))
        scores.append(row["score"])
        correct.append(row["correct"])
    for name, (scores, correct) in prompts.items():
        if subset != TIES and (len(scores) != 4 or sum(correct) != 1):
            told = f"{len(scores)} completions, {sum(correct)} of them right"
            raise InputError(
                f"{subset}, prompt {name[0]}: {told}; it needs four with one right, so score the whole file again"
            )
    return prompts


def _share(estimate: Any) -> str:
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _compared(benchmark: str, counts: dict[str, int], what: str) -> list[str]:
    """Whether the figures stand beside published ones, which are of all the publisher's rows."""
    other = [f"{name} {counts.get(name, 0)} of {size}" for name, size in SIZES[benchmark].items()]
    if counts == SIZES[benchmark]:
        return [f"all {sum(counts.values())} {what}: the figures stand beside published ones"]
    return [f"not the whole benchmark ({', '.join(other)} {what}): do not compare the average with published ones"]


_NEEDED = {
    "processbench": {"labels": "labels", "step_scores": "probabilities"},
    "rewardbench2": {"id": "text", "question": "text", "correct": "bool", "score": "number", "scored_by": "text"},
}
_REPORTS = {"processbench": _processbench, "rewardbench2": _rewardbench2}
