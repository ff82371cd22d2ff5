"""`minrm evaluate --benchmark`: from files in the publishers' layouts to figures, by their rules written once more."""

import json

import numpy as np
import pytest

from minrm import BradleyTerryRewardModel, ProcessRewardModel, shipped
from minrm.cli.benchmarks import SIZES, report
from minrm.errors import InputError
from minrm.rows import read_rows, write_rows
from minrm.text import split_steps
from minrm.world import evaluation

SUBSETS = ("gsm8k", "math")


@pytest.fixture(scope="module")
def world():
    return evaluation()


@pytest.fixture
def bench(world, tmp_path):
    """Two subsets in ProcessBench's layout and files, of solutions of the embedded world."""
    rng, records = np.random.default_rng(3), {name: [] for name in SUBSETS}
    for number, (problem, sample) in enumerate(rng.integers(0, (300, 16), (120, 2))):
        steps, good = split_steps(world.solutions[problem, sample]), list(world.labels[problem, sample])
        name = SUBSETS[number % 2]
        records[name].append({
            "id": f"{name}-{number}", "generator": "policy", "problem": world.questions[problem, sample],
            "steps": steps, "final_answer_correct": bool(world.correct[problem, sample]),
            "label": good.index(0) if 0 in good else -1,
        })  # fmt: skip
    for name in SUBSETS:
        (tmp_path / f"{name}.json").write_text(json.dumps(records[name]), encoding="utf-8")
    return records


def published_f1(records, scores, threshold):
    """As the publisher's run_eval.py counts, in parts of one: matches of an index, or of -1."""
    matches = {True: [], False: []}
    for record, steps in zip(records, scores, strict=True):
        prediction = next((i for i, score in enumerate(steps) if score < threshold), -1)
        matches[record["label"] != -1].append(prediction == record["label"])
    acc1, acc2 = np.mean(matches[True]), np.mean(matches[False])
    return acc1, acc2, 2 * acc1 * acc2 / (acc1 + acc2) if acc1 + acc2 else 0.0


def figures(text, name):
    """The numbers of the lines that begin with this name."""
    lines = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return [
        [float(word) for word in line.replace("(", " ").replace(")", " ").split() if word[0].isdigit()]
        for line in lines
    ]


