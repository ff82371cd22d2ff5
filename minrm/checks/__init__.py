"""Feedback for the exercises: a check tries the learner's answer, and gives one hint if the answer is wrong.

`check_last_number(last_number)` prints a line with a tick, or raises `WrongAnswer`, an AssertionError whose hint names
the first input with a wrong result, that result, the expected one, and the likely mistake. A notebook shows the hint
alone. While the answer is still `...` a check asks for it, except `check_final_token`, `check_choose` and
`check_next_beams`, which are graded.
"""

from minrm.checks.beam_search import check_next_beams
from minrm.checks.best_of_n import check_expected_best, check_paired, check_rivals, check_tokens_to_reach
from minrm.checks.bradley_terry import check_cycles, check_labels_needed, check_pair_loss, check_ranked_pairs
from minrm.checks.chain_of_thought import check_calculations, check_last_number, check_wilson
from minrm.checks.final_token import check_final_token
from minrm.checks.outcome_reward_model import (
    check_auc_within,
    check_calibration_error,
    check_fooling,
    check_token_loss,
    check_update,
)
from minrm.checks.process_reward_model import (
    check_article_labels,
    check_label_steps,
    check_log_score,
    check_step_scores,
)
from minrm.checks.search_with_a_process_reward_model import check_equal_samples, check_survivors
from minrm.checks.self_consistency import check_vote_in_the_end, check_vote_of_two, check_winner
from minrm.checks.spend_labels import check_choose
from minrm.checks.steps_and_tokens import check_agreement, check_safe_tag, check_step_pairs
from minrm.checks.training_against_a_reward import check_kl_estimates, check_leave_one_out
from minrm.checks.when_rewards_go_wrong import (
    check_best_count,
    check_expected_score,
    check_kl_of_two_grades,
    check_padded,
)

__all__ = [
    "check_agreement", "check_article_labels", "check_auc_within", "check_best_count", "check_calculations",
    "check_calibration_error", "check_choose", "check_cycles", "check_equal_samples", "check_expected_best",
    "check_expected_score", "check_final_token", "check_fooling", "check_kl_estimates", "check_kl_of_two_grades",
    "check_label_steps", "check_labels_needed", "check_last_number", "check_leave_one_out", "check_log_score",
    "check_next_beams", "check_padded", "check_pair_loss", "check_paired", "check_ranked_pairs", "check_rivals",
    "check_safe_tag", "check_step_pairs", "check_step_scores", "check_survivors", "check_token_loss",
    "check_tokens_to_reach", "check_update", "check_vote_in_the_end", "check_vote_of_two", "check_wilson",
    "check_winner",
]  # fmt: skip
