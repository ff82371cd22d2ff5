"""One trial of a world, before hours are spent on recording it: a row of numbers on the development split.

    python data/trial.py POLICY [JUDGE …] [--problems 100] [--samples 128] [--temperature 0.8]

Nothing is trained on that split, and the evaluation split is never touched. The first table tells what the policy
writes: accuracies, votes, how many texts differ, what a count of words is worth, the mistakes by kind. Of each judge (a
folder with a checkpoint) it prints best-of-N, AUC and the mistakes of its wrong winners.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np

from minrm import best_of_n, majority_vote, sample
from minrm.metrics import equal_length_auc, within_problem_auc
from minrm.published import load_published
from minrm.text import final_answer
from minrm.world import Problem, generate

COUNTS = (4, 16, 64, 128, 256)
Texts = list[list[str]]


def look(policy: str, drawn: list[Problem], n: int, temperature: float) -> tuple[Texts, np.ndarray]:
    """The samples [P][N] of the problems and whether each is right [P, N]; what they are is printed."""
    questions, truth = [problem.question for problem in drawn], [problem.answer for problem in drawn]
    options: dict[str, Any] = {"max_new_tokens": 100, "batch_size": 512, "progress": True}
    greedy = sample(policy, questions, 1, temperature=0, **options)
    rows = sample(policy, questions, n, temperature=temperature, seed=1, **options)
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
    made = [{*p.errors(text)} - {None} for own, p in zip(texts, drawn, strict=True) for text in own]
    kinds = Counter(kind for found in made for kind in found)
    print("share with a mistake:", {kind: round(count / correct.size, 4) for kind, count in kinds.most_common()})
    lucky = np.mean([bool(found) for found, good in zip(made, correct.ravel(), strict=True) if good])
    print(f"false positives among the right {lucky:.3f}")
    return texts, correct


def judge(folder: str, texts: Texts, correct: np.ndarray, drawn: list[Problem]) -> None:
    """What a judge is worth on the development samples, printed."""
    model = load_published(folder)
    asked = [problem.question for problem, own in zip(drawn, texts, strict=True) for _ in own]
    scores = model.score(asked, [text for own in texts for text in own], progress=True).reshape(correct.shape)
    counts = [count for count in COUNTS if count <= correct.shape[1]]
    best = dict(zip(counts, np.round(best_of_n(scores, correct, counts).mean, 3).tolist(), strict=True))
    print(f"{folder}: best of {best}; AUC {within_problem_auc(scores, correct).mean:.3f}")
    good = [[all(p.check_steps(text)) for text in own] for p, own in zip(drawn, texts, strict=True)]
    words = np.array([[len(text.split()) for text in own] for own in texts])
    sound = np.array(good) & correct
    told = sound | ~correct  # sound against wrong: what is right by luck is left out
    pairs = [[own[keep] for own, keep in zip(values, told, strict=True)] for values in (scores, sound, words)]
    auc, equal = within_problem_auc(*pairs[:2]), equal_length_auc(*pairs)
    print(f"  sound against wrong: AUC {auc.mean:.3f}, at equal length {equal.mean:.3f} ({equal.problems} problems)")
    winners = scores.argmax(axis=1)
    wrong = [drawn[p].errors(texts[p][w]) for p, w in enumerate(winners) if not correct[p, w]]
    print("  wrong winners:", Counter(kind for errors in wrong for kind in {*errors} - {None}).most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy")
    parser.add_argument("judges", nargs="*", metavar="JUDGE")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.8)
    options = parser.parse_args()
    drawn = generate(options.problems, 770, split="development")
    texts, correct = look(options.policy, drawn, options.samples, options.temperature)
    for folder in options.judges:
        judge(folder, texts, correct, drawn)


if __name__ == "__main__":
    main()
