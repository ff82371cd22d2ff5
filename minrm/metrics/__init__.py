"""Numbers with intervals: estimates, AUC, calibration, the first error's F1, over-optimisation."""

from minrm.metrics.estimates import Estimate, over_seeds, paired_difference
from minrm.metrics.measures import (
    Calibration,
    FirstErrorF1,
    calibration,
    first_error_f1,
    pooled_auc,
    preference_accuracy,
    within_problem_auc,
)
from minrm.metrics.overoptimisation import GaoFit, cautious, fit_gao, kl_of_best_of_n, kl_with_repeats

__all__ = [
    "Calibration", "Estimate", "FirstErrorF1", "GaoFit", "calibration", "cautious", "first_error_f1", "fit_gao",
    "kl_of_best_of_n", "kl_with_repeats", "over_seeds", "paired_difference", "pooled_auc", "preference_accuracy",
    "within_problem_auc",
]  # fmt: skip
