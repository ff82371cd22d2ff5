"""The last unit of the recipe: what the policy and the reward models reach, printed and written beside the data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from minrm import best_of_n, majority_vote, pass_at_n, weighted_vote
from minrm.metrics import Estimate, curves, over_seeds, paired_difference, pooled_auc, within_problem_auc
from minrm.notebook.figures import selection_curves
from minrm.text import final_answer
from minrm.world import ERRORS, Evaluation, evaluation, read_problem, recorded_scores
from minrm.world.recorded_runs import KINDS

COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
BEGIN, END = "<!-- figures: written by the recipe -->", "<!-- end of figures -->"


def measure(out: Path, scale: Any = None) -> None:
    """What the policy and the reward models reach on problems that nothing was trained on."""
    world = evaluation(out)
    answers, correct, truth = world.answers, world.correct, world.truth
    every = correct.shape[1]
    some, counts = min(64, every), [n for n in COUNTS if n <= every]
    one = correct.mean(axis=1)
    direct = [row["direct"].strip() == row["answer"] for row in world.problems]  # the prompt ends in "# Answer"
    greedy = np.array([final_answer(row["greedy"]) == row["answer"] for row in world.problems], dtype=float)
    vote, oracle = majority_vote(answers, truth, counts), pass_at_n(correct, counts)
    at_some, at_every = (majority_vote(answers, truth, n).per_problem for n in (some, every))
    stepwise = np.array([not text.startswith("# Answer") for text in world.solutions.ravel()]).reshape(correct.shape)
    runs = {name: recorded_scores(kind, folder=out) for kind, name in KINDS.items()}
    best = {name: over_seeds([best_of_n(run, correct, counts) for run in scores]) for name, scores in runs.items()}
    ways = {"vote": vote, **best, "pass@N": oracle, "greedy": Estimate.over_problems(greedy)}
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
        f"vote at {some} - greedy": _rounded(paired_difference(at_some, greedy)),
        "false positives among the right": round(float((correct & ~world.sound).sum() / max(correct.sum(), 1)), 4),
        f"problems whose vote at {every} goes to a wrong answer": round(float(np.mean(at_every < 0.5)), 4),
        "bare answers where steps were asked for": round(float(1 - stepwise.mean()), 4),
        "by trap": _by_trap(world.problems, {"greedy": greedy, f"vote at {some}": at_some, "one sample": one}),
        "share of solutions with a mistake, by kind": _mistakes(world),
    }
    for name, scores in runs.items():
        figures[f"{name}: best of N"] = _by_count(best[name], counts)
        figures |= {f"{name}: {what}": value for what, value in _verifier(scores, answers, correct, truth).items()}
        aucs = [_auc_of_steps(run, correct, stepwise) for run in scores]  # bare answers are told at a glance
        figures[f"{name}: within-problem AUC, bare answers aside"] = _rounded(over_seeds(aucs))
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
    few = [n for n in (4, 16, 64) if n <= correct.shape[1]]
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


def _auc_of_steps(scores: np.ndarray, correct: np.ndarray, stepwise: np.ndarray) -> Estimate:
    """The within-problem AUC over the samples that have steps."""
    rows = [(s[k], c[k]) for s, c, k in zip(scores, correct, stepwise, strict=True)]
    return within_problem_auc(*zip(*rows, strict=True))


def _intervals(estimate: Estimate, counts: list[int]) -> dict[str, str]:
    values = zip(counts, estimate.mean, estimate.low, estimate.high, strict=True)
    return {str(n): f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" for n, mean, low, high in values}


def _by_trap(problems: list[dict], ways: dict[str, np.ndarray]) -> dict:
    traps = np.array([" and ".join(read_problem(row["question"]).traps) or "none" for row in problems])
    return {
        trap: {"problems": int((traps == trap).sum())}
        | {way: round(float(values[traps == trap].mean()), 4) for way, values in ways.items()}
        for trap in sorted(set(traps))
    }


def _mistakes(world: Evaluation) -> dict[str, float]:
    known = {row["question"]: read_problem(row["question"]) for row in world.problems}
    counts: Counter = Counter()
    for question, solution in zip(world.questions.ravel(), world.solutions.ravel(), strict=True):
        counts.update(set(known[question].errors(solution)) - {None})
    return {kind: round(counts[kind] / world.solutions.size, 4) for kind in ERRORS}


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
    runs = [path for path in parts if path.parent.name == "runs"]  # many small ones of two kinds: one line for all
    if runs:
        lines.append(f"| `runs/`, {len(runs)} files | {sum(path.stat().st_size for path in runs) / 1000:.0f} |")
    lines += [f"| `{path.relative_to(out)}` | {path.stat().st_size / 1000:.0f} |" for path in parts if path not in runs]
    readme = out / "README.md"
    if readme.exists():
        before, _, rest = readme.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        readme.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}")


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
