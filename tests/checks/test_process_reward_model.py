"""Right answers in several styles pass; typical wrong ones meet the hint that explains them."""

import math

import numpy as np
import torch
from hints import trial

from minrm.checks import check_label_steps, check_log_score, check_step_scores


def two(row, plus, minus):
    a, b = math.exp(row[plus]), math.exp(row[minus])
    return a / (a + b)


def step_scores(logits, ids, step, plus, minus):
    return [two(logits[t], plus, minus) for t, token in enumerate(ids) if token == step]


def step_scores_by_numpy(logits, ids, step, plus, minus):
    at = np.array(ids) == step
    return 1 / (1 + np.exp(logits[at, minus] - logits[at, plus]))


def step_scores_by_torch(logits, ids, step, plus, minus):
    rows = torch.tensor(logits)[torch.tensor(ids) == step]
    return rows[:, [minus, plus]].softmax(dim=-1)[:, 1].tolist()


def shifted(shift):
    return lambda logits, ids, step, *signs: [
        two(logits[t + shift], *signs) for t, token in enumerate(ids) if token == step
    ]


def over_the_vocabulary(logits, ids, step, plus, minus):
    p = torch.tensor(logits).softmax(-1)
    return [p[t, plus].item() for t in range(len(ids)) if ids[t] == step]


test_step_scores = trial(
    check_step_scores,
    [step_scores, step_scores_by_numpy, step_scores_by_torch],
    [
        (over_the_vocabulary, "softmax over the whole vocabulary"),
        (lambda z, ids, step, plus, minus: step_scores(z, ids, step, minus, plus), "that the step is bad"),
        (shifted(-1), "read one position early"),
        (shifted(1), "read one position late"),
        (lambda z, ids, step, a, b: [z[t][a] - z[t][b] for t in range(len(ids)) if ids[t] == step], "difference of"),
        (lambda z, ids, step, a, b: [z[t][a] for t in range(len(ids)) if ids[t] == step], "that is a logit"),
        (lambda *args: np.log(step_scores(*args)), "that is the logarithm"),
        (lambda z, ids, step, *signs: [two(row, *signs) for row in z], "a score for every token"),
        (lambda *args: step_scores(*args)[-1:], "the last step only"),
        (lambda *args: math.prod(step_scores(*args)), "the product of the steps"),
        (lambda *args: None, "nothing came back"),
        (lambda z, ids, step: [], "stopped with TypeError"),
    ],
)


def log_score(log_p, how):
    if how == "mean":
        return np.logaddexp.reduce(log_p) - np.log(len(log_p))
    return {"product": sum(log_p), "min": min(log_p), "last": log_p[-1]}[how]


def log_score_by_torch(log_p, how):
    values = torch.tensor(log_p, dtype=torch.float64)
    mean = values.logsumexp(0) - math.log(len(log_p))
    return {"product": values.sum(), "min": values.min(), "last": values[-1], "mean": mean}[how].item()


def but(how, wrong):
    return lambda log_p, kind: wrong(log_p) if kind == how else log_score(log_p, kind)


def by_probabilities(log_p, how):
    p = np.exp(log_p)
    with np.errstate(divide="ignore"):
        return np.log({"product": np.prod(p), "min": min(p), "last": p[-1], "mean": np.mean(p)}[how])


test_log_score = trial(
    check_log_score,
    [log_score, log_score_by_torch],
    [
        (by_probabilities, "stay in logarithms"),
        (but("mean", lambda log_p: by_probabilities(log_p, "mean")), "take out the largest first"),
        (but("mean", np.mean), "*geometric* mean"),
        (but("mean", np.logaddexp.reduce), "divide by their number"),
        (but("product", np.prod), "the *sum* of the logarithms"),
        (but("min", max), "the most negative logarithm"),
        (but("last", lambda log_p: log_p[0]), "not the first"),
        (lambda log_p, how: np.exp(log_score(log_p, how)), "that is the score itself"),
        (lambda log_p, how: -log_score(log_p, how), "turned round"),
        (lambda log_p, how: sum(log_p), "every `how` gives the product"),
        (lambda log_p, how: log_p.sort(), "changed its arguments"),
        (lambda log_p, how: log_p.mean(), "stopped with AttributeError"),
    ],
)


def label_steps(reached, truth):
    soft = [sum(answer == truth for answer in answers) / len(answers) for answers in reached]
    return [int(share > 0) for share in soft], soft


def label_steps_by_numpy(reached, truth):
    right = np.array([[answer == truth for answer in answers] for answers in reached])
    return right.any(axis=1).astype(int), right.mean(axis=1)


def label_steps_by_loops(reached, truth):
    hard, soft = [], []
    for answers in reached:
        hard.append(1 if truth in answers else 0)
        soft.append(answers.count(truth) / len(answers))
    return hard, soft


def by_rule(rule):
    return lambda reached, truth: ([int(rule(share)) for share in label_steps(reached, truth)[1]],
                                   label_steps(reached, truth)[1])  # fmt: skip


def without_none(reached, truth):
    soft = []
    for answers in reached:
        said = [answer for answer in answers if answer]
        soft.append(said.count(truth) / len(said))
    return [int(share > 0) for share in soft], soft


test_label_steps = trial(
    check_label_steps,
    [label_steps, label_steps_by_numpy, label_steps_by_loops],
    [
        (by_rule(lambda share: share >= 0.5), "not if half of them did"),
        (by_rule(lambda share: share > 0.5), "not if most of them did"),
        (by_rule(lambda share: share == 1), "not if all of them did"),
        (without_none, "counts too, as wrong"),
        (lambda reached, truth: label_steps(reached, truth)[::-1], "hard labels first"),
        (lambda r, truth: (label_steps(r, truth)[0], [own.count(truth) for own in r]), "are counts"),
        (lambda reached, truth: label_steps(reached, truth)[1], "the soft labels only"),
        (lambda reached, truth: label_steps(reached, truth)[0], "the hard labels only"),
        (lambda reached, truth: list(zip(*label_steps(reached, truth), strict=True)), "one for each step"),
        (lambda reached, truth: label_steps(reached, int(truth)), "count by hand"),
        (lambda reached, truth: reached.pop(), "changed its arguments"),
    ],
)
