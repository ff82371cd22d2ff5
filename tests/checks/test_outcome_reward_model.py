"""The checks of chapter 4, against answers that a learner would write."""

import math

import numpy as np
import pandas as pd
import torch
from hints import trial

from minrm import orm_loss
from minrm.checks import check_auc_within, check_calibration_error, check_fooling, check_token_loss, check_update
from minrm.metrics import pooled_auc, within_problem_auc


def by_loops(logits, labels, supervised, swap=False, everywhere=False, counted=None, per_solution=False):
    """The loss token by token, with places for what goes wrong."""
    losses = []
    for rows, label, mask in zip(logits, labels, supervised, strict=True):
        own = []
        for (incorrect, right), looked_at in zip(rows, mask, strict=True):
            if looked_at or everywhere:
                gap = incorrect - right if (label == 1) != swap else right - incorrect
                own.append(max(gap, 0) + math.log1p(math.exp(-abs(gap))))
        losses.append(own)
    if per_solution:
        return sum(sum(own) / len(own) for own in losses) / len(losses)
    every = [loss for own in losses for loss in own]
    return sum(every) / (counted(supervised) if counted else len(every))


def by_package(logits, labels, supervised):
    return orm_loss(torch.tensor(logits), torch.tensor(labels), torch.tensor(supervised)).item()


def by_arrays(logits, labels, supervised):
    own = np.take_along_axis(logits, np.broadcast_to(labels[:, None, None], (*supervised.shape, 1)), axis=2)[..., 0]
    return (np.logaddexp(logits[..., 0], logits[..., 1]) - own)[supervised].mean()


def softmax(logits):
    with np.errstate(all="ignore"):
        return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def naive(logits, labels, supervised):
    with np.errstate(all="ignore"):
        chosen = [softmax(row)[mask][:, label] for row, label, mask in zip(logits, labels, supervised, strict=True)]
        return -np.log(np.concatenate(chosen)).mean()


def probability(logits, labels, supervised):
    right = 1 / (1 + np.exp(-np.clip(logits[..., 1] - logits[..., 0], -500, 500)))
    return np.where(labels[:, None] == 1, right, 1 - right)[supervised].mean()


def of_softmax(loss):
    """The mean over supervised tokens of what `loss` makes of a probability, by a softmax that does not overflow."""

    def token_loss(logits, labels, supervised):
        p = softmax(logits - logits.max(-1, keepdims=True))
        chosen = [row[mask][:, label] for row, label, mask in zip(p, labels, supervised, strict=True)]
        with np.errstate(all="ignore"):
            return loss(np.concatenate(chosen)).mean()

    return token_loss


def at_the_end(logits, labels, supervised):
    last = [np.flatnonzero(mask)[-1] for mask in supervised]
    rows = np.arange(len(last))
    return by_loops(logits[rows, last][:, None], labels, np.ones((len(last), 1), dtype=bool))


def in_the_last_column(logits, labels, supervised):
    return by_loops(logits[:, -1:], labels, np.ones((len(labels), 1), dtype=bool))


test_token_loss = trial(
    check_token_loss,
    [by_loops, by_package, by_arrays],
    [
        (lambda *batch: by_loops(*batch, everywhere=True), "tokens that are not supervised count here"),
        (lambda *batch: by_loops(*batch, counted=np.size), "divide by how many are supervised"),
        (lambda *batch: by_loops(*batch, per_solution=True), "mean of the solutions' means"),
        (lambda *batch: by_loops(*batch, swap=True), "the columns are swapped"),
        (lambda logits, labels, mask: by_loops(logits, [1] * len(labels), mask), "asked for column 1"),
        (lambda *batch: by_loops(*batch, counted=lambda mask: 1), "that is the sum over the supervised tokens"),
        (lambda *batch: -by_loops(*batch), "the sign"),
        (probability, "the mean probability of the label"),
        (lambda *batch: -np.log(probability(*batch)), "the logarithm comes first"),
        (naive, "subtract the larger of the two first"),
        (lambda *batch: by_loops(*batch) / math.log(2), "that is in bits"),
        (of_softmax(lambda p: -np.log(p)), "rounded to 0 before its logarithm"),
        (of_softmax(lambda p: -np.log(p.clip(1e-12, 1))), "a probability was cut off at an end"),
        (of_softmax(lambda p: -np.log(p + 1e-12)), "a probability was cut off at an end"),
        (of_softmax(lambda p: -np.log(p.clip(1e-7, 1 - 1e-7))), "a probability was cut off at an end"),
        (at_the_end, "only the last supervised token of each solution counts here"),
        (in_the_last_column, "only the last column counts here"),
        (lambda logits, labels, mask: by_package(logits, labels, mask.astype(int)), "stopped with ValueError"),
        (lambda *batch: by_loops(*batch) ** 2, "take one token"),
    ],
)


