"""Right answers in several styles pass; typical wrong ones meet the hint that explains them."""

import math
import re
from fractions import Fraction

import numpy as np
import torch
from hints import trial

from minrm.checks import check_article_labels, check_label_steps, check_log_score, check_step_scores
from minrm.text import final_answer, same_answer, split_steps


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
        (lambda *args: print(end=""), "nothing came back"),
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
        (lambda log_p, how: -log_score(log_p, how), "the sign is wrong"),
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


# Quoted from Liyuan (2025), "Reward Model": a competition problem of MATH's kind, solved by a language model.
ARTICLE = r"""Step: 1: To find the fifth term, I need to identify the common difference of the arithmetic sequence and add it to the fourth term.
Step: 2: The common difference is the same for any consecutive pair of terms, so I can use any of them to find it.
Step: 3: For example, using the first and second terms, I can write $x-y = x+y + d$, where $d$ is the common difference.
Step: 4: Solving for $d$, I get $d = -2y$.
Step: 5: Using another pair of terms, such as the second and third, I can check if this value of $d$ is consistent.
Step: 6: I have $xy = x-y + d$, so substituting $d = -2y$, I get $xy = x-y - 2y$.
Step: 7: Simplifying, I get $xy = x - 3y$.
Step: 8: This seems like a reasonable equation, so I will assume that $d = -2y$ is correct.
Step: 9: Now, to find the fifth term, I need to add $d$ to the fourth term.
Step: 10: The fourth term is $x/y$, so the fifth term is $x/y + d = x/y - 2y$.
Step: 11: To express this as a common fraction, I need to find a common denominator for $x/y$ and $-2y$.
Step: 12: The least common denominator is $y$, so I can multiply the numerator and denominator of $-2y$ by $y$ to get $-2y^2/y$.
Step: 13: Therefore, the fifth term is $x/y - 2y^2/y = (x - 2y^2)/y$.

# Answer

(x - 2y^2)/y"""  # noqa: E501


def value(formula, **numbers):
    """What a formula of the article comes to: `2y^2` is 2 * y ** 2, and `xy` is x * y."""
    formula = re.sub(r"(?<=[\dxy])(?=[xyd])", "*", formula.strip().replace("^", "**"))
    return eval(formula, {}, numbers)


def test_the_articles_labels_are_what_its_own_equations_say(capsys):
    """With the numbers that the four terms fix, every equation holds; but the answer is no number, as was asked for."""
    known = {"x": Fraction(-9, 8), "y": Fraction(-3, 5)}
    terms = [value(term, **known) for term in ("x+y", "x-y", "xy", "x/y")]
    (difference,) = {b - a for a, b in zip(terms, terms[1:], strict=False)}
    fifth, known = terms[-1] + difference, known | {"d": difference}
    assert value("-2y", **known) == difference and fifth == Fraction(123, 40)
    for step in split_steps(ARTICLE):
        for equation in re.findall(r"\$([^$]*=[^$]*)\$", step):
            assert len({value(side, **known) for side in equation.split("=")}) == 1, equation
    assert value("-2y", **known) == value("-2y^2/y", **known)  # step 12
    answer = final_answer(ARTICLE)
    assert value(answer, **known) == fifth and not same_answer(answer, "123/40")
    check_article_labels([1] * (len(split_steps(ARTICLE)) - 1) + [0])
    assert "✓ article_labels" in capsys.readouterr().out


def labels(*bad, of=13):
    return [int(step not in bad) for step in range(1, of + 1)]


test_article_labels = trial(
    check_article_labels,
    [labels(13), tuple(labels(13)), [label == 1 for label in labels(13)], [float(label) for label in labels(13)]],
    [
        (labels(), "the label of step 13 is 1, expected 0: does it give what the question asks for?"),
        (labels(8), "the label of step 8 is 0, expected 1: d = -2y follows from step 3"),
        (labels(8, 13), "makes no progress, which is a neutral step"),
        (
            labels(9, 10, 11, 12, 13),
            "the label of step 9 is 0, expected 1: the step follows from what stands before it",
        ),
        (labels(6, 13), "x = -9/8 and y = -3/5"),
        (labels(*range(1, 14)), "the label of step 1 is 0"),
        ([*labels(of=7), -1, *labels(of=4), -1], "the label of step 8 is -1: give each step 1 (good) or 0 (bad)"),
        ([*labels(of=12), None], "the label of step 13 is None: give each step"),
        ([*labels(of=12), "bad"], "the label of step 13 is 'bad'"),
        (labels(of=12), "expected a list of 13 labels"),
        (0, "expected a list of 13 labels"),
    ],
)
