"""The checks of chapter 4: the loss at every supervised token, the AUC within problems, the error of calibration; and
two that touch a model: one update of its training, and a wrong solution that it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minrm.checks.attempt import (
    Mistake,
    WrongAnswer,
    attempt,
    close,
    compare,
    exercise,
    likely,
    must_be_function,
    wrong_answer,
)

if TYPE_CHECKING:  # torch takes seconds, and of the checks here only one needs it
    from torch import Tensor

Array = np.ndarray


@exercise
def check_token_loss(token_loss: Callable[[Array, Array, Array], float]) -> None:
    """Try `token_loss(logits, labels, supervised)`: the mean cross-entropy over all supervised tokens of a batch.

    logits: [B, T, 2], column 1 is "correct"; labels: [B], 1 or 0; supervised: [B, T] bool. In nats, always finite.
    """
    rng = np.random.default_rng(0)
    cases = [(np.array([[[0.0, 0.0], [0.5, 2.0], [1.0, 0.0]]]), np.array([1]), np.array([[False, True, True]]))]
    for lengths in ((2, 4), (1, 3, 5), (4, 1, 2)):
        supervised = np.arange(6) < np.array(lengths)[:, None]
        supervised[:, 0] = supervised[:, 0] & (np.array(lengths) == 1)  # the question's, where a solution has more
        logits = rng.normal(0, 2, (*supervised.shape, 2)).round(2)
        cases.append((logits, np.arange(1, len(lengths) + 1) % 2, supervised))
    cases.append((np.array([[[800.0, -800.0], [-800.0, 800.0]]]), np.array([1]), np.array([[True, True]])))
    otherwise = "take one token: -log of the softmax of its two logits, at the column that its solution's label names"
    compare("token_loss", token_loss, cases, _token_loss, _TOKEN_LOSS, otherwise, same=close)
    print("✓ token_loss asks every supervised token for its solution's label, and counts each token once.")


@exercise
def check_auc_within(auc_within: Callable[[Any, Any], float]) -> None:
    """Try `auc_within(scores, correct)`: how often a right solution outscores a wrong one of the same problem.

    Both hold a list for each problem. A tie counts one half; each problem with both kinds counts once, others do not.
    """
    rng = np.random.default_rng(1)
    cases: list[tuple[Any, ...]] = [
        ([[0.75, 0.5, 0.25]], [[True, False, True]]), ([[0.75, 0.25], [0.5, 0.25]], [[True, False], [True, True]]),
        ([[0.5, 0.5, 0.25], [0.75, 0.25]], [[True, False, False], [False, True]]),
    ]  # fmt: skip
    for _ in range(5):
        sizes = rng.integers(3, 9, 5)
        correct = [[bool(good) for good in rng.random(size) < rng.random()] for size in sizes]
        correct[0][:2], correct[1][:2], correct[2] = [True, False], [False, True], [True] * len(correct[2])
        cases.append(([[float(s) for s in rng.integers(0, 5, size) / 4] for size in sizes], correct))
    otherwise = "take the first problem: write down all pairs of a right and a wrong one, and what each is worth"
    compare("auc_within", auc_within, cases, _auc_within, _AUC_WITHIN, otherwise, same=close)
    print("✓ auc_within compares within problems only, shares ties, and lets each problem count once.")


@exercise
def check_calibration_error(calibration_error: Callable[[Array, Array, int], float]) -> None:
    """Try `calibration_error(probabilities, outcomes, bins)`: Guo et al.'s expected calibration error (2017, eq. 3).

    bins: how many, of equal width from 0 to 1; an edge belongs to the bin above it, 1 to the last.
    """
    rng = np.random.default_rng(2)
    shown = (([0.1, 0.2, 0.9], [0, 1, 1], 2), ([0.3, 0.6, 1.0, 1.0], [1, 0, 1, 0], 4), ([0.5, 0.2, 0.4], [1, 0, 0], 2))
    cases = [(np.array(predicted), np.array(outcomes), bins) for predicted, outcomes, bins in shown]
    for bins in (10, 5, 3):
        predicted = np.concatenate([rng.random(12).round(2), [0.0, 1.0]])
        cases.append((predicted, (rng.random(14) < predicted**2).astype(int), bins))
    otherwise = "take the bins one by one: their number, their mean probability, their share of right ones"
    compare("calibration_error", calibration_error, cases, _ece, _CALIBRATION_ERROR, otherwise, same=close)
    print("✓ calibration_error weighs each bin's gap by the samples in it.")


@exercise
def check_update(update: Callable[[Tensor, Any], None]) -> None:
    """Try `update(loss, optimizer)`: move the optimizer's parameters once, by the gradients of this loss alone.

    loss: a scalar tensor that `backward` can be called on. optimizer: any of `torch.optim`. Nothing is returned.
    """
    must_be_function("update", update)
    moves, expected = _moves(update), _moves(_update)
    for number, (move, right) in enumerate(zip(moves, expected, strict=True), start=1):
        if not close(move[0], right[0]):
            hint = likely(_UPDATE, [((), moves)], ((), moves), same=_same_moves) or _LOOK
            raise WrongAnswer(
                f"after update {number} the parameters are {move[0]}, expected {right[0]} (gradient descent, "
                f"learning rate 0.1): {hint}"
            )
    print("✓ update forgets the old gradients, computes those of the loss, and moves the parameters.")


@exercise
def check_fooling(fooling: str, orm: Any, question: str, answer: str, above: float = 0.8) -> None:
    """Try `fooling`, a wrong solution of the question, as text, that an outcome reward model scores above `above`.

    orm: its `score(questions, solutions)` gives P(correct) of each solution. answer: the right answer.
    """
    given = wrong_answer("fooling", fooling, answer)
    score = float(orm.score([question], [fooling])[0])
    if not score > above:
        raise WrongAnswer(
            f"the score of fooling is {score:.3f}, expected more than {above}: the model is not fooled. Which mistakes "
            "does it overlook, and how are the solutions written that it scores highest?"
        )
    print(f"✓ fooling ends in {given}, where {answer} is right, and its score is {score:.3f}.")


def _of(mean: Callable[[Array, Array], Any]) -> Callable[[Array, Array, Array], float]:
    """`mean` of what each token would cost, log(1 + e^(other - own)), and of what is supervised: both [B, T]."""
    return lambda logits, labels, supervised: float(
        mean(np.logaddexp(0, np.diff(logits)[..., 0] * (1 - 2 * labels[:, None])), supervised)
    )


_token_loss = _of(lambda costs, on: costs[on].mean())


def _clipped(least: float) -> Callable[[Array, Array, Array], float]:
    """The loss by probabilities that are kept away from 0 and 1."""
    return _of(lambda costs, on: -np.log(np.exp(-costs[on]).clip(least, 1 - least)).mean())


_CLIPPED = (
    "a probability was cut off at an end: there the loss is flat, and the model learns nothing where it errs most"
)
_PADDED = "tokens that are not supervised count here: the question's, or the padding's"
_TOKEN_LOSS: list[Mistake] = [
    (_of(lambda costs, on: costs.mean()), _PADDED),
    (_of(lambda costs, on: (costs * on).mean()),
        "the sum is over the supervised tokens, but divided by all; divide by how many are supervised"),
    (_of(lambda costs, on: np.mean([row[mask].mean() for row, mask in zip(costs, on, strict=True)])),
        "that is the mean of the solutions' means; let each supervised token count once"),
    (lambda logits, labels, supervised: _token_loss(logits, 1 - labels, supervised),
        "the columns are swapped: column 1 is \"correct\", column 0 is not"),
    (lambda logits, labels, supervised: _token_loss(logits, np.ones_like(labels), supervised),
        "every solution is asked for column 1; a wrong one is asked for column 0"),
    (_of(lambda costs, on: costs[on].sum()), "that is the sum over the supervised tokens; divide it by their number"),
    (lambda *batch: -_token_loss(*batch), "the sign is wrong: a loss is at least 0, and falls as the model improves"),
    (_of(lambda costs, on: np.exp(-costs[on]).mean()),
        "that is the mean probability of the label; the loss is the mean of -log of it"),
    (_of(lambda costs, on: -np.log(np.exp(-costs[on]).mean())),
        "the logarithm comes first, then the mean: each token has a loss of its own"),
    (lambda *batch: _token_loss(*batch) / np.log(2), "that is in bits; with the natural logarithm the loss is in nats"),
    (_of(lambda costs, on: np.mean([row[mask][-1] for row, mask in zip(costs, on, strict=True)])),
        "only the last supervised token of each solution counts here: the score is read there, the loss asks at each"),
    (_of(lambda costs, on: costs[:, -1].mean()), "only the last column counts here; ask at every supervised token"),
    *((_clipped(10.0**-digits), _CLIPPED) for digits in (*range(3, 17), 20, 30, 100, 300)),
    (lambda *batch: float("inf"),
        "a probability was rounded to 0 before its logarithm: work out log p from the two logits, with np.logaddexp"),
    (lambda *batch: float("nan"),
        "exp of a large logit is no finite number: subtract the larger of the two first, or use np.logaddexp"),
]  # fmt: skip


def _pairs(score: Sequence[float], good: Sequence[bool], tie: float = 0.5) -> list[float]:
    """What each pair of a right and a wrong sample is worth."""
    right, wrong = ([s for s, g in zip(score, good, strict=True) if bool(g) == kind] for kind in (True, False))
    return [1.0 if r > w else tie if r == w else 0.0 for r in right for w in wrong]


def _with(tie: float = 0.5, without: float | None = None) -> Callable[[Any, Any], float]:
    """The mean over problems, perhaps with another worth of a tie, or of a problem that has no pair."""
    alone = [] if without is None else [without]
    return lambda scores, correct: float(
        np.mean([np.mean(p) for s, g in zip(scores, correct, strict=True) if (p := _pairs(s, g, tie) or alone)])
    )


_auc_within = _with()
_ALONE = "a problem whose samples are all right or all wrong has no pair: leave it out of the mean"
_AUC_WITHIN: list[Mistake] = [
    (_with(tie=0), "a tie counts one half, not nothing: a score that says nothing must come to one half"),
    (_with(tie=1), "a tie counts one half, not one: a score that says nothing must come to one half"),
    (_with(without=0.5), f"{_ALONE}; here it counts as one half"),
    (_with(without=0.0), f"{_ALONE}; here it counts as 0"),
    (lambda scores, correct: float(np.mean(_pairs(sum(map(list, scores), []), sum(map(list, correct), [])))),
        "that is the pooled AUC: it compares solutions of different problems too"),
    (lambda scores, correct: float(np.mean([p for s, g in zip(scores, correct, strict=True) for p in _pairs(s, g)])),
        "every pair counts alike here, so a problem with many pairs counts more; average within each problem first"),
    (lambda scores, correct: 1 - _auc_within(scores, correct), "that is how often the wrong one scores higher"),
    (lambda scores, correct: [float(np.mean(p)) for s, g in zip(scores, correct, strict=True) if (p := _pairs(s, g))],
        "these are the problems one by one; return their mean"),
    (lambda scores, correct: float(np.mean([(s >= 0.5) == g for row, good in zip(scores, correct, strict=True)
                                            for s, g in zip(row, good, strict=True)])),
        "that is the accuracy at a threshold of one half; an AUC has no threshold, it compares pairs"),
]  # fmt: skip


def _gaps(probabilities: Array, outcomes: Array, bins: int, top: bool = True, above: bool = True) -> Array:
    """For each bin that is not empty: count, mean probability, share of right ones, its middle: [bins, 4]."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges, probabilities, side="right" if above else "left") - 1
    place = np.clip(place, 0, bins - 1) if top else place
    middles = (edges[:-1] + edges[1:]) / 2
    inside = [(place == b, middles[b]) for b in range(bins) if (place == b).any()]
    return np.array([(m.sum(), probabilities[m].mean(), outcomes[m].mean(), middle) for m, middle in inside])


