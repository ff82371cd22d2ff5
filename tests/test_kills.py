"""Runs that are killed at any event of their files and called again: the files are those of a run that was not killed.

A kill leaves what lies on the disk at that moment. So a copy of the folder is taken right before each event of one run,
and one more where a file is opened to be written, with half a line in it, cut inside a character. The run is called
again in each copy. Real signals, which also let go of locks, are sent in the tests of sampling and training.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
import transformers.modeling_utils
from learners import OUTCOMES, orm
from tiny import QUESTION, causal, word_level

from minrm import sample, train
from minrm.cli import scoring as runs_of_scores
from minrm.cli.score import score
from minrm.rows import write_rows

HALF = '{"problem": 0, "solution": "乘'.encode()[:-1]
THEIRS = ("notes.txt", "checkpoint-2-best/mine.txt")
EFFECTS = {"os.rename": True, "os.remove": True, "os.rmdir": True, "os.mkdir": False}  # does its path exist before?
watched = []  # the function that sees the events; a hook of audits cannot be taken off again
sys.addaudithook(lambda event, arguments: watched[-1](event, arguments) if watched else None)


@pytest.fixture
def heard(monkeypatch):
    """Writers that are not written in Python say what they open."""

    def telling(save, place):
        def told(*arguments, **options):
            path = arguments[place] if len(arguments) > place else options["filename"]
            sys.audit("open", str(path), "wb", os.O_WRONLY)
            return save(*arguments, **options)

        return told

    monkeypatch.setattr(torch, "save", telling(torch.save, 1))
    monkeypatch.setattr(transformers.modeling_utils, "safe_save_file", telling(safetensors.torch.save_file, 1))


def sampling(shared):
    model, tokenizer = causal(vocabulary=200), word_level()
    options = {"n": 2, "batch_size": 3, "max_new_tokens": 4, "tokenizer": tokenizer, "progress": False}
    return lambda folder: sample(model, [QUESTION] * 4, path=folder / "s.jsonl", **options)


def scoring(shared):
    orm().save_pretrained(shared / "model")
    write_rows(OUTCOMES[:5], shared / "rows.jsonl")
    given = str(shared / "model"), shared / "rows.jsonl"
    return lambda folder: score(*given, folder / "scored.jsonl", progress=False)


def training(shared):
    options = {"batch_size": 4, "save_steps": 2, "eval_dataset": OUTCOMES[:4], "progress": False}
    return lambda folder: train(orm(), OUTCOMES[:12], folder, **options)


def copies(run, folder, kept):
    """Run it in `folder`; what kills would leave: the copies of it, in `kept`."""
    taken, halves = [], set()

    def copied(name):
        taken.append(kept / name / "run")
        shutil.copytree(folder, taken[-1])

    def see(event, arguments):
        path = str(arguments[0]) if arguments else ""
        mode = str(arguments[1] or "")[:1] if event == "open" else ""
        if not path.startswith(str(folder)) or (mode not in ("w", "a") and EFFECTS.get(event) != Path(path).exists()):
            return
        watched.append(lambda *_: None)
        copied(f"{len(taken)}-{event}")
        if mode and (half := (Path(path).name, mode)) not in halves:  # of each kind of file once
            halves.add(half)
            copied(f"{len(taken)}-half")
            with open(taken[-1] / Path(path).relative_to(folder), mode + "b") as file:
                file.write(HALF)
        watched.pop()

    watched.append(see)
    try:
        run(folder)
    finally:
        watched.clear()
    return taken


def contents(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize(("make", "least"), [(sampling, 6), (scoring, 14), (training, 50)])
def test_a_run_killed_at_any_event_of_its_files_ends_as_an_unkilled_one(make, least, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(runs_of_scores, "CHUNK", 2)
    run, folder = make(tmp_path), tmp_path / "whole" / "run"
    for name in THEIRS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    killed = copies(run, folder, tmp_path)
    expected = contents(folder)
    assert len(killed) >= least and expected.keys() > set(THEIRS)
    for copy in killed:
        run(copy)
        found = contents(copy)
        differ = sorted(name for name in found | expected if found.get(name) != expected.get(name))
        assert not differ, f"killed at {copy.parent.name}: {differ} differ"
