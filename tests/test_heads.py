"""Two rows of the head at the step positions give what the whole model gives there."""

import pytest
import torch
from tiny import ARCHITECTURES, causal

from minrm.prm import logits_are_linear, token_logits


def test_gemma_2_changes_its_logits_outside_the_head_and_the_others_do_not():
    assert [logits_are_linear(causal(name)) for name in ARCHITECTURES] == [True, True, False]


def test_a_cap_is_seen_even_where_the_logits_are_small():
    model = causal("gemma2")
    with torch.no_grad():
        model.lm_head.weight.mul_(1e-4)
    assert not logits_are_linear(model)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gathered_logits_equal_the_full_forward_with_gradients(architecture, tied):
    model = causal(architecture, vocabulary=50, tie_word_embeddings=tied).double()
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 50, (3, 20), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 12:] = 0
    at = (torch.rand(3, 20, generator=generator) < 0.3) & mask.bool()
    tokens = torch.tensor([7, 3])
    some = token_logits(model, logits_are_linear(model), ids, mask, at, tokens)
    full = model(ids, attention_mask=mask, use_cache=False).logits[at][:, tokens]
    torch.testing.assert_close(some, full, rtol=1e-6, atol=1e-6)
    weights = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    ours = torch.autograd.grad(some.logsumexp(1).sum(), weights)
    theirs = torch.autograd.grad(full.logsumexp(1).sum(), weights)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_vocabulary_is_never_multiplied_on_the_plain_way(monkeypatch):
    model = causal()
    plain = logits_are_linear(model)
    model.lm_head.register_forward_hook(lambda *_: pytest.fail("the whole head ran"))
    ids = torch.tensor([[3, 4, 5]])
    logits = token_logits(model, plain, ids, torch.ones_like(ids), ids == 5, torch.tensor([1, 2]))
    assert logits.shape == (1, 2)


def test_a_bias_of_the_head_is_added():
    model = causal(vocabulary=50)
    model.lm_head = torch.nn.Linear(32, 50)
    ids = torch.tensor([[3, 4, 5]])
    logits = token_logits(model, logits_are_linear(model), ids, torch.ones_like(ids), ids == 5, torch.tensor([1, 2]))
    torch.testing.assert_close(logits[0], model(ids).logits[0, 2, 1:3], rtol=1e-4, atol=1e-5)
