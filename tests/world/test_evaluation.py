"""The evaluation set: arrays in the order of the recorded scores, and a function that no module hides."""

import subprocess
import sys

import numpy as np
import pytest

from minrm.rows import write_rows
from minrm.text import final_answer
from minrm.world import evaluation, read_problem, recorded_scores

ARRAYS = ("questions", "solutions", "answers", "correct", "labels", "log_likelihood", "tokens")


def test_the_shipped_set_is_in_the_order_of_the_recorded_scores():
    world = evaluation()
    shape = recorded_scores("orm")[0].shape
    assert shape == (len(world.problems), 256)
    assert {getattr(world, name).shape for name in ARRAYS} == {shape}
    assert [world.questions[p, 0] for p in range(shape[0])] == [row["question"] for row in world.problems]
    assert (world.correct == (world.answers == np.array(world.truth)[:, None])).all()
    for p, n in np.random.default_rng(0).integers(0, [shape], (200, 2)):
        row = read_problem(world.problems[p]["question"]).judge(world.solutions[p, n])
        assert (row["labels"], row["correct"]) == (world.labels[p, n], world.correct[p, n])
        assert row["answer"] == world.truth[p] and final_answer(row["solution"]) == world.answers[p, n]
        assert world.sound[p, n] == (row["correct"] and all(row["labels"]))


def test_another_folder_is_read_and_its_samples_come_as_rows(tmp_path):
    questions = [{"question": f"Q{p}", "answer": "1", "direct": " 1", "greedy": ""} for p in range(2)]
    sampled = [
        {"problem": p, "solution": text, "correct": text == "1", "labels": [0, 1], "log_likelihood": -n, "tokens": n}
        for p in range(2)
        for n, text in enumerate(["# Answer\n\n1", "none", ""], start=1)
    ]
    write_rows(questions, tmp_path / "problems.parquet")
    write_rows(sampled, tmp_path / "evaluation.parquet")
    world = evaluation(tmp_path)
    assert world.problems == questions and world.answers.tolist() == [["1", None, None]] * 2
    for row, source in zip(world.samples(), sampled, strict=True):
        assert row == source | {"question": f"Q{source['problem']}", "answer": final_answer(source["solution"])}


@pytest.mark.parametrize("before", ["import minrm.world.evaluation", "from minrm.world.evaluation import evaluation"])
def test_the_door_gives_the_function_and_needs_no_torch(before):
    code = f"{before}; import sys; from minrm.world import evaluation, recorded_scores; assert callable(evaluation)"
    code += "; print(*{'torch', 'transformers'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not run.stdout.strip()
