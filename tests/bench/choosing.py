"""P5 and P6: the curves of best-of-N and of the vote, exactly, against random draws."""

from typing import Any

import numpy as np
from bench.measuring import Work

from minrm import best_of_n, majority_vote

DRAWS = 400  # as in the evaluation of PRM800K
CURVE = {"full": (500, 1024), "quick": (500, 1024), "tiny": (15, 8)}  # problems, samples
VOTES = {"full": (200, 256), "quick": (200, 256), "tiny": (30, 16)}


def world(problems: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers as numbers [P, N], of which 1 is right, with a few popular ones and a tail for each problem; scores."""
    rng = np.random.default_rng(0)
    answers = np.minimum(rng.geometric(rng.uniform(0.15, 0.6, (problems, 1)), (problems, samples)), 60)
    return answers, rng.random((problems, samples))


def drawn_best(scores: np.ndarray, correct: np.ndarray, counts: np.ndarray, draws: int) -> np.ndarray:
    """For each n so many draws of n samples of each problem, and the best-scored of them."""
    rng, means = np.random.default_rng(1), []
    for n in counts:
        right = 0.0
        for own, good in zip(scores, correct, strict=True):
            for _ in range(draws):
                drawn = rng.choice(len(own), n, replace=False)
                right += good[drawn[own[drawn].argmax()]]
        means.append(right / draws / len(scores))
    return np.array(means)


def shuffled_best(scores: np.ndarray, correct: np.ndarray, counts: np.ndarray, draws: int) -> np.ndarray:
    """All n at once from each shuffle of the samples: the best so far."""
    rng, total = np.random.default_rng(1), np.zeros(len(counts))
    for _ in range(draws):
        order = rng.permuted(np.tile(np.arange(scores.shape[1]), (len(scores), 1)), axis=1)
        own, good = np.take_along_axis(scores, order, 1), np.take_along_axis(correct, order, 1)
        best = np.maximum.accumulate(own, axis=1)
        place = np.maximum.accumulate(np.where(own == best, np.arange(own.shape[1]), 0), axis=1)
        total += np.take_along_axis(good, place, 1).mean(axis=0)[counts - 1]
    return total / draws


def drawn_vote(answers: np.ndarray, counts: list[int], draws: int) -> np.ndarray:
    """For each n so many draws of n samples of each problem, and the answer that most of them have; ties are shared."""
    rng, means = np.random.default_rng(1), []
    for n in counts:
        right = 0.0
        for own in answers:
            order = rng.permuted(np.tile(own, (draws, 1)), axis=1)[:, :n]
            votes = np.zeros((draws, own.max() + 1), dtype=int)
            np.add.at(votes, (np.arange(draws)[:, None], order), 1)
            winners = votes == votes.max(axis=1, keepdims=True)
            right += (winners[:, 1] / winners.sum(axis=1)).mean() if own.min() == 1 else 0.0
        means.append(right / len(answers))
    return np.array(means)


def p5(size: str) -> Work:
    problems, samples = CURVE[size]
    answers, scores = world(problems, samples)
    correct, every = answers == 1, np.arange(1, samples + 1)
    some = every if size == "tiny" else every[:: samples // 8]  # of the slowest way, eight n, and a few draws for each
    few, shuffles = (DRAWS, DRAWS) if size == "tiny" else (4, 10)

    def close(results: dict[str, Any]) -> None:
        exact = results["minrm"].mean
        np.testing.assert_allclose(results["shuffles"], exact, atol=0.03)
        np.testing.assert_allclose(results["usual"], exact[some - 1], atol=0.03 if few == DRAWS else 0.2)

    return Work(
        f"the curve of best-of-N, {problems} problems × {samples} samples, every n",
        {
            "usual": f"{DRAWS} random draws for each n and problem",
            "shuffles": f"{DRAWS} shuffles, all n from each, in numpy",
        },
        {
            "minrm": lambda: best_of_n(scores, correct, every),
            "usual": lambda: drawn_best(scores, correct, some, few),
            "shuffles": lambda: shuffled_best(scores, correct, every, shuffles),
        },
        close,
        {"usual": few / DRAWS * len(some) / len(every), "shuffles": shuffles / DRAWS},
    )


def p6(size: str) -> Work:
    problems, samples = VOTES[size]
    answers = world(problems, samples)[0]
    texts, truth = answers.astype(str).tolist(), ["1"] * problems
    counts = sorted({round(samples ** (k / 14)) for k in range(15)}) if size == "tiny" else _fifteen(samples)
    part = problems if size == "tiny" else problems // 10

    def close(results: dict[str, Any]) -> None:
        exact = results["minrm"].per_problem[:part].mean(axis=0)
        np.testing.assert_allclose(results["usual"], exact, atol=0.02)

    return Work(
        f"plurality vote, {problems} problems × {samples} samples, {len(counts)} values of n",
        {"usual": f"{DRAWS} random draws for each n and problem, in numpy"},
        {
            "minrm": lambda: majority_vote(texts, truth, counts),
            "usual": lambda: drawn_vote(answers[:part], counts, DRAWS),
        },
        close,
        {} if part == problems else {"usual": part / problems},
    )


def _fifteen(samples: int) -> list[int]:
    """Fifteen values of n from 1 to all, evenly on a log scale as far as whole numbers go."""
    counts = np.unique(np.geomspace(1, samples, 19).round().astype(int))
    return counts[np.linspace(0, len(counts) - 1, 15).round().astype(int)].tolist()
