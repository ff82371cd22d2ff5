"""How many tokens go through a model together."""

from random import Random
from types import SimpleNamespace

import pytest
import torch

from minrm.inference.batches import token_batches, token_budget


def model(width, device="cpu", **config):
    config = SimpleNamespace(hidden_size=width, **config)
    config.get_text_config = lambda: config
    return SimpleNamespace(config=config, device=torch.device(device), dtype=torch.float16)


@pytest.mark.parametrize(("width", "tokens"), [(128, 8192), (1024, 1024), (8192, 512)])
def test_on_a_processor_wider_models_read_fewer_tokens_at_once(width, tokens):
    assert token_budget(model(width)) == tokens


def test_on_a_gpu_free_memory_decides_within_bounds(monkeypatch):
    wide, budgets = model(1024, "cuda", intermediate_size=5000), []
    for free in (10**6, 2 * 10**9, 4 * 10**9, 10**12):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**12))
        budgets.append(token_budget(wide))
    assert budgets[0] == 1024 and budgets[-1] == 2**16 and budgets[2] == 2 * budgets[1]


def test_little_of_what_is_scored_is_padding():
    lengths = [Random(0).randint(150, 250) for _ in range(64)]
    batches = list(token_batches(lengths, token_budget(model(896))))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded <= 1.05 * sum(lengths)
