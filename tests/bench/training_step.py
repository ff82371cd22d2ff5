"""P3: one training step of a PRM, against the two columns taken from logits over the whole vocabulary."""

from typing import Any

import torch
from bench.measuring import Work
from bench.scoring import judge, texts
from torch import Tensor

from minrm import prm_loss
from minrm.text import split_steps

SIZES = {"full": (4, 8), "quick": (1, 2), "tiny": (1, 2)}  # layers, rows of the batch


def p3(size: str) -> Work:
    layers, rows = SIZES[size]
    model = judge(layers, size == "tiny").train()
    steps = [split_steps(solution) for solution in texts(rows)[1]]
    data = [{"question": q, "steps": s, "labels": [1.0] * len(s)} for q, s in zip(texts(rows)[0], steps, strict=True)]
    batch = model.collate(model.prepare(data))
    inputs = {name: tensor.to(model.model.device) for name, tensor in batch["inputs"].items()}
    labels = batch["targets"]["labels"].to(model.model.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.0)  # so that each step finds the same

    def update(logits: Tensor) -> tuple[float, float]:
        loss = prm_loss(logits, labels)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        return loss.item(), norm.item()

    def usual() -> tuple[float, float]:
        logits = model.model(inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits
        return update(logits[inputs["steps"]][:, [model.minus_id, model.plus_id]])

    def close(results: dict[str, Any]) -> None:
        torch.testing.assert_close(results["minrm"], results["usual"], rtol=1e-4, atol=1e-5)

    return Work(
        f"a training step of a PRM, {rows} rows ({layers} layers of Qwen2.5-0.5B's width and vocabulary)",
        {"usual": "two columns of the logits over the whole vocabulary"},
        {"minrm": lambda: update(model(**inputs)), "usual": usual},
        close,
    )
