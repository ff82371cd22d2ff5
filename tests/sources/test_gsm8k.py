"""GSM8K in its publishers' own layout: small files that the tests write, then every row of the real ones."""

from collections import Counter

import pytest
from real import raw, real

from minrm.errors import InputError
from minrm.rows import check_rows
from minrm.sources import gsm8k, gsm8k_solutions
from minrm.sources.gsm8k import SOLVERS
from minrm.text import final_answer, same_answer, split_steps

PROBLEM = {"question": "How many?", "answer": "He has 2+3=<<2+3=5>>5 pens.\n#### 1,005"}
MODELS = {
    "question": "How many?",
    "ground_truth": "2+3=<<2+3=5>>5\nA: 5",
    **{name: {"is_correct": i % 2 == 0, "solution": f"{i}=<<{i}={i}>>{i}\nA: {i}"} for i, name in enumerate(SOLVERS)},
}


def test_gsm8k_gives_problems_and_on_request_their_worked_answers(written):
    path = written(PROBLEM)
    assert list(gsm8k(path)) == [{"question": "How many?", "answer": "1,005"}]
    (row,) = gsm8k(path, worked=True)
    assert row["solution"] == "He has 2+3=5 pens.\n#### 1,005" and row["correct"] is True
    assert list(check_rows([row], "outcome")) == [row]


def test_gsm8k_solutions_give_one_row_a_model(written):
    rows = list(gsm8k_solutions(written(MODELS)))
    assert [(row["solution"], row["answer"], row["correct"], row["model"]) for row in rows] == [
        (f"{i}={i}\nA: {i}", "5", i % 2 == 0, name) for i, name in enumerate(SOLVERS)
    ]


@pytest.mark.parametrize(
    ("function", "row", "message"),
    [
        (gsm8k, {"question": "q"}, r"the field 'answer' is missing; there is question"),
        (gsm8k, {"question": "q", "answer": "5"}, r"no line '#### …' with the final answer"),
        (gsm8k, PROBLEM | {"question": " "}, r"the question is empty"),
        (gsm8k_solutions, PROBLEM, r"the field 'ground_truth' is missing"),
        (gsm8k_solutions, MODELS | {"ground_truth": "5"}, r"ground_truth has no line 'A: …'"),
        (gsm8k_solutions, MODELS | {SOLVERS[1]: {"solution": "A: 1"}}, r"6b_verification: the field 'is_correct' is"),
    ],
)
def test_a_row_of_another_layout_is_refused_with_its_place(written, function, row, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 1[:,] .*{message}|rows\.jsonl, row 1: {message}"):
        function(written(row))


@pytest.mark.parametrize(("name", "count"), [("gsm8k_train.jsonl", 2000), ("gsm8k_test.jsonl", 1319)])
def test_every_real_gsm8k_row_is_a_problem_with_a_number(name, count):
    path = real(name)
    data = gsm8k(path, worked=True)
    assert len(data) == count
    for row, published in zip(data, raw(path), strict=True):
        assert row["answer"] == published["answer"].rsplit("#### ", 1)[1]  # a second way to it
        assert same_answer(row["answer"], row["answer"].replace(",", "") + ".0")
        assert "<<" not in row["solution"] and final_answer(row["solution"]) == row["answer"]
        assert split_steps(row["solution"])[-1].endswith(f"\n#### {row['answer']}")


def test_final_answers_agree_with_the_publishers_judgement_on_every_model_solution():
    """All 3,200 agree; there is no exception to explain. Cut-off solutions have no answer, and none is judged right."""
    data = gsm8k_solutions(real("gsm8k_model_solutions.jsonl"))
    verdicts = Counter((same_answer(final_answer(row["solution"]), row["answer"]), row["correct"]) for row in data)
    assert verdicts[True, False] == verdicts[False, True] == 0
    assert sum(verdicts.values()) == 3200 and min(verdicts.values()) > 500
    silent = [row for row in data if final_answer(row["solution"]) is None]
    assert all("\nA:" not in row["solution"] and not row["correct"] for row in silent)
