import json
import logging

import pytest

from minrm import files
from minrm.errors import InputError
from minrm.evaluation import evaluate
from minrm.policy import build_tokenizer, new_policy
from minrm.problems import generate
from minrm.rows import write_rows
from minrm.sampling import sample
from minrm.text import STEP_TOKEN

PROBLEMS = generate(3, seed=1, split="evaluation")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    new_policy(build_tokenizer(), layers=1, width=32).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return str(folder)


def right(problem):
    from random import Random

    from minrm.classroom import FLAWLESS, write

    return write(problem, Random(0), FLAWLESS)[0]


@pytest.fixture
def samples(base, tmp_path):
    """A file as `minrm sample` writes it, its solutions replaced by known ones: right, wrong and empty."""
    path = tmp_path / "samples.jsonl"
    sample(base, [p.question for p in PROBLEMS], 3, path=path, max_new_tokens=2, progress=False)
    header, *lines = path.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        problem = PROBLEMS[row["problem"]]
        row["solution"] = (right(problem), "Step: 1: 1 + 1 = 2\n\n# Answer\n\n2", "")[row["sample"]]
    path.write_text("\n".join([header, *map(json.dumps, rows)]) + "\n")
    return path


def test_samples_become_outcome_rows_by_the_worlds_truth_or_by_a_file_of_problems(samples, tmp_path):
    rows = files.prepare("samples", samples)
    assert [row["correct"] for row in rows] == [True, False, False] * 3
    write_rows([{"question": p.question, "answer": "2"} for p in PROBLEMS], tmp_path / "p.jsonl")
    other = files.prepare("samples", samples, problems=tmp_path / "p.jsonl")
    assert [row["correct"] for row in other] == [False, True, False] * 3


def test_an_empty_sample_stays_one_of_its_problems_n_as_a_wrong_one(samples, base, caplog):
    """Left out, it would raise the accuracy, and all problems would be cut to the n of the one that lacks most."""
    rows = files.prepare("samples", samples)
    assert [row["solution"] for row in rows[2::3]] == [files.EMPTY] * 3 and len(rows) == 9
    assert caplog.messages == [f"{samples}: 3 of 9 solutions empty: kept, wrong, as {files.EMPTY}"]
    model = files.new_model("outcome", base)
    scored = files.score(model, rows, "s", progress=False)
    table, notes = evaluate(scored, "s")
    assert notes[0] == "3 problems with 3 solutions each"
    assert [row["mean"] for row in table if row["way"] == "one sample"] == [pytest.approx(1 / 3)] * 2


def test_samples_become_process_rows_by_the_exact_checker(samples):
    rows = files.prepare("samples", samples, "process")
    assert all(all(row["labels"]) for row in rows[::2]) and [row["labels"] for row in rows[1::2]] == [[0]] * 3


def test_samples_without_steps_to_label_are_left_out_and_counted(samples, caplog):
    lines = samples.read_text().splitlines()
    gap = json.loads(lines[4]) | {"solution": "Step: 1: \nStep: 2: 1 + 1 = 2\n\n# Answer\n\n2"}
    samples.write_text("\n".join([*lines[:4], json.dumps(gap), *lines[5:]]) + "\n")
    assert len(files.prepare("samples", samples, "process")) == 5
    told = f"{samples}: 4 of 9 solutions left out: empty, or with a step without text"
    assert caplog.record_tuples == [("minrm", logging.WARNING, told)]


def test_a_question_without_truth_is_named_with_its_row(samples, tmp_path):
    write_rows([{"question": "Another?", "answer": "2"}], tmp_path / "p.jsonl")
    with pytest.raises(InputError, match=r"samples.jsonl, row 2: its question is not in .*p.jsonl"):
        files.prepare("samples", samples, problems=tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").write_text('{"question": "?", "answer": "2", "id": 1}\n\n{"prompt": "?", "answer": "2"}\n')
    with pytest.raises(
        InputError, match=r"p.jsonl, row 3: missing field 'question'; each row needs question and answer"
    ):
        files.prepare("samples", samples, problems=tmp_path / "p.jsonl")


def test_a_sample_that_no_model_can_read_is_named_with_its_line(samples):
    lines = samples.read_text().splitlines()
    lines[4] = json.dumps(json.loads(lines[4]) | {"solution": f"2{STEP_TOKEN}"})
    samples.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"samples.jsonl, row 5: the solution holds the step token"):
        files.prepare("samples", samples)


