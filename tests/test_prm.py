"""The process reward model: its loss, its step token, its scores against the stock module, its rows and errors."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURES, QUESTION, SOLUTION, STEPS, TOKENIZERS, causal, word_level
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from minrm.errors import InputError
from minrm.prm import AGGREGATES, ProcessRewardModel, aggregate_steps, logits_are_linear, prm_loss, token_logits
from minrm.text import STEP_TOKEN, join_steps

QUESTIONS = [QUESTION, "What is 1 + 1?", QUESTION, "Mia has 2 pens. Mia buys 3 pens. How many pens now?"]
THREE_STEPS = join_steps(["9 + 3 = 12", "12 + 5 = 17", "so 17\n\n# Answer\n\n17"])
SOLUTIONS = [SOLUTION, "Step: 1: 2", THREE_STEPS, "2 + 3 = 5\n#### 5"]
COUNTS = [2, 1, 3, 1]


@pytest.fixture(scope="module")
def model():
    return ProcessRewardModel.from_base(causal(), tokenizer=word_level())


def reference(logits, labels):
    """The plain formula in float64, step by step: the cross-entropy with a label that may be soft."""
    losses = []
    for (minus, plus), label in zip(logits.double().tolist(), labels.double().tolist(), strict=True):
        top = max(minus, plus)
        norm = top + math.log(math.exp(minus - top) + math.exp(plus - top))
        losses.append(-label * (plus - norm) - (1 - label) * (minus - norm))
    return losses


@given(
    steps=st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1)), min_size=1, max_size=6),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
def test_loss_is_the_formula_for_hard_and_soft_labels(steps, dtype):
    values = torch.tensor(steps, dtype=torch.float64)
    logits, labels = values[:, :2].to(dtype), values[:, 2]
    losses = reference(logits, labels)
    assert prm_loss(logits, labels).dtype == torch.promote_types(dtype, torch.float32)
    assert prm_loss(logits, labels).item() == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-5)
    assert prm_loss(logits, labels, reduction="sum").item() == pytest.approx(sum(losses), rel=1e-4, abs=1e-5)


def test_a_label_that_is_impossible_by_the_logits_costs_nothing_where_it_is_not_given():
    impossible = torch.tensor([[-torch.inf, 0.0], [0.0, -torch.inf]], requires_grad=True)
    assert prm_loss(impossible, torch.tensor([1, 0])) == 0
    prm_loss(impossible, torch.tensor([1, 0])).backward()
    assert impossible.grad.tolist() == [[0, 0], [0, 0]]
    assert prm_loss(impossible, torch.tensor([1, 0.5])) == torch.inf


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(2), r"expected \[S, 2\]"),
        (torch.zeros(3), torch.zeros(3), r"expected \[S, 2\]"),
        (torch.zeros(1, 2), torch.tensor([1.5]), "0 .bad. to 1"),
        (torch.zeros(1, 2), torch.tensor([float("nan")]), "0 .bad. to 1"),
        (torch.zeros(0, 2), torch.zeros(0), "no step"),
    ],
)
def test_shapes_and_labels_that_do_not_fit_are_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        prm_loss(logits, labels)


@pytest.mark.parametrize("known", [[], ["<|more|>", STEP_TOKEN]], ids=["new token", "known token"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_step_tokens_new_row_starts_at_the_mean_and_the_rest_stays(tied, known):
    tokenizer = word_level()
    size = len(tokenizer)
    base = causal(vocabulary=size, tie_word_embeddings=tied)
    tokenizer.add_tokens([AddedToken(token, special=True) for token in known])
    model = ProcessRewardModel.from_base(base, tokenizer=tokenizer)
    assert model.step_id == len(model.tokenizer) - 1
    for name in ("get_input_embeddings", "get_output_embeddings"):
        new, old = getattr(model.model, name)().weight, getattr(base, name)().weight
        assert len(new) == len(model.tokenizer) == size + (len(known) or 1)
        torch.testing.assert_close(new[:size], old)
        torch.testing.assert_close(new[model.step_id], old.mean(0))
        assert len(old) == size  # the given model is left alone
    assert np.isfinite(model.score([QUESTION], [SOLUTION])).all()


def test_an_embedding_with_spare_rows_keeps_them_and_a_second_time_adds_nothing(model):
    assert model.model.get_input_embeddings().weight.shape[0] == 600 > len(model.tokenizer)
    known = len(word_level())
    weight = model.model.get_input_embeddings().weight
    torch.testing.assert_close(weight[model.step_id], weight[:known].mean(0))
    again = ProcessRewardModel.from_base(model.model, tokenizer=model.tokenizer)
    assert len(again.tokenizer) == len(model.tokenizer)
    torch.testing.assert_close(again.model.state_dict(), model.model.state_dict())


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_each_step_ends_in_one_step_token_inside_the_solution(kind):
    model = ProcessRewardModel.from_base(causal(), tokenizer=TOKENIZERS[kind]())
    for question, solution, count in zip(QUESTIONS, SOLUTIONS, COUNTS, strict=True):
        ids, mask = model.tokenize(question, solution)
        steps = [i for i, token in enumerate(ids) if token == model.step_id]
        assert len(steps) == count
        assert steps[-1] == len(ids) - 1
        assert all(mask[i] for i in steps)
    for sign, token in (("+", model.plus_id), ("-", model.minus_id)):
        assert model.tokenizer(STEP_TOKEN + sign, add_special_tokens=False)["input_ids"] == [model.step_id, token]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_step_scores_are_the_stock_modules_whole_softmax_reduced_to_two(architecture, tmp_path):
    model = ProcessRewardModel.from_base(causal(architecture), tokenizer=word_level())
    model.save_pretrained(tmp_path)
    stock = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())["minrm"]
    assert saved["step_token"] == STEP_TOKEN
    assert tokenizer.convert_tokens_to_ids(STEP_TOKEN) == saved["step_id"]
    again = ProcessRewardModel.from_pretrained(tmp_path)
    scores = model.step_scores(QUESTIONS, SOLUTIONS), again.step_scores(QUESTIONS, SOLUTIONS)
    for question, solution, ours, reloaded in zip(QUESTIONS, SOLUTIONS, *scores, strict=True):
        ids = torch.tensor([model.tokenize(question, solution)[0]])
        probabilities = stock(ids).logits.double().softmax(-1)[ids == saved["step_id"]]
        plus, minus = probabilities[:, saved["plus_id"]], probabilities[:, saved["minus_id"]]
        np.testing.assert_allclose(ours, (plus / (plus + minus)).detach(), atol=1e-4)
        np.testing.assert_allclose(reloaded, ours, atol=1e-5)
        assert ours.dtype == np.float64


PLAIN = {"product": np.prod, "min": np.min, "last": lambda p: p[-1], "mean": np.mean}


@given(st.lists(st.lists(st.floats(0, 1), max_size=5).map(np.array), max_size=6), st.sampled_from(AGGREGATES))
def test_the_aggregates_are_product_minimum_last_and_mean(steps, how):
    expected = [PLAIN[how](p) if len(p) else 0 for p in steps]
    scores = aggregate_steps(steps, how)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_a_score_is_the_aggregate_of_the_step_scores(model):
    steps = model.step_scores(QUESTIONS, SOLUTIONS)
    np.testing.assert_allclose(model.score(QUESTIONS, SOLUTIONS), [np.prod(p) for p in steps], rtol=1e-4)
    for how in AGGREGATES:
        np.testing.assert_allclose(model.score(QUESTIONS, SOLUTIONS, how), aggregate_steps(steps, how), rtol=1e-4)
    with pytest.raises(InputError, match="'median'; it can be product, min, last, mean"):
        model.score(QUESTIONS, SOLUTIONS, "median")


def test_prepared_rows_read_only_labelled_steps(model):
    rows = [
        {"question": QUESTION, "steps": STEPS, "labels": [0.25, None]},
        {"question": QUESTION, "steps": [*STEPS[:1], *STEPS], "labels": [None, 1, 0]},
        {"question": QUESTION, "steps": STEPS, "labels": [None, None]},
    ]
    first, second, nothing = model.prepare(rows)
    assert nothing is None
    batch = model.collate([first, second])
    assert batch["count"] == 3
    assert batch["targets"]["labels"].tolist() == [0.25, 1, 0]
    logits = model(**batch["inputs"])
    scores = model.step_scores([QUESTION] * 2, [join_steps(row["steps"]) for row in rows[:2]])
    read = np.array([scores[0][0], *scores[1][1:]])
    np.testing.assert_allclose(logits.softmax(-1)[:, 1].detach(), read, atol=1e-4)
    expected = sum(reference(logits.detach(), batch["targets"]["labels"]))
    assert model.loss_sum(logits, batch["targets"]).item() == pytest.approx(expected, rel=1e-4)
    assert model.is_correct(logits, batch["targets"]).tolist() == ((read > 0.5) == [False, True, False]).tolist()


def test_a_row_whose_last_step_would_be_cut_off_is_none(model):
    length = len(model.tokenize(QUESTION, SOLUTION)[0])
    row = {"question": QUESTION, "steps": STEPS, "labels": [1, 1]}
    assert model.prepare([row], max_length=length)[0] is not None
    assert model.prepare([row], max_length=length - 1) == [None]


def test_signs_that_are_not_one_token_and_a_step_token_that_splits_are_refused(tmp_path):
    poor = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "+": 2}, unk_token="[UNK]"))
    poor.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=poor, unk_token="[UNK]", pad_token="[UNK]")
    with pytest.raises(InputError, match="'-' must be one known token"):
        ProcessRewardModel.from_base(causal(), tokenizer=tokenizer)
    with pytest.raises(InputError, match="splits"):
        ProcessRewardModel(causal(), word_level())


def test_checkpoints_of_another_kind_or_with_another_tokenizer_are_refused(model, tmp_path):
    causal().save_pretrained(tmp_path / "plain")
    word_level().save_pretrained(tmp_path / "plain")
    with pytest.raises(InputError, match="without a step token"):
        ProcessRewardModel.from_pretrained(tmp_path / "plain")
    model.save_pretrained(tmp_path / "prm")
    other = word_level()
    other.add_tokens([AddedToken("<|more|>", special=True), AddedToken(STEP_TOKEN, special=True)])
    with pytest.raises(InputError, match="step_id"):
        ProcessRewardModel.from_pretrained(tmp_path / "prm", tokenizer=other)


def test_gemma_2_changes_its_logits_outside_the_head_and_the_others_do_not():
    assert [logits_are_linear(causal(name)) for name in ARCHITECTURES] == [True, True, False]
    model = causal("gemma2")  # its cap is seen even where the logits are small
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
