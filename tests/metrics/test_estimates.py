"""Intervals over problems: their limits, the published formulas that they generalise, and how often they cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minrm.errors import InputError
from minrm.metrics import Estimate, curves, over_seeds, paired_difference

UNIT = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))


@given(UNIT)
def test_an_interval_holds_its_mean_within_zero_and_one(values):
    estimate = Estimate.over_problems(values)
    assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1
    assert estimate.high - estimate.low > 0.01 / len(values)
    assert estimate.problems == len(values)


@pytest.mark.parametrize(("right", "total"), [(0, 10), (10, 10), (3, 10), (81, 263), (1, 1)])
def test_right_or_wrong_values_give_wilsons_interval(right, total):
    z, p = 1.959963984540054, right / total
    centre = (right + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(right * (1 - p) + z * z / 4)
    estimate = Estimate.over_problems(np.arange(total) < right)
    assert (estimate.low, estimate.high) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize(("a", "b"), [(8.0, 2.0), (0.3, 0.3), (0.5, 0.05)])
def test_intervals_cover_the_truth_about_95_times_in_100(a, b):
    rng = np.random.default_rng(3)
    values = rng.beta(a, b, (150, 2000))  # 2,000 experiments on 150 problems each
    estimate = Estimate.over_problems(values)
    covered = np.mean((estimate.low <= a / (a + b)) & (a / (a + b) <= estimate.high))
    assert 0.935 <= covered <= 0.98


def test_paired_differences_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(4)
    shared = rng.beta(0.5, 0.5, (150, 2000))
    a, b = rng.random(shared.shape) < 0.9 * shared + 0.1, rng.random(shared.shape) < shared  # 0.05 apart on average
    estimate = paired_difference(a, b)
    assert 0.935 <= np.mean((estimate.low <= 0.05) & (estimate.high >= 0.05)) <= 0.975


def test_a_paired_difference_is_bonett_and_prices():
    a, b = np.array([1] * 9 + [0] * 2 + [1] * 20 + [0] * 10), np.array([0] * 9 + [1] * 2 + [1] * 20 + [0] * 10)
    up, down, total = (9 + 1) / 43, (2 + 1) / 43, 43
    half = 1.959963984540054 * math.sqrt((up + down - (up - down) ** 2) / total)
    estimate = paired_difference(a, b)
    assert estimate.mean == pytest.approx(7 / 41)
    assert (estimate.low, estimate.high) == pytest.approx((up - down - half, up - down + half))


@given(UNIT)
def test_paired_differences_are_antisymmetric_and_hold_their_mean(values):
    other = values[::-1]
    forth, back = paired_difference(values, other), paired_difference(other, values)
    assert -1 <= forth.low <= forth.mean <= forth.high <= 1
    assert (forth.mean, forth.low, forth.high) == pytest.approx((-back.mean, -back.high, -back.low), abs=1e-12)


def test_columns_are_estimated_one_by_one():
    values = np.random.default_rng(6).random((30, 3))
    together = Estimate.over_problems(values)
    for column in range(3):
        alone = Estimate.over_problems(values[:, column])
        assert (together.mean[column], together.low[column]) == pytest.approx((alone.mean, alone.low))
        pair = paired_difference(values[:, column], values[:, 0])
        assert paired_difference(values, values[:, [0, 0, 0]]).high[column] == pytest.approx(pair.high)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Estimate.over_problems([]), "no problems"),
        (lambda: Estimate.over_problems([0.5, np.nan]), "must lie in"),
        (lambda: Estimate.over_problems([0.5, 1.5]), r"0.5 … 1.5"),
        (lambda: paired_difference([1, 0], [1]), r"a \(2,\) and b \(1,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_one_seed_changes_nothing_and_equal_seeds_add_no_width():
    one = Estimate.over_problems(np.random.default_rng(0).random((40, 3)))
    for several in ([one], [one] * 5):
        for name in ("mean", "low", "high", "per_problem"):
            assert getattr(over_seeds(several), name) == pytest.approx(getattr(one, name))


@pytest.mark.parametrize("runs", [2, 5, 10, 11, 12, 16, 31, 200])
@pytest.mark.parametrize("differences", [False, True])
def test_students_interval_over_the_runs_is_added_to_that_of_the_averaged_problems(runs, differences):
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(runs).random((2, runs, 40))
    if differences:
        found = over_seeds([paired_difference(a, b) for a, b in zip(*values, strict=True)])
        means, whole = (values[0] - values[1]).mean(axis=1), paired_difference(*values.mean(axis=1))
    else:
        found = over_seeds([Estimate.over_problems(run) for run in values[0]])
        means, whole = values[0].mean(axis=1), Estimate.over_problems(values[0].mean(axis=0))
    half = stats.t.ppf(0.975, runs - 1) * np.std(means, ddof=1) / math.sqrt(runs)
    expected = np.hypot(whole.mean - whole.low, half), np.hypot(whole.high - whole.mean, half)
    assert found.mean == pytest.approx(means.mean())
    assert (found.mean - found.low, found.high - found.mean) == pytest.approx(expected, rel=3e-4)


@pytest.mark.parametrize(("problem", "run", "both"), [(0.15, 0.03, 0.05), (0.05, 0.02, 0.3), (0.0, 0.0, 0.4)])
def test_the_interval_over_problems_and_seeds_covers_the_truth(problem, run, both):
    """Problems of different difficulty, models of different skill, and chance in each run of each problem."""
    rng, hits, widths = np.random.default_rng(1), 0, []
    for _ in range(400):
        skill = 0.5 + problem * rng.standard_normal((1, 60)) + run * rng.standard_normal((5, 1))
        values = (skill + both * rng.choice([-1, 1], (5, 60))).clip(0, 1)
        found = over_seeds([Estimate.over_problems(row) for row in values])
        hits += found.low <= 0.5 <= found.high
        widths.append(found.high - found.low)
    assert hits / 400 >= 0.93
    real = 2 * 1.96 * np.sqrt(problem**2 / 60 + run**2 / 5 + both**2 / 300)
    assert np.mean(widths) < 1.9 * real  # five runs leave few degrees of freedom, and chance counts twice


@pytest.mark.parametrize("centre", [-0.02, 0.04])
def test_a_difference_over_seeds_is_cut_neither_at_zero_nor_at_the_lowest_seed(centre):
    """Seeds that are far apart, though each is sure: the interval reaches beyond all of theirs."""
    means = centre + np.array([-0.1, 0, 0.1])
    seeds = [paired_difference(np.full(400, 0.5 + m / 2), np.full(400, 0.5 - m / 2)) for m in means]
    assert over_seeds(seeds).low < min(seed.low for seed in seeds) < 0 < over_seeds(seeds).high
    assert paired_difference([0.9, 0.8], [0.1, 0.1]).least == -1.0
    shares = [Estimate.over_problems([share] * 9) for share in (0.05, 0.1, 0.6)]
    assert over_seeds(shares).low == 0  # there is no smaller share


@given(arrays(np.float64, (4, 12), elements=st.floats(0, 1)))
def test_an_interval_over_seeds_holds_its_mean_within_zero_and_one_in_any_order(values):
    runs = [Estimate.over_problems(row) for row in values]
    found, turned = over_seeds(runs), over_seeds(runs[::-1])
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((turned.low, turned.high))


def test_differences_keep_their_sign_and_runs_must_be_over_the_same_problems():
    a, b = np.zeros(30), np.ones(30)
    found = over_seeds([paired_difference(a, b), paired_difference(a, b)])
    assert -1 <= found.low <= found.mean == -1 and found.high < 0
    for wrong in ([], [Estimate.over_problems(a), Estimate.over_problems(a[:5])]):
        with pytest.raises(InputError, match="same problems"):
            over_seeds(wrong)


def test_an_estimate_and_several_ways_become_rows_of_a_table():
    vote, greedy = Estimate.over_problems(np.eye(3)), Estimate.over_problems([1, 0, 0.5])
    assert greedy.row(way="greedy") == {"way": "greedy", "mean": 0.5, "low": greedy.low, "high": greedy.high}
    rows = curves({"vote": vote, "greedy": greedy}, np.array([1, 2, 4]))
    assert [(row["way"], row["n"]) for row in rows] == [("vote", 1), ("vote", 2), ("vote", 4), ("greedy", None)]
    assert all(list(row) == ["way", "n", "mean", "low", "high"] for row in rows)
    assert [row["high"] for row in rows] == [*vote.high, greedy.high]
    with pytest.raises(ValueError):
        curves({"vote": vote}, [1, 2])


def test_of_estimates_without_values_per_problem_the_ends_are_averaged():
    runs = [Estimate(0.6, 0.5, 0.7), Estimate(0.6, 0.4, 0.8)]
    found = over_seeds(runs)
    assert (found.mean, found.low, found.high) == pytest.approx((0.6, 0.45, 0.75))
    apart = over_seeds([Estimate(0.5, 0.5, 0.5), Estimate(0.6, 0.6, 0.6)])  # two runs: Student's t is 12.706
    assert apart.mean == pytest.approx(0.55)
    assert (apart.low, apart.high) == pytest.approx((0.0, 1.0))
