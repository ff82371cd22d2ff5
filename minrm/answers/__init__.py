"""Are two final answers the same? Votes are counted, and solutions judged, by canonical keys."""

from minrm.answers.keys import answer_key, same_answer

__all__ = ["answer_key", "same_answer"]
