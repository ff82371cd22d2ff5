"""Reward models grown from the public model on public data, each beside what needs no training, and best of N.

Each kind learns as the GPU chapter does, by LoRA, and is measured on rows about other questions: beside the base rate,
the word count alone, and the model before training. Intervals are 95 %, over questions, for one training run each.
"""

import json
import random
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import policy
from policy import DTYPE, Result, by_count, counts_up_to, told, within

from minrm import (
    BradleyTerryRewardModel,
    OutcomeRewardModel,
    ProcessRewardModel,
    best_of_n,
    majority_vote,
    pass_at_n,
    train,
    weighted_vote,
)
from minrm.errors import InputError
from minrm.loading import load_tokenizer
from minrm.metrics import Estimate, first_error_f1, over_seeds, paired_difference, pooled_auc, within_problem_auc
from minrm.prm import AGGREGATES, aggregate_steps
from minrm.sources import gsm8k_solutions, hh_rlhf, prm800k
from minrm.text import join_steps

MODELS: Result = {"orm": OutcomeRewardModel, "prm": ProcessRewardModel, "bradley_terry": BradleyTerryRewardModel}
SOURCES: Result = {"orm": gsm8k_solutions, "prm": prm800k, "bradley_terry": partial(hh_rlhf, data_dir="harmless-base")}
READ = 20_000  # rows of a source, from which those of a run are drawn
DRAWS = 1000
PER_QUESTION = 8  # rows: PRM800K has problems with hundreds of solutions
SETTINGS: Result = {"lora": 16, "learning_rate": 3e-4, "epochs": 2, "batch_size": 4, "accumulate": 2, "dtype": DTYPE}
PAIRS: Result = {"epochs": 1, "batch_size": 2, "accumulate": 4}  # two texts a row; one epoch, as Ouyang et al. (2022)
Rows = list[dict[str, Any]]


def split_rows(kind: str, place: Any) -> tuple[Rows, Rows, Result]:
    """Rows to train on, rows about other questions to measure on, and what was left out.

    The problems whose samples are judged later are in neither. Rows longer than `longest` tokens are left out: cut, a
    solution has no end, and says nothing about its label.
    """
    rows = list(islice(SOURCES[kind](place.data[kind], streaming=True), READ))
    tokenizer = load_tokenizer(place.model)
    sampled = {row["question"] for row in policy.problems(place)}
    free = [row for row in rows if asked(row) not in sampled]
    lengths = [max(len(tokenizer(asked(row) + text)["input_ids"]) for text in texts(row)) for row in free]
    short = [row for row, length in zip(free, lengths, strict=True) if length <= place.scale.longest]
    by_question: dict[str, Rows] = {}
    for row in short:
        by_question.setdefault(asked(row), []).append(row)
    by_question = {question: own[:PER_QUESTION] for question, own in by_question.items()}
    order = list(by_question)
    random.Random(0).shuffle(order)
    sides: tuple[Rows, Rows] = ([], [])
    for question in order:  # whole questions, so that none is on both sides
        sides[len(sides[0]) >= place.scale.rows[kind]].extend(by_question[question])
    held_out = sides[1][: place.scale.held_out[kind]]
    if not held_out:
        raise InputError(f"{place.data[kind]}: {len(short)} rows fit, which leaves none to measure on; take more")
    left = {"read": len(rows), "about sampled problems": len(rows) - len(free), "too long": len(free) - len(short)}
    left |= {f"more than {PER_QUESTION} to a question": len(short) - sum(map(len, by_question.values()))}
    return sides[0], held_out, left


def asked(row: Result) -> str:
    return row["prompt" if "prompt" in row else "question"]


def texts(row: Result) -> list[str]:
    if "chosen" in row:
        return [row["chosen"], row["rejected"]]
    return [row["solution"] if "solution" in row else join_steps(row["steps"])]


def judge(kind: str, seed: int, place: Any) -> Result:
    """Train a reward model, measure it on held-out rows, and let it score the public model's own samples."""
    training, held_out, left = split_rows(kind, place)
    measure, folder = MEASURES[kind], place.work / f"{kind}-{seed}"
    model = MODELS[kind].from_base(place.model, seed=seed, dtype="float32")
    untrained = measure(model, held_out)
    model = MODELS[kind].from_base(place.model, seed=seed, dtype=DTYPE)
    settings = SETTINGS | (PAIRS if kind == "bradley_terry" else {}) | place.scale.settings | {"seed": seed}
    history = train(model, training, folder, **settings).history
    model = MODELS[kind].from_pretrained(folder, dtype="float32")
    trained, drawn = measure(model, held_out), policy.samples(place)
    flat = [question for question in drawn.questions for _ in range(drawn.cut.shape[1])]
    own = own_scores(kind, model, flat, drawn.solutions.ravel().tolist())
    return {
        "settings": settings, "rows": {"training": len(training), "held out": len(held_out), **left},
        **report(kind, {"trained": trained, "untrained": untrained}, training, held_out),
        "own samples": {way: rounded(scores.reshape(drawn.cut.shape)) for way, scores in own.items()},
        "history": history,
    }  # fmt: skip


