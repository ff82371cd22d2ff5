"""What reward models are for: search step by step, rewards for other trainers, and training against a reward."""

from minrm.using.expert_iteration import expert_iteration  # here, so that no module hides the function of its name
from minrm.using.fine_tuning import fine_tune
from minrm.using.policy_gradient import advantages, kl_estimate, policy_gradient, policy_gradient_loss
from minrm.using.rewards import reward_function
from minrm.using.search import search

__all__ = [
    "advantages", "expert_iteration", "fine_tune", "kl_estimate", "policy_gradient", "policy_gradient_loss",
    "reward_function", "search",
]  # fmt: skip
