"""The embedded world: word problems with an exact checker, the class that writes, and what is shipped and recorded.

The policy, the small language model, stands in `minrm.world.policy`: it needs torch, the rest does not.
"""

from minrm.world.classroom import CLASS, CORRUPTED, FLAWLESS, Habits, write, write_direct
from minrm.world.evaluation import Evaluation, evaluation  # here, so that the module never hides the function
from minrm.world.generator import generate, read_problem
from minrm.world.problems import ERRORS, ITEMS, LIMIT, NAMES, SPLITS, Event, Problem
from minrm.world.recorded_runs import recorded_curve, recorded_scores, recorded_settings, recorded_steps
from minrm.world.shipped import shipped

__all__ = [
    "CLASS", "CORRUPTED", "ERRORS", "FLAWLESS", "ITEMS", "LIMIT", "NAMES", "SPLITS", "Evaluation", "Event", "Habits",
    "Problem", "evaluation", "generate", "read_problem", "recorded_curve", "recorded_scores", "recorded_settings",
    "recorded_steps", "shipped", "write", "write_direct",
]  # fmt: skip
