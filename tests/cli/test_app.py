import json
import subprocess
import sys

import pytest
import torch

from minrm.cli import app as cli
from minrm.rows import read_rows

PAIRS = [{"prompt": "1 + 1", "chosen": f"Yes, {k}", "rejected": f"No, {k}"} for k in range(12)]


def run(*arguments, code=0, capsys=None):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr() if capsys else None
    assert end.value.code == code, said
    return said


def test_the_whole_way_from_sampling_to_the_figure(tmp_path, capsys):
    common = ["--no-progress", "--max-new-tokens", "60"]
    run("sample", "--world", "12", "--n", "4", "-o", tmp_path / "s.jsonl", *common, capsys=capsys)
    for schema, model in (("outcome", "orm"), ("process", "prm")):
        rows, folder, scored = tmp_path / f"{schema}.jsonl", tmp_path / model, tmp_path / f"{model}.jsonl"
        source = [tmp_path / "s.jsonl", "--source", "samples", "--schema", schema]
        said = run("prepare", *source, "-o", rows, capsys=capsys)
        assert "⟦" in said.out and f"{schema} rows" in said.out
        said = run("train", rows, "-o", folder, "--eval", rows, "--no-progress", "--batch-size", "8", capsys=capsys)
        assert "eval_accuracy" in said.out
        test = tmp_path / "outcome.jsonl"
        run("score", folder, test, "-o", scored, "--no-progress", capsys=capsys)
        said = run("evaluate", scored, "--figure", tmp_path / f"{model}.png", capsys=capsys)
        assert (
            f"\n{model.upper()} " in said.out
            and "pass@N" in said.out
            and (tmp_path / f"{model}.png").stat().st_size > 5000
        )
    run(
        "score",
        tmp_path / "prm",
        tmp_path / "process.jsonl",
        "-o",
        tmp_path / "steps.parquet",
        "--no-progress",
        capsys=capsys,
    )
    said = run("evaluate", tmp_path / "steps.parquet", "--figure", tmp_path / "steps.png", capsys=capsys)
    assert "steps judged rightly" in said.out


def test_pairs_train_a_bradley_terry_model(tmp_path, capsys):
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    run("prepare", tmp_path / "p.jsonl", "-o", tmp_path / "p.parquet", capsys=capsys)
    run("train", tmp_path / "p.parquet", "-o", tmp_path / "bt", "--no-progress", "--batch-size", "4", capsys=capsys)
    run("score", tmp_path / "bt", tmp_path / "p.parquet", "-o", tmp_path / "ps.jsonl", "--no-progress", capsys=capsys)
    assert {"chosen_score", "rejected_score"} <= dict(read_rows(tmp_path / "ps.jsonl"))[1].keys()
    assert "chosen above rejected" in run("evaluate", tmp_path / "ps.jsonl", capsys=capsys).out


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["evaluate", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["train", "bad.jsonl", "-o", "m"], "bad.jsonl, row 2: broken JSON"),
        (["train", "odd.jsonl", "-o", "m"], "fit no schema"),
        (["score", "no-such-model", "good.jsonl", "-o", "s.jsonl"], 'shipped("policy")'),
        (["score", "policy-folder", "good.jsonl", "-o", "s.jsonl"], "neither a folder"),
        (["sample", "-o", "s.jsonl"], "give a file of questions or --world"),
        (["sample", "--world", "2", "-o", "s.parquet"], "needs a file that ends in .jsonl"),
        (["sample", "odd.jsonl", "-o", "s.jsonl"], "odd.jsonl, row 1: missing field 'question'"),
        (["train", "gap.jsonl", "-o", "m"], "gap.jsonl, row 3: missing field 'rejected'"),
        (["train", "pairs.jsonl", "--eval", "gap.jsonl", "-o", "m"], "gap.jsonl, row 3: missing field 'rejected'"),
        (["train", "pairs.jsonl", "--eval", "good.jsonl", "-o", "m"], "good.jsonl, row 1: missing field 'chosen'"),
        (["prepare", "gap.jsonl", "-o", "s.jsonl"], "gap.jsonl, row 3: missing field 'rejected'"),
        (["prepare", "pairs.jsonl", "-o", "s.jsonl", "--tokenizer", "no-such-model"], "neither a folder"),
        (["prepare", "pairs.jsonl"], "name a file to write, -o rows.jsonl, or look first: --preview 3"),
        (["prepare", "empty.jsonl", "-o", "s.jsonl"], "empty.jsonl: no row is left"),
        (["prepare", "pairs.jsonl", "--source", "gsm", "--preview", "1"], "no source 'gsm'; the sources are samples"),
        (["prepare", "pairs.jsonl", "--source", "hh_rlhf", "-o", "s.jsonl"], "pairs.jsonl, row 1: the dialogues have"),
        (["prepare", "pairs.jsonl", "--source", "hh_rlhf", "--set", "x=1", "-o", "s.jsonl"], "hh_rlhf has no argument"),
        (["evaluate"], "Missing argument"),
        (["fly"], "No such command"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.jsonl").write_text('{"text": "?"}\n')
    (tmp_path / "good.jsonl").write_text('{"question": "?", "solution": "!"}\n')
    pair = '{"prompt": "?", "chosen": "a", "rejected": "b"}\n'
    (tmp_path / "pairs.jsonl").write_text(pair)
    (tmp_path / "bad.jsonl").write_text(pair + '{"prom')
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "gap.jsonl").write_text(pair + '\n{"prompt": "?", "chosen": "a"}\n')
    said = run(*arguments, code=2, capsys=capsys)
    assert not (tmp_path / "s.jsonl").exists()  # nothing is written before what was asked for is known to be possible
    assert told in said.err and said.err.startswith("minrm: ") and said.err.count("\n") == 1


