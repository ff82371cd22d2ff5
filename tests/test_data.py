"""What `data/` ships: what its README says of it, and that nothing is measured on what something was trained on."""

import json
import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from minrm import shipped
from minrm.rows import check_rows, read_rows
from minrm.sampling import log_likelihood, sample
from minrm.text import STEP_TOKEN
from minrm.world import evaluation, read_problem, recorded_scores
from minrm.world.policy import END, corpus
from minrm.world.recorded_runs import KINDS, SEEDS, VARIANTS, seeds_of

DATA = shipped("policy").parent
PROBLEMS = list(read_rows(shipped("problems.parquet")))
SAMPLES = list(read_rows(shipped("evaluation.parquet")))
TRAINING = list(read_rows(shipped("training.parquet")))


def test_there_are_at_least_200_problems_with_256_samples_each():
    counts = {}
    for row in SAMPLES:
        counts[row["problem"]] = counts.get(row["problem"], 0) + 1
    assert len(PROBLEMS) >= 200 and set(counts.values()) == {256} and len(counts) == len(PROBLEMS)


def test_what_is_measured_on_was_not_trained_on():
    def numbers(question):
        p = read_problem(question)
        return (p.base, p.wording, p.difference, p.more, p.events)

    evaluated = {numbers(row["question"]) for row in PROBLEMS}
    trained = {numbers(row["question"]) for row in TRAINING}
    read = {numbers(prompt.partition("\n")[0]) for prompt, _ in corpus(3000, seed=0)}
    assert not evaluated & trained and not evaluated & read and not trained & read


@pytest.mark.parametrize("rows", [SAMPLES, TRAINING], ids=["evaluation", "training"])
def test_the_recorded_labels_are_the_exact_checkers(rows):
    for row in random.Random(0).sample(rows, 2000):
        question = row["question"] if "question" in row else PROBLEMS[row["problem"]]["question"]
        judged = read_problem(question).judge(row["solution"])
        assert row == row | {name: value for name, value in judged.items() if name in row}


def test_training_rows_scores_and_samples_fit_together():
    """Training rows are outcome and process rows as they stand; a score for each sample; rollouts for each step."""
    for schema in ("outcome", "process"):
        assert len(list(check_rows(TRAINING, schema))) == len(TRAINING)
    world = evaluation()
    assert [(row["problem"], row["solution"]) for row in SAMPLES] == [
        (problem, solution) for problem, row in enumerate(world.solutions) for solution in row
    ]
    for kind in ("orm", "prm", "bradley_terry"):
        assert recorded_scores(kind).shape == (len(SEEDS), *world.solutions.shape)
    for row in read_rows(shipped("rollouts.parquet")):
        assert len(row["soft"]) == len(TRAINING[row["row"]]["steps"])


def test_the_policy_loads_with_stock_classes_and_knows_no_step_token():
    tokenizer = AutoTokenizer.from_pretrained(shipped("policy"))
    model = AutoModelForCausalLM.from_pretrained(shipped("policy"))
    assert STEP_TOKEN not in tokenizer.get_vocab() and model.config.model_type == "llama"
    assert sum(p.numel() for p in model.parameters()) < 2e6


def test_half_precision_on_disk_changes_nothing_measurable():
    """The recorded log-likelihoods are those of the shipped weights, computed again."""
    tokenizer = AutoTokenizer.from_pretrained(shipped("policy"))
    model = AutoModelForCausalLM.from_pretrained(shipped("policy"), dtype=torch.float32).eval()
    for row in random.Random(1).sample(SAMPLES, 20):
        asked = tokenizer(PROBLEMS[row["problem"]]["question"] + "\n")["input_ids"]
        ids = torch.tensor([asked + tokenizer(row["solution"] + END)["input_ids"]])
        counted = torch.arange(ids.shape[1])[None] >= len(asked)
        with torch.no_grad():
            found = log_likelihood(model, ids, torch.ones_like(ids), counted).item()
        if counted.sum() == row["tokens"]:  # the solution was sampled in the tokens that it is encoded in
            assert found == pytest.approx(row["log_likelihood"], abs=2e-2)


def test_greedy_solutions_are_what_the_shipped_policy_writes():
    some = PROBLEMS[:20]
    rows = sample(
        shipped("policy"), [row["question"] for row in some], 1, temperature=0, max_new_tokens=80, progress=False
    )
    same = sum(found["solution"] == row["greedy"] for found, row in zip(rows, some, strict=True))
    assert same >= 19  # a near tie may fall the other way on another machine


def test_the_readme_names_every_file_and_none_is_large():
    files = [path for path in DATA.rglob("*") if path.is_file()]
    files = [path for path in files if not {"work", "next", "__pycache__"} & set(path.relative_to(DATA).parts)]
    readme = (DATA / "README.md").read_text()
    runs = {path.name for path in files if path.parent.name == "runs"}
    every = {f"{kind}-{seed}" for kind in KINDS | VARIANTS for seed in seeds_of(kind)}
    assert runs == {f"{name}.{ending}" for name in every for ending in ("json", "parquet")}
    for path in files:
        if path.parent.name in ("runs", "searches", "reinforcement"):
            assert f"`{path.parent.name}/`, {len(list(path.parent.iterdir()))} files" in readme
        elif path.suffix not in (".py", ".md"):
            assert f"`{path.relative_to(DATA)}`" in readme  # in the table of sizes
    sizes = [path.stat().st_size for path in files]
    assert sum(sizes) < 45e6 and max(sizes) < 8e6
    assert {path.suffix for path in files} <= {".py", ".md", ".parquet", ".json", ".safetensors", ".png", ".jinja"}


def test_the_world_is_what_the_course_says_of_it():
    """The figures that the chapters stand on, as the recipe measured them."""
    found = json.loads(shipped("measured.json").read_text())
    vote, orm, prm, pair = (
        found[name] for name in ("plurality vote", "ORM: best of N", "PRM: best of N", "Bradley–Terry: best of N")
    )
    assert found["greedy - direct"]["low"] > 0.2 and found["pass@N"]["64"] > 0.95
    for n in ("4", "16", "64", "256"):  # the order of the field, at every N
        assert found["longest of N"][n] < vote[n] < min(orm[n], pair[n]) and orm[n] < prm[n] < found["pass@N"][n]
    assert prm["256"] > prm["64"] - 0.03 and orm["256"] > max(orm.values()) - 0.1
    for kind, least in (("PRM", 0.95), ("ORM", 0.85), ("Bradley–Terry", 0.85)):
        assert found[f"{kind}: AUC of sound against wrong"]["mean"] > least
        assert found[f"{kind}: the same at equal length"]["mean"] > least
    assert 0.45 < found["within-problem AUC of the number of words"]["mean"] < 0.6
    assert found["different texts of a problem (median)"] >= 100
    assert 0.03 <= found["false positives among the right"] <= 0.15
