"""The cells of a submission, run as a notebook would run them, and no further than they are needed."""

import json

import numpy as np
import pytest
import torch
from worker import answer, pack, run_cells, unpack

FUNCTION = "def final_token(mask):\n    return mask"


def ran(*cells):
    namespace = {}
    return namespace, run_cells([(str(place), source) for place, source in enumerate(cells)], namespace, "final_token")


@pytest.mark.parametrize(
    "source",
    [
        f"%%time\n{FUNCTION}",
        f"\n%%capture out\n{FUNCTION}",
        f"%matplotlib inline\n!pip install torch\n{FUNCTION}",
        f"import os\nos.path?\n?os\nos.path.join??\n{FUNCTION}",
        "def final_token(mask):\n    %time\n    !ls\n    return mask",
        f'told = """\n%d of them\n"""\n{FUNCTION}',  # Python already
    ],
)
def test_what_is_for_the_notebook_alone_is_left_out(source):
    namespace, stopped = ran(source)
    assert not stopped and namespace["final_token"](3) == 3
    assert namespace.get("told", "\n%d of them\n") == "\n%d of them\n"


def test_a_cell_of_another_language_is_passed_over():
    assert ran("%%bash\nls", FUNCTION)[1] == []


@pytest.mark.parametrize("last", [FUNCTION, "final_token = len", "final_token: object = len"])
def test_what_follows_the_last_definition_is_not_run_but_for_what_it_may_call(last):
    later = "import math\ndef helper(): return math.pi\nafter = final_token(0)"
    namespace, stopped = ran(FUNCTION, "between = 1", last, "1 / 0", later)
    assert not stopped and "between" in namespace and "after" not in namespace and namespace["helper"]() > 3


def test_without_a_definition_that_is_found_all_cells_are_run():
    namespace, stopped = ran("from builtins import len as final_token", "1 / 0", "after = 1")
    assert namespace["after"] == 1 and [name for name, _ in stopped] == ["1"]


@pytest.mark.parametrize("value", [torch.tensor([[True, False]]), torch.ones(0, 3), [1, 0.1, None], "text", True])
def test_what_is_told_of_a_value_gives_it_back(value):
    again = unpack(json.loads(json.dumps(pack(value))))
    assert torch.equal(value, again) if isinstance(value, torch.Tensor) else value == again


def test_arrays_and_sets_are_lists_and_anything_else_is_its_type():
    assert pack(np.array([1, 2])) == pack([np.int64(1), 2]) == pack((1, 2)) == pack({1, 2}) == {"plain": [1, 2]}
    assert pack(ran) == {"type": "function"} and pack([ran]) == {"type": "list"}


def test_an_answer_tells_what_became_of_the_arguments():
    told = answer(lambda places, count: places.append(count), [pack([1]), pack(2)])
    assert told == {"plain": None, "arguments": [{"plain": [1, 2]}, {"plain": 2}]}
    assert answer(lambda: 1 / 0, [])["raised"][0] == "ZeroDivisionError"
