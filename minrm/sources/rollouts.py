"""Step labels without people: finish the solution many times from each step, and see how often it ends right.

Math-Shepherd's idea (Wang et al. 2023, section 3.3): the label of a step is the share of rollouts from there that
reach the true answer. The label measures a chance, that of this policy from this step, and not whether the step
follows: a policy that corrects a slip makes the slip look good, and one that mostly fails makes a good step look bad.
"""

from collections.abc import Sequence
from typing import Any

from minrm.errors import InputError
from minrm.sampling import sample
from minrm.text import beginnings, check_text, final_answer, same_answer


def rollout_labels(
    model: Any, questions: Sequence[str], solutions: Sequence[str], answers: Sequence[str], n: int = 8, **options: Any
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
        raise InputError(f"{given}; expected lists with one question and one true answer for each solution")
    for number, solution in enumerate(solutions, start=1):
        check_text(solution, f"row {number}")
    starts = [beginnings(solution)[:-1] for solution in solutions]
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


def _share_right(texts: Sequence[str], answer: str) -> float:
    return sum(same_answer(final_answer(text), answer) for text in texts) / len(texts)
