"""What the three kinds share: text to ids, batches within a budget, each different text scored once, finite scores."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURES, QUESTION, SOLUTION, TOKENIZERS, causal, word_level
from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel

from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.inference.batches import length_limit, token_batches
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel
from minrm.reward_model import batches

MODELS = [OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel]


@given(lengths=st.lists(st.integers(1, 40), max_size=60), budget=st.integers(1, 120))
def test_batches_hold_every_row_once_within_the_budget(lengths, budget):
    batches = list(token_batches(lengths, budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= budget
        assert [lengths[row] for row in batch] == sorted((lengths[row] for row in batch), reverse=True)


def learned_positions():
    """GPT-2's kind: a position beyond the last learned one is an index out of range, on a GPU a crash."""
    shape = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    return GPT2LMHeadModel(GPT2Config(vocab_size=600, bos_token_id=None, eos_token_id=None, **shape)).eval()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("base", [learned_positions, lambda: causal(max_position_embeddings=64)])
def test_a_row_beyond_the_models_limit_is_refused_by_number(kind, base):
    model = kind.from_base(base(), tokenizer=word_level())
    assert length_limit(model.model) == 64
    longest = "1" + "+" * (64 - len(model.tokenize("1", "1")[0]))  # each sign is a token
    assert np.isfinite(model.score(["1"], [longest])).all()
    with pytest.raises(InputError, match="^row 3: 65 tokens, but the model reads at most 64; shorten it"):
        model.score(["1"] * 3, ["1", "1", longest + "+"])
    if kind is OutcomeRewardModel:
        with pytest.raises(InputError, match="^row 1: 65 tokens"):
            model.token_scores("1", longest + "+")


def test_a_model_that_names_no_limit_has_none():
    model = BloomForCausalLM(BloomConfig(vocab_size=600, hidden_size=32, n_layer=1, n_head=2))
    assert length_limit(model) is None
    ((rows, inputs),) = batches([[1] * 5000], word_level(), model, 100)
    assert rows == [0] and inputs["input_ids"].shape == (1, 5000)


TEXTS = ["Step: 1: 9 - 3 = 6", "Step: 1: 2", "Step: 1: 9 - 3 = 6", "Step: 1: 2 + 2 = 4", "Step: 1: 2"]
QUESTIONS = [QUESTION, "1", QUESTION, QUESTION, QUESTION]  # "2" answers two questions
WORST = {OutcomeRewardModel: 0.0, ProcessRewardModel: 0.0, BradleyTerryRewardModel: -np.inf}


@pytest.mark.parametrize("kind", MODELS)
def test_each_different_text_is_scored_once_and_one_without_text_gets_the_worst_score(kind, monkeypatch):
    model = kind.from_base(causal(), tokenizer=word_level())
    alone = [model.score([q], [s])[0] for q, s in zip(QUESTIONS, TEXTS, strict=True)]
    rows, forward = [], kind.forward
    monkeypatch.setattr(kind, "forward", lambda *a, **inputs: rows.extend(inputs["input_ids"]) or forward(*a, **inputs))
    scores = model.score([*QUESTIONS, "1", "1"], [*TEXTS, "", " \n"])
    assert len(rows) == 4 and scores.dtype == np.float64
    np.testing.assert_allclose(scores[:5], alone, atol=1e-5)
    assert scores[5:].tolist() == [WORST[kind]] * 2
    assert model.score(["1"], [""]).tolist() == [WORST[kind]] and len(model.score([], [])) == 0
    if kind is ProcessRewardModel:
        assert [len(steps) for steps in model.step_scores(["1", "1"], ["", "Step: 1: 2"])] == [0, 1]


@pytest.mark.parametrize(
    ("questions", "solutions", "message"),
    [
        (["a"], ["b", "c"], "1 questions but 2 solutions"),
        ("a", "b", "lists of texts, not a single text"),
        ([" "], ["b"], "row 1: the question is empty"),
        (["a<|prm_label|>"], ["b"], "row 1: the question holds the step token"),
        (["a", "a"], ["", "b<|prm_label|>"], "row 2: the solution holds the step token"),
    ],
)
@pytest.mark.parametrize("kind", MODELS)
def test_texts_that_cannot_be_scored_are_refused_by_row(kind, questions, solutions, message):
    model = kind.from_base(causal(), tokenizer=word_level())
    for function in (model.score, model.encode):
        with pytest.raises(InputError, match=message.replace("<|", r"<\|")):
            function(questions, solutions)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", MODELS)