def test_without_arguments_the_help_is_shown(capsys):
    said = run(capsys=capsys)
    assert "Usage" in said.out and said.out.count("\n") > 20 and said.err == ""


@pytest.mark.parametrize(
    "base, given, passed",
    [
        ("policy", [], {"learning_rate": 1e-3}),
        ("other", [], {}),
        ("other", ["--learning-rate", "3e-5"], {"learning_rate": 3e-5}),
        ("policy", ["--learning-rate", "3e-5"], {"learning_rate": 3e-5}),
    ],
)
def test_only_the_shipped_policy_learns_at_its_own_rate(base, given, passed, tmp_path, monkeypatch):
    """For any other model train's own default counts, unless one is given."""
    seen = {}
    monkeypatch.setattr("minrm.cli.files.new_model", lambda *args, **options: None)
    monkeypatch.setattr("minrm.training.train", lambda *args, **options: seen.update(options) or sys.exit(0))
    (tmp_path / "p.jsonl").write_text('{"prompt": "?", "chosen": "a", "rejected": "b"}\n')
    run("train", tmp_path / "p.jsonl", "-o", tmp_path / "m", "--base", base, *given)
    assert {name: value for name, value in seen.items() if name == "learning_rate"} == passed


def test_lora_reads_the_base_in_what_the_device_computes_in_and_trains_adapters(
    written, base, tmp_path, monkeypatch, capsys
):
    """On a GPU the frozen weights may stay in half precision; without lora they are float32, the default."""
    from minrm import loading
    from minrm.cli import files

    rows, seen, new_model = written(*PAIRS, name="p.jsonl"), [], files.new_model
    monkeypatch.setattr(files, "new_model", lambda *a, **options: seen.append(options) or new_model(*a, **options))
    common = ["train", rows, "--base", base, "--batch-size", "4", "--no-progress"]
    run(*common, "-o", tmp_path / "all", capsys=capsys)
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    said = run(*common, "--lora", "2", "--gradient-checkpointing", "-o", tmp_path / "lora", capsys=capsys)
    assert "BradleyTerryRewardModel of 12 rows" in said.out
    assert [options.get("dtype") for options in seen] == [None, torch.bfloat16]
    run(*common, "--lora", "2", "--dtype", "float32", "-o", tmp_path / "single", capsys=capsys)
    assert seen[-1]["dtype"] == "float32"
    assert json.loads((tmp_path / "single" / "training.json").read_text())["settings"]["dtype"] == "float32"
    recorded = json.loads((tmp_path / "lora" / "training.json").read_text())["settings"]
    assert recorded["lora"] == 2
    assert "lora is -3; it is the rank" in run(*common, "--lora", "-3", "-o", tmp_path / "m", code=2, capsys=capsys).err


def test_help_says_what_happens_to_long_pairs_and_which_rate_is_the_default(capsys):
    said = " ".join(run("train", "--help", capsys=capsys).out.split())
    assert "of pairs, both texts are cut" in said and "1e-3 from policy, else 1e-4" in said


def test_debug_shows_where_an_error_arose(capsys):
    with pytest.raises(ValueError, match="no such file"):
        cli.main(["--debug", "evaluate", "nowhere.jsonl"])


def test_help_teaches_by_example_and_loads_nothing_heavy():
    code = (
        "import sys; from minrm import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'datasets', 'matplotlib', 'numpy'} & set(sys.modules), 'slow'"
    )
    for command in ([], ["sample"], ["prepare"], ["train"], ["score"], ["join"], ["evaluate"]):
        said = subprocess.run(
            [sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=True
        )
        assert "minrm " in said.stdout.split("Options")[0].partition("\n\n")[2] and "Usage" in said.stdout


@pytest.mark.parametrize(
    "told", ["stopped after update 3 of 9, saved in m; the same call of train goes on from there", ""]
)
def test_ctrl_c_is_one_line_that_says_how_to_go_on(told, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt(told)

    monkeypatch.setattr("minrm.training.train", interrupted)
    rows = tmp_path / "p.jsonl"
    rows.write_text('{"prompt": "?", "chosen": "a", "rejected": "b"}\n')
    said = run("train", rows, "-o", tmp_path / "m", code=130, capsys=capsys)
    assert said.err.startswith("minrm: stopped") and "goes on from there" in said.err and said.err.count("\n") == 1