def outcomes(model: Any, rows: Rows) -> Result:
    """An item is a solution: P(correct)."""
    return {"scores": model.score([row["question"] for row in rows], [row["solution"] for row in rows])}


def steps(model: Any, rows: Rows) -> Result:
    """An item is a labelled step: P(+). all: of every step of each solution."""
    every = model.step_scores([row["question"] for row in rows], [join_steps(row["steps"]) for row in rows])
    labelled = [of_one[known(row)] for of_one, row in zip(every, rows, strict=True)]
    return {"scores": np.concatenate(labelled), "all": every}


def preferences(model: Any, rows: Rows) -> Result:
    """An item is a pair: by how much the chosen response is rewarded more."""
    prompts = [row["prompt"] for row in rows]
    chosen, rejected = (model.score(prompts, [row[side] for row in rows]) for side in ("chosen", "rejected"))
    return {"scores": chosen - rejected}


MEASURES: dict[str, Callable[[Any, Rows], Result]] = {"orm": outcomes, "prm": steps, "bradley_terry": preferences}


def known(row: Result) -> np.ndarray:
    """Which steps of a row carry a label: [steps] bool."""
    return np.array([label is not None for label in row["labels"]])


def items(kind: str, rows: Rows) -> tuple[np.ndarray, np.ndarray, Result]:
    """For each item of the rows: its label (of a pair always 1), its question, and what is read off without a model."""
    if kind == "bradley_terry":
        words = [len(row["chosen"].split()) - len(row["rejected"].split()) for row in rows]
        return np.ones(len(rows), bool), np.array([row["prompt"] for row in rows]), {"words": np.array(words)}
    if kind == "orm":
        labels, words = [row["correct"] for row in rows], [len(row["solution"].split()) for row in rows]
        return np.array(labels), np.array([row["question"] for row in rows]), {"words": np.array(words)}
    every = [(row, place) for row in rows for place in known(row).nonzero()[0]]
    off = {"words": [len(row["steps"][k].split()) for row, k in every], "place of the step": [k for _, k in every]}
    labels = [row["labels"][k] >= 0.5 for row, k in every]
    questions = [row["question"] for row, _ in every]
    return np.array(labels), np.array(questions), {name: np.array(values) for name, values in off.items()}


def report(kind: str, measured: dict[str, Result], training: Rows, held_out: Rows) -> Result:
    """Accuracy and AUC of scores on held-out rows, and of what needs no model; the first way less each other, in pairs.

    What needs no model, as a word count, is read in the direction that is right more often on the training rows.
    """
    labels, questions, off = items(kind, held_out)
    known_labels, _, known_off = items(kind, training)
    ways = {way: of_way["scores"] for way, of_way in measured.items()}
    name, quality = ("accuracy", preferred) if kind == "bradley_terry" else ("AUC", auc)
    for what, values in off.items():
        more = quality(known_off[what], known_labels) >= 0.5
        ways[f"{what} alone, {'more' if more else 'fewer'}"] = values if more else -values
    first, *others = ways
    found: Result = {
        "items": len(labels), name: {way: over(questions, quality, values, labels) for way, values in ways.items()},
        f"{name}, {first} less": {
            way: over(questions, lambda a, b, y: quality(a, y) - quality(b, y), ways[first], ways[way], labels)
            for way in others
        },
    }  # fmt: skip
    if kind == "bradley_terry":
        return found | {"base rate": 0.5}  # the chosen response stands on either side of a coin
    found["base rate"] = over(questions, np.mean, labels)
    if all((ways[way] >= 0).all() for way in measured):  # probabilities
        found["accuracy"] = {way: over(questions, agreement, ways[way], labels) for way in measured}
        found["accuracy"]["the commoner label, always"] = round(float(max(labels.mean(), 1 - labels.mean())), 4)
    if kind == "orm":
        apart = {way: by_question(values, questions) for way, values in ways.items()}
        aucs = {way: attempt(within_problem_auc, own, by_question(labels, questions)) for way, own in apart.items()}
        found["AUC within a problem"] = {way: e and told(e) for way, e in aucs.items()}
    for way in measured if kind == "prm" else ():
        f1 = attempt(first_error_f1, measured[way]["all"], [row["labels"] for row in held_out])
        sides = f1 and {"erroneous": told(f1.erroneous), "correct": told(f1.correct), "F1": round(f1.f1, 4)}
        found.setdefault("first error", {})[way] = sides
    return found


