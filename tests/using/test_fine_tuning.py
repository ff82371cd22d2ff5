"""Fine-tuning: what carries loss, and a policy that learns what it is shown."""

from transformers import AutoModelForCausalLM

from minrm.using.fine_tuning import as_rows, collate, fine_tune
from minrm.world.policy import END, build_tokenizer

TOKENIZER = build_tokenizer()


def test_the_end_token_is_learnt_although_it_is_also_the_padding_and_the_question_is_not():
    row = as_rows(TOKENIZER, [("Who?\n", "Step: 1: 3")])[0]
    assert TOKENIZER.decode(row["input_ids"]) == "Who?\nStep: 1: 3" + END
    assert TOKENIZER.decode(row["input_ids"][: row["prompt_length"]]) == "Who?\n"
    end = TOKENIZER.eos_token_id
    rows = [{"input_ids": [5, 6, 8, end], "prompt_length": 2}, {"input_ids": [7, end], "prompt_length": 0}]
    batch = collate(rows)
    assert batch["labels"].tolist() == [[-100, -100, 8, end], [7, end, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_a_model_learns_the_completion_and_a_finished_run_is_not_run_again(base, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(base)
    texts = [("Tom has 3 pens.\n", "Step: 1: 3 + 4 = 7")] * 64
    options = {"batch_size": 8, "learning_rate": 1e-2, "num_train_epochs": 6, "logging_steps": 6, "disable_tqdm": True}
    history = fine_tune(model, TOKENIZER, texts, tmp_path, **options)
    assert history[0]["loss"] > 3 > 1 > history[-1]["loss"]
    assert not model.training
