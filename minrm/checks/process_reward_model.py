"""The checks of chapter 5: step scores from logits, a solution's score in logarithms, labels from rollouts; and the
labels of a solution that a model then scores.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, WrongAnswer, close, compare, exercise, short

Array = np.ndarray
Reached = Sequence[Sequence[str | None]]


@exercise
def check_step_scores(step_scores: Callable[[Array, list[int], int, int, int], Sequence[float]]) -> None:
    """Try `step_scores(logits, ids, step, plus, minus)`: P(good) at each step token of one solution.

    logits: [T, V], of a causal language model for ids [T]; step, plus, minus: ids of the step token and the two signs.
    """
    rng = np.random.default_rng(0)
    rows = [[4, 1, 5, 0], [0, 4, 5, 1, 4, 1], [5, 5, 1, 0, 4, 1, 5, 1]]  # 1 ends a step
    cases = [(rng.normal(0, 2, (len(ids), 6)).round(1), ids, 1, 2, 3) for ids in rows]
    cases += [(rng.normal(0, 2, (8, 6)).round(1), [3, 0, 5, 2, 1, 0, 5, 2], 5, 0, 4)]
    otherwise = "find the step tokens in ids by hand, read the two logits there, and take the softmax of these two"
    compare("step_scores", step_scores, cases, _step_scores, _STEP_SCORES, otherwise, same=close)
    print("✓ step_scores reads the two signs at each step token, and nothing else.")


@exercise
def check_log_score(log_score: Callable[[Sequence[float], str], float]) -> None:
    """Try `log_score(log_p, how)`: the logarithm of a solution's score, from log P(good) of its steps.

    how: product, min, last or mean (of the probabilities). Probabilities may be too small for a float.
    """
    rng = random.Random(0)
    shown = [[-0.1, -2.0, -0.3], [-0.5, -0.2], [-1.5]]
    drawn = [[-round(rng.expovariate(1), 2) for _ in range(n)] for n in (2, 4, 5)]
    cases = [(row, how) for row in shown + drawn for how in _WAYS]
    cases += [(row, how) for row in ([-800.0, -0.2, -900.0], [-900.0, -801.0]) for how in _WAYS]
    otherwise = "write the formula of this aggregate with probabilities, then take its logarithm"
    compare("log_score", log_score, cases, _log_score, _LOG_SCORE, otherwise, same=close)
    print("✓ log_score aggregates in all four ways, and stays finite where probabilities vanish.")


@exercise
def check_label_steps(label_steps: Callable[[Reached, str], tuple[Sequence[int], Sequence[float]]]) -> None:
    """Try `label_steps(reached, truth)`: hard and soft labels of a solution's steps from the answers of their rollouts.

    reached: for each step, the final answers of its rollouts (None: it had none). Returns two lists, hard (1 if any
    rollout ended right) and soft (the share that did).
    """
    rng = random.Random(1)
    cases: list[tuple[Any, ...]] = [
        ([["6", "6", "10", "6"], ["10", "6", "2", "10"], ["10", "2", "2", "10"]], "6"),
        ([["6", None, None, "10"], [None, None, "2", None], ["6", "6", None, "6"]], "6"),
    ]
    cases += [([rng.choices(("6", "6", "10", "2", None), k=8) for _ in range(3)], "6") for _ in range(4)]
    otherwise = "count by hand, for each step, how many of its rollouts gave the truth"
    compare("label_steps", label_steps, cases, _right_labels, _LABEL_STEPS, otherwise, same=close)
    print("✓ label_steps gives hard and soft labels, and counts a rollout without an answer as wrong.")


@exercise
def check_article_labels(article_labels: Sequence[int]) -> None:
    """Try `article_labels`, a label for each of the article's 13 steps: 1 for a good step, 0 for a bad one.

    A step is good if it follows from the question and from what is written before it. The answer block belongs to the
    last step.
    """
    if not isinstance(article_labels, list | tuple) or len(article_labels) != len(_ARTICLE):
        raise WrongAnswer(f"expected a list of 13 labels, one for each step; this is {short(repr(article_labels))}")
    for step, (label, right) in enumerate(zip(article_labels, _ARTICLE, strict=True), start=1):
        if label not in (0, 1):
            raise WrongAnswer(f"the label of step {step} is {label!r}: {_NO_LABEL}")
        if label != right:
            raise WrongAnswer(
                f"the label of step {step} is {label}, expected {right}: {_ARTICLE_HINTS.get(step, _TRUE)}"
            )
    print("✓ article_labels: twelve good steps, and a last one that does not give what was asked for.")


def _read(value: Callable[[Array, int, int], float], shift: int = 0) -> Callable[..., list[float]]:
    """`value` of the logits at (or beside) each step token."""
    return lambda logits, ids, step, plus, minus: [
        value(logits[at + shift], plus, minus) for at, token in enumerate(ids) if token == step
    ]


def _of_two(row: Array, plus: int, minus: int) -> float:
    return float(1 / (1 + np.exp(row[minus] - row[plus])))


_step_scores = _read(_of_two)
_STEP_SCORES: list[Mistake] = [
    (_read(lambda row, plus, minus: np.exp(row[plus]) / np.exp(row).sum()),
        "that is the softmax over the whole vocabulary; only the two signs were ever asked for"),
    (_read(lambda row, plus, minus: _of_two(row, minus, plus)), "that is the probability of `-`, that the step is bad"),
    (_read(_of_two, shift=-1),
        "that is read one position early: the logits at a position say what comes *after* its token"),
    (lambda logits, ids, step, plus, minus: _read(_of_two, 1)(np.vstack([logits, logits[-1]]), ids, step, plus, minus),
        "that is read one position late: the logits *at* the step token already say what comes after it"),
    (_read(lambda row, plus, minus: row[plus] - row[minus]), "that is the difference of logits; make it a probability"),
    (_read(lambda row, plus, minus: row[plus]), "that is a logit; the softmax of the two makes a probability of it"),
    (_read(lambda row, plus, minus: row[plus] / (row[plus] + row[minus])), "take the exponential of each logit first"),
    (_read(lambda row, plus, minus: np.log(_of_two(row, plus, minus))), "that is the logarithm of the probability"),
    (lambda logits, ids, *signs: [_of_two(row, *signs[1:]) for row in logits],
        "there is a score for every token; read the step tokens only"),
    (lambda *args: _step_scores(*args)[-1:], "that is the last step only"),
    (lambda *args: _step_scores(*args)[-1], "that is the last step only, and not in a list"),
    (lambda *args: math.prod(_step_scores(*args)), "that is the product of the steps; return one score for each"),
]  # fmt: skip

_WAYS = ("product", "min", "last", "mean")


def _log_score(log_p: Sequence[float], how: str) -> float:
    highest = max(log_p)
    mean = highest + math.log(sum(math.exp(value - highest) for value in log_p) / len(log_p))
    return {"product": sum(log_p), "min": min(log_p), "last": log_p[-1], "mean": mean}[how]


def _but(**ways: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float], str], float]:
    """The right answer, but for these aggregates."""
    return lambda log_p, how: ways[how](log_p) if how in ways else _log_score(log_p, how)


def _by_probabilities(log_p: Sequence[float], how: str) -> float:
    p = np.exp(log_p)
    with np.errstate(divide="ignore"):
        return float(np.log({"product": p.prod(), "min": p.min(), "last": p[-1], "mean": p.mean()}[how]))


_VANISHED = (
    "`exp` of so negative a number is 0, and its logarithm minus infinity: stay in logarithms, and for the mean take "
    "out the largest first, or use `np.logaddexp.reduce`"
)
_LOG_SCORE: list[Mistake] = [
    (lambda log_p, how: math.exp(_log_score(log_p, how)), "that is the score itself; return its logarithm"),
    (_by_probabilities, _VANISHED),
    (_but(mean=lambda log_p: _by_probabilities(log_p, "mean")), _VANISHED),
    (_but(mean=lambda log_p: sum(log_p) / len(log_p)),
        "the mean of logarithms is the logarithm of the *geometric* mean; return the mean of the probabilities"),
    (_but(mean=lambda log_p: _log_score(log_p, "mean") + math.log(len(log_p))),
        "that is the logarithm of the sum of the probabilities; divide by their number"),
    (_but(product=math.prod), "the logarithm of a product is the *sum* of the logarithms"),
    (_but(min=max), "the weakest step has the most negative logarithm"),
    (_but(last=lambda log_p: log_p[0]), "return the last step, not the first"),
    (_but(last=min), "return the last step, not the weakest"),
    (lambda log_p, how: -_log_score(log_p, how), "the sign is wrong: a probability's logarithm is negative"),
    (lambda log_p, how: _log_score(log_p, "product"), "every `how` gives the product"),
]  # fmt: skip


def _shares(reached: Reached, truth: str) -> list[float]:
    return [list(own).count(truth) / len(own) for own in reached]


def _labels(hard: Callable[[float], bool]) -> Callable[[Reached, str], tuple[list[int], list[float]]]:
    """Soft labels, and hard ones by a rule of them."""
    return lambda reached, truth: ([int(hard(s)) for s in _shares(reached, truth)], _shares(reached, truth))


_right_labels = _labels(lambda s: s > 0)
_LABEL_STEPS: list[Mistake] = [
    (lambda reached, truth: _right_labels([[a for a in own if a is not None] or [None] for own in reached], truth),
        "a rollout without an answer counts too, as wrong: divide by all rollouts of the step"),
    (_labels(lambda s: s >= 0.5), "a hard label is 1 if *any* rollout ended right, not if half of them did"),
    (_labels(lambda s: s > 0.5), "a hard label is 1 if *any* rollout ended right, not if most of them did"),
    (_labels(lambda s: s == 1), "a hard label is 1 if *any* rollout ended right, not if all of them did"),
    (lambda reached, truth: _right_labels(reached, truth)[::-1], "hard labels first, then soft ones"),
    (lambda reached, truth: (_right_labels(reached, truth)[0], [list(own).count(truth) for own in reached]),
        "the soft labels are counts; divide by the number of rollouts"),
    (_shares, "that is the soft labels only; return two lists, hard and soft"),
    (lambda reached, truth: _right_labels(reached, truth)[0], "that is the hard labels only; return two lists"),
    (lambda reached, truth: list(zip(*_right_labels(reached, truth), strict=True)),
        "these are pairs, one for each step; return two lists, hard and soft"),
    (lambda *args: 1 - np.array(_right_labels(*args)), "1 is for a good step, from which rollouts end right"),
]  # fmt: skip

_ARTICLE = [*[1] * 12, 0]
_NO_LABEL = "give each step 1 (good) or 0 (bad). PRM800K rates 1, 0 (neutral) or -1; a neutral step counts as good here"
_TRUE = (
    "the step follows from what stands before it. Try it with numbers: x = -9/8 and y = -3/5 make the four terms an "
    "arithmetic sequence"
)
_ARTICLE_HINTS = {
    8: "d = -2y follows from step 3, so the step is true. It drops an equation that it should have used, and makes no "
    "progress, which is a neutral step; what is missing shows where the answer is given",
    13: "does it give what the question asks for? The four terms fix x and y, so the fifth term is a number, a common "
    "fraction; its answer still holds x and y",
}
