"""Model cards: what they say is what was measured, they tell no path, and they never replace a person's page."""

import logging
import re

import numpy as np
import pytest
from huggingface_hub import ModelCard
from learners import KINDS, OUTCOMES, orm, rows
from tiny import TOKENIZERS, causal, word_level
from transformers.pipelines import PIPELINE_REGISTRY

from minrm.inference.engines import engine_command
from minrm.metrics import Estimate
from minrm.training import card as cards
from minrm.training import train
from minrm.training.card import interval, write_card

SETTINGS = {
    "model": "OutcomeRewardModel", "parameters": 1234, "base": "LlamaForCausalLM", "head_seed": 1, "processes": 1,
    "epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "max_length": None, "lora": 0, "dtype": "float32",
}  # fmt: skip
HELD_OUT = {"step": 6, "epoch": 2.0, "eval_loss": 0.51234, "eval_accuracy": 0.75}
BLOCK = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


def card(folder, model=None, held_out=(), history=(), **changes):
    """The card of a run that was not run."""
    model = model or orm()
    model.save_pretrained(folder)
    features = model.prepare(held_out) if held_out else []
    asked = [feature | {"question": row["question"]} for feature, row in zip(features, held_out, strict=True)]
    used = [{"question": name} for name in ["a", "b"] * 600]
    write_card(folder, model, SETTINGS | changes, list(history), (used, 3), (asked, 0))
    return (folder / "README.md").read_text(encoding="utf-8")


