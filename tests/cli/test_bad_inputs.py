"""Bad inputs of all five commands: each ends in exit code 2 and one line that names the place, and nothing is lost."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from minrm.cli import __main__ as cli
from minrm.rows import write_rows

PAIR = {"prompt": "?", "chosen": "a", "rejected": "b"}
OUTCOME = {"question": "?", "solution": "Step: 1: 2", "answer": "2", "correct": True}
PROCESS = {"question": "?", "steps": ["2", "3"], "labels": [1, 0]}
SCORED = OUTCOME | {"score": 0.5, "scored_by": "orm", "scored_with": "m"}
STEPS = PROCESS | {"step_scores": [0.5, 0.25], "score": 0.5, "scored_by": "prm"}
PAIRED = PAIR | {"chosen_score": 1.0, "rejected_score": -1.0, "scored_by": "bradley_terry"}
SAMPLE = {"problem": 0, "sample": 0, "question": "?", "solution": "2"}
RUN = {"model": "m", "n": 2, "problems": 2, "questions_sha256": "0"}
SECRET = "hunter2-secret"


def line(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


BROKEN = {  # a file of rows that cannot be read → its content, and what is told
    "cut.jsonl": (line(OUTCOME) + b'{"quest', "row 2: broken JSON"),
    "list.jsonl": (line(OUTCOME) + b"[1]\n", "row 2: a list; each row is a JSON object"),
    "deep.jsonl": (b"[" * 100_000, "row 1: broken JSON"),
    "latin.jsonl": (line(OUTCOME) + '{"question": "é"}'.encode("latin-1"), "row 2: broken JSON"),
    "utf16.jsonl": (json.dumps(OUTCOME).encode("utf-16"), "row 1: broken JSON"),
    "nul.jsonl": (line(OUTCOME) + b"\0" * 9, "row 2: broken JSON"),
    "twice.jsonl": (line(OUTCOME) + b'{"correct": true, "correct": false}', "row 2: broken JSON"),
    "surrogate.jsonl": (line(OUTCOME) + b'{"question": "\\ud800"}', "row 2: broken JSON"),
    "digits.jsonl": (line(OUTCOME) + b'{"label": 1' + b"0" * 5000 + b"}", "row 2: broken JSON"),
    "nowhere.jsonl": (None, "no such file; "),
    "rows.csv": (b"question\n", "unknown kind of file; "),
    "folder": (None, "is a folder; "),
    "no.jsonl.gz": (line(OUTCOME), "not readable"),
    "cut.jsonl.gz": (gzip.compress(line(*[OUTCOME] * 99))[:-12], "row"),
    "no.parquet": (b"PAR1", "not readable"),
    "damaged.parquet": (None, "not readable"),
    "columns.parquet": (None, "comes twice"),
    "empty.jsonl": (b"\n \n", ""),
}
READERS = {  # a command that reads rows → its arguments around the file
    "sample": (["sample"], ["-o", "new.jsonl"]),
    "prepare": (["prepare"], ["-o", "new.jsonl"]),
    "train": (["train"], ["-o", "new"]),
    "score": (["score", "no-model"], ["-o", "new.jsonl"]),
    "evaluate": (["evaluate"], []),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the commands are called: the broken files, and files of the user's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, (content, _) in BROKEN.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    (tmp_path / "mine.jsonl").write_text("my notes")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_text("mine")
    for name, record in {"damaged": "{", "list": "[]", "other": "{}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.json").write_text(record)
    return tmp_path


@pytest.fixture
def refused(folder, capsys):
    """refused(*arguments): the one line on stderr, after a check that no file was changed or lost."""

    def call(*arguments):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(SystemExit) as end:
            cli.main(list(map(str, arguments)))
        said = capsys.readouterr()
        assert end.value.code == 2, said
        assert said.err.startswith("minrm: ") and said.err.count("\n") == 1 and len(said.err) < 700, said.err
        assert {path: path.read_bytes() for path in before} == before
        return said.err

    return call


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", READERS)
def test_a_file_that_cannot_be_read_is_named_with_its_row(command, name, folder, refused):
    if name == "columns.parquet":
        table = pa.table({"question": ["?"], "correct": [True]})
        pq.write_table(table.append_column("correct", table["correct"]), name)
    if name == "damaged.parquet":
        write_rows([OUTCOME | {"question": f"{k}?" * 99} for k in range(99)], name)
        content = bytearray((folder / name).read_bytes())
        content[40:400] = bytes(360)
        (folder / name).write_bytes(content)
    before, after = READERS[command]
    said = refused(*before, name, *after)
    assert name in said and BROKEN[name][1] in said and ("; " in said or name == "empty.jsonl")
    assert not (folder / "new.jsonl").exists() and not (folder / "new").exists()


HUGE = 10**400
VALUES = [  # a row, what is changed in it, and what is told
    (SCORED, {"correct": "false"}, "correct is 'false'; it should be true or false"),
    (SCORED, {"correct": 1.0}, "correct is 1.0; it should be true or false"),
    (SCORED, {"correct": 2}, "correct is 2; it should be true or false"),
    (SCORED, {"correct": None}, "correct is None; it should be true or false"),
    (SCORED, {"correct": [True]}, "correct is [True]; it should be true or false"),
    (SCORED, {"answer": 2}, "answer is 2; it should be a text or null"),
    (SCORED, {"question": 2}, "question is 2; it should be a text"),
    (SCORED, {"solution": None}, "solution is None; it should be a text"),
    (SCORED, {"score": "0.5"}, "score is '0.5'; it should be a number from 0 to 1"),
    (SCORED, {"score": float("nan")}, "score is nan; it should be a number from 0 to 1"),
    (SCORED, {"score": 1.5}, "score is 1.5; it should be a number from 0 to 1"),
    (SCORED, {"score": None}, "score is None; it should be a number from 0 to 1"),
    (SCORED, {"score": True}, "score is True; it should be a number from 0 to 1"),
    (SCORED | {"scored_by": "bradley_terry"}, {"score": float("inf")}, "score is inf; it should be a finite number"),
    (SCORED | {"scored_by": "bradley_terry"}, {"score": HUGE}, "score is 1000"),
    (SCORED, {"scored_by": "judge"}, "scored_by is 'judge'; it should be one of orm, prm, bradley_terry"),
    (SCORED, {"scored_by": "prm"}, "scored_by is 'prm', but 'orm' in row 1; evaluate the rows of each model"),
    (SCORED, {"scored_with": "n"}, "scored_with is 'n', but 'm' in row 1; evaluate the rows of each model"),
    (STEPS, {"step_scores": ["0.5", 0.5]}, "the score of step 1 is '0.5'; it should be a number from 0 to 1"),
    (STEPS, {"step_scores": [0.5, 2]}, "the score of step 2 is 2; it should be a number from 0 to 1"),
    (STEPS, {"step_scores": [0.5]}, "2 labels but 1 step scores; "),
    (STEPS, {"step_scores": None}, "step_scores is None; it should be a list"),
    (STEPS, {"labels": [1, HUGE]}, "the label of step 2 is 1000"),
    (STEPS, {"labels": [1, "0"]}, "the label of step 2 is '0'; it should be 1 (good)"),
    (STEPS, {"labels": "10"}, "labels is '10'; it should be a list"),
    (STEPS, {"scored_by": "orm"}, "scored_by is 'orm', but 'prm' in row 1"),
    (PAIRED, {"chosen_score": "1"}, "chosen_score is '1'; it should be a finite number"),
    (PAIRED, {"rejected_score": float("nan")}, "rejected_score is nan; it should be a finite number"),
    (PAIRED, {"scored_by": []}, "scored_by is []; it should be one of orm"),
]


@pytest.mark.parametrize(("row", "change", "told"), VALUES)
def test_a_value_that_is_evaluated_must_be_of_its_kind(row, change, told, refused, written):
    assert f"rows.jsonl, row 2: {told}" in refused("evaluate", written(row, row | change))


@pytest.mark.parametrize("command", ["prepare", "train", "score"])
@pytest.mark.parametrize(
    ("row", "change", "told"),
    [
        (OUTCOME, {"correct": "false"}, "correct is 'false'; it should be true or false"),
        (OUTCOME, {"correct": 1.0}, "correct is 1.0; it should be"),
        (OUTCOME, {"answer": 2}, "answer is 2; it should be a text or null"),
        (PROCESS, {"labels": [1, HUGE]}, "the label of step 2 is 1000"),
        (PROCESS, {"labels": [1, float("nan")]}, "the label of step 2 is nan; it should be"),
        (PROCESS, {"labels": None}, "labels is None; it should be"),
        (PROCESS, {"steps": ["2", "Step: 2: 3\nStep: 3: 4"]}, "2 steps, which scoring would read as"),
        (PAIR, {"chosen": None}, "chosen is None; it should be a text"),
    ],
)
def test_a_value_is_checked_wherever_rows_come_in(command, row, change, told, refused, written):
    before, after = READERS[command]
    assert f"rows.jsonl, row 2: {told}" in refused(*before, written(row, row | change), *after)


def test_whole_numbers_are_read_as_right_and_wrong(written, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["evaluate", str(written(SCORED | {"correct": 1}, SCORED | {"correct": 0}))])
    assert end.value.code == 0 and "one sample" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["prepare", "score", "evaluate"])
def test_a_sample_that_comes_twice_is_named_with_both_rows(command, refused, written):
    before, after = READERS[command]
    if command == "prepare":
        answers = written({"question": "?", "answer": "2"}, name="answers.jsonl")
        after = [*after, "--source", "samples", "--problems", answers]
    path = written(*(SAMPLE | SCORED | {"sample": k} for k in (0, 1, 0)))
    assert "rows.jsonl, row 3: sample 0 of problem 0 again, as in row 1; " in refused(*before, path, *after)


@pytest.mark.parametrize("command", ["prepare", "score", "evaluate"])
@pytest.mark.parametrize("cut", [0, 9])
def test_a_run_of_sampling_that_is_not_finished_is_told(command, cut, refused, written):
    path = written(*(SAMPLE | SCORED | {"sample": k} for k in range(3)))
    path.write_bytes(path.read_bytes()[: -cut or None])
    path.with_suffix(".settings.json").write_text(json.dumps(RUN))
    before, after = READERS[command]
    told = f"the run is not finished, {3 - (cut > 0)} of 4 samples are there; give minrm sample again"
    assert told in refused(*before, path, *([*after, "--source", "samples"] if command == "prepare" else after))


def test_a_run_of_scoring_that_is_not_finished_is_told(refused, written):
    assert "a run of minrm score that was stopped" in refused(
        "evaluate", written(PAIRED, name="s.jsonl.unfinished.jsonl")
    )


OPTIONS = [
    (name, option.opts[0] if option.param_type_name == "option" else None)
    for name, command in typer.main.get_command(cli.app).commands.items()
    for option in command.params
    if not (option.param_type_name == "option" and option.is_flag)
]


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_empty_value_is_not_taken_for_one_that_was_left_out(command, option, value, refused):
    if option is None:
        assert "an argument is empty; is the variable set" in refused(command, value, "-o", "new.jsonl")
        return
    assert f"{option} is empty; is the variable set that it comes from?" in refused(command, option, value)
    assert f"{option} is empty; is the variable set" in refused(command, f"{option}={value}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "good.jsonl", "-o", "new", "--schema", "foo"], "no schema 'foo'; the schemas are problem, outcome"),
        (["prepare", "good.jsonl", "-o", "new.jsonl", "--schema", "foo"], "no schema 'foo'; the schemas are problem"),
        (["prepare", "good.jsonl", "--source", "samples", "-o", "new.jsonl"], "good.jsonl, row 1: not a question of"),
        (["prepare", "good.jsonl", "-o", "folder"], "folder is a folder; name one of its files, or a new one in it"),
        (["prepare", "good.jsonl", "-o", "mine.jsonl/new.jsonl"], "mine.jsonl/new.jsonl: cannot be written ("),
        (["prepare", "good.jsonl", "-o", "new.jsonl", "--preview", "-1"], "Invalid value for '--preview'"),
        (["score", "no-model", "good.jsonl", "-o", "mine.jsonl"], "mine.jsonl holds another run, or something else: "),
        (["score", "no-model", "mixed.jsonl", "-o", "new.parquet"], "new.parquet: the rows make no table ("),
        (["score", "no-model", "good.jsonl", "-o", "folder"], "folder is a folder; name one of its files"),
        (["score", "no-model", "good.jsonl", "-o", "own.jsonl"], "own.settings.json: no run of minrm score wrote it"),
        (["sample", "good.jsonl", "-o", "own.jsonl"], "own.settings.json: no run wrote it, but this one would"),
        (["sample", "good.jsonl", "-o", "mine.jsonl"], "mine.jsonl: not the file of a run, since no mine.settings"),
        (["sample", "good.jsonl", "-o", "mine.jsonl/new.jsonl"], "mine.jsonl/new.jsonl: cannot be written ("),
        (["sample", "good.jsonl", "-o", "folder"], "folder: rows are appended as they come, which needs a file that"),
        (["sample", "good.jsonl", "-o", "new.jsonl", "--seed", "-1"], "Invalid value for '--seed'"),
        (["sample", "--world", "-1", "-o", "new.jsonl"], "Invalid value for '--world'"),
        (["evaluate", "scored.jsonl", "--figure", "new.jsonl"], "new.jsonl: a figure is written as .png, .svg, .pdf"),
        (["evaluate", "scored.jsonl", "--figure", "mine.jsonl/new.png"], "mine.jsonl/new.png: cannot be written ("),
        (["train", "good.jsonl", "-o", "mine.jsonl"], "mine.jsonl: cannot be written ("),
        (["train", "good.jsonl", "-o", "mine"], "mine holds a model or checkpoints that no run of minrm wrote: name"),
        (["train", "good.jsonl", "-o", "damaged"], "damaged/training.json: broken JSON ("),
        (["train", "good.jsonl", "-o", "list"], "list/training.json: a list; each row is a JSON object"),
        (["train", "good.jsonl", "-o", "other"], "other holds a model or checkpoints that no run of minrm wrote"),
        (["train", "good.jsonl", "-o", "new", "--learning-rate", "0"], "learning_rate is 0.0; it must be a number"),
        (["train", "good.jsonl", "-o", "new", "--learning-rate", "inf"], "learning_rate is inf; it must be a number"),
        (["train", "good.jsonl", "-o", "new", "--epochs", "nan"], "epochs is nan; it must be a number above 0"),
        (["train", "good.jsonl", "-o", "new", "--save-steps", "0"], "save_steps is 0; it must be a whole number"),
        (["train", "good.jsonl", "-o", "new", "--seed", "4294967296"], "Invalid value for '--seed'"),
        (["train", "good.jsonl", "-o", "new", "--eval", "cut.jsonl"], "cut.jsonl, row 2: "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_written(arguments, told, folder, refused, written, base):
    written(*[OUTCOME | {"solution": f"{k}"} for k in range(3)], name="good.jsonl")
    written(*[SCORED] * 2, name="scored.jsonl")
    written(PROCESS | {"labels": [True, False]}, PROCESS, name="mixed.jsonl")
    (folder / "own.settings.json").write_text("{}")
    if arguments[0] in ("train", "sample") and "--world" not in arguments:
        arguments = [*arguments, "--base" if arguments[0] == "train" else "--model", base]
    assert told in refused(*arguments)
    assert not (folder / "new").exists() and not list(folder.glob("new.*"))


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{SECRET}@127.0.0.1:notaport/v1", f"http://user:{SECRET}@[::1/v1", f"user:{SECRET}@127.0.0.1/v1",
        f"http://user:{SECRET}@127.0.0.1:9/v1", f"http://127.0.0.1:9/v1?key={SECRET}", f"http://127.0.0.1:9/#{SECRET}",
        f"http://{SECRET}@127.0.0.1:9", f"ftp://user:{SECRET}@127.0.0.1", f"http://user:{SECRET}@127.0.0.1:99999/v1",
    ],
)  # fmt: skip
def test_what_is_secret_in_an_address_is_neither_told_nor_stored(address, folder, refused):
    said = refused("sample", "--world", "1", "--n", "1", "-o", "new.jsonl", "--endpoint", address, "--model", "m")
    assert SECRET not in said
    assert all(SECRET not in path.read_text(errors="replace") for path in folder.glob("new*"))
