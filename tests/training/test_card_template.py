"""What a card says about each kind: names that transformers knows, and code blocks that run and agree."""

import re

import numpy as np
import pytest
import transformers
from learners import KINDS, rows
from tiny import TOKENIZERS, causal
from transformers.pipelines import PIPELINE_REGISTRY

from minrm.training import card_template, train

BLOCK = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_code_blocks_run_and_give_the_number_of_the_trained_model(kind, tokenizer, tmp_path, monkeypatch):
    """For a start token too, for spaces that are put before each text, and for padding on the left."""
    model = KINDS[kind].from_base(causal(), tokenizer=TOKENIZERS[tokenizer]())
    train(model, rows(kind, 12), tmp_path, batch_size=4, learning_rate=1e-2, progress=False)
    texts, ours, stock = BLOCK.findall((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert len(ours.splitlines()) == 3
    assert "minrm" not in stock
    monkeypatch.chdir(tmp_path)  # where a reader of the page is
    by_minrm, by_stock = {}, {}
    exec(texts + "\n" + ours, by_minrm)
    exec(texts + "\n" + stock, by_stock)
    np.testing.assert_allclose(by_stock["score"], by_minrm["score"], rtol=0, atol=1e-6)
    question, solution = [card_template.QUESTION], [card_template.SOLUTION]
    read = model.step_scores if kind == "process" else model.score
    np.testing.assert_allclose(by_minrm["score"], read(question, solution)[0], rtol=0, atol=1e-6)
    assert np.abs(by_minrm["score"]).min() > 1e-4


def test_each_kind_is_loaded_by_a_class_that_serves_its_pipeline():
    assert set(card_template.KINDS) == {cls.__name__ for cls in KINDS.values()}
    for kind in card_template.KINDS.values():
        _, task, _ = PIPELINE_REGISTRY.check_task(kind.pipeline)
        assert getattr(transformers, kind.stock) in task["pt"]
