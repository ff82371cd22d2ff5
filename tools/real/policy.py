"""What the public model itself does with GSM8K: with steps and without, many samples, how likely it finds solutions."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from minrm import best_of_n, loading, majority_vote, pass_at_n, reward_model, sample
from minrm.errors import InputError
from minrm.metrics import Estimate, paired_difference, within_problem_auc
from minrm.sampling import log_likelihood
from minrm.selection import likelihood_scores
from minrm.sources import gsm8k
from minrm.text import final_answer, same_answer, split_steps

# Two worked examples, of our own. Told in words alone to reason in steps, so small a model runs on until it is cut.
BOXES = "Ben has 3 boxes of 4 apples each and buys 5 more apples. How many apples does he have?"
HAT = "A shirt costs $20 and a hat costs half as much. How much do both cost together?"
COT = {
    BOXES: "He has 3 * 4 = 12 apples in boxes.\nWith 5 more he has 12 + 5 = 17 apples.\n#### 17",
    HAT: "The hat costs 20 / 2 = $10.\nTogether they cost 20 + 10 = $30.\n#### 30",
}
DIRECT = {question: worked[worked.index("####") :] for question, worked in COT.items()}  # without their steps
DTYPE = "bfloat16"  # of sampling and training, as the publisher trained the model; scores are float32
DIRECT_TOKENS, BATCH = 16, 64  # tokens of a direct answer; solutions at a time
Result = dict[str, Any]


class Drawn(NamedTuple):
    """Solutions of problems, each an array [problems, samples]. cut: as long as allowed, so the end is missing."""

    questions: list[str]
    truth: list[str]
    solutions: np.ndarray
    answers: np.ndarray
    correct: np.ndarray
    cut: np.ndarray
    tokens: np.ndarray
    log_likelihood: np.ndarray


def problems(place: Any) -> list[Result]:
    """The problems of GSM8K's test set whose worked answers have the fewest steps, in the order of the file.

    The model is so small that of all of GSM8K it solves one problem in a hundred: too few to choose among samples.
    """
    every = gsm8k(place.data["gsm8k"], split="test", worked=True)
    return sorted(every, key=lambda row: len(split_steps(row["solution"])))[: place.scale.problems]


def draw(place: Any, name: str, n: int, examples: dict[str, str], temperature: float, new: int) -> Drawn:
    """The model's answers to the problems; a call goes on where an earlier one was stopped."""
    questions, truth = ([row[key] for row in problems(place)] for key in ("question", "answer"))
    said = [(role, text) for pair in examples.items() for role, text in zip(("user", "assistant"), pair, strict=True)]
    turns = [{"role": role, "content": text} for role, text in [*said, ("user", "{question}")]]
    chat = loading.load_tokenizer(place.model).apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    rows = sample(
        place.model, questions, n, path=place.work / f"{name}.jsonl", prompt=chat, temperature=temperature,
        max_new_tokens=new, batch_size=BATCH, dtype=DTYPE,
    )  # fmt: skip
    shape = (len(truth), n)
    solutions, tokens, likelihood = (
        np.array([row[key] for row in rows], dtype=kind).reshape(shape)
        for key, kind in (("solution", object), ("tokens", int), ("log_likelihood", float))
    )
    answers = np.array([[final_answer(text) for text in own] for own in solutions], dtype=object)
    correct = np.array([[same_answer(a, t) for a in own] for own, t in zip(answers, truth, strict=True)])
    return Drawn(questions, truth, solutions, answers, correct, tokens >= new, tokens, likelihood)


def samples(place: Any) -> Drawn:
    """The samples that are voted on and chosen from; drawn where they are not there yet."""
    return draw(place, "samples", place.scale.samples, COT, 0.7, place.scale.new)


def record_answers(place: Any) -> Result:
    """Greedy answers with written steps and without: what chain of thought is worth."""
    greedy = draw(place, "greedy", 1, COT, 0, place.scale.new)
    direct = draw(place, "direct", 1, DIRECT, 0, DIRECT_TOKENS)
    common = Counter(greedy.truth).most_common(1)[0][1] / len(greedy.truth)
    right = {name: told(Estimate.over_problems(d.correct[:, 0])) for name, d in (("cot", greedy), ("direct", direct))}
    gain = paired_difference(greedy.correct[:, 0], direct.correct[:, 0])
    return right | {
        "cot - direct": told(gain), "the commonest true answer, always": round(common, 4),
        "of cot": lengths(greedy), "of direct": lengths(direct),
        "correct": {"cot": greedy.correct[:, 0].tolist(), "direct": direct.correct[:, 0].tolist()},
    }  # fmt: skip


