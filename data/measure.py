"""The last unit of the recipe: what the policy and the reward models reach, printed and written beside the data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from minrm import best_of_n, majority_vote, pass_at_n, weighted_vote
from minrm.errors import InputError
from minrm.metrics import (
    Estimate,
    curves,
    equal_length_auc,
    over_seeds,
    paired_difference,
    pooled_auc,
    within_problem_auc,
)
from minrm.notebook.figures import selection_curves
from minrm.text import final_answer
from minrm.world import ERRORS, Evaluation, evaluation, read_problem, recorded_scores
from minrm.world.recorded_runs import KINDS

COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
MANY = ("runs", "searches", "reinforcement")  # folders of many small files: one line of the table each
BEGIN, END = "<!-- figures: written by the recipe -->", "<!-- end of figures -->"


def measure(out: Path, scale: Any = None) -> None:
    """What the policy and the reward models reach on problems that nothing was trained on."""
    world = evaluation(out)
    answers, correct, truth = world.answers, world.correct, world.truth
    every = correct.shape[1]
    some, counts = min(64, every), [n for n in COUNTS if n <= every]
    words = np.array([[len(text.split()) for text in own] for own in world.solutions], dtype=float)
    one = correct.mean(axis=1)
    direct = [row["direct"].strip() == row["answer"] for row in world.problems]  # the prompt ends in "# Answer"
    greedy = np.array([final_answer(row["greedy"]) == row["answer"] for row in world.problems], dtype=float)
    vote, oracle = majority_vote(answers, truth, counts), pass_at_n(correct, counts)
    at_some, at_every = (majority_vote(answers, truth, n).per_problem for n in (some, every))
    rules = {"longest": words, "shortest": -words, "likeliest": world.log_likelihood}
    by_rule = {name: best_of_n(values, correct, counts) for name, values in rules.items()}
    runs = {name: recorded_scores(kind, folder=out) for kind, name in KINDS.items()}
    by_seed = {name: [best_of_n(run, correct, counts) for run in scores] for name, scores in runs.items()}
    best = {name: over_seeds(seeds) for name, seeds in by_seed.items()}
    ways = {"vote": vote, **best, "longest of N": by_rule["longest"], "pass@N": oracle}
    ways["greedy"] = Estimate.over_problems(greedy)
    selection_curves(curves(ways, counts)).savefig(out / "best_of_n.png", dpi=110)
    figures = {
        "problems": len(truth),
        "samples of each": every,
        "direct answer": _rounded(Estimate.over_problems(direct)),
        "greedy chain of thought": _rounded(Estimate.over_problems(greedy)),
        "one sample": _rounded(Estimate.over_problems(one)),
        "plurality vote": _by_count(vote, counts),
        "pass@N": _by_count(oracle, counts),
        "greedy - direct": _rounded(paired_difference(greedy, direct)),
        "greedy - one sample": _rounded(paired_difference(greedy, one)),
        f"vote at {some} - greedy": _rounded(paired_difference(at_some, greedy)),
        "different texts of a problem (median)": float(np.median([len(set(own)) for own in world.solutions])),
        "false positives among the right": round(float((correct & ~world.sound).sum() / max(correct.sum(), 1)), 4),
        "mistakes in false positives": _mistakes(world, correct & ~world.sound),
        f"problems whose vote at {every} goes to a wrong answer": round(float(np.mean(at_every < 0.5)), 4),
        "by trap": _by_group(_traps(world.problems), {"greedy": greedy, f"vote at {some}": at_some, "one sample": one}),
        "by number of steps": _by_group(_steps(world.problems), {"direct": np.array(direct), "greedy": greedy}),
        "share of solutions with a mistake, by kind": _mistakes(world, np.ones_like(correct)),
        "within-problem AUC of the number of words": _rounded(within_problem_auc(words, correct)),
    }
    figures |= {f"{name} of N": _by_count(estimate, counts) for name, estimate in by_rule.items()}
    for name, scores in runs.items():
        figures[f"{name}: best of N"] = _by_count(best[name], counts)
        figures |= {f"{name}: {what}": value for what, value in _verifier(scores, answers, correct, truth).items()}
        figures |= {f"{name}: {what}": _rounded(e) for what, e in _judging(scores, world, words).items()}
    pairs = zip(by_seed["PRM"], by_seed["ORM"], strict=True)
    gap = over_seeds([paired_difference(prm.per_problem, orm.per_problem) for prm, orm in pairs])
    figures["PRM - ORM: best of N"] = _intervals(gap, counts)
    text = json.dumps(figures, indent=1)
    print(text)
    (out / "measured.json").write_text(text + "\n")
    _report(out, figures)


def _rounded(estimate: Estimate) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in estimate.row().items()}


def _by_count(estimate: Estimate, counts: list[int]) -> dict[str, float]:
    return {str(n): round(float(mean), 4) for n, mean in zip(counts, estimate.mean, strict=True)}


def _verifier(scores: np.ndarray, answers: np.ndarray, correct: np.ndarray, truth: list[str]) -> dict[str, Any]:
    """What one kind of reward model reaches, over its seeds: scores [seeds, problems, samples]."""
    few = [n for n in (4, 16, 64, 256) if n <= correct.shape[1]]
    vote = majority_vote(answers, truth, few).per_problem
    gains = over_seeds([paired_difference(best_of_n(run, correct, few).per_problem, vote) for run in scores])
    reward = not ((scores >= 0) & (scores <= 1)).all()
    weighted = [weighted_vote(answers, run, truth, few, reward=reward) for run in scores]
    weighted_gains = over_seeds([paired_difference(votes.per_problem, vote) for votes in weighted])
    return {
        "within-problem AUC": _rounded(over_seeds([within_problem_auc(run, correct) for run in scores])),
        "pooled AUC": round(float(np.mean([pooled_auc(run, correct) for run in scores])), 4),
        "best of N - vote": _intervals(gains, few),
        "weighted vote": _by_count(over_seeds(weighted), few),
        "weighted vote - vote": _intervals(weighted_gains, few),
    }


def _judging(scores: np.ndarray, world: Evaluation, words: np.ndarray) -> dict[str, Estimate]:
    """AUC of sound against wrong solutions, right ones with a bad step left out; the same where lengths are equal."""
    told = world.sound | ~world.correct
    sound, lengths = ([own[keep] for own, keep in zip(array, told, strict=True)] for array in (world.sound, words))
    runs = [[own[keep] for own, keep in zip(run, told, strict=True)] for run in scores]
    try:
        return {
            "AUC of sound against wrong": over_seeds([within_problem_auc(run, sound) for run in runs]),
            "the same at equal length": over_seeds([equal_length_auc(run, sound, lengths) for run in runs]),
        }
    except InputError:  # in small there may be no problem with both
        return {}


def _intervals(estimate: Estimate, counts: list[int]) -> dict[str, str]:
    values = zip(counts, estimate.mean, estimate.low, estimate.high, strict=True)
    return {str(n): f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" for n, mean, low, high in values}


def _traps(problems: list[dict]) -> np.ndarray:
    return np.array([" and ".join(read_problem(row["question"]).traps) or "none" for row in problems])


def _steps(problems: list[dict]) -> np.ndarray:
    """How many steps a solution needs: the comparison, each product, each event."""
    asked = [read_problem(row["question"]) for row in problems]
    return np.array([(p.wording != "plain") + sum(1 + (event.times > 1) for event in p.events) for p in asked])


def _by_group(groups: np.ndarray, ways: dict[str, np.ndarray]) -> dict:
    return {
        str(group): {"problems": int((groups == group).sum())}
        | {way: round(float(values[groups == group].mean()), 4) for way, values in ways.items()}
        for group in sorted(set(groups.tolist()))
    }


def _mistakes(world: Evaluation, among: np.ndarray) -> dict[str, float]:
    """The share of these solutions [P, N] (bool) that have a mistake of each kind."""
    known = {row["question"]: read_problem(row["question"]) for row in world.problems}
    counts: Counter = Counter()
    for question, solution in zip(world.questions[among], world.solutions[among], strict=True):
        counts.update(set(known[question].errors(solution)) - {None})
    return {kind: round(counts[kind] / max(among.sum(), 1), 4) for kind in ERRORS}


def _report(out: Path, figures: dict) -> None:
    """The figures and sizes as tables, between the marks in README.md (where there is one)."""
    lines = ["| measured | |", "|---|---|"]
    for name, value in figures.items():
        if isinstance(value, dict) and "low" in value:
            lines.append(f"| {name} | {value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f}) |")
        elif isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()):
            lines += [
                f"| {name}: {key} | {', '.join(f'{k} {v}' for k, v in inner.items())} |" for key, inner in value.items()
            ]
        elif isinstance(value, dict):
            lines.append(f"| {name} | {', '.join(f'{key}: {_short(v)}' for key, v in value.items())} |")
        else:
            lines.append(f"| {name} | {value} |")
    built = [path for path in sorted(out.rglob("*")) if path.suffix in (".parquet", ".json", ".safetensors", ".png")]
    parts = [path for path in built if path.relative_to(out).parts[0] != "work"]
    lines += ["", "| file | kB |", "|---|---|"]
    for folder in MANY:
        own = [path for path in parts if path.parent.name == folder]
        parts = [path for path in parts if path not in own]
        if own:
            lines.append(f"| `{folder}/`, {len(own)} files | {sum(path.stat().st_size for path in own) / 1000:.0f} |")
    lines += [f"| `{path.relative_to(out)}` | {path.stat().st_size / 1000:.0f} |" for path in parts]
    readme = out / "README.md"
    if readme.exists():
        before, _, rest = readme.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        readme.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}")


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