def test_rows_are_checked_and_their_schema_is_found_out(tmp_path):
    row = {"question": "?", "steps": ["a", "b"], "labels": [1]}
    write_rows([row | {"labels": [1, 0]}, row], tmp_path / "r.jsonl")
    with pytest.raises(InputError, match=r"r.jsonl, row 2: 2 steps but 1 labels"):
        files.prepare("rows", tmp_path / "r.jsonl")
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(row | {'labels': [1, 0]})}\n\n{json.dumps(row)}\n")
    with pytest.raises(InputError, match=r"r.jsonl, row 3: 2 steps but 1 labels"):  # the line, as editors count
        files.prepare("rows", tmp_path / "r.jsonl")
    write_rows(
        [row | {"labels": [1, 0]}, {"question": "?", "steps": ["a\nStep: 7: b"], "labels": [1]}], tmp_path / "h.jsonl"
    )
    with pytest.raises(InputError, match=r"h.jsonl, row 2: 1 steps, .* as 2; a step holds a line that begins like a"):
        files.prepare("rows", tmp_path / "h.jsonl")
    with pytest.raises(InputError, match="no source 'gsm'; the sources are samples, rows, gsm8k"):
        files.prepare("gsm", tmp_path / "r.jsonl")
    with pytest.raises(InputError, match="fields question, solution fit no schema"):
        files.schema_of([{"question": "?", "solution": "!"}], "r.jsonl")


def test_the_preview_brackets_exactly_what_is_supervised(base):
    outcome = {"question": "1 or 2?", "solution": "Step: 1: 2", "answer": "2", "correct": True}
    assert files.preview(outcome, "outcome", base).startswith("1 or 2?\n⟦Step: 1: 2⟧\n")
    process = {"question": "1 or 2?", "steps": ["one", "two"], "labels": [1, None]}
    shown = files.preview(process, "process", base)
    assert f"Step: 1: one⟦{STEP_TOKEN}⟧\nStep: 2: two{STEP_TOKEN}\n(1 of" in shown
    pair = files.preview({"prompt": "Hi", "chosen": "yes", "rejected": "no"}, "pair", base)
    assert "Hi\nye⟦s⟧" in pair and "Hi\nn⟦o⟧" in pair


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_a_checkpoint_is_recognised_and_its_scores_are_added_in_order(schema, base, tmp_path):
    model = files.new_model(schema, base)
    model.save_pretrained(tmp_path / "m")
    again = files.load_model(str(tmp_path / "m"))
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
        files.load_model(base)
    with pytest.raises(InputError, match="is neither a folder nor a model within reach"):
        files.load_model("no-such-model")
    with pytest.raises(InputError, match="no reward model learns from problem rows"):
        files.new_model("problem", base)
    bert = {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
    (tmp_path / "config.json").write_text(json.dumps(bert))
    with pytest.raises(InputError, match="is not a reward model: it holds BertForMaskedLM"):
        files.load_model(str(tmp_path))


@pytest.mark.parametrize("schema", ["outcome", "process", "pair"])
def test_a_truncated_checkpoint_is_told_from_one_of_another_kind(schema, base, tmp_path):
    files.new_model(schema, base).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be loaded as a model"):
        files.load_model(str(tmp_path))


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


def test_policy_means_the_shipped_model_unless_a_folder_of_that_name_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.find_model("policy") != "policy" and files.find_model("other/model") == "other/model"
    (tmp_path / "policy").mkdir()
    assert files.find_model("policy") == "policy"


def test_labels_can_stop_at_the_first_error():
    rows = [{"question": "?", "steps": ["a", "b", "c"], "labels": [1, 0, 1]}]
    assert files.until_first_error(rows)[0]["labels"] == [1, 0, None]
