"""Distances, fits and caution against second ways to the same numbers: lists, integrals, made data."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.metrics import fit_gao, kl_of_best_of_n, kl_with_repeats, mean_minus_std

COUNTS = np.array([2**k for k in range(9)])


def listed_kl(scores, n):
    """All M^n draws in a row, ties between different samples shared evenly; KL between the M samples."""
    chosen = np.zeros(len(scores))
    for drawn in product(range(len(scores)), repeat=n):
        best = max(scores[i] for i in drawn)
        winners = [i for i in drawn if scores[i] == best]
        for i in winners:
            chosen[i] += 1 / len(winners) / len(scores) ** n
    return float(sum(q * np.log(q * len(scores)) for q in chosen if q > 0))


@pytest.mark.parametrize("scores", [[0.1, 0.5, 0.9], [0.3, 0.3, 0.9, 0.1], [1, 1, 1], [2, 0, 2, 0, 2]])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_exact_kl_is_that_of_all_draws_listed(scores, n):
    assert kl_with_repeats(scores, n) == pytest.approx([listed_kl(scores, n)])


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_the_formula_is_the_integral_of_a_continuous_score(n):
    u = (np.arange(400_000) + 0.5) / 400_000  # quantiles; the chosen one has density n u^(n-1)
    density = n * u ** (n - 1)
    terms = np.where(density > 0, density * np.log(np.maximum(density, 1e-300)), 0)
    assert kl_of_best_of_n(n) == pytest.approx(terms.mean(), abs=1e-4)


def test_one_sample_moves_nothing_and_an_array_gives_an_array():
    assert kl_of_best_of_n(1) == 0
    np.testing.assert_allclose(kl_of_best_of_n([1, 2]), [0, np.log(2) - 0.5])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.lists(st.integers(1, 600), min_size=1, max_size=5))
def test_with_repeats_the_formula_is_an_upper_bound(scores, counts):
    exact = kl_with_repeats(scores, counts)
    assert (exact >= -1e-12).all()
    assert (exact <= kl_of_best_of_n(counts) + 1e-12).all()


def test_many_different_scores_come_close_to_the_formula_and_few_stop_at_the_best():
    np.testing.assert_allclose(kl_with_repeats(np.arange(100_000), COUNTS), kl_of_best_of_n(COUNTS), atol=0.01)
    best = [1] * 4 + [0] * 12
    assert kl_with_repeats(best, 10_000) == pytest.approx([np.log(4)])  # -log of the share of the best


def made(alpha, beta, seeds=3, problems=400, noise=0.0):
    d = np.sqrt(kl_of_best_of_n(COUNTS))
    rng = np.random.default_rng(5)
    easy = rng.uniform(0.2, 0.5, (seeds, problems, 1))
    steep = rng.normal(1, noise, (seeds, problems, 1))
    return easy + steep * d * (alpha - beta * d)


@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.15), (0.2, 0.0), (-0.1, 0.05)])
def test_alpha_and_beta_are_recovered_from_data_made_by_the_form(alpha, beta):
    fit = fit_gao(made(alpha, beta), COUNTS, draws=50)
    assert (fit.alpha.mean, fit.beta.mean) == pytest.approx((alpha, beta), abs=1e-9)
    np.testing.assert_allclose(fit.residual.mean, 0, atol=1e-9)
    np.testing.assert_allclose(fit.fitted, fit.gain.mean, atol=1e-9)


def test_the_peak_is_where_the_curve_turns_and_absent_where_it_never_does():
    assert fit_gao(made(0.4, 0.15), COUNTS, draws=20).peak == pytest.approx(0.4 / 0.3)
    assert np.isnan(fit_gao(made(0.4, -0.01), COUNTS, draws=20).peak)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        d = np.sqrt(kl_of_best_of_n(COUNTS))
        gold = 0.3 + rng.normal(1, 1, (1, 80, 1)) * d * (0.3 - 0.1 * d)  # problems differ, the seeds do not
        low, high = (getattr(fit_gao(gold.repeat(3, axis=0), COUNTS, draws=200).alpha, end) for end in ("low", "high"))
        held += low <= 0.3 <= high
    assert 50 <= held <= 60


def test_seeds_that_differ_widen_the_interval_and_the_draws_are_seeded():
    same = made(0.4, 0.15, noise=0.5)
    apart = same * np.array([0.6, 1.0, 1.4])[:, None, None]
    widths = [fit.alpha.high - fit.alpha.low for fit in (fit_gao(same, COUNTS), fit_gao(apart, COUNTS))]
    assert widths[1] > 2 * widths[0]
    assert fit_gao(apart, COUNTS).alpha == fit_gao(apart, COUNTS).alpha


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: kl_of_best_of_n([1, 0]), "n=0"),
        (lambda: kl_with_repeats([1, 2], 0), "n=0"),
        (lambda: fit_gao(np.zeros((2, 3)), [1, 2, 4]), r"\[seeds, problems, K\]"),
        (lambda: fit_gao(np.zeros((2, 3, 3)), [2, 4, 8]), "the first is 1"),
        (lambda: fit_gao(np.zeros((2, 3, 3)), [1, 4, 4]), "rising"),
        (lambda: mean_minus_std(np.zeros((1, 2, 2))), "two judges"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_caution_is_the_mean_less_the_disagreement():
    scores = np.array([[[0.9, 0.8]], [[0.9, 0.2]]])
    np.testing.assert_allclose(mean_minus_std(scores), [[0.9, 0.5 - 0.3]])
    np.testing.assert_allclose(mean_minus_std(scores, weight=0), scores.mean(axis=0))
    np.testing.assert_allclose(mean_minus_std(scores, weight=5), [[0.9, 0.0]])