def _summed(weigh: Callable[[Array, int], float], **how: bool) -> Callable[[Array, Array, int], float]:
    return lambda predicted, outcomes, bins: float(weigh(_gaps(predicted, outcomes, bins, **how), len(predicted)))


def _weighed(t: Array, total: int) -> float:
    return (t[:, 0] * np.abs(t[:, 2] - t[:, 1])).sum() / total


_ece = _summed(_weighed)
_CANCEL = "gaps of opposite sign cancel here; take each bin's absolute gap"
_CALIBRATION_ERROR: list[Mistake] = [
    (_summed(lambda t, _: np.abs(t[:, 2] - t[:, 1]).mean()),
        "every bin counts alike here; weigh each by the share of samples in it"),
    (_summed(lambda t, n: (t[:, 0] * (t[:, 2] - t[:, 1])).sum() / n), _CANCEL),
    (_summed(lambda t, n: (t[:, 0] * (t[:, 1] - t[:, 2])).sum() / n), _CANCEL),
    (_summed(lambda t, n: (t[:, 0] * (t[:, 2] - t[:, 1]) ** 2).sum() / n), "the gaps are squared; take absolute ones"),
    (_summed(lambda t, n: (t[:, 0] * np.abs(t[:, 2] - t[:, 3])).sum() / n),
        "compare with the mean probability in the bin, not with the bin's middle"),
    (_summed(_weighed, top=False), "a probability of exactly 1 falls out of every bin here; it belongs to the last"),
    (_summed(_weighed, above=False), "a probability on an edge belongs to the bin above it"),
    (_summed(lambda t, _: np.abs(t[:, 2] - t[:, 1]).max()), "that is the largest gap; return their weighted mean"),
    (lambda predicted, outcomes, bins: float(np.abs(outcomes - predicted).mean()),
        "that compares each probability with its own outcome; compare a bin's means"),
    (lambda predicted, outcomes, bins: _ece(predicted, outcomes, 10), "the number of bins is fixed at ten; use `bins`"),
]  # fmt: skip