def by_question(values: np.ndarray, questions: np.ndarray) -> list[np.ndarray]:
    return [values[questions == question] for question in dict.fromkeys(questions)]


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    return pooled_auc([scores], [labels])


def agreement(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(((scores > 0.5) == labels).mean())


def preferred(gaps: np.ndarray, labels: np.ndarray) -> float:
    """How often the chosen response is ahead; ties count half."""
    return float(np.where(gaps == 0, 0.5, gaps > 0).mean())


def attempt(measure: Callable, *values: Any) -> Any:
    """The measure, or None where the rows have only one of the two kinds that it compares."""
    try:
        return measure(*values)
    except InputError:
        return None


def over(questions: np.ndarray, measure: Callable[..., float], *columns: np.ndarray) -> Result:
    """A measure of items with its 95 % interval: whole questions are drawn again with replacement."""
    members = [np.flatnonzero(questions == question) for question in dict.fromkeys(questions)]
    rng, values = np.random.default_rng(0), []
    for _ in range(DRAWS):
        rows = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        values.append(attempt(measure, *(column[rows] for column in columns)))
    low, high = np.percentile([value for value in values if value is not None], [2.5, 97.5])
    ends = {"mean": measure(*columns), "low": low, "high": high}
    return {name: round(float(value), 4) for name, value in ends.items()} | {"questions": len(members)}


def own_scores(kind: str, model: Any, questions: list[str], solutions: list[str]) -> dict[str, np.ndarray]:
    """Scores of the public model's samples; of step scores each aggregate. An empty solution has the lowest score."""
    if kind != "prm":
        return {kind: model.score(questions, solutions)}
    by_step = model.step_scores(questions, solutions)
    return {f"prm, {how}": aggregate_steps(by_step, how) for how in AGGREGATES}


def best(place: Any) -> Result:
    """Best of N of the model's own samples by each recorded judge, beside the vote, the likeliest, and the shortest."""
    drawn, counts = policy.samples(place), counts_up_to(place.scale.samples)
    likely = drawn.log_likelihood / drawn.tokens
    ways = {"likeliest": [likely], "shortest": [-drawn.tokens], "longest": [drawn.tokens]}
    for path in sorted(path for kind in MODELS for path in place.out.glob(f"{kind}-*.json")):
        for way, scores in json.loads(path.read_text())["results"]["own samples"].items():
            ways.setdefault(way, []).append(np.nan_to_num(np.array(scores, dtype=float), nan=-np.inf))
    vote = majority_vote(drawn.answers, drawn.truth, counts)
    chosen = {way: over_seeds([best_of_n(s, drawn.correct, counts) for s in of_seeds])
              for way, of_seeds in ways.items()}  # fmt: skip
    weighted = [weighted_vote(drawn.answers, scores, drawn.truth, counts) for scores in ways.get("orm", ())]
    voted = {"vote": vote} | ({"vote weighted by the orm": over_seeds(weighted)} if weighted else {})
    one = drawn.correct.mean(axis=1)
    gains = {way: paired_difference(e.per_problem[:, -1], one) for way, e in (voted | chosen).items()}
    return {
        "one sample": told(Estimate.over_problems(one)), "pass@N": by_count(pass_at_n(drawn.correct, counts), counts),
        **{way: by_count(e, counts) for way, e in (voted | chosen).items()},
        f"of {counts[-1]} - one sample": {way: told(e) for way, e in gains.items()},
        "AUC within a problem": {way: [within(s, drawn) for s in of_seeds] for way, of_seeds in ways.items()},
        "seeds": {way: len(of_seeds) for way, of_seeds in ways.items()}, "of samples": policy.lengths(drawn),
    }  # fmt: skip


def likelihood(place: Any) -> Result:
    """Does the model itself find right solutions likelier? Measured on the held-out rows of the ORM."""
    training, held_out, left = split_rows("orm", place)
    values = policy.log_likelihoods(place.model, held_out)
    measured = {"log-likelihood a token": {"scores": values}}
    return {"rows": {"held out": len(held_out), **left}, **report("orm", measured, training, held_out)}


def rounded(scores: np.ndarray) -> list[list[float | None]]:
    """Six digits; None for the lowest score of all, which JSON has no word for."""
    return [[float(f"{value:.6g}") if np.isfinite(value) else None for value in own] for own in scores]
