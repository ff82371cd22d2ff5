"""No ready answer of "Supervise only the final token" lies where a learner works: in the package, a page, or data/."""

import importlib
import inspect
import pkgutil
import re
import types
import warnings
from pathlib import Path

import notebooks
import pytest
import torch

import minrm

ROOT = Path(__file__).parents[1]
MASKS = [[[0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0]], [[0, 0, 0, 1, 1]], [[0, 1, 0, 0]]]
ANSWERS = [[[0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]], [[0, 0, 0, 0, 1]], [[0, 1, 0, 0]]]
TEXTS = [path for folder in ("minrm", "book") for path in sorted((ROOT / folder).rglob("*")) if path.suffix != ".pyc"]
USUAL = r"""(?x) solution_mask\w*(\.\w+\(\))*\.(flip|roll)\( | (flip|fliplr|roll)\(\s*\w*solution_mask  # turned round
    | solution_mask\w*[^\n]*cumsum\([^\n]*==  | ~\s*\w*solution_mask\w*\[  # the running count; what follows
    | solution_mask[^\n]*nonzero\([^\n]*\[-1\]  | arange\([^\n]*\*\s*\w*solution_mask  # the last place
    | def\ (?!check_)\w*final_token\w*\((?![^\n]*\n(\s*\"{3}(.|\n)*?\"{3})?\s*raise\ NotImplementedError)"""


def package_functions():
    for info in pkgutil.walk_packages(minrm.__path__, "minrm."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                parameters = list(inspect.signature(value).parameters.values())
                needed = [p for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD]
                if len(needed) == 1:
                    yield f"{module.__name__}.{name}", value


def answers(function):
    """Whether a function turns masks into masks of their final tokens."""
    for mask, answer in zip(MASKS, ANSWERS, strict=True):
        try:
            with warnings.catch_warnings(action="ignore"):
                result = torch.as_tensor(function(torch.tensor(mask).bool()))
        except (Exception, SystemExit):  # not made for masks
            return False
        if not torch.equal(result.long(), torch.tensor(answer)):
            return False
    return True


def test_no_function_of_the_package_gives_the_answer():
    functions = dict(package_functions())
    assert {"minrm.orm.every_token", "minrm.reward_model.last_token"} <= functions.keys()
    assert [name for name, function in functions.items() if answers(function)] == []
    assert answers(lambda mask: mask & (mask.flip(1).cumsum(1).flip(1) == 1))


@pytest.mark.parametrize("path", [p for p in TEXTS if p.suffix in (".py", ".md", ".ipynb")], ids=lambda path: path.name)
def test_no_file_that_a_learner_reads_has_the_answer(path):
    if path.suffix == ".ipynb":
        text = "\n\n".join(notebooks.source(cell) for cell in notebooks.read(path)["cells"])
    else:
        text = path.read_text(encoding="utf-8")
    assert not re.search(USUAL, text)


@pytest.mark.parametrize(
    ("written", "is_answer"),
    [
        ("solution_mask.int().flip(1).argmax(1)", True),
        ("solution_mask & (solution_mask.cumsum(1) == solution_mask.sum(1, keepdim=True))", True),
        ("solution_mask[:, :-1] & ~solution_mask[:, 1:]", True),
        ("torch.arange(5) * solution_mask", True),
        ("def final_token(solution_mask):\n    return magic(solution_mask)", True),
        ('def final_token(solution_mask):\n    """Yours."""\n    raise NotImplementedError("yours")', False),
        ("def check_final_token(function):", False),
    ],
)
def test_the_usual_ways_are_recognised(written, is_answer):
    assert bool(re.search(USUAL, written)) == is_answer