def test_scores_depend_neither_on_batch_nor_order_nor_padding_side(kind, architecture, tokenizer):
    model = kind.from_base(causal(architecture), tokenizer=TOKENIZERS[tokenizer]())
    texts = [*TEXTS[:2], TEXTS[3], SOLUTION]
    alone = np.concatenate([model.score([q], [s]) for q, s in zip(QUESTIONS, texts, strict=False)])
    assert np.ptp(alone) > 1e-3  # they differ, so a mixed-up order would show
    for side in ("left", "right"):
        model.tokenizer.padding_side = side
        for budget in (16384, 100):
            backwards = model.score(QUESTIONS[3::-1], texts[::-1], batch_tokens=budget)[::-1]
            np.testing.assert_allclose(backwards, alone, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "other", "labels"),
    [(OutcomeRewardModel, ProcessRewardModel, 3), (BradleyTerryRewardModel, OutcomeRewardModel, 2)],
)
def test_a_checkpoint_of_another_kind_or_with_another_head_is_refused(kind, other, labels, tmp_path):
    other.from_base(causal(), tokenizer=word_level()).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=f"is not {kind.kind}: it holds Llama"):
        kind.from_pretrained(tmp_path)
    kind.auto_class.from_pretrained(tmp_path, num_labels=labels).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=f"{labels} labels; {kind.kind} has"):
        kind.from_pretrained(tmp_path)


OUTCOME = {"question": QUESTION, "solution": SOLUTION, "answer": "11", "correct": True}
PROCESS = {"question": QUESTION, "steps": ["a", "b"], "labels": [1, 0]}
PAIR = {"prompt": QUESTION, "chosen": "Mia has 11 pens.", "rejected": "Mia has 17 pens."}


@pytest.mark.parametrize(
    ("kind", "row", "change", "message"),
    [
        (OutcomeRewardModel, OUTCOME, {"correct": None}, "correct is None"),
        (OutcomeRewardModel, OUTCOME, {"solution": " "}, "the solution is empty"),
        (ProcessRewardModel, PROCESS, {"labels": [1]}, "2 steps but 1 labels"),
        (ProcessRewardModel, PROCESS, {"steps": ["a\nStep: 7: b", "c"]}, "2 steps, which scoring would read as 3"),
        (BradleyTerryRewardModel, PAIR, {"rejected": PAIR["chosen"]}, "chosen and rejected are equal"),
    ],
)
def test_bad_training_rows_are_refused_by_number(kind, row, change, message):
    model = kind.from_base(causal(), tokenizer=word_level())
    with pytest.raises(InputError, match=f"dataset, row 2: {message}"):
        model.prepare([row, row | change])


@pytest.mark.parametrize("value", [0, -1, 2.5])
@pytest.mark.parametrize(("kind", "row"), [*zip(MODELS, (OUTCOME, PROCESS, PAIR), strict=True)])
def test_lengths_and_budgets_that_cannot_be_are_refused(kind, row, value):
    """max_length = -1 would cut the last token off both responses of a pair."""
    model = kind.from_base(causal(), tokenizer=word_level())
    with pytest.raises(InputError, match=f"max_length is {value}; it must be a whole number of at least 1"):
        model.prepare([row], value)
    with pytest.raises(InputError, match=f"batch_tokens is {value}"):
        model.score([QUESTION], [SOLUTION], batch_tokens=value)


class NoDoubles(torch.Tensor):
    """Like a tensor on Apple's GPU: it refuses float64 until it is moved to the CPU."""

    def double(self):
        raise TypeError("the device has no float64")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


@pytest.mark.parametrize("kind", MODELS)
def test_scores_become_float64_only_on_the_cpu(kind, monkeypatch):
    model = kind.from_base(causal(), tokenizer=word_level())
    texts = [QUESTION, "1"], ["Step: 1: 9 - 3 = 6", "Step: 1: 2"]
    expected = model.score(*texts)
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda *args, **inputs: forward(*args, **inputs).as_subclass(NoDoubles))
    np.testing.assert_array_equal(model.score(*texts), expected)


@pytest.mark.parametrize("reward_model", MODELS)
def test_a_score_that_is_no_finite_number_is_refused_with_what_to_do(reward_model, tmp_path):
    base = causal()
    with torch.no_grad():
        base.model.layers[0].mlp.down_proj.weight.mul_(3e4)  # bfloat16 can hold such weights, float16 cannot
    reward_model.from_base(base, tokenizer=word_level()).save_pretrained(tmp_path)
    texts = [QUESTION], ["1 + 1 = 2"]
    assert np.isfinite(reward_model.from_pretrained(tmp_path, dtype="float32").score(*texts)).all()
    half = reward_model.from_pretrained(tmp_path, dtype="float16")
    alone = {"step_scores": texts, "token_scores": (QUESTION, "2"), "preference": (QUESTION, "1", "2")}
    for name, arguments in {"score": texts, **alone}.items():
        if hasattr(half, name):
            with pytest.raises(InputError, match="overflow in torch.float16; load the model with dtype='float32'"):
                getattr(half, name)(*arguments)
    base.model.norm.weight.data.fill_(torch.nan)
    with pytest.raises(InputError, match="torch.float32: the weights of this model are spoilt; train it again"):
        reward_model.from_base(base, tokenizer=word_level()).score(*texts)
