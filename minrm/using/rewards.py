"""A reward model as the reward function of another trainer: what TRL's `GRPOTrainer` and `RLOOTrainer` call.

verl asks for `compute_score(data_source, solution_str, ground_truth, extra_info)` instead; with the question in
`extra_info` that is one call of this function.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from minrm.errors import InputError

Reward = Callable[[list[str], list[str]], Sequence[float]]  # (questions, solutions) → rewards


def reward_function(model: Any, **how: Any) -> Callable[..., list[float]]:
    """A function (prompts, completions, **columns) → rewards, one float a completion, equal to `model.score`.

    prompts, completions: texts, or lists of messages with role and content. Messages are read as their contents, one
    below the other, without the system's. One newline at the end of a prompt belongs to the template, not to the
    question, and is taken off. columns: the other columns of the trainer's data set, not used. how: for `model.score`,
    such as `aggregate="min"`. An empty completion, which a Bradley–Terry model scores with -inf, gets the lowest
    reward of the call, since trainers take means. Raises InputError for prompts and completions that do not pair up.
    """

    def rewards(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        if len(prompts) != len(completions):
            raise InputError(f"{len(prompts)} prompts but {len(completions)} completions; each needs its prompt")
        questions = [_text(prompt, f"prompt {i}").removesuffix("\n") for i, prompt in enumerate(prompts, start=1)]
        solutions = [_text(completion, f"completion {i}") for i, completion in enumerate(completions, start=1)]
        scores = [float(score) for score in model.score(questions, solutions, **how)]
        lowest = min((score for score in scores if score > -math.inf), default=0.0)
        return [max(score, lowest) for score in scores]

    rewards.__name__ = rewards.__qualname__ = type(model).__name__  # by which trainers log it
    return rewards


def _text(value: Any, where: str) -> str:
    """A text as it is, and of messages the contents."""
    if isinstance(value, str):
        return value
    messages = [message for message in value if message.get("role") != "system"]
    if not messages or not all(isinstance(message.get("content"), str) for message in messages):
        raise InputError(f"{where} is {value!r:.60}; it should be a text, or messages with role and content")
    return "\n".join(message["content"] for message in messages)


def label(reward: Any) -> str:
    """The name of a reward in the settings of a run, so that the run does not go on with another reward."""
    return getattr(reward, "__qualname__", type(reward).__name__)


def digest(questions: Sequence[str]) -> str:
    """A fingerprint of the questions of a run."""
    return hashlib.sha256(json.dumps(list(questions)).encode()).hexdigest()[:16]
