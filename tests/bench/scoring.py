"""P1 and P2: PRM scores of many solutions of one question, against a pass for each step and against padded batches."""

import random
from typing import Any

import numpy as np
import torch
from bench.measuring import Work
from transformers import Qwen2Config, Qwen2ForCausalLM

from minrm import ProcessRewardModel
from minrm.reward_model import pad
from minrm.text import CORRECT
from minrm.world.policy import build_tokenizer

VOCABULARY = 151_936  # of Qwen 2.5; the texts are in the words of the embedded world
SIZES = {"full": (4, 64, 16), "quick": (1, 8, 4), "tiny": (1, 6, 4)}  # layers, solutions, rows of a padded batch
WORDS = [
    "Tom",
    "Mia",
    "has",
    "have",
    "more",
    "than",
    "buys",
    "loses",
    "boxes",
    "pens",
    *map(str, range(2, 15)),
    "+",
    "=",
]


def judge(layers: int, tiny: bool = False) -> ProcessRewardModel:
    """A PRM of Qwen2.5-0.5B's width and vocabulary with random weights."""
    shape = {"hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2}
    shape |= {"vocab_size": VOCABULARY, "num_hidden_layers": layers, "max_position_embeddings": 2048}
    if tiny:
        shape |= {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "vocab_size": 600}
    torch.manual_seed(0)
    base = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True, initializer_range=0.1 if tiny else 0.02))
    return ProcessRewardModel.from_base(base, tokenizer=build_tokenizer())


def texts(solutions: int) -> tuple[list[str], list[str]]:
    """One question of about 230 tokens, repeated, and solutions of about 200 tokens in 6 to 10 steps."""
    rng = random.Random(0)
    question = " ".join(rng.choices(WORDS, k=230))
    written = []
    for _ in range(solutions):
        steps = rng.randint(6, 10)
        lines = [f"Step: {step}: " + " ".join(rng.choices(WORDS, k=200 // steps)) for step in range(1, steps + 1)]
        written.append("\n".join(lines))
    return [question] * solutions, written


def _chances(model: ProcessRewardModel, logits: torch.Tensor) -> np.ndarray:
    """P(+) from logits [S, V] over the whole vocabulary."""
    return logits[:, [model.minus_id, model.plus_id]].double().softmax(dim=-1)[:, CORRECT].cpu().numpy()


@torch.inference_mode()
def step_by_step(model: ProcessRewardModel, questions: list[str], solutions: list[str]) -> list[np.ndarray]:
    """A forward pass for each prefix that ends in a step."""
    scores = []
    for ids, _ in model.encode(questions, solutions):
        whole = torch.tensor([ids], device=model.model.device)
        ends = [place + 1 for place, token in enumerate(ids) if token == model.step_id]
        last = [model.model(whole[:, :end], use_cache=False).logits[0, -1] for end in ends]
        scores.append(_chances(model, torch.stack(last)))
    return scores


@torch.inference_mode()
def padded(model: ProcessRewardModel, questions: list[str], solutions: list[str], rows: int) -> list[np.ndarray]:
    """Complete texts in padded batches, with the logits of every token over the whole vocabulary."""
    scores, encoded = [], [ids for ids, _ in model.encode(questions, solutions)]
    for start in range(0, len(encoded), rows):
        batch = {
            name: ids.to(model.model.device)
            for name, ids in pad(encoded[start : start + rows], model.tokenizer).items()
        }
        logits = model.model(**batch, use_cache=False).logits  # [B, T, V]
        for own, ids in zip(logits, batch["input_ids"], strict=True):
            scores.append(_chances(model, own[ids == model.step_id]))
    return scores


def _close(results: dict[str, Any]) -> None:
    ours, others = results["minrm"], results["usual"]
    assert all(6 <= len(own) <= 10 for own in ours)
    for own, other in zip(ours, others, strict=False):  # the usual way may have scored a part
        np.testing.assert_allclose(own, other, atol=1e-4)


def p1(size: str) -> Work:
    layers, count, _ = SIZES[size]
    model, (questions, solutions) = judge(layers, size == "tiny"), texts(count)
    part = max(1, count // 32)
    return Work(
        f"PRM scores of {count} solutions of one question ({layers} layers of Qwen2.5-0.5B's width and vocabulary)",
        {"usual": "a forward pass for each step, logits over the whole vocabulary"},
        {
            "minrm": lambda: model.step_scores(questions, solutions),
            "usual": lambda: step_by_step(model, questions[:part], solutions[:part]),
        },
        _close,
        {"usual": part / count},
    )


def p2(size: str) -> Work:
    layers, count, rows = SIZES[size]
    model, (questions, solutions) = judge(layers, size == "tiny"), texts(count)
    return Work(
        f"PRM scores of {count} solutions of one question ({layers} layers of Qwen2.5-0.5B's width and vocabulary)",
        {"usual": f"padded batches of {rows} complete texts, logits over the whole vocabulary"},
        {
            "minrm": lambda: model.step_scores(questions, solutions),
            "usual": lambda: padded(model, questions[:rows], solutions[:rows], rows),  # one of the batches
        },
        _close,
        {"usual": rows / count},
    )
