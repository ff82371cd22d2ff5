import json

import pytest

from minrm.cli import app as cli
from minrm.rows import read_rows

STEPS = [{"prompt": f"{n} + {n}", "completions": [f"{n}", f"{2 * n}"], "labels": [True, n % 2 == 0]} for n in range(5)]


def run(*arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["prepare", *map(str, arguments)])
    said = capsys.readouterr()
    assert end.value.code == 0, said
    return said


def test_a_preview_prints_rows_and_counts_and_writes_nothing(written, capsys, caplog, tmp_path):
    path = written(*STEPS, STEPS[0] | {"completions": ["", "5"]})
    said = run(path, "--source", "trl_stepwise", "--preview", "3", "-o", tmp_path / "out.jsonl", capsys=capsys)
    lines = said.out.splitlines()
    assert [json.loads(line)["question"] for line in lines[:3]] == ["0 + 0", "1 + 1", "2 + 2"]
    assert lines[3] == "" and "⟦<|prm_label|>⟧" in said.out  # the first as a model sees it
    assert lines[-1] == "5 process rows, none written"
    assert caplog.messages == ["TRL stepwise: 5 of 6 rows used, 5 process rows; 1 dropped: a step without text"]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_preview_of_more_rows_than_there_are_shows_all(written, capsys):
    said = run(written({"question": "?", "answer": "#### 5"}), "--source", "gsm8k", "--preview", "9", capsys=capsys)
    assert said.out == '{"question": "?", "answer": "5"}\n\n1 problem rows, none written\n'


def test_labels_can_stop_at_the_first_error_and_arguments_reach_the_source(written, capsys, tmp_path):
    path, out = written(STEPS[1] | {"labels": [False, True]}), tmp_path / "out.parquet"
    run(path, "--source", "trl_stepwise", "--until-first-error", "-o", out, capsys=capsys)
    assert [row["labels"] for _, row in read_rows(out)] == [[0, None]]
    path = written({"question": "?", "answer": "2+3=<<2+3=5>>5\n#### 5"})
    run(path, "--source", "gsm8k", "--set", "worked=true", "--set", "annotations=true", "-o", out, capsys=capsys)
    assert [row["solution"] for _, row in read_rows(out)] == ["2+3=<<2+3=5>>5\n#### 5"]


def test_a_bad_row_leaves_what_was_written_before(written, capsys, tmp_path):
    out = tmp_path / "out.jsonl"
    run(written(*STEPS), "--source", "trl_stepwise", "-o", out, capsys=capsys)
    before = out.read_bytes()
    path = written(*STEPS, STEPS[0] | {"labels": [True]})
    with pytest.raises(SystemExit) as end:
        cli.main(["prepare", str(path), "--source", "trl_stepwise", "-o", str(out)])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"minrm: {path}, row 6: 2 steps but 1 labels; each step needs one label (1, 0, or null for none)\n"
    )
    assert out.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.jsonl", path.name]
