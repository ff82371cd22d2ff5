import json

import pytest

from minrm.cli import files
from minrm.errors import InputError
from minrm.published import load_published
from minrm.world import generate

PROBLEMS = generate(3, seed=1, split="evaluation")


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_a_checkpoint_is_recognised_and_its_scores_are_added_in_order(schema, base, right, tmp_path):
    model = files.new_model(schema, base)
    model.save_pretrained(tmp_path / "m")
    again = load_published(str(tmp_path / "m"))
    assert type(again) is type(model)
    if schema == "pair":
        rows = [{"prompt": "?", "chosen": "a b", "rejected": "c"}, {"prompt": "??", "chosen": "d", "rejected": "e f g"}]
        scored = files.score(again, rows, "p", progress=False)
        assert scored[1]["rejected_score"] == pytest.approx(float(model.score(["??"], ["e f g"])[0]), abs=1e-4)
    else:
        rows = [{"question": p.question, "solution": right(p)} for p in PROBLEMS]
        scored = files.score(again, rows, "s", progress=False)
        expected = [float(model.score([row["question"]], [row["solution"]])[0]) for row in rows]
        assert [row["score"] for row in scored] == pytest.approx(expected, abs=1e-4)
        assert ("step_scores" in scored[0]) == (schema == "process")


def test_what_is_no_reward_model_is_one_clear_error(base, tmp_path):
    with pytest.raises(InputError, match="is a language model without a step token"):
        load_published(base)
    with pytest.raises(InputError, match="is neither a folder nor a model within reach"):
        load_published("no-such-model")
    with pytest.raises(InputError, match="no reward model learns from problem rows"):
        files.new_model("problem", base)
    bert = {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
    (tmp_path / "config.json").write_text(json.dumps(bert))
    with pytest.raises(InputError, match="is not a reward model: it holds BertForMaskedLM"):
        load_published(str(tmp_path))


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_a_truncated_checkpoint_is_told_from_one_of_another_kind(schema, base, tmp_path):
    files.new_model(schema, base).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be loaded as a model"):
        load_published(str(tmp_path))


PAIR = {"prompt": "?", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(
    "rows, told",
    [
        ([{"question": "?"}], "row 1: missing field 'solution'; rows to score have question and solution or steps"),
        ([PAIR, {"prompt": "?", "chosen": "a"}], "row 2: missing field 'rejected'; rows to score"),
        ([PAIR, PAIR | {"chosen": None}], "row 2: chosen is None; it should be a text"),
        ([{"question": "?", "solution": "!"}, {"question": "?", "solution": " "}], "row 2: the solution is empty"),
        ([{"question": "?", "steps": ["a", ""]}], "row 1: the step 2 is empty"),
        ([{"question": "?", "steps": ["a\nStep: 7: b", "c"]}], "row 1: 2 steps, .* as 3; a step holds a line that beg"),
        ([(7, {"question": 3, "solution": "!"})], "row 7: question is 3; it should be a text"),
    ],
)
def test_rows_that_cannot_be_scored_are_named_before_anything_is_computed(rows, told):
    with pytest.raises(InputError, match=f"x.jsonl, {told}"):
        files.score(None, rows, "x.jsonl")


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_what_only_the_model_can_refuse_is_named_by_file_and_row(schema, base):
    short, long = "Step: 1: 1 + 1 = 2", "Step: 1: " + "1 + " * 400 + "1 = 401"
    rows = {
        "outcome": [{"question": "?", "solution": text} for text in (short, long)],
        "process": [{"question": "?", "steps": [text]} for text in (short, long)],
        "pair": [{"prompt": "?", "chosen": short, "rejected": text} for text in ("2", long)],
    }[schema]
    with pytest.raises(InputError, match=r"^x.jsonl, row 9: \d+ tokens, but the model reads at most 512"):
        files.score(files.new_model(schema, base), list(zip((4, 9), rows, strict=True)), "x.jsonl", progress=False)


def test_policy_means_the_shipped_model_unless_a_folder_of_that_name_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.find_model("policy") != "policy" and files.find_model("other/model") == "other/model"
    (tmp_path / "policy").mkdir()
    assert files.find_model("policy") == "policy"
