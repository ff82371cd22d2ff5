import json

import pytest

from minrm import files
from minrm.errors import InputError
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
    assert [row["correct"] for row in rows] == [True, False] * 3  # the empty ones are left out
    write_rows([{"question": p.question, "answer": "2"} for p in PROBLEMS], tmp_path / "p.jsonl")
    other = files.prepare("samples", samples, problems=tmp_path / "p.jsonl")
    assert [row["correct"] for row in other] == [False, True] * 3


def test_samples_become_process_rows_by_the_exact_checker(samples):
    rows = files.prepare("samples", samples, "process")
    assert all(all(row["labels"]) for row in rows[::2]) and [row["labels"] for row in rows[1::2]] == [[0]] * 3


def test_a_question_without_truth_is_named_with_its_row(samples, tmp_path):
    write_rows([{"question": "Another?", "answer": "2"}], tmp_path / "p.jsonl")
    with pytest.raises(InputError, match=r"samples.jsonl, row 2: its question is not in .*p.jsonl"):
        files.prepare("samples", samples, problems=tmp_path / "p.jsonl")


def test_rows_are_checked_and_their_schema_is_found_out(tmp_path):
    row = {"question": "?", "steps": ["a", "b"], "labels": [1]}
    write_rows([row | {"labels": [1, 0]}, row], tmp_path / "r.jsonl")
    with pytest.raises(InputError, match=r"r.jsonl, row 2: 2 steps but 1 labels"):
        files.prepare("rows", tmp_path / "r.jsonl")
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
    with pytest.raises(InputError, match="none of the three reward models"):
        files.load_model(base)
    with pytest.raises(InputError, match="no reward model learns from problem rows"):
        files.new_model("problem", base)
    with pytest.raises(InputError, match="row 1: has question; to be scored it needs"):
        files.score(None, [{"question": "?"}], "x.jsonl")


def test_policy_means_the_shipped_model_unless_a_folder_of_that_name_is_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.find_model("policy") != "policy" and files.find_model("other/model") == "other/model"
    (tmp_path / "policy").mkdir()
    assert files.find_model("policy") == "policy"


def test_labels_can_stop_at_the_first_error():
    rows = [{"question": "?", "steps": ["a", "b", "c"], "labels": [1, 0, 1]}]
    assert files.until_first_error(rows)[0]["labels"] == [1, 0, None]
