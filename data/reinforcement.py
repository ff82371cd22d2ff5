"""Training against a reward, recorded for chapter 10.

**Expert iteration**, from five seeds: three rounds in which 500 problems get 8 solutions each, and the policy learns
the one that the process reward model likes best; beside it as many that were drawn at random. After each round the
policy writes four solutions of each evaluation problem.

**Policy gradients**: 150 updates of 8 problems with 8 solutions each. Four rewards, from five seeds: the right answer,
the ORM, the PRM, and a Bradley–Terry model whose annotators prefer the shorter solution. Three seeds tell what the
weight of the KL penalty changes, and the mean of several ORMs. Right, sound and words are noted in every update. The
rewards are the judges of seeds 0 to 2, by turns.

**DPO**: the policy that chapter 6 trains on 4,000 pairs of right and wrong, kept for its implicit rewards.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from runs import MODELS, Row, checkpoint, pair_rows
from transformers import AutoModelForCausalLM

from minrm import BradleyTerryRewardModel, bradley_terry_loss, loading, sample, train
from minrm.rows import read_rows, write_rows
from minrm.sampling import COT, token_log_probs
from minrm.using import expert_iteration, policy_gradient, reward_function
from minrm.using.fine_tuning import as_rows, collate
from minrm.using.rewards import Reward
from minrm.world import generate, read_problem
from minrm.world.recorded_runs import SEEDS

BETA = 0.1  # of DPO
JUDGES = 3  # seeds of each kind that serve as rewards
GRADIENTS: dict[str, tuple[str, float, int]] = {  # name: reward, weight of the KL penalty, seeds
    "right": ("right", 0.02, 5),
    "orm": ("orm", 0.02, 5),
    "prm": ("prm", 0.02, 5),
    "shorter": ("shorter", 0.02, 5),
    "orm_free": ("orm", 0.0, 3),
    "orm_near": ("orm", 0.2, 3),
    "orm_three": ("orms", 0.02, 3),
}


def experts(seed: int, out: Path, scale: Any) -> None:
    """Expert iteration with the PRM of this seed, and with solutions that were drawn."""
    questions = _questions(30 if scale.small else 1500, seed)
    options: Row = {"rounds": 3, "n": 8, "temperature": 1.0, "max_new_tokens": 100, "seed": seed}
    rows = _written(out / "policy", out, scale, {"way": "start", "round": 0})
    for way, reward in {"PRM": _judge("prm", seed, out), "random": None}.items():
        folder = out / "work" / "experts" / f"{way}-{seed}"
        for done in expert_iteration(out / "policy", reward, questions, folder, **options):
            rows += _written(done["policy"], out, scale, {"way": way, "round": done["round"]})
    write_rows(rows, out / "reinforcement" / f"experts-{seed}.parquet")


def gradient(name: str, seed: int, out: Path, scale: Any) -> None:
    """Policy gradients against one reward, from one seed."""
    kind, kl, _ = GRADIENTS[name]
    folder = out / "work" / "gradients" / f"{name}-{seed}"
    options: Row = {"updates": 150, "batch": 8, "group": 8, "learning_rate": 3e-4, "max_new_tokens": 100}
    if scale.small:
        options |= {"updates": 3, "batch": 4, "group": 4}
    watch = {"right": right, "sound": sound, "words": words}
    reward = REWARDS[kind](seed, out)
    questions = _questions(options["batch"] * 200, seed)
    history = policy_gradient(out / "policy", reward, questions, folder, kl=kl, watch=watch, seed=seed, **options)
    trained = folder / f"update-{options['updates']}"
    write_rows(_written(trained, out, scale, {}), out / "reinforcement" / f"{name}-{seed}.parquet")
    kept = {"settings": options | {"kl": kl, "reward": kind, "seed": seed}, "history": history}
    (out / "reinforcement" / f"{name}-{seed}.json").write_text(json.dumps(kept, indent=1) + "\n")


def preferred(out: Path, scale: Any) -> None:
    """The policy, trained by direct preference optimisation on pairs of a right and a wrong solution."""
    torch.manual_seed(0)
    options: Row = {"tokenizer": None, "device": "cpu", "dtype": "float32"}
    policy, tokenizer = loading.load(AutoModelForCausalLM, out / "policy", **options)
    start, _ = loading.load(AutoModelForCausalLM, out / "policy", **options)
    pairs = pair_rows(list(read_rows(out / "training.parquet")))[: 64 if scale.small else 4000]
    optimiser = torch.optim.AdamW(policy.parameters(), lr=1e-4)
    for first in range(0, len(pairs), 32):
        some = pairs[first : first + 32]
        texts = [
            (COT.replace("{question}", row["prompt"]), row[side]) for side in ("chosen", "rejected") for row in some
        ]
        batch = collate(list(as_rows(tokenizer, texts)))
        response = batch.pop("labels")[:, 1:] != -100
        with torch.no_grad():
            before = token_log_probs(start, **batch)
        gain = (token_log_probs(policy, **batch) - before).masked_fill(~response, 0).sum(dim=1)
        loss = bradley_terry_loss(*(BETA * gain).chunk(2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    loading.save(policy.half(), tokenizer, out / "policies" / "dpo")


def right(questions: list[str], solutions: list[str]) -> list[float]:
    """1 for each solution with the right answer: the reward of an exact checker."""
    return [float(judged["correct"]) for judged in _judged(questions, solutions)]


def sound(questions: list[str], solutions: list[str]) -> list[float]:
    """1 for each solution with the right answer and no bad step."""
    return [float(judged["correct"] and all(judged["labels"])) for judged in _judged(questions, solutions)]


def words(questions: list[str], solutions: list[str]) -> list[float]:
    """The number of words of each solution."""
    return [float(len(solution.split())) for solution in solutions]


def mean_of(rewards: list[Reward]) -> Reward:
    """The mean of several rewards (Coste et al. 2023): where judges disagree, no one of them decides."""

    def mean(questions: list[str], solutions: list[str]) -> list[float]:
        return np.mean([reward(questions, solutions) for reward in rewards], axis=0).tolist()

    return mean


def shorter(seed: int, out: Path) -> Reward:
    """A Bradley–Terry model that learns from annotators who prefer the solution with fewer words."""
    by_question: dict[str, list[str]] = {}
    for row in read_rows(out / "training.parquet"):
        by_question.setdefault(row["question"], []).append(row["solution"])
    pairs = []
    for question, texts in by_question.items():
        short, *_, long = sorted(texts, key=lambda text: len(text.split()))
        if len(short.split()) < len(long.split()):
            pairs.append({"prompt": question, "chosen": short, "rejected": long})
    model = BradleyTerryRewardModel.from_base(out / "policy", seed=seed)
    train(model, pairs, out / "work" / f"shorter-{seed}", batch_size=64, learning_rate=1e-3, seed=seed)
    return reward_function(model)


def _judge(kind: str, seed: int, out: Path) -> Reward:
    return reward_function(MODELS[kind].from_pretrained(checkpoint(kind, seed % JUDGES, out), dtype="float32"))


REWARDS: dict[str, Callable[[int, Path], Reward]] = {
    "right": lambda seed, out: right,
    "orm": partial(_judge, "orm"),
    "prm": partial(_judge, "prm"),
    "shorter": shorter,
    "orms": lambda seed, out: mean_of([_judge("orm", other, out) for other in range(JUDGES)]),
}


def _questions(n: int, seed: int) -> list[str]:
    return [problem.question for problem in generate(n, seed=30 + seed, split="train")]


def _judged(questions: list[str], solutions: list[str]) -> list[Row]:
    return [read_problem(question).judge(text) for question, text in zip(questions, solutions, strict=True)]


def _written(policy: str | Path, out: Path, scale: Any, notes: Row) -> list[Row]:
    """Four solutions of each evaluation problem by a policy, at temperature 1: whether they are right and sound."""
    questions = [row["question"] for row in read_rows(out / "problems.parquet")]
    texts = sample(str(policy), questions, 4, temperature=1.0, max_new_tokens=100, seed=40, batch_size=512)
    told = _judged([row["question"] for row in texts], [row["solution"] for row in texts])
    return [
        notes
        | {"problem": row["problem"], "solution": row["solution"], "correct": judged["correct"]}
        | {"sound": judged["correct"] and all(judged["labels"])}
        for row, judged in zip(texts, told, strict=True)
    ]


UNITS = {"dpo": (preferred, "policies/dpo/model.safetensors")}
UNITS |= {f"experts-{seed}": (partial(experts, seed), f"reinforcement/experts-{seed}.parquet") for seed in SEEDS} | {
    f"gradient-{name}-{seed}": (partial(gradient, name, seed), f"reinforcement/{name}-{seed}.json")
    for name, (_, _, seeds) in GRADIENTS.items()
    for seed in range(seeds)
}