Moves = list[tuple[list[float], bool]]  # after each update the parameters, and whether a gradient is left behind


def _moves(update: Callable[[Tensor, Any], Any]) -> Moves:
    """What three updates make of two parameters, each with a squared distance as its loss."""
    import torch

    parameters = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = torch.optim.SGD([parameters], lr=0.1)
    moves = []
    for goal in ([0.0, 1.0], [3.0, 2.0], [-1.0, 2.0]):
        loss = ((parameters - torch.tensor(goal)) ** 2).sum()
        attempt("update", partial(update, loss, optimizer), shown="update(loss, optimizer)")
        gradient = parameters.grad is not None and bool(parameters.grad.any())
        moves.append((parameters.detach().double().numpy().round(4).tolist(), gradient))
    return moves


def _same_moves(a: Moves, b: Moves) -> bool:
    return all(close(x, y) and left == also for (x, left), (y, also) in zip(a, b, strict=True))


def _in_order(*names: str) -> Callable[[], Moves]:
    """What an update makes of the parameters that calls these methods in this order."""

    def update(loss: Tensor, optimizer: Any) -> None:
        for name in names:
            getattr(loss if name == "backward" else optimizer, name)()

    return lambda: _moves(update)


def _update(loss: Tensor, optimizer: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


_LOOK = "print the parameters and their gradients (`.grad`) after each of your lines"
_STANDS = (
    "nothing moves, since there is no gradient when `optimizer.step()` runs: `loss.backward()` computes the gradient, "
    "and a `zero_grad` between the two removes it again"
)
_UNUSED = "the gradients are there, but nothing moves: `optimizer.step()` comes after `loss.backward()`"
_LATE = "this update moves by the gradients of the one before: `loss.backward()` comes before `optimizer.step()`"
_ADDED = "gradients of earlier losses are still there, and `backward` adds to them: `optimizer.zero_grad()` clears them"
_UPDATE: list[Mistake] = [
    (_in_order("backward", "step"), _ADDED),
    (_in_order("step"), _STANDS),
    (_in_order("zero_grad"), _STANDS),
    (_in_order("backward", "zero_grad", "step"), _STANDS),
    (_in_order("zero_grad", "backward"), _UNUSED),
    (_in_order("backward"), _UNUSED),
    (_in_order("step", "zero_grad", "backward"), _LATE),
    (_in_order("step", "backward"), _LATE),
    (_in_order("zero_grad", "backward", "step", "step"), "the same gradients move the parameters twice"),
]
