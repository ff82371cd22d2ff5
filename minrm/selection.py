"""Ways of choosing one of N sampled solutions, and how often each chooses a right one.

Best-of-N takes the solution with the highest score (Cobbe et al. 2021), a vote the answer that most samples agree on
(Wang et al. 2022), a weighted vote sums scores per answer (Li et al. 2022), pass@N asks whether any is right (Chen et
al. 2021). For each n the result is an expectation over all subsets of n of the N samples, not the first n.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minrm.errors import InputError, check_numbers
from minrm.metrics import Estimate, over_seeds, paired_difference
from minrm.text import answer_key
from minrm.votes import drawn_vote, halved_pascal, plurality

Array = np.ndarray
Count = int | Sequence[int] | Array

EXACT_UP_TO = 512  # samples per problem: beyond it a plurality vote is estimated by draws
DRAWS = 400  # subsets drawn for each problem and n where no closed form is affordable


def best_of_n(scores: Any, correct: Any, n: Count) -> Estimate:
    """How often the best-scored of n samples is right, exact for every n (PRM800K's curves draw 400 shuffles instead).

    scores: [P, N], higher is better; ±inf is allowed, NaN is not. correct: [P, N], bool; any values in [0, 1] do, and
    their expectation at the chosen sample comes out (with the scores themselves: how high the proxy rises). n: one
    count or K counts in 1 … N. With scores ascending and ranks r = 1 … N, the sample at rank r is the best of
    C(r-1, n-1) of the C(N, n) subsets; samples with tied scores share theirs evenly. Raises InputError if the shapes
    differ, a score is NaN or n lies outside 1 … N.
    """
    ranked, good = _matrix("scores", scores), _matrix("correct", correct)
    if ranked.shape != good.shape:
        raise InputError(f"scores {ranked.shape} and correct {good.shape} must pair up: [problems, samples] each")
    counts = _counts(n, ranked.shape[1])
    order = np.argsort(ranked, axis=1, kind="stable")
    ranked, good = np.take_along_axis(ranked, order, 1), np.take_along_axis(good, order, 1)
    return _estimate(_tied_means(ranked, good) @ _chance_of_being_best(ranked.shape[1], counts).T, n)


def pass_at_n(correct: Any, n: Count) -> Estimate:
    """How often at least one of n samples is right: 1 - C(N-c, n) / C(N, n) for c right ones (Chen et al. 2021, eq. 1).

    correct: [P, N], bool. Pass@N is best-of-N with the truth as the score: the ceiling of every way of choosing.
    """
    good = _matrix("correct", correct)
    if not np.isin(good, (0, 1)).all():
        raise InputError("correct must hold only true and false (1 and 0) for pass@N")
    return best_of_n(good, good, n)


def likelihood_scores(loglik: Any, tokens: Any, reduce: str = "mean") -> Array:
    """Scores [P, N] that choose the likeliest solution with `best_of_n`: the mean log-likelihood per token, or the sum.

    loglik: [P, N], the summed log-likelihood (nats) of each solution under the policy; tokens: [P, N], its length. The
    sum punishes long solutions, the mean does not. reduce: "mean" or "sum". Raises InputError.
    """
    if reduce not in ("mean", "sum"):
        raise InputError(f"reduce={reduce!r}, but it must be 'mean' (per token) or 'sum'")
    total, length = _matrix("loglik", loglik), _matrix("tokens", tokens)
    return total / length if reduce == "mean" else total


def majority_vote(answers: Any, truth: Sequence[str], n: Count, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """How often the answer given most often among n samples is the true one (Wang et al. 2022); ties are shared evenly.

    answers: [P, N] strings, None where no answer could be read: such a sample takes a place among the n and casts no
    vote, and a subset without any vote is wrong. truth: [P]. Answers agree when `minrm.text.answer_key` says so.
    Exact up to `EXACT_UP_TO` = 512 samples per problem; beyond, from `draws` = 400 seeded subsets per problem and n,
    noted in `Estimate.draws`: they add a standard error of at most 0.5 / sqrt(draws · P) to the mean.
    """
    keys, true = _grouped(answers, truth)
    counts = _counts(n, keys.shape[1])
    if keys.shape[1] > EXACT_UP_TO:
        return _by_draws(keys, np.ones(keys.shape), true, n, draws, seed)
    table = halved_pascal(keys.shape[1])
    return _estimate(np.stack([plurality(row, key, counts, table) for row, key in zip(keys, true, strict=True)]), n)


def weighted_vote(
    answers: Any, scores: Any, truth: Sequence[str], n: Count, reward: bool = False, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """How often the answer with the largest sum of scores among n samples is the true one (Li et al. 2022).

    answers, truth, n: as in `majority_vote`. scores: [P, N] probabilities, or with reward=True Bradley–Terry rewards,
    whose softmax within the problem is the weight (a reward has no zero, so sums of raw ones mean nothing). No
    closed form is affordable, so `draws` = 400 seeded subsets are drawn per problem and n (n = 1 is exact), the same
    for every model: models compare in pairs. Raises InputError as `best_of_n` does, or if a score is no probability.
    """
    weights = _matrix("scores", scores)
    keys, true = _grouped(answers, truth)
    if keys.shape != weights.shape:
        raise InputError(f"answers {keys.shape} and scores {weights.shape} must pair up: [problems, samples] each")
    if reward:
        top = np.nan_to_num(weights.max(axis=1, keepdims=True))  # finite, even if every solution is an empty one, -inf
        weights = np.exp(weights - top)  # the common denominator of the softmax changes no vote
    elif ((weights < 0) | (weights > 1)).any():
        raise InputError("scores must be probabilities in [0, 1]; for Bradley–Terry rewards give reward=True")
    return _by_draws(keys, weights, true, n, draws, seed)


def changes_against_first(ways: dict[str, Any], worth: Any, n: int) -> list[dict[str, Any]]:
    """A row for each way of scoring: what best-of-n is worth by it, and the paired difference from the first way.

    ways: name → scores [judges, P, N], one judge for each seed; an ensemble is one judge. worth: [P, N] in [0, 1].
    Seeds are compared one by one; the side with fewer starts over. Each row has name, mean, low and high, and from the
    second row on change, change_low and change_high. Intervals are 95 %, over problems and seeds.
    """
    chosen = {way: [best_of_n(judge, worth, n) for judge in judges] for way, judges in ways.items()}
    first = next(iter(chosen.values()))
    rows: list[dict[str, Any]] = []
    for way, estimates in chosen.items():
        rows.append(over_seeds(estimates).row(name=way))
        if estimates is not first:
            seeds = range(max(len(estimates), len(first)))
            pairs = [(estimates[k % len(estimates)], first[k % len(first)]) for k in seeds]
            gap = over_seeds([paired_difference(a.per_problem, b.per_problem) for a, b in pairs])
            rows[-1] |= {"change": gap.mean, "change_low": gap.low, "change_high": gap.high}
    return rows


def _by_draws(keys: Array, weights: Array, true: Array, n: Count, draws: int, seed: int) -> Estimate:
    check_numbers(1, draws=draws)
    counts = _counts(n, keys.shape[1])
    problems = zip(keys, weights, true, strict=True)
    values = [drawn_vote(*problem, counts, draws, (seed, index)) for index, problem in enumerate(problems)]
    return _estimate(np.stack(values), n, draws)


def _chance_of_being_best(size: int, n: Array) -> Array:
    """C(r-1, n-1) / C(N, n) for ranks r = 1 … N (ascending), [K, N], by the ratios of neighbours: nothing overflows."""
    below = np.arange(size, 1, -1) - 1.0  # r - 1, from the top rank down
    ratios = np.maximum(below - (n[:, None] - 1), 0) / below
    falling = np.cumprod(np.concatenate([n[:, None] / size, ratios], axis=1), axis=1)
    return falling[:, ::-1]


def _tied_means(ranked: Array, good: Array) -> Array:
    """Each sample's outcome replaced by the mean over the samples of its problem that share its score, [P, N]."""
    starts = np.ones(ranked.shape, dtype=bool)
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    group = np.cumsum(starts.ravel()) - 1
    return (np.bincount(group, good.ravel()) / np.bincount(group))[group].reshape(good.shape)


def _grouped(answers: Any, truth: Sequence[str]) -> tuple[Array, Array]:
    """Answers as numbers [P, N], equal where their keys are, -1 for none; each problem's true one [P], -1 if absent."""
    rows = np.asarray(answers, dtype=object)
    if rows.ndim != 2 or len(truth) != len(rows) or not rows.size:
        raise InputError(f"answers {rows.shape} and truth ({len(truth)},) must be [problems, samples] and [problems]")
    key_of = {answer: _key(answer) for answer in set(rows.ravel())}  # once per string
    keys, true = np.full(rows.shape, -1), np.full(len(rows), -1)
    right = [_key(answer) for answer in truth]
    if None in right:
        raise InputError(f"truth[{right.index(None)}] is missing; a vote needs the true answer")
    for index, row in enumerate(rows):
        number: dict[str | None, int] = {None: -1}
        keys[index] = [number.setdefault(key_of[answer], len(number) - 1) for answer in row]
        true[index] = number.get(right[index], -1)
    return keys, true


def _key(answer: Any) -> str | None:
    """The answer's key; None of None, and of the NaN that a table may hold in its place."""
    return None if answer is None or answer != answer else answer_key(str(answer))


def _matrix(name: str, values: Any) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise InputError(f"{name} has shape {array.shape}, but must be [problems, samples] with at least one of each")
    if np.isnan(array).any():
        problem, sample = np.argwhere(np.isnan(array))[0]
        raise InputError(f"{name}[{problem}, {sample}] is NaN; score that sample again, or leave its problem out")
    return array


def _counts(n: Count, size: int) -> Array:
    counts = np.atleast_1d(np.asarray(n))
    if counts.ndim != 1 or not counts.size or counts.dtype.kind not in "iu":
        raise InputError(f"n={n!r}, but it must be one whole number, or a list of them")
    if counts.min() < 1 or counts.max() > size:
        wrong = counts.min() if counts.min() < 1 else counts.max()
        raise InputError(f"n={wrong}, but there are {size} samples per problem: n must lie in 1 … {size}")
    return counts


def _estimate(values: Array, n: Count, draws: int | None = None) -> Estimate:
    return Estimate.over_problems(values if np.ndim(n) else values[:, 0], draws)
