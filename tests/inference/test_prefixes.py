"""A question is read once for all its candidates, and nobody can tell from the scores."""

import numpy as np
import pytest
import torch
from tiny import QUESTION, causal, word_level
from transformers import AutoModelForCausalLM, MistralConfig

from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.inference.prefixes import can_share, continuations
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel

MODELS = [OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel]
QUESTIONS = [QUESTION, "1 + 1", QUESTION, "1 + 1", QUESTION, "2 + 3 = 5", QUESTION]
SOLUTIONS = [
    "Step: 1: 9 - 3 = 6", "Step: 1: 2", "Step: 1: 2 + 2 = 4", "Step: 1: 9 - 3 = 6\nStep: 2: 6 + 5 = 11", "Step: 1: 7",
    "Step: 1: 5", "Step: 1: 9 - 3 = 6\nStep: 2: 6 + 5 = 11\n\n# Answer\n\n11",
]  # fmt: skip


def mistral():
    """A sliding window that is shorter than the question."""
    shape = {"vocab_size": 600, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    shape |= {"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 8, "initializer_range": 0.2}
    torch.manual_seed(0)
    config = MistralConfig(**shape, bos_token_id=None, eos_token_id=None, pad_token_id=None)
    return AutoModelForCausalLM.from_config(config).float().eval()


BASES = {"mistral": mistral, "qwen2": lambda: causal("qwen2"), "gemma2": lambda: causal("gemma2")}


def lengths_read(model, call):
    """Tokens that go through the backbone during a call: rows × columns of each forward."""
    read = []
    hook = model.base_model.register_forward_pre_hook(lambda module, args: read.append(args[0].numel()))
    call()
    hook.remove()
    return read


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", MODELS)
def test_the_scores_are_those_of_whole_texts_read_alone(kind, base, side):
    model = kind.from_base(BASES[base](), tokenizer=word_level())
    model.tokenizer.padding_side = side
    alone = np.concatenate([model.score([q], [s]) for q, s in zip(QUESTIONS, SOLUTIONS, strict=True)])
    assert can_share(model.model) and np.ptp(alone) > 1e-3
    for budget in (None, 60, 1):
        np.testing.assert_allclose(model.score(QUESTIONS, SOLUTIONS, batch_tokens=budget), alone, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_question_goes_through_the_model_once(kind):
    model = kind.from_base(causal(), tokenizer=word_level())
    rows = model.encode([QUESTION] * 7, SOLUTIONS)
    question = rows[0][1].count(False)
    model.score([QUESTION] * 2, SOLUTIONS[:2])  # asks whether the model can share
    read = lengths_read(model.model, lambda: model.score([QUESTION] * 7, SOLUTIONS, batch_tokens=question))
    assert read[0] == question and all(size <= question for size in read)
    assert sum(read) < question + 1.3 * sum(len(ids) - question for ids, _ in rows)


def test_different_questions_with_a_solution_each_are_read_whole():
    model = OutcomeRewardModel.from_base(causal(), tokenizer=word_level())
    read = lengths_read(model.model, lambda: model.score(["1", "1 + 1"], SOLUTIONS[:2]))
    assert len(read) == 1


def test_an_error_in_the_middle_leaves_the_model_as_it_was(monkeypatch):
    model = OutcomeRewardModel.from_base(causal(), tokenizer=word_level())
    expected = model.score(QUESTIONS, SOLUTIONS)
    with monkeypatch.context() as broken:
        broken.setattr("minrm.orm._probability", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.score(QUESTIONS, SOLUTIONS)
    np.testing.assert_array_equal(model.score(QUESTIONS, SOLUTIONS), expected)


@pytest.mark.parametrize("kind", MODELS)
def test_a_backbone_without_such_a_cache_reads_whole_texts_and_one_warning_says_so(kind, caplog):
    model = kind.from_base(causal(), tokenizer=word_level())
    expected = model.score(QUESTIONS, SOLUTIONS)
    forgetful = kind.from_base(causal(), tokenizer=word_level())
    forward = forgetful.model.base_model.forward
    forgetful.model.base_model.forward = lambda *args, past_key_values=None, **options: forward(*args, **options)
    for _ in range(2):
        np.testing.assert_allclose(forgetful.score(QUESTIONS, SOLUTIONS), expected, atol=1e-4)
    assert [record.message for record in caplog.records] == [
        f"{type(model.model).__name__} cannot share a question among its candidates: each is read whole"
    ]


def test_continuations_bring_every_row_once_beside_its_own_beginning():
    beginnings = [[1, 2, 3], [4], [1, 2, 3], [5, 6], [4], [1, 2, 3]]
    rows = [[*own, *range(10, 12 + number)] for number, own in enumerate(beginnings)]
    for budget in (1, 6, 100):
        seen = []
        for together, parts in continuations(beginnings, rows, budget):
            for batch, places in parts:
                assert [together[place] for place in places] == [tuple(beginnings[row]) for row in batch]
                seen += batch
        assert sorted(seen) == list(range(6))
