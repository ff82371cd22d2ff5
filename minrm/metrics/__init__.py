"""Numbers with intervals: estimates, AUC, calibration, the first error's F1, RewardBench 2, over-optimisation."""

from minrm.metrics.estimates import Estimate, curves, over_seeds, paired_difference
from minrm.metrics.measures import (
    Calibration,
    FirstErrorF1,
    calibration,
    equal_length_auc,
    first_error_f1,
    first_error_threshold,
    pooled_auc,
    preference_accuracy,
    within_problem_auc,
)
from minrm.metrics.overoptimisation import GaoFit, fit_gao, kl_of_best_of_n, kl_with_repeats, mean_minus_std
from minrm.metrics.rewardbench2 import Ties, ties, top_share

__all__ = [
    "Calibration", "Estimate", "FirstErrorF1", "GaoFit", "Ties", "calibration", "curves", "equal_length_auc",
    "first_error_f1", "first_error_threshold", "fit_gao", "kl_of_best_of_n", "kl_with_repeats", "mean_minus_std",
    "over_seeds", "paired_difference", "pooled_auc", "preference_accuracy", "ties", "top_share", "within_problem_auc",
]  # fmt: skip
