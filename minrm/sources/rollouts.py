"""Step labels without people: finish the solution many times from each step, and see how often it ends right.

Math-Shepherd's idea (Wang et al. 2023, section 3.3): a step is as good as what the policy makes of it. In come
solutions with the true answers of their problems; out comes, for each step, the share of rollouts that reach the truth.
What is measured is a chance, that of this policy from here, and not whether the step follows: a policy that mends a
slip makes the slip look good, and one that mostly fails makes a good step look bad. What the policy itself thought of a
step, its likelihood, is here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from minrm import reward_model
from minrm.errors import InputError
from minrm.reward_model import batches
from minrm.sampling import sample
from minrm.text import check_text, final_answer, join_steps, same_answer, split_steps


def rollout_labels(
    model: Any,
    questions: Sequence[str],
    solutions: Sequence[str],
    answers: Sequence[str],
    n: int = 8,
    **options: Any,
) -> list[list[float]]:
    """For each step of each solution, the share of `n` rollouts that end right: soft labels (Wang et al. 2023, eq. 4).

    model: the policy, as for `sample`. A rollout is given the question, a newline and the steps so far, in the
    article's format, and writes on to its end; without an answer it counts as wrong. The last step is not rolled out:
    its label is 1.0 or 0.0, whether the solution's own answer is right. Solutions that begin alike share their
    rollouts.

    answers: the true answer of each question. options: what else `sample` takes (tokenizer, temperature,
    max_new_tokens, seed, batch_size, path of a file to resume from, progress). Raises InputError if the counts differ
    or a solution is empty.
    """
    counts = {"questions": len(questions), "solutions": len(solutions), "answers": len(answers)}
    if len(set(counts.values())) > 1 or isinstance(solutions, str):
        given = "a single text" if isinstance(solutions, str) else ", ".join(f"{v} {k}" for k, v in counts.items())
        raise InputError(f"{given}; wanted lists with one question and one true answer for each solution")
    for number, solution in enumerate(solutions, start=1):
        check_text(solution, f"row {number}")
    starts = [_starts(solution) for solution in solutions]
    prompts = [f"{question}\n{start}" for question, own in zip(questions, starts, strict=True) for start in own]
    endings: dict[str, list[str]] = {prompt: [] for prompt in prompts}  # each prompt once, in order
    for row in sample(model, list(endings), n, prompt="{question}", **options):
        endings[row["question"]].append(row["solution"])
    return [
        [
            *(_share_right([start + ending for ending in endings[f"{question}\n{start}"]], answer) for start in own),
            _share_right([solution], answer),
        ]
        for question, solution, own, answer in zip(questions, solutions, starts, answers, strict=True)
    ]


def hard_labels(soft: Sequence[Sequence[float]]) -> list[list[int]]:
    """Soft labels made hard: a step is good (1) if any of its rollouts ended right (Wang et al. 2023, eq. 3)."""
    return [[int(label > 0) for label in labels] for labels in soft]


@torch.no_grad()
def step_likelihoods(
    model: Any, tokenizer: Any, questions: Sequence[str], solutions: Sequence[str], *, batch_tokens: int = 16384
) -> list[np.ndarray]:
    """How likely the policy itself finds each step: the geometric mean of p(token) over its tokens, float64 [steps].

    model: a built causal language model. A step's tokens are those that it adds to the solution as `join_steps` writes
    it, header and line end included. A judge that needs no training, to compare trained ones with.
    """
    starts = [[*_starts(solution), join_steps(split_steps(solution))] for solution in solutions]
    prompts = [question for question, own in zip(questions, starts, strict=True) for _ in own]
    encoded = iter(reward_model.encode(tokenizer, prompts, [start for own in starts for start in own]))
    ends = [[next(encoded) for _ in own] for own in starts]  # of each solution, its ids up to the end of each step
    found = [np.empty(0)] * len(solutions)
    for batch, inputs in batches([own[-1][0] for own in ends], tokenizer, model, batch_tokens):
        logits = model(**inputs, position_ids=reward_model.positions(inputs["attention_mask"]), use_cache=False).logits
        log_p = logits[:, :-1].float().log_softmax(-1).gather(2, inputs["input_ids"][:, 1:, None]).squeeze(-1)
        for row, values, real in zip(batch, log_p, inputs["attention_mask"].bool(), strict=True):
            of_row = values[real[1:] & real[:-1]].cpu().double()  # of each token but the first
            cuts = [sum(not own for own in ends[row][0][1]) - 1, *(len(ids) - 1 for ids, _ in ends[row])]
            means = [of_row[low:high].mean() for low, high in zip(cuts, cuts[1:], strict=False)]
            found[row] = np.exp([mean.item() for mean in means])
    return found


def _starts(solution: str) -> list[str]:
    """The solution up to the end of each of its steps but the last."""
    steps = split_steps(solution)
    return [join_steps(steps[:count]) for count in range(1, len(steps))]


def _share_right(texts: Sequence[str], answer: str) -> float:
    return sum(same_answer(final_answer(text), answer) for text in texts) / len(texts)
