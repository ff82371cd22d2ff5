import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from minrm.text import STEP_TOKEN
from minrm.world import LIMIT
from minrm.world.policy import END, _collate, _rows, build_tokenizer, corpus, new_policy, train_policy

TOKENIZER = build_tokenizer()


@given(st.text())
def test_any_text_decodes_to_itself(text):
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_the_corpus_decodes_to_itself_and_is_spelt_nowhere():
    for text in map("".join, corpus(100, seed=1)):
        ids = TOKENIZER(text)["input_ids"]
        assert TOKENIZER.decode(ids) == text
        assert all(len(word) > 1 or word in "\n.?:0123456789" for word in TOKENIZER.convert_ids_to_tokens(ids))


def test_numbers_and_headers_are_single_tokens_and_the_step_token_is_not():
    for number in range(LIMIT + 1):
        assert len(TOKENIZER(f" {number}")["input_ids"]) == len(TOKENIZER(str(number))["input_ids"]) == 1
    pieces = ["Step: 3:", " 4", " +", " 5", " =", " 9", "\n\n", "# Answer\n\n", "9"]
    assert TOKENIZER.tokenize("".join(pieces)) == pieces
    assert STEP_TOKEN not in TOKENIZER.get_vocab() and len(TOKENIZER(STEP_TOKEN)["input_ids"]) > 1


def test_the_end_token_is_learnt_although_it_is_also_the_padding_and_the_question_is_not():
    row = _rows(TOKENIZER, [("Who?\n", "Step: 1: 3")])[0]
    assert TOKENIZER.decode(row["input_ids"]) == "Who?\nStep: 1: 3" + END
    assert TOKENIZER.decode(row["input_ids"][: row["question_length"]]) == "Who?\n"
    end = TOKENIZER.eos_token_id
    rows = [{"input_ids": [5, 6, 8, end], "question_length": 2}, {"input_ids": [7, end], "question_length": 0}]
    batch = _collate(rows)
    assert batch["labels"].tolist() == [[-100, -100, 8, end], [7, end, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_the_corpus_is_the_same_every_time_and_holds_all_three_kinds_of_text():
    texts = list(corpus(400, seed=2))
    assert texts == list(corpus(400, seed=2)) != list(corpus(400, seed=3))
    drills = sum(not question for question, _ in texts)
    direct = sum(text.startswith("# Answer") for _, text in texts)
    assert drills / 400 == pytest.approx(0.1, abs=0.05) and 4 <= direct <= 40


def test_training_writes_stock_files_that_have_learnt(tmp_path):
    model = train_policy(tmp_path / "whole", steps=40, batch_size=8, layers=1)
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "whole")
    text = "".join(next(corpus(1, seed=9))) + END
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    assert tokenizer.decode(ids[0]) == text
    learnt = ids.clone()
    learnt[:, : len(tokenizer(text.partition("\n")[0])["input_ids"]) + 1] = -100
    with torch.no_grad():
        fresh, loss, same = (m(ids, labels=learnt).loss for m in (new_policy(tokenizer, layers=1), stock, model))
    assert loss < fresh - 1 and torch.allclose(loss, same, atol=1e-5)


def test_a_run_that_was_killed_goes_on_and_ends_where_the_whole_one_ends(tmp_path, monkeypatch):
    """Stopped after its checkpoint by an error in the last updates, then called again."""
    options = {"steps": 12, "batch_size": 4, "layers": 1, "save_steps": 5}
    whole = train_policy(tmp_path / "whole", **options).state_dict()
    step, calls = Trainer.training_step, []

    def fails_once(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 9:
            raise RuntimeError("the power went out")
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", fails_once)
    with pytest.raises(RuntimeError):
        train_policy(tmp_path / "killed", **options)
    resumed = train_policy(tmp_path / "killed", **options).state_dict()
    assert len(calls) == 9 + 7  # from update 5, not from the start
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-5) for name in whole)