def test_one_command_scores_the_publishers_files_and_applies_processbenchs_rule(bench, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [f"{name}.json" for name in SUBSETS]
    command = [
        "evaluate",
        *files,
        "--benchmark",
        "processbench",
        "--model",
        shipped("models/prm"),
        "-o",
        "scored.jsonl",
    ]
    said = run(*command).out
    prm = ProcessRewardModel.from_pretrained(shipped("models/prm"))
    scores = {
        name: prm.step_scores([row["problem"] for row in rows], ["\n".join(row["steps"]) for row in rows])
        for name, rows in bench.items()
    }
    candidates = np.unique(np.concatenate([*scores["gsm8k"], [0.0, 1.0]]))
    candidates = (candidates[:-1] + candidates[1:]) / 2
    best = max(published_f1(bench["gsm8k"], scores["gsm8k"], threshold)[2] for threshold in candidates)
    chosen = float(said.split("\nthreshold ")[-1].split(",")[0])
    assert published_f1(bench["gsm8k"], scores["gsm8k"], chosen)[2] == pytest.approx(best)
    for block, threshold in enumerate((0.5, chosen)):
        expected = []
        for name in SUBSETS:
            acc1, acc2, f1 = published_f1(bench[name], scores[name], threshold)
            found = figures(said, name)[block]  # solutions, an accuracy and its interval, another, F1
            assert found[0] == 60 and [found[1], found[4], found[7]] == pytest.approx([acc1, acc2, f1], abs=5e-4)
            expected.append(f1)
        assert figures(said, "average")[block] == pytest.approx([120, np.mean(expected)], abs=5e-4)
    assert "not the whole benchmark (gsm8k 60 of 400, math 60 of 1000" in said
    assert run(*command).out.splitlines()[1:] == said.splitlines()[1:], "the scores are there: it only measures"
    assert run("evaluate", "scored.jsonl", "--benchmark", "processbench").out == said.split("\n", 1)[1]


def test_without_the_subset_that_chooses_one_half_is_left(bench, run, tmp_path):
    model = shipped("models/prm")
    command = ["evaluate", tmp_path / "math.json", "--benchmark", "processbench", "--model", model]
    said = run(*command, "-o", tmp_path / "s.jsonl").out
    assert "no rows of gsm8k, on which the threshold is chosen" in said and said.count("threshold 0.") == 1


@pytest.fixture
def four(world, tmp_path):
    """Prompts in RewardBench 2's layout, of the embedded world: one right and three wrong solutions, and Ties."""
    records = []

    def add(number, subset, right, wrong):
        records.append({
            "id": number, "prompt": world.questions[problem, 0], "chosen": right, "rejected": wrong, "subset": subset,
            "num_correct": len(right), "num_incorrect": len(wrong), "total_completions": len(right) + len(wrong),
            "models": ["policy"], "additional_metadata": {"category": None},
        })  # fmt: skip

    for problem in range(40):
        texts, correct = world.solutions[problem], world.correct[problem]
        right, wrong = (list(dict.fromkeys(texts[correct == kind])) for kind in (True, False))
        if len(right) < 2 or len(wrong) < 3:
            continue
        add(str(problem), ("Math", "Focus")[problem % 2], right[:1], wrong[:3])
        if problem % 3 == 0:
            add(f"ref:{problem}", "Ties", right[:1], wrong[:1])
            add(f"tied:{problem}", "Ties", right[:2], wrong[:2])
    path = tmp_path / "test-00000-of-00001.parquet"
    write_rows(records, path)
    return path, records


def test_one_command_gives_rewardbench_2s_figures(four, run, tmp_path):
    path, records = four
    model = shipped("models/bradley_terry")
    said = run("evaluate", path, "--benchmark", "rewardbench2", "--model", model, "-o", tmp_path / "s.jsonl").out
    judge = BradleyTerryRewardModel.from_pretrained(model)
    scores = {r["id"]: judge.score([r["prompt"]] * len(r["chosen"] + r["rejected"]), r["chosen"] + r["rejected"])
              for r in records}  # fmt: skip
    expected = []
    for subset in ("Math", "Focus"):
        rows = [scores[record["id"]] for record in records if record["subset"] == subset]
        expected.append(np.mean([row[0] > row[1:].max() for row in rows]))
        assert figures(said, subset)[0][:2] == pytest.approx([len(rows), expected[-1]], abs=5e-4)
    numbers = [record["id"].split(":")[1] for record in records if record["id"].startswith("ref:")]
    one = [scores[f"ref:{n}"][0] - scores[f"ref:{n}"][1] for n in numbers]
    rows = [scores[f"tied:{n}"] for n in numbers]
    gap, spread = [r[:2].min() - r[2:].max() for r in rows], [abs(r[0] - r[1]) for r in rows]
    hard = np.minimum(one, gap)
    parts = [np.greater(one, 0), np.greater(gap, 0), np.greater(gap, spread), hard > spread, np.tanh(hard / spread - 1)]
    expected.append(np.dot([0.3, 0.3, 0.2, 0.2, 0.01], [np.mean(part) for part in parts]))
    assert figures(said, "Ties")[0] == pytest.approx([2 * len(numbers), expected[-1]], abs=5e-4)
    assert figures(said, "average")[0][1] == pytest.approx(np.mean(expected), abs=5e-4)
    assert len(numbers) > 3 and "not the whole benchmark (Factuality 0 of 475" in said


def scored(subset="gsm8k", label=-1, count=1):
    labels = [1] if label < 0 else [0]
    row = {
        "question": "?",
        "steps": ["a"],
        "labels": labels,
        "step_scores": [0.7],
        "subset": subset,
        "scored_with": "m",
    }
    return [row] * count


def test_all_the_publishers_rows_stand_beside_published_figures(written):
    rows = [
        row for name, size in SIZES["processbench"].items() for row in scored(name, 0) + scored(name, count=size - 1)
    ]
    assert report("processbench", [written(*rows)])[-1].startswith("all 3400 solutions: the figures stand beside")
    assert report("processbench", [written(*rows[:-1])])[-1].startswith("not the whole benchmark (gsm8k 400 of 400, ")


COMPLETION = {
    "id": "1", "question": "?", "subset": "Math", "solution": "a", "correct": True, "score": 0.5, "scored_by": "orm",
    "scored_with": "m",
}  # fmt: skip
REST = [COMPLETION | {"correct": False}] * 3


@pytest.mark.parametrize(
    ("benchmark", "rows", "told"),
    [
        ("rewardbench", [], "no benchmark 'rewardbench'; the benchmarks are processbench, rewardbench2"),
        ("processbench", [], "rows.jsonl: its first row has no labels, step_scores, subset; give --model to score the"),
        ("processbench", [COMPLETION], "rows.jsonl: its first row has no labels, step_scores; give --model"),
        ("processbench", scored(), "gsm8k: 0 erroneous and 1 error-free solutions; F1 needs both kinds"),
        ("processbench", scored() + [{**scored()[0], "step_scores": [2]}], "row 2: the score of step 1 is 2"),
        (
            "rewardbench2",
            [COMPLETION, *REST[:2]],
            "Math, prompt 1: 3 completions, 1 of them right; it needs four with one right",
        ),
        ("rewardbench2", [COMPLETION, *REST] * 2, "Math, prompt 1: 8 completions, 2 of them right"),
        ("rewardbench2", [COMPLETION, *REST, COMPLETION | {"score": None}], "row 5: score is None; it should be"),
        ("rewardbench2", [COMPLETION | {"subset": "Ties"}], "the id '1' is neither ref:NUMBER nor tied:NUMBER"),
    ],
)
def test_what_a_benchmark_cannot_be_measured_on_is_refused(benchmark, rows, told, written):
    with pytest.raises(InputError, match=told):
        report(benchmark, [written(*rows)])


def test_scores_of_two_models_are_not_one_figure(written, tmp_path):
    paths = [written(*scored(label=0), name="a.jsonl"), written(scored()[0] | {"scored_with": "n"}, name="b.jsonl")]
    with pytest.raises(InputError, match=r"b\.jsonl: scored with n, but .*a\.jsonl with m"):
        report("processbench", paths)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.jsonl", "b.jsonl"], "several files, --model and --out need --benchmark"),
        (["a.jsonl", "--model", "prm"], "several files, --model and --out need --benchmark"),
        (["a.json", "--benchmark", "processbench", "--model", "prm"], "--model and --out belong together"),
        (["a.json", "--benchmark", "processbench", "--figure", "a.png"], "a benchmark is a table; leave --figure out"),
        (["a.json", "--benchmark", "processbench", "--model", "prm", "-o", "o.jsonl"], "a.json: no such file"),
        (["a.jsonl", "--benchmark", "x", "--model", "prm", "-o", "o.jsonl"], "no benchmark 'x'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, told, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in run("evaluate", *arguments, code=2).err
    assert not list(tmp_path.iterdir())


def test_prepare_and_score_by_themselves_come_to_the_same(bench, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("prepare", "gsm8k.json", "--source", "processbench", "-o", "rows.jsonl")
    run("score", shipped("models/prm"), "rows.jsonl", "-o", "s.jsonl", "--no-progress")
    assert {row["subset"] for row in read_rows("s.jsonl")} == {"gsm8k"}
    whole = ["evaluate", "gsm8k.json", "--benchmark", "processbench", "--model", shipped("models/prm"), "-o", "t.jsonl"]
    assert run("evaluate", "s.jsonl", "--benchmark", "processbench").out == run(*whole).out.split("\n", 1)[1]
