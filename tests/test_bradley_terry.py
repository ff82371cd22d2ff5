"""The Bradley–Terry model: its loss against the formula, its rewards against the stock module, its rows and errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import QUESTION, byte_bpe, causal
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from minrm.bradley_terry import BradleyTerryRewardModel, bradley_terry_loss

PROMPTS = [QUESTION, "What is 1 + 1?", QUESTION]
RESPONSES = ["Mia has 11 pens now.", "2", "9 + 5 = 14 pens, more than Tom has."]
PAIR = {"prompt": QUESTION, "chosen": "Mia has 11 pens.", "rejected": "Mia has 17 pens now, Tom has 9."}


@pytest.fixture(scope="module")
def model():
    return BradleyTerryRewardModel.from_base(causal(), tokenizer=byte_bpe())  # its pad token is its end token


@given(
    rewards=st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=1, max_size=6),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_loss_is_the_formula(rewards, dtype):
    chosen, rejected, margin = torch.tensor(rewards, dtype=dtype).T
    gaps = [float(c) - float(r) - float(m) for c, r, m in zip(chosen, rejected, margin, strict=True)]
    losses = [max(-gap, 0) + math.log1p(math.exp(-abs(gap))) for gap in gaps]
    assert bradley_terry_loss(chosen, rejected, margin).item() == pytest.approx(np.mean(losses), rel=1e-5, abs=1e-5)
    total = bradley_terry_loss(chosen, rejected, margin, reduction="sum")
    assert total.item() == pytest.approx(sum(losses), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("gap", [100.0, -100.0, 1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_difference_is_finite_and_pulls_the_right_way(gap, dtype):
    chosen = torch.tensor([gap], dtype=dtype, requires_grad=True)
    loss = bradley_terry_loss(chosen, torch.zeros(1, dtype=dtype))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(max(-chosen.item(), 0.0), rel=1e-6, abs=1e-6)
    assert chosen.grad.item() == pytest.approx(-1.0 if gap < 0 else 0.0)


def test_shapes_that_do_not_pair_up_are_refused():
    for shapes in ([3, 2], [3, 3, 2]):
        with pytest.raises(ValueError, match="one to one"):
            bradley_terry_loss(*map(torch.zeros, shapes))


def test_no_pairs_have_a_sum_but_no_mean():
    with pytest.raises(ValueError, match="no pair is given, so there is no mean"):
        bradley_terry_loss(torch.zeros(0), torch.zeros(0))
    assert bradley_terry_loss(torch.zeros(0), torch.zeros(0), reduction="sum") == 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_rewards_are_the_stock_modules_with_pad_equal_to_eos(model, tmp_path, side):
    model.save_pretrained(tmp_path)
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, padding_side=side)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == stock.config.pad_token_id
    rows = [model.tokenize(p, r)[0] for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    batch = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
    rewards = model.score(PROMPTS, RESPONSES)
    np.testing.assert_allclose(rewards, stock(**batch).logits[:, 0].detach(), atol=1e-4)
    np.testing.assert_allclose(
        BradleyTerryRewardModel.from_pretrained(tmp_path).score(PROMPTS, RESPONSES), rewards, atol=1e-5
    )


def test_a_response_that_ends_in_the_pad_token_is_still_read_at_its_end(model):
    ids = [*model.tokenize(QUESTION, "Mia has 11")[0], model.tokenizer.pad_token_id]
    states = model.model.base_model(torch.tensor([ids])).last_hidden_state
    padded = torch.tensor([[*ids, model.tokenizer.pad_token_id]])
    reward = model(padded, torch.tensor([[1] * len(ids) + [0]]))
    torch.testing.assert_close(reward, model.model.score(states[:, -1])[:, 0], rtol=1e-4, atol=1e-4)


def test_preference_is_the_logistic_of_the_difference(model):
    a, b = model.score([QUESTION] * 2, RESPONSES[:2])
    assert model.preference(QUESTION, *RESPONSES[:2]) == pytest.approx(1 / (1 + math.exp(b - a)), abs=1e-6)
    both = model.preference(QUESTION, *RESPONSES[:2]) + model.preference(QUESTION, *RESPONSES[1::-1])
    assert both == pytest.approx(1, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(3)))
def test_one_forward_over_pairs_equals_two(model, order):
    pairs = [{"prompt": PROMPTS[i], "chosen": RESPONSES[i], "rejected": RESPONSES[i - 1]} for i in order]
    batch = model.collate(model.prepare(pairs))
    rewards = model(**batch["inputs"])
    chosen = torch.from_numpy(model.score([p["prompt"] for p in pairs], [p["chosen"] for p in pairs]))
    rejected = torch.from_numpy(model.score([p["prompt"] for p in pairs], [p["rejected"] for p in pairs]))
    expected = bradley_terry_loss(chosen, rejected, reduction="sum").item()
    assert model.loss_sum(rewards, batch["targets"]).item() == pytest.approx(expected, abs=1e-4)
    assert model.is_correct(rewards, batch["targets"]).tolist() == (chosen > rejected).tolist()
    assert batch["count"] == 3


def test_pairs_that_truncation_makes_identical_are_none(model):
    sides = [model.tokenize(QUESTION, PAIR[side])[0] for side in ("chosen", "rejected")]
    shared = next(i for i, (a, b) in enumerate(zip(*sides, strict=False)) if a != b)
    assert model.prepare([PAIR], max_length=shared) == [None]
    (cut,) = model.prepare([PAIR], max_length=shared + 1)
    (whole,) = model.prepare([PAIR])
    for side in ("chosen", "rejected"):
        assert cut[side].tolist() == whole[side][: shared + 1].tolist()
    assert len(whole["rejected"]) > shared + 1
