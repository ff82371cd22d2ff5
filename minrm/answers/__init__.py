"""Are two final answers the same? Canonical keys, compared: votes are counted by them, outcome labels come from them."""

from minrm.answers.keys import answer_key, same_answer

__all__ = ["answer_key", "same_answer"]