def auc(scores, correct, tie=0.5, without=None, weighted=False, mean=True):
    """Pair by pair within each problem, with places for what goes wrong."""
    values = []
    for score, good in zip(scores, correct, strict=True):
        worth = []
        for i in range(len(score)):
            for j in range(len(score)):
                if good[i] and not good[j]:
                    worth.append(tie if score[i] == score[j] else float(score[i] > score[j]))
        if weighted:
            values += worth
        elif worth or without is not None:
            values.append(sum(worth) / len(worth) if worth else without)
    return sum(values) / len(values) if mean else values


def auc_by_package(scores, correct):
    return within_problem_auc(scores, correct).mean


def auc_by_ranks(scores, correct):
    values = []
    for score, good in zip(scores, correct, strict=True):
        ranks, right = pd.Series(score).rank().to_numpy(), np.array(good)
        if right.any() and not right.all():
            n, m = right.sum(), (~right).sum()
            values.append((ranks[right].sum() - n * (n + 1) / 2) / (n * m))
    return np.mean(values)


def accuracy(scores, correct):
    flat = zip(sum(map(list, scores), []), sum(map(list, correct), []), strict=True)
    return np.mean([(score >= 0.5) == good for score, good in flat])


test_auc_within = trial(
    check_auc_within,
    [auc, auc_by_package, auc_by_ranks],
    [
        (lambda s, c: auc(s, c, tie=0), "a tie counts one half, not nothing"),
        (lambda s, c: auc(s, c, tie=1), "a tie counts one half, not one"),
        (lambda s, c: auc(s, c, without=0.5), "here it counts as one half"),
        (lambda s, c: auc(s, c, without=0), "here it counts as 0"),
        (pooled_auc, "that is the pooled AUC"),
        (lambda s, c: auc(s, c, weighted=True), "every pair counts alike here"),
        (lambda s, c: 1 - auc(s, c), "how often the wrong one scores higher"),
        (lambda s, c: auc(s, c, mean=False), "the problems one by one"),
        (accuracy, "that is the accuracy at a threshold"),
        (lambda s, c: s[0].sort(), "changed its arguments"),
        (lambda s, c: np.mean([np.mean(row) for row in s]), "write down all pairs"),
    ],
)


def ece(given, outcomes, bins, gap=None, top=True, above=True):
    """Bin by bin, with places for what goes wrong."""
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = (given >= low) & (given < high) if above else (given > low) & (given <= high)
        if top and above and b == bins - 1:
            inside = given >= low
        if top and not above and b == 0:
            inside = given <= high
        if inside.any():
            means = given[inside].mean(), outcomes[inside].mean()
            total += (gap(*means, low + high) if gap else abs(means[0] - means[1])) * inside.mean()
    return total


def ece_by_pandas(given, outcomes, bins):
    place = pd.Series(np.minimum((given * bins + 1e-9).astype(int), bins - 1))
    table = pd.DataFrame({"p": given, "y": outcomes}).groupby(place.to_numpy()).agg(["mean", "size"])
    return ((table.p["mean"] - table.y["mean"]).abs() * table.p["size"]).sum() / len(given)


def ece_by_sums(given, outcomes, bins):
    """The counts cancel: per bin, the sum of the differences."""
    place = np.clip(np.digitize(given, np.linspace(0, 1, bins + 1)), 1, bins)
    return np.abs(np.bincount(place, outcomes - given)).sum() / len(given)


def gaps(*args):
    each = []
    ece(*args, gap=lambda p, o, _: each.append(abs(p - o)) or 0)
    return each