def record_samples(place: Any) -> Result:
    """Many samples of each problem: votes, pass@N, and whether likelier samples are right more often."""
    drawn = samples(place)
    counts = counts_up_to(place.scale.samples)
    likely = likelihood_scores(drawn.log_likelihood, drawn.tokens)
    return {
        "one sample": told(Estimate.over_problems(drawn.correct.mean(axis=1))),
        "vote": by_count(majority_vote(drawn.answers, drawn.truth, counts), counts),
        "pass@N": by_count(pass_at_n(drawn.correct, counts), counts),
        "likeliest": by_count(best_of_n(likely, drawn.correct, counts), counts),
        "AUC within a problem, log-likelihood a token": within(likely, drawn),
        "log-likelihood a token": {"right": mean(likely[drawn.correct]), "wrong": mean(likely[~drawn.correct])},
        "of samples": lengths(drawn),
        "arrays": {  # [problems][samples], from which any other way of choosing is measured
            "answers": drawn.answers.tolist(), "truth": drawn.truth, "correct": drawn.correct.tolist(),
            "cut": drawn.cut.tolist(), "tokens": drawn.tokens.tolist(),
            "log_likelihood": drawn.log_likelihood.round(3).tolist(),
        },
    }  # fmt: skip


@torch.inference_mode()
def log_likelihoods(folder: Path, rows: list[Result]) -> np.ndarray:
    """The mean log-likelihood of a token of each solution, after its question and a newline: [rows], in nats."""
    options: Result = {"tokenizer": None, "device": None, "dtype": "float32"}
    model, tokenizer = loading.load(AutoModelForCausalLM, folder, **options)
    texts = [row["question"] for row in rows], [row["solution"] for row in rows]
    encoded, values = reward_model.encode(tokenizer, *texts), np.empty(len(rows))
    for batch, inputs in reward_model.batches([ids for ids, _ in encoded], tokenizer, model, None, "likelihoods"):
        masks = [torch.tensor(encoded[row][1]) for row in batch]
        counted = reward_model.pad_as(masks, False, tokenizer)
        values[batch] = log_likelihood(model, **inputs, counted=counted) / counted.sum(dim=1)
    return values


def within(scores: np.ndarray, drawn: Drawn) -> Result:
    """AUC within a problem; and with cut samples left out, which are wrong and told at a glance. None: no pair."""
    found: Result = {}
    for name, keep in (("all", np.ones_like(drawn.cut)), ("without cut ones", ~drawn.cut)):
        kept = [[own[rows] for own, rows in zip(values, keep, strict=True)] for values in (scores, drawn.correct)]
        try:
            found[name] = told(within_problem_auc(*kept))
        except InputError:  # no problem has both right and wrong samples
            found[name] = None
    return found


def lengths(drawn: Drawn) -> Result:
    """How many were cut, gave no answer, and how long they are."""
    silent = np.array([answer is None for answer in drawn.answers.ravel()])
    return {
        "solutions": drawn.cut.size, "cut": int(drawn.cut.sum()), "without an answer": int(silent.sum()),
        "right": int(drawn.correct.sum()), "right though cut": int((drawn.correct & drawn.cut).sum()),
        "tokens": mean(drawn.tokens),
    }  # fmt: skip


def counts_up_to(most: int) -> list[int]:
    """1, 2, 4 … up to `most`."""
    return [2**k for k in range(most.bit_length())]


def told(estimate: Estimate) -> Result:
    """A mean with its 95 % interval, over how many problems."""
    return {name: round(float(value), 4) for name, value in estimate.row().items()} | {"problems": estimate.problems}


def by_count(estimate: Estimate, counts: list[int]) -> Result:
    """count → mean, low, high."""
    values = zip(counts, estimate.mean, estimate.low, estimate.high, strict=True)
    return {str(n): [round(float(value), 4) for value in of_one] for n, *of_one in values}


def mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if values.size else None
