"""Policy gradients: the formulas against plain loops, a reward that rises, and a run that is taken up again."""

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoTokenizer

from minrm.errors import InputError
from minrm.using import advantages, kl_estimate, policy_gradient, policy_gradient_loss

QUESTIONS = [f"Tom has {number} pens. How many pens does Tom have now?" for number in range(1, 9)]
REWARDS = st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=3, max_size=3), min_size=1, max_size=4)


@given(REWARDS, st.booleans(), st.floats(-5, 5), st.floats(0.5, 4))
def test_an_advantage_is_the_distance_from_the_groups_mean(rewards, normalise, shift, scale):
    given_rewards = torch.tensor(rewards, dtype=torch.float64)
    result = advantages(given_rewards, normalise)
    for row, own in zip(given_rewards, result, strict=True):
        spread = row.std() if normalise and row.std() > 0 else 1
        assert torch.allclose(own, (row - row.mean()) / spread, atol=1e-5)
    moved = advantages(given_rewards * scale + shift, normalise)
    assert torch.allclose(moved, result * (1 if normalise else scale), atol=1e-4)


def test_the_loss_against_a_plain_loop_and_its_gradient_against_reinforce():
    torch.manual_seed(0)
    log_p, reference = (-torch.rand(3, 4, dtype=torch.float64) for _ in range(2))
    log_p.requires_grad_()
    mask = torch.tensor([[0, 1, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0]], dtype=torch.bool)
    advantage = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    total = 0.0
    for row, column in mask.nonzero().tolist():
        ratio = (reference - log_p.detach())[row, column].exp()
        total += -advantage[row] * log_p.detach()[row, column] + 0.3 * (ratio - 1 - ratio.log())
    loss = policy_gradient_loss(log_p, advantage, mask, reference, kl=0.3)
    assert loss.item() == pytest.approx(total.item() / 7)
    policy_gradient_loss(log_p, advantage, mask).backward()
    assert torch.allclose(log_p.grad, torch.where(mask, -advantage[:, None] / 7, 0))


def test_the_estimate_of_the_kl_is_unbiased_and_never_negative():
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    estimate = kl_estimate(p.log(), q.log())
    assert (estimate >= 0).all() and (p * estimate).sum().item() == pytest.approx((p * (p / q).log()).sum().item())


def short(questions, solutions):
    return [-float(len(solution)) for solution in solutions]


OPTIONS = {"batch": 4, "group": 4, "learning_rate": 3e-3, "kl": 0.0, "max_new_tokens": 12, "progress": False}


def test_a_reward_for_short_texts_makes_them_short_and_a_penalty_keeps_the_policy_near_its_start(base, tmp_path):
    options = OPTIONS | {"updates": 25, "learning_rate": 3e-2, "group": 8}  # 4 may never write an end token
    watch = {"longest": lambda _, solutions: [max(map(len, solutions))] * len(solutions)}
    free = policy_gradient(base, short, QUESTIONS, tmp_path / "free", watch=watch, **options)
    assert [row["update"] for row in free] == list(range(1, 26))
    assert free[0]["reward"] < -15 and free[-1]["reward"] > -5
    assert all(row["longest"] >= -row["reward"] and len(row["best"]) <= -row["reward"] for row in free)
    assert free[0]["kl"] == pytest.approx(0, abs=1e-4) and free[-1]["kl"] > 3
    assert 0 < free[-1]["entropy"] < free[0]["entropy"] / 2
    held = policy_gradient(base, short, QUESTIONS, tmp_path / "held", **options | {"kl": 5.0})
    assert held[-1]["kl"] < 1 and held[-1]["reward"] < -15


def test_a_stopped_run_goes_on_and_ends_where_the_whole_one_ends(base, tmp_path):
    options = OPTIONS | {"updates": 6, "save_steps": 2}
    whole = policy_gradient(base, short, QUESTIONS, tmp_path / "whole", **options)
    calls = []

    def fails_once(questions, solutions):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("the power went out")
        return short(questions, solutions)

    fails_once.__qualname__ = "short"  # by which a run knows its reward
    (tmp_path / "cut/update-notes").mkdir(parents=True)  # the user's own
    with pytest.raises(RuntimeError):
        policy_gradient(base, fails_once, QUESTIONS, tmp_path / "cut", **options)
    assert policy_gradient(base, fails_once, QUESTIONS, tmp_path / "cut", **options) == whole
    assert len(calls) == 4 + 4  # from update 3, which was not saved
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["run.json", "update-6", "update-notes"]
    assert json.loads((tmp_path / "cut/run.json").read_text())["history"] == whole
    with pytest.raises(InputError, match="other settings"):
        policy_gradient(base, short, QUESTIONS, tmp_path / "cut", **options | {"kl": 0.5})
    with pytest.raises(InputError, match="other settings"):
        policy_gradient(base, lambda questions, solutions: [0.0] * 16, QUESTIONS, tmp_path / "cut", **options)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_update_does_not_depend_on_batches_or_on_the_side_of_padding(side, base, tmp_path, monkeypatch):
    history, weights = {}, {}
    tokenizer = AutoTokenizer.from_pretrained(base)
    for budget in (64, 10**6):
        monkeypatch.setattr("minrm.inference.batches.token_budget", lambda model, budget=budget: budget)
        start = shutil.copytree(base, tmp_path / f"base-{budget}")
        tokenizer.padding_side = "right" if budget == 10**6 else side
        tokenizer.save_pretrained(start)
        folder = tmp_path / str(budget)
        history[budget] = policy_gradient(start, short, QUESTIONS, folder, **OPTIONS | {"updates": 1, "kl": 0.5})[0]
        weights[budget] = load_file(folder / "update-1/model.safetensors")
    for name in ("tokens", "kl", "entropy"):
        assert history[64][name] == pytest.approx(history[10**6][name], rel=1e-4, abs=1e-5)
    for name, tensor in weights[10**6].items():
        apart = (tensor - weights[64][name]).abs() > 1e-4
        assert apart.float().mean() < 0.01, name  # Adam makes a whole step of a gradient that is nearly zero


def test_a_reward_that_is_not_finite_is_refused(base, tmp_path):
    with pytest.raises(InputError, match="not finite"):
        policy_gradient(base, lambda _, solutions: [float("-inf")] * len(solutions), QUESTIONS, tmp_path, **OPTIONS)


@pytest.mark.parametrize("options", [{"batch": 9}, {"group": 1}, {"updates": 0}, {"save_steps": 0}])
def test_groups_and_batches_that_cannot_be_are_refused(options, base, tmp_path):
    with pytest.raises(InputError):
        policy_gradient(base, short, QUESTIONS, tmp_path, **OPTIONS | options)