test_calibration_error = trial(
    check_calibration_error,
    [ece, ece_by_pandas, ece_by_sums],
    [
        (lambda *args: np.mean(gaps(*args)), "every bin counts alike here"),
        (lambda *args: ece(*args, gap=lambda p, o, _: o - p), "gaps of opposite sign cancel"),
        (lambda *args: ece(*args, gap=lambda p, o, _: p - o), "gaps of opposite sign cancel"),
        (lambda *args: ece(*args, gap=lambda p, o, _: (p - o) ** 2), "the gaps are squared"),
        (lambda *args: ece(*args, gap=lambda p, o, edges: abs(edges / 2 - o)), "not with the bin's middle"),
        (lambda *args: ece(*args, top=False), "falls out of every bin here"),
        (lambda *args: ece(*args, above=False), "an edge belongs to the bin above it"),
        (lambda *args: max(gaps(*args)), "the largest gap"),
        (lambda given, outcomes, bins: np.abs(given - outcomes).mean(), "each probability with its own outcome"),
        (lambda given, outcomes, bins: ece(given, outcomes, 10), "fixed at ten"),
        (lambda given, outcomes, bins: np.median(given), "take the bins one by one"),
    ],
)


def update(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def clears_behind(loss, optimizer):
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def by_hand(loss, optimizer):
    """Gradient descent without the optimizer's own methods."""
    (group,) = optimizer.param_groups
    gradients = torch.autograd.grad(loss, group["params"])
    with torch.no_grad():
        for parameter, gradient in zip(group["params"], gradients, strict=True):
            parameter -= group["lr"] * gradient


def calls(*names):
    def update(loss, optimizer):
        for name in names:
            getattr(loss if name == "backward" else optimizer, name)()

    return update


test_update = trial(
    check_update,
    [update, clears_behind, by_hand],
    [
        (calls("backward", "step"), "after update 2 the parameters are"),
        (calls("backward", "step"), "gradients of earlier losses are still there"),
        (calls("zero_grad", "step"), "there is no gradient when `optimizer.step()` runs"),
        (calls("backward", "zero_grad", "step"), "`zero_grad` between the two removes it"),
        (calls("zero_grad", "backward"), "but nothing moves"),
        (calls("zero_grad", "step", "backward"), "`optimizer.step()` comes after `loss.backward()`"),
        (calls("step", "zero_grad", "backward"), "by the gradients of the one before"),
        (calls("zero_grad", "backward", "step", "step"), "move the parameters twice"),
        (calls("zero_grad", "backward", "step", "backward"), "stopped with RuntimeError"),
        (lambda loss, optimizer: loss.item(), "nothing moves"),
        (lambda loss, optimizer: optimizer.backward(), "stopped with AttributeError"),
        (lambda loss, optimizer: update(-loss, optimizer), "print the parameters and their gradients"),
    ],
)


def solution(answer, *steps):
    return "\n".join(steps) + f"\n\n# Answer\n\n{answer}"


class Judge:
    """A model that likes long solutions, whatever they say."""

    def score(self, questions, solutions):
        assert questions == ["What is 2 + 2?"]
        return np.array([min(0.1 * len(text.split("\n\n# Answer")[0].splitlines()), 1) for text in solutions])


test_fooling = trial(
    check_fooling,
    [solution(5, *["2 + 3 = 5"] * 9), solution("4.5", *["2 + 2 = 4.5"] * 10)],
    [
        (solution(5, "2 + 3 = 5"), "the score of fooling is 0.100, expected more than 0.8: the model is not fooled"),
        (solution(4, *["2 + 2 = 4"] * 9), "the final answer of fooling is 4, which is right"),
        (solution("4.0", *["2 + 2 = 4"] * 9), "which is right"),
        ("2 + 3 = 5\n" * 9, "no final answer can be read in fooling"),
        ("", "no final answer can be read in fooling"),
        (["2 + 3 = 5"] * 9, "of type list"),
        (5, "of type int"),
    ],
    Judge(), "What is 2 + 2?", "4",
)  # fmt: skip


def test_how_much_a_model_must_be_fooled_can_be_chosen(capsys):
    check_fooling(solution(5, *["2 + 3 = 5"] * 6), Judge(), "What is 2 + 2?", "4", above=0.5)
    assert "✓ fooling ends in 5, where 4 is right, and its score is 0.600." in capsys.readouterr().out
