"""One trial of a world, before hours are spent on recording it: a row of numbers on a development split.

    python data/trial.py POLICY [--problems 100] [--samples 128] [--temperature 0.8]
                         [--judges orm prm] [--sampled 24000] [--corrupted 50000] [--work FOLDER]

The development problems are those of the split "train" with the last numbers of their checksum, which the judges' own
training leaves out; the evaluation split is never touched. The first table tells what the policy writes: accuracies,
votes, how many texts differ, what a count of words is worth, the mistakes by kind. Each judge is trained once (one
seed), and best-of-N, AUC and the mistakes of its wrong winners are printed.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from runs import MODELS, pair_rows

from minrm import best_of_n, majority_vote, sample, train
from minrm.metrics import within_problem_auc
from minrm.text import final_answer
from minrm.world import CORRUPTED, Problem, generate, read_problem, write
from minrm.world.problems import SPLITS

DEVELOPMENT = range(SPLITS["train"].stop - 3, SPLITS["train"].stop)
COUNTS = (4, 16, 64, 128, 256)


def problems(n: int, seed: int, development: bool) -> list[Problem]:
    """`n` problems of the split "train", of its development part or of the rest."""
    drawn: list[Problem] = []
    while len(drawn) < n:
        more = generate(n, seed, split="train")
        drawn += [problem for problem in more if (problem.bucket in DEVELOPMENT) == development]
        seed += 1000
    return drawn[:n]


def look(
    policy: str, drawn: list[Problem], n: int, temperature: float, work: Path
) -> tuple[list[list[str]], np.ndarray]:
    """The samples [P][N] of the development problems and whether each is right [P, N]; what they are is printed."""
    questions, truth = [problem.question for problem in drawn], [problem.answer for problem in drawn]
    options: dict[str, Any] = {"max_new_tokens": 110, "batch_size": 512, "progress": True}
    greedy = sample(policy, questions, 1, temperature=0, **options)
    rows = sample(policy, questions, n, temperature=temperature, seed=1, path=work / "development.jsonl", **options)
    texts = [[row["solution"] for row in rows[p * n : (p + 1) * n]] for p in range(len(drawn))]
    answers = [[final_answer(text) for text in own] for own in texts]
    correct = np.array([[a == t for a in own] for own, t in zip(answers, truth, strict=True)])
    words = np.array([[len(text.split()) for text in own] for own in texts], dtype=float)
    counts = [count for count in COUNTS if count <= n]
    right = np.mean([final_answer(row["solution"]) == t for row, t in zip(greedy, truth, strict=True)])
    different = np.median([len(set(own)) for own in texts])
    print(f"greedy {right:.3f}, one sample {correct.mean():.3f}, different texts {different:g}")
    for name, estimate in {
        "vote": majority_vote(answers, truth, counts), "pass": best_of_n(correct * 1.0, correct, counts),
        "longest": best_of_n(words, correct, counts), "shortest": best_of_n(-words, correct, counts),
    }.items():  # fmt: skip
        print(f"{name:9}", dict(zip(counts, np.round(estimate.mean, 3).tolist(), strict=True)))
    print(f"AUC of the number of words {within_problem_auc(words, correct).mean:.3f}")
    kinds = Counter(
        kind for own, p in zip(texts, drawn, strict=True) for text in own for kind in {*p.errors(text)} - {None}
    )
    print("share with a mistake:", {kind: round(count / correct.size, 4) for kind, count in kinds.most_common()})
    return texts, correct


def judge(kind: str, rows: list[dict], policy: str, texts: Any, correct: np.ndarray, drawn: Any, work: Path) -> None:
    """Train one judge in one pass, and print what it is worth on the development samples."""
    model = MODELS[kind].from_base(policy)
    if kind == "bradley_terry":
        rows = pair_rows(rows)
    train(model, rows, work / kind, batch_size=64, learning_rate=1e-3)
    asked = [problem.question for problem, own in zip(drawn, texts, strict=True) for _ in own]
    scores = model.score(asked, [text for own in texts for text in own], progress=True).reshape(correct.shape)
    counts = [count for count in COUNTS if count <= correct.shape[1]]
    best = dict(zip(counts, np.round(best_of_n(scores, correct, counts).mean, 3).tolist(), strict=True))
    print(f"{kind}: {len(rows)} rows; best of {best}; AUC {within_problem_auc(scores, correct).mean:.3f}")
    winners = scores.argmax(axis=1)
    wrong = [drawn[p].errors(texts[p][w]) for p, w in enumerate(winners) if not correct[p, w]]
    print("  wrong winners:", Counter(kind for errors in wrong for kind in {*errors} - {None}).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--judges", nargs="*", default=[], choices=MODELS)
    parser.add_argument("--sampled", type=int, default=24_000)
    parser.add_argument("--corrupted", type=int, default=50_000)
    parser.add_argument("--work", type=Path, default=Path("data/work/trial"))
    options = parser.parse_args()
    drawn = problems(options.problems, 770, development=True)
    texts, correct = look(options.policy, drawn, options.samples, options.temperature, options.work)
    if not options.judges:
        return
    asked = [problem.question for problem in problems(options.sampled // 4, 4, development=False)]
    path = options.work / "training.jsonl"
    rows = sample(options.policy, asked, 4, temperature=1.0, max_new_tokens=110, seed=5, batch_size=512, path=path)
    judged = [read_problem(row["question"]).judge(row["solution"]) for row in rows if row["solution"].strip()]
    rng = random.Random(6)
    others = problems(options.corrupted // 2, 700, development=False)
    judged += [problem.judge(write(problem, rng, CORRUPTED)[0]) for problem in others for _ in range(2)]
    judged = [row for row in judged if row["steps"] and all(map(str.strip, row["steps"]))]
    for kind in options.judges:
        judge(kind, judged, options.policy, texts, correct, drawn, options.work)


if __name__ == "__main__":
    main()
