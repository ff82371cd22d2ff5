"""Feedback for the exercises: a check tries what the learner wrote, and gives one hint if it is not right.

`check_last_number(last_number)` prints a line with a tick, or raises AssertionError that names the first input with a
wrong result, this result, the expected one, and the likely mistake.
"""

from minrm.checks.best_of_n import check_expected_best, check_paired, check_tokens_to_reach
from minrm.checks.bradley_terry import check_cycles, check_pair_loss, check_ranked_pairs
from minrm.checks.chain_of_thought import check_calculations, check_last_number, check_wilson
from minrm.checks.final_token import check_final_token
from minrm.checks.outcome_reward_model import check_auc_within, check_calibration_error, check_token_loss
from minrm.checks.process_reward_model import check_label_steps, check_log_score, check_step_scores
from minrm.checks.self_consistency import check_vote_in_the_end, check_vote_of_two, check_winner
from minrm.checks.steps_and_tokens import check_agreement, check_safe_tag, check_step_pairs
from minrm.checks.when_rewards_go_wrong import check_best_count, check_expected_score, check_kl_of_two_grades

__all__ = [
    "check_agreement", "check_auc_within", "check_best_count", "check_calculations", "check_calibration_error",
    "check_cycles", "check_expected_best", "check_expected_score", "check_final_token", "check_kl_of_two_grades",
    "check_label_steps", "check_last_number", "check_log_score", "check_pair_loss", "check_paired",
    "check_ranked_pairs", "check_safe_tag", "check_step_pairs", "check_step_scores", "check_token_loss",
    "check_tokens_to_reach", "check_vote_in_the_end", "check_vote_of_two", "check_wilson", "check_winner",
]  # fmt: skip
