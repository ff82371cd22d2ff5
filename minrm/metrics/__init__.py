"""Numbers with intervals: estimates, AUC, calibration, the first error's F1, over-optimisation."""

from minrm.metrics.estimates import Estimate, curves, over_seeds, paired_difference
from minrm.metrics.measures import (
    Calibration,
    FirstErrorF1,
    calibration,
    first_error_f1,
    pooled_auc,
    preference_accuracy,
    within_problem_auc,
)
from minrm.metrics.overoptimisation import GaoFit, fit_gao, kl_of_best_of_n, kl_with_repeats, mean_minus_std

__all__ = [
    "Calibration", "Estimate", "FirstErrorF1", "GaoFit", "calibration", "curves", "first_error_f1", "fit_gao",
    "kl_of_best_of_n", "kl_with_repeats", "mean_minus_std", "over_seeds", "paired_difference", "pooled_auc",
    "preference_accuracy", "within_problem_auc",
]  # fmt: skip
