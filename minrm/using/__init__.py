"""What reward models are for: search step by step, rewards for other trainers, and training against a reward."""

from minrm.using.search import search  # here, so that the module never hides the function

__all__ = ["search"]