def facts(page):
    """The cells of its tables, by the first of each line."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines}


@pytest.mark.parametrize("kind", KINDS)
def test_the_front_matter_is_the_hubs_and_leaves_the_licence_open(kind, tmp_path):
    card(tmp_path, KINDS[kind].from_base(causal(), tokenizer=word_level()), base="Qwen/Qwen2.5-0.5B")
    front = ModelCard.load(tmp_path / "README.md").data
    assert (front.library_name, front.base_model, front.license) == ("transformers", "Qwen/Qwen2.5-0.5B", None)
    assert front.pipeline_tag.endswith(("-classification", "-generation"))
    assert {"reward-model", "minrm"} < set(front.tags)
    assert front.eval_results is None
    assert "The licence (`license: …` in the front matter" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_says_what_the_run_used_and_measured(kind, tmp_path):
    model, data = KINDS[kind].from_base(causal(), tokenizer=word_level()), rows(kind)
    unseen = [row for row in rows(kind, 15) for _ in range(2)]
    read_once = (row for row in unseen)
    result = train(model, data, tmp_path, eval_dataset=read_once, epochs=2, batch_size=8, max_length=55, progress=False)
    said, last = facts((tmp_path / "README.md").read_text(encoding="utf-8")), result.history[-1]
    dropped = f"{result.dropped} more dropped (too long, or without any label)" if result.dropped else "none dropped"
    used = 40 - result.dropped
    asked = "prompts" if kind == "pair" else "questions"
    assert said["Trained on"] == [f"{used} rows about {used} {asked}; {dropped}"]
    kept = [row for row, made in zip(unseen, model.prepare(unseen, 55), strict=True) if made is not None]
    accuracy, loss, guess = [
        next(cells for name, cells in said.items() if name.startswith(start))
        for start in (f"accuracy over {len(kept)} ", "loss, mean per ", "for comparison")
    ]
    hits = round(last["eval_accuracy"] * len(kept) / 2)  # each row came twice: half as many observations
    expected = Estimate.over_problems([1] * hits + [0] * (len(kept) // 2 - hits))
    assert accuracy == [f"{expected.mean:.3f}", f"{expected.low:.3f} to {expected.high:.3f}"]
    measures = {measure.metric_type: measure for measure in ModelCard.load(tmp_path / "README.md").data.eval_results}
    assert measures["accuracy"].metric_value == pytest.approx(last["eval_accuracy"], abs=1e-4)
    assert measures["loss"].metric_value == pytest.approx(last["eval_loss"], abs=1e-4)
    assert measures["loss"].dataset_name == "held-out rows"
    assert loss[0] == f"{last['eval_loss']:.4f}"
    labels = [row["correct"] if kind == "outcome" else row["labels"][-1] for row in kept if kind != "pair"] or [0, 1]
    assert float(guess[0]) == pytest.approx(max(np.mean(labels), 1 - np.mean(labels)), abs=5e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_has_the_line_that_serves_the_model_or_says_why_there_is_none(kind, tmp_path):
    model = KINDS[kind].from_base(causal(), tokenizer=word_level())
    assert f"```bash\n{engine_command(model, '.')}\nminrm score . rows.jsonl" in card(tmp_path, model)
    if kind == "process":
        capped = KINDS[kind].from_base(causal("gemma2"), tokenizer=word_level())
        assert "Not with vLLM: Gemma2ForCausalLM caps or scales its logits" in card(tmp_path / "capped", capped)


def test_without_held_out_rows_nothing_is_claimed(tmp_path):
    page = card(tmp_path)
    assert "Nothing: the run had no held-out rows" in page
    assert facts(page)["Held out"] == ["nothing"]
    assert "%" not in page


def test_the_measure_of_an_earlier_epoch_says_so(tmp_path):
    entries = [HELD_OUT | {"epoch": 1.0, "eval_accuracy": 0.5}, HELD_OUT | {"epoch": 1.5}, {"step": 9, "loss": 0.1}]
    page = card(tmp_path, held_out=OUTCOMES[:8], history=entries)
    assert "Measured after epoch 1.5 of 2." in page
    assert "| 0.750 |" in page and "| 0.5123 |" in page


@pytest.mark.parametrize("each", [1, 7])
def test_an_interval_counts_a_question_once_however_many_answers_it_has(each):
    judged = {str(number): each for number in range(40)}
    wilson = Estimate.over_problems([1] * 30 + [0] * 10)
    assert interval(0.75, judged) == pytest.approx((wilson.low, wilson.high))


def test_intervals_hold_the_truth_at_least_as_often_as_they_say():
    """60 questions with a hardness each and 1 to 8 answers; over items alone the interval would miss far more often."""
    generator, over_questions, over_items = np.random.default_rng(0), [], []
    for _ in range(400):
        counts = generator.integers(1, 9, 60)
        accuracy = generator.binomial(counts, generator.beta(0.7, 0.3, 60)).sum() / counts.sum()
        over_questions.append(interval(accuracy, dict(enumerate(counts))))
        over_items.append(interval(accuracy, dict.fromkeys(range(counts.sum()), 1)))
    hold = [np.mean([low <= 0.7 <= high for low, high in ends]) for ends in (over_questions, over_items)]
    assert hold[0] >= 0.95 and hold[1] < 0.85


def test_a_base_is_linked_by_its_hub_name_and_a_folder_is_named_without_its_path(tmp_path, monkeypatch):
    assert "[Qwen/Qwen2.5-0.5B](https://huggingface.co/Qwen/Qwen2.5-0.5B)" in card(tmp_path, base="Qwen/Qwen2.5-0.5B")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for base in (str(tmp_path / "models" / "mine"), "models/mine", "C:\\Users\\ada\\mine", "../mine/"):
        page = card(tmp_path, base=base)
        assert facts(page)["Base"] == ["`mine`, not from the Hub"]
        assert "base_model" not in page and "ada" not in page and str(tmp_path) not in page


def test_settings_are_listed_and_adapters_too(tmp_path):
    page = card(tmp_path)
    for setting in ("epochs `2`", "batch_size `4`", "learning_rate `0.001`", "head_seed `1`", "dtype `float32`"):
        assert setting in facts(page)["Settings"][0]
    assert "max_length" not in page and facts(page)["Adapters"] == ["none: all weights were trained"]
    assert facts(card(tmp_path, lora=16))["Adapters"] == ["LoRA of rank `16`, merged into the base"]


def test_a_later_run_replaces_a_card_that_a_run_wrote_and_no_other_page(tmp_path, caplog):
    path = tmp_path / "README.md"
    first = card(tmp_path)
    assert card(tmp_path, epochs=5) != first and not caplog.records
    for page in "# My model\n", first.replace(cards.MARK, "").replace("tags:", "license: mit\ntags:"):
        path.write_text(page, encoding="utf-8")
        assert card(tmp_path, epochs=6) == page
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "was not written by a run, so it stays" in caplog.text
        caplog.clear()


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_code_blocks_run_and_give_the_number_of_the_trained_model(kind, tokenizer, tmp_path, monkeypatch):
    """For a start token too, for spaces that are put before each text, and for padding on the left."""
    model = KINDS[kind].from_base(causal(), tokenizer=TOKENIZERS[tokenizer]())
    train(model, rows(kind, 12), tmp_path, batch_size=4, learning_rate=1e-2, progress=False)
    texts, ours, stock = BLOCK.findall((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert len(ours.splitlines()) == 3 and "minrm" not in stock
    monkeypatch.chdir(tmp_path)  # where a reader of the page is
    by_minrm, by_stock = {}, {}
    exec(texts + "\n" + ours, by_minrm)
    exec(texts + "\n" + stock, by_stock)
    np.testing.assert_allclose(by_stock["score"], by_minrm["score"], rtol=0, atol=1e-6)
    score = model.step_scores if kind == "process" else model.score
    np.testing.assert_allclose(by_minrm["score"], score([cards.QUESTION], [cards.SOLUTION])[0], rtol=0, atol=1e-6)
    assert np.abs(by_minrm["score"]).min() > 1e-4


def test_each_kind_is_loaded_by_a_class_that_serves_its_pipeline():
    assert set(cards.KINDS) == {cls.__name__ for cls in KINDS.values()}
    for cls in KINDS.values():
        _, task, _ = PIPELINE_REGISTRY.check_task(cards.KINDS[cls.__name__]["pipeline"])
        assert cls.auto_class in task["pt"]
