"""The layouts of ProcessBench and RewardBench 2: what becomes of their rows, and rows that do not fit."""

import pytest

from minrm.errors import InputError
from minrm.sources import processbench, rewardbench2

BENCH = {
    "id": "gsm8k-0", "generator": "Qwen2-7B-Instruct", "problem": "How many?", "steps": ["a", "b", "c"],
    "final_answer_correct": False, "label": 1,
}  # fmt: skip


def test_processbench_labels_up_to_the_first_error_and_a_blank_step_drops_its_row(written):
    rows = [BENCH | {"label": first} for first in (-1, 0, 1, 2)]
    data = processbench(written(*rows, BENCH | {"steps": ["Step 1: a", "b", "c"]}, BENCH | {"steps": ["a", " ", "c"]}))
    assert data["labels"][:4] == [[1, 1, 1], [0, None, None], [1, 0, None], [1, 1, 0]]
    assert data["question"] == ["How many?"] * 5 and data["steps"] == [["a", "b", "c"]] * 5
    assert data.info.description.endswith("5 of 6 rows used, 5 process rows; 1 dropped: a step without text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "the label is 3, but there are 3 steps; it is the index of the first error, from 0, or -1"),
        ({"label": -2}, "the label is -2, but there are 3 steps"),
        ({"label": None}, "the field 'label' is a NoneType, not a int"),
        ({"label": True}, "the field 'label' is a bool, not a int"),
        ({"steps": [], "label": -1}, r"steps is \[\]; it should be a list of at least one step"),
    ],
)
def test_a_row_of_processbench_that_does_not_fit_is_refused(written, change, message):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {message}"):
        processbench(written(BENCH, BENCH | change))


def test_the_publishers_json_list_is_read_and_its_ids_name_the_subset(written):
    rows = [BENCH, BENCH | {"id": "omnimath-12", "label": -1}, {name: BENCH[name] for name in BENCH if name != "id"}]
    for name in ("gsm8k.json", "gsm8k.jsonl"):
        assert processbench(written(*rows, name=name))["subset"] == ["gsm8k", "omnimath", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not readable as JSON"),
        ('{"steps": []}', "a dict; a .json file of rows is a list"),
        ("[[]]", "row 1: a list; it should be an object"),
        ("\udcff", "not readable as JSON"),
        (None, "no such file"),
    ],
)
def test_a_json_file_that_is_no_list_of_rows_is_refused(text, told, tmp_path):
    path = tmp_path / "gsm8k.json"
    if text is not None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=rf"gsm8k\.json.*{told}"):
        processbench(path)


FOUR = {
    "id": "17", "prompt": "What is 2 + 2?\n", "chosen": ["4"], "rejected": ["5", " 3", "22"], "num_correct": 1,
    "num_incorrect": 3, "total_completions": 4, "models": ["a"], "subset": "Math", "additional_metadata": None,
}  # fmt: skip


def test_a_prompt_of_rewardbench_2_becomes_a_row_for_each_completion_as_it_is_written(written):
    tied = FOUR | {
        "id": "tied:3",
        "subset": "Ties",
        "chosen": ["red", "blue"],
        "num_correct": 2,
        "total_completions": 5,
    }
    data = rewardbench2(written(FOUR, tied, FOUR | {"rejected": ["", "3", "22"]}))
    assert data["solution"] == ["4", "5", " 3", "22", "red", "blue", "5", " 3", "22"]
    assert data["correct"] == [True, False, False, False, True, True, False, False, False]
    assert data["subset"] == ["Math"] * 4 + ["Ties"] * 5 and data["id"] == ["17"] * 4 + ["tied:3"] * 5
    assert set(data["question"]) == {"What is 2 + 2?\n"} and set(data["answer"]) == {None}
    assert data.info.description.endswith("2 of 3 rows used, 9 outcome rows; 1 dropped: an empty completion")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_correct": 2}, "1 completions, but num_correct is 2"),
        ({"rejected": []}, "0 completions, but num_incorrect is 3"),
        ({"rejected": ["5", "3"]}, "2 completions, but num_incorrect is 3"),
        ({"chosen": "4"}, "the field 'chosen' is a str, not a list"),
        ({"chosen": [4]}, "solution is 4; it should be a text"),
        ({"id": 17}, "the field 'id' is a int, not a str"),
    ],
)
def test_a_row_of_rewardbench_2_that_does_not_fit_is_refused(written, change, told):
    with pytest.raises(InputError, match=rf"rows\.jsonl, row 2: {told}"):
        rewardbench2(written(FOUR, FOUR | change))
