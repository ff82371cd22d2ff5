"""RewardBench 2's rules: best of four, and the score of prompts that have many right answers (Malik et al. 2025).

The definitions are those of the publisher's code, `allenai/reward-bench`, `scripts/run_v2.py` and what it calls. In
come the scores of a prompt's completions; out come a share and the score of Ties.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minrm.errors import InputError


def top_share(scores: Any, correct: Any) -> float:
    """1 if the right completion alone has the highest score, 1/k if it shares it with k - 1 others, else 0.

    scores: [N]. correct: bool [N]. Raises InputError unless exactly one is right.
    """
    values, right = _scored(scores, correct)
    if right.sum() != 1:
        raise InputError(f"{right.sum()} of {len(right)} completions are right; best of four has one")
    top = values == values.max()
    return float(top[right][0] / top.sum())


@dataclass(frozen=True)
class Ties:
    """What the score of Ties is made of: shares from 0 to 1, and a margin from -1 to 1.

    reference, tied: prompts in which every right answer outscores every wrong one, of those with one right answer and
    those with several. preferred: pairs in which the gap between right and wrong is wider than the spread of the right
    answers; preferred_hard: pairs in which the reference's gap is wider as well. margin: how much wider, by tanh.
    """

    reference: float
    tied: float
    preferred: float
    preferred_hard: float
    margin: float

    @property
    def score(self) -> float:
        """The publisher's weighted sum of the parts; a perfect score may pass 1, by a hundredth at most."""
        accuracy, preferred = 0.3 * (self.reference + self.tied), 0.2 * (self.preferred + self.preferred_hard)
        return accuracy + preferred + 0.01 * self.margin


def ties(reference: Mapping[Any, tuple[Any, Any]], tied: Mapping[Any, tuple[Any, Any]]) -> Ties:
    """The score of Ties, from the scores and correctness of each prompt's completions, by the number of the prompt.

    reference: prompts with one right answer; tied: those with several. Prompts of one number are a pair, and the last
    three parts are means over pairs. Raises InputError where there is no pair, a prompt has no right or no wrong
    answer, or a tied prompt has a single right answer.
    """
    ones, several = _gaps(reference, 1), _gaps(tied, 2)
    both = sorted(ones.keys() & several.keys(), key=str)
    if not both:
        raise InputError("no reference prompt has a tied one of its number; give the whole subset")
    gap, spread = np.array([several[number] for number in both]).T
    hard = np.minimum(gap, [ones[number][0] for number in both])
    with np.errstate(divide="ignore", invalid="ignore"):
        margins = np.nan_to_num(np.tanh(hard / spread - 1), nan=0.0)
    right, all_right = (float(np.mean([gap > 0 for gap, _ in prompts.values()])) for prompts in (ones, several))
    return Ties(right, all_right, float(np.mean(gap > spread)), float(np.mean(hard > spread)), float(margins.mean()))


def _gaps(prompts: Mapping[Any, tuple[Any, Any]], least: int) -> dict[Any, tuple[float, float]]:
    """Of each prompt: the worst right answer's score above the best wrong one's, and the spread of the right ones."""
    found = {}
    for number, (scores, correct) in prompts.items():
        values, right = _scored(scores, correct)
        if right.all() or right.sum() < least:
            counts = f"{right.sum()} right and {(~right).sum()} wrong answers"
            raise InputError(f"prompt {number} has {counts}; it needs {least} right and one wrong at least")
        lowest = values[right].min()
        found[number] = (lowest - values[~right].max(), values[right].max() - lowest)
    return found


def _scored(scores: Any, correct: Any) -> tuple[np.ndarray, np.ndarray]:
    values, right = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=bool)
    if values.shape != right.shape or values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise InputError(f"scores {values.shape} and correct {right.shape}: [N] each, two at least, finite scores")
    return values, right
