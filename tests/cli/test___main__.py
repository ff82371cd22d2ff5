import json
import subprocess
import sys

import pytest

from minrm.cli import __main__ as cli
from minrm.rows import read_rows

PAIR = {"prompt": "?", "chosen": "a", "rejected": "b"}


def test_the_whole_way_from_sampling_to_the_figure(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("sample", "--world", "12", "--n", "4", "-o", "s.jsonl", "--no-progress", "--max-new-tokens", "60")
    for schema, model in (("outcome", "orm"), ("process", "prm")):
        said = run("prepare", "s.jsonl", "--source", "samples", "--schema", schema, "-o", f"{schema}.jsonl")
        assert "⟦" in said.out and f"{schema} rows" in said.out
        rows = [f"{schema}.jsonl", "--eval", f"{schema}.jsonl"]
        assert "eval_accuracy" in run("train", *rows, "-o", model, "--no-progress", "--batch-size", "8").out
        run("score", model, "outcome.jsonl", "-o", f"{model}.parquet", "--no-progress")
        said = run("evaluate", f"{model}.parquet", "--figure", f"{model}.png")
        assert f"\n{model.upper()} " in said.out and "pass@N" in said.out
        assert (tmp_path / f"{model}.png").stat().st_size > 5000
    run("score", "prm", "process.jsonl", "-o", "steps.jsonl", "--no-progress")
    assert "steps judged rightly" in run("evaluate", "steps.jsonl", "--figure", "steps.png").out


def test_pairs_train_a_bradley_terry_model(run, tmp_path, monkeypatch, written):
    monkeypatch.chdir(tmp_path)
    pairs = [PAIR | {"prompt": "1 + 1", "chosen": f"Yes, {k}", "rejected": f"No, {k}"} for k in range(12)]
    run("prepare", written(*pairs), "-o", "p.parquet")
    said = run("train", "p.parquet", "-o", "bt", "--no-progress", "--batch-size", "4")
    assert said.out.startswith("bt: BradleyTerryRewardModel of 12 rows (0 dropped): loss ")
    run("score", "bt", "p.parquet", "-o", "scored.jsonl", "--no-progress")
    assert next(read_rows("scored.jsonl")).keys() == {
        *PAIR,
        "chosen_score",
        "rejected_score",
        "scored_by",
        "scored_with",
    }
    assert "chosen above rejected" in run("evaluate", "scored.jsonl").out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["evaluate", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["train", "bad.jsonl", "-o", "m"], "bad.jsonl, row 2: broken JSON"),
        (["train", "odd.jsonl", "-o", "m"], "odd.jsonl, row 1: fields text fit no schema"),
        (["train", "problems.jsonl", "-o", "m"], "no reward model learns from problem rows"),
        (["train", "both.jsonl", "-o", "m"], "its rows fit outcome and process; choose one, such as --schema outcome"),
        (["train", "both.jsonl", "--schema", "pair", "-o", "m"], "both.jsonl, row 1: missing field 'chosen', 'prompt'"),
        (["train", "pairs.jsonl", "--eval", "gap.jsonl", "-o", "m"], "gap.jsonl, row 2: missing field 'rejected'"),
        (["score", "no-such-model", "good.jsonl", "-o", "s.jsonl"], "no-such-model is neither a folder"),
        (["score", "policy", "good.jsonl", "-o", "s.csv"], "s.csv: unknown kind of file"),
        (["score", "policy", "good.jsonl", "-o", "s.jsonl", "--dtype", "int8"], "it can be float32, bfloat16"),
        (["score", "policy", "good.jsonl", "-o", "s.jsonl", "--aggregate", "sum"], "aggregate is 'sum'; it can be"),
        (["sample", "-o", "s.jsonl"], "give either a file of questions or --world"),
        (["sample", "--world", "2", "-o", "s.parquet"], "needs a file that ends in .jsonl"),
        (["prepare", "gap.jsonl", "-o", "s.jsonl"], "gap.jsonl, row 2: missing field 'rejected'"),
        (["prepare", "pairs.jsonl", "-o", "s.jsonl", "--base", "no-such-model"], "neither a folder"),
        (["prepare", "pairs.jsonl"], "name a file to write, -o rows.jsonl, or look first: --preview 3"),
        (["prepare", "empty.jsonl", "-o", "s.jsonl"], "empty.jsonl: no row is left"),
        (["evaluate"], "Missing argument"),
        (["fly"], "No such command"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(arguments, message, run, written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = {"question": "?", "solution": "!", "answer": "1", "correct": True}
    written({"text": "?"}, name="odd.jsonl")
    written({"question": "?", "solution": "!"}, name="good.jsonl")
    written({"question": "?", "answer": "!"}, name="problems.jsonl")
    written(outcome | {"steps": ["!"], "labels": [1]}, name="both.jsonl")
    written(PAIR, {"prompt": "?", "chosen": "a"}, name="gap.jsonl")
    written(name="empty.jsonl")
    written(PAIR, name="pairs.jsonl")
    (tmp_path / "bad.jsonl").write_text(json.dumps(PAIR) + '\n{"prom')
    said = run(*arguments, code=2)
    assert not (tmp_path / "s.jsonl").exists()  # nothing is written before the command is known to be possible
    assert message in said.err and said.err.startswith("minrm: ") and said.err.count("\n") == 1


def test_without_arguments_the_help_is_shown(run):
    said = run()
    assert "Usage" in said.out and said.out.count("\n") > 20 and said.err == ""


def test_debug_shows_where_an_error_arose():
    with pytest.raises(ValueError, match="no such file"):
        cli.main(["--debug", "evaluate", "nowhere.jsonl"])


@pytest.mark.parametrize(
    "command", [[], ["sample"], ["prepare"], ["train"], ["score"], ["evaluate"], ["serve-command"]]
)
def test_help_teaches_by_example_and_loads_nothing_heavy(command):
    code = (
        "import sys; from minrm.cli import __main__ as app\n"
        "try: app.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'datasets', 'matplotlib', 'numpy'} & set(sys.modules), 'slow'"
    )
    call = [sys.executable, "-c", code, *command, "--help"]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    assert "Usage" in text and "minrm " in text.split("Options")[0].partition("\n\n")[2]


def test_accelerate_can_launch_the_package_as_a_module():
    call = [sys.executable, "-m", "minrm.cli", "train", "--help"]
    assert "accelerate launch" in subprocess.run(call, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("message", ["stopped; saved in m, the same call goes on from there", ""])
def test_ctrl_c_is_one_line_that_says_how_to_go_on(message, run, written, tmp_path, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt(message)

    monkeypatch.setattr("minrm.training.train", interrupted)
    said = run("train", written(PAIR), "-o", tmp_path / "m", code=130)
    assert said.err.startswith("minrm: stopped; ") and " go" in said.err and said.err.count("\n") == 1
