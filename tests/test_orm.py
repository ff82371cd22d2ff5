"""The outcome reward model: its loss against the formula, its scores against the stock module, its rows and errors."""

import math

import numpy as np
import pytest
import torch
from tiny import QUESTION, SOLUTION, causal, word_level
from transformers import AutoModelForTokenClassification, AutoTokenizer

from minrm.orm import OutcomeRewardModel, every_token, orm_loss

QUESTIONS = [QUESTION, "What is 1 + 1?", QUESTION, "Mia has 2 pens. Mia buys 3 pens. How many pens now?"]
SOLUTIONS = [SOLUTION, "2", "Step: 1: 9 + 3 = 12\n\n# Answer\n\n12", "Step: 1: 2 + 3 = 5"]


@pytest.fixture(scope="module")
def model():
    return OutcomeRewardModel.from_base(causal(), tokenizer=word_level())


def reference(logits, labels, supervised):
    """The plain formula in float64, token by token."""
    losses = []
    for b, t in supervised.nonzero().tolist():
        right, wrong = logits[b, t, int(labels[b])].double(), logits[b, t, 1 - int(labels[b])].double()
        losses.append(math.log1p(math.exp(wrong - right)))
    return losses


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_loss_is_the_formula_in_at_least_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 2, generator=generator).to(dtype)
    labels, supervised = torch.tensor([1, 0, 1]), torch.rand(3, 5, generator=generator) < 0.6
    losses = reference(logits, labels, supervised)
    assert orm_loss(logits, labels, supervised).dtype == torch.promote_types(dtype, torch.float32)
    assert orm_loss(logits, labels, supervised).item() == pytest.approx(np.mean(losses), rel=1e-5)
    assert orm_loss(logits, labels.bool(), supervised, reduction="sum").item() == pytest.approx(sum(losses), rel=1e-5)


def test_equal_logits_cost_log_two_and_far_ones_stay_finite():
    supervised = torch.ones(1, 1).bool()
    assert orm_loss(torch.zeros(1, 1, 2), torch.tensor([1]), supervised).item() == pytest.approx(math.log(2))
    far = torch.tensor([[[1e4, -1e4]]])
    assert orm_loss(far, torch.tensor([1]), supervised).item() == 2e4


@pytest.mark.parametrize(
    ("logits", "labels", "supervised"),
    [
        (torch.zeros(2, 3, 2), torch.zeros(3), torch.ones(2, 3).bool()),
        (torch.zeros(2, 3, 1), torch.zeros(2), torch.ones(2, 3).bool()),
        (torch.zeros(2, 3, 2), torch.zeros(2), torch.ones(2, 4).bool()),
        (torch.zeros(2, 3, 2), torch.zeros(2), torch.ones(2, 3)),
        (torch.zeros(2, 3, 2), torch.zeros(2), torch.zeros(2, 3).bool()),
    ],
)
def test_shapes_that_do_not_fit_are_refused(logits, labels, supervised):
    with pytest.raises(ValueError, match="supervised"):
        orm_loss(logits, labels, supervised)


@pytest.mark.parametrize("labels", [[0.7, 1], [1, 2], [-100, 1], [float("nan"), 0]])
def test_labels_that_are_neither_right_nor_wrong_are_refused(labels):
    with pytest.raises(ValueError, match="expected 0 .incorrect. or 1 .correct."):
        orm_loss(torch.zeros(2, 3, 2), torch.tensor(labels), torch.ones(2, 3, dtype=torch.bool))


def test_every_token_is_the_solution_and_a_copy():
    mask = torch.tensor([[False, True, True], [False, False, True]])
    supervised = every_token(mask)
    assert torch.equal(supervised, mask)
    supervised[0] = False
    assert mask[0].any()


def test_score_is_the_stock_modules_last_token(model, tmp_path):
    model.save_pretrained(tmp_path)
    stock = AutoModelForTokenClassification.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert stock.config.id2label == {0: "incorrect", 1: "correct"}
    assert stock.dropout.p == 0
    scores, again = model.score(QUESTIONS, SOLUTIONS), OutcomeRewardModel.from_pretrained(tmp_path)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(again.score(QUESTIONS, SOLUTIONS), scores, atol=1e-6)
    for question, solution, score in zip(QUESTIONS, SOLUTIONS, scores, strict=True):
        ids = [*tokenizer(question + "\n")["input_ids"], *tokenizer(solution)["input_ids"]]
        expected = stock(torch.tensor([ids])).logits[0, -1].double().softmax(-1)[1].item()
        assert score == pytest.approx(expected, abs=1e-5)
        tokens = model.token_scores(question, solution)
        assert len(tokens) == sum(model.tokenize(question, solution)[1])
        assert tokens[-1] == pytest.approx(score, abs=1e-5)


def test_the_new_head_depends_on_the_seed_alone():
    def head(seed):
        torch.rand(1)  # the global state moves and must not matter
        return OutcomeRewardModel.from_base(causal(), tokenizer=word_level(), seed=seed).model.score.weight

    assert torch.equal(head(1), head(1))
    assert not torch.equal(head(1), head(2))


def test_prepared_rows_carry_mask_and_label_and_long_ones_are_none(model):
    labels = [True, False, True, False]
    rows = [
        {"question": question, "solution": solution, "answer": "11", "correct": label}
        for question, solution, label in zip(QUESTIONS, SOLUTIONS, labels, strict=True)
    ]
    lengths = [len(model.tokenize(row["question"], row["solution"])[0]) for row in rows]
    assert min(lengths) <= 60 < max(lengths)
    assert [row is None for row in model.prepare(rows, max_length=60)] == [length > 60 for length in lengths]
    prepared = model.prepare(rows)
    batch = model.collate(prepared)
    assert batch["count"] == sum(int(row["solution_mask"].sum()) for row in prepared)
    logits, targets = model(**batch["inputs"]), batch["targets"]
    assert logits.shape == (*batch["inputs"]["input_ids"].shape, 2)
    expected = reference(logits.detach(), targets["labels"], targets["supervised"])
    assert model.loss_sum(logits, targets).item() == pytest.approx(sum(expected), rel=1e-5)
    assert model.is_correct(logits, targets).tolist() == ((model.score(QUESTIONS, SOLUTIONS) > 0.5) == labels).tolist()
