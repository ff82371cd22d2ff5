"""No ready answer of "Supervise only the final token" lies where a learner works: in the package, a page, or data/.

Searched by behaviour: every function of the package, and every one that a page defines, is given masks, and its result
compared with the answer. And by text: the usual ways to write it. That both searches find something is tested with
answers planted for them.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import types
import warnings
from pathlib import Path

import notebooks
import numpy as np
import pytest
import torch

import minrm

ROOT = Path(__file__).parents[1]
MASKS = [
    ([[0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]], [4, 2, 3]),
    ([[0, 0, 0, 1, 1], [0, 1, 1, 1, 1]], [4, 4]),
    ([[0, 1, 0, 0]], [1]),
]  # fmt: skip  # plain ones only: whoever finds these has found most of it


# By behaviour


def package_functions():
    """Name and function of everything in the package that can be called: functions, methods, lambdas in tables."""
    for info in pkgutil.walk_packages(minrm.__path__, "minrm."):
        yield from module_functions(importlib.import_module(info.name))


def module_functions(module):
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            blank = object.__new__(value) if value.__new__ is object.__new__ else value
            for method in list(vars(value)):
                found = inspect.getattr_static(value, method)
                if isinstance(found, types.FunctionType):
                    yield f"{module.__name__}.{name}.{method}", types.MethodType(found, blank)
                elif isinstance(found, staticmethod | classmethod):
                    yield f"{module.__name__}.{name}.{method}", getattr(value, method)
        else:
            yield from ((f"{module.__name__}.{name}", function) for function in functions_in(value, module.__name__))


def functions_in(value, module):
    """The functions that a module's name stands for: itself, or those in a table."""
    if isinstance(value, types.FunctionType) and value.__module__ == module:
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from functions_in(entry, module)
    elif isinstance(value, dict):
        yield from functions_in(list(value.values()), module)


def takes_one(function):
    """Whether it can be called with one argument by position."""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True


def answers(function):
    """Whether it turns each mask, given as any of the usual types, into the answer, or changes it to the answer."""
    for make in (torch.tensor, np.array, list):
        given = [make([[bool(value) for value in row] for row in mask]) for mask, _ in MASKS]
        try:
            with warnings.catch_warnings(action="ignore"):
                came = [(function(mask), mask) for mask in given]
        except (Exception, SystemExit):  # not made for masks
            continue
        wanted = [[[column == last for column in range(len(mask[0]))] for last in lasts] for mask, lasts in MASKS]
        pairs = list(zip(came, wanted, strict=True))
        if all(is_mask(result, want) for (result, _), want in pairs) or all(is_mask(m, w) for (_, m), w in pairs):
            return True
    return False


def is_mask(value, wanted):
    parts = value if isinstance(value, tuple) else (value,)
    return any(_same(part, wanted) for part in parts)


def _same(part, wanted):
    try:
        return np.array_equal(np.asarray(part, dtype=float), np.asarray(wanted, dtype=float))
    except (TypeError, ValueError, RuntimeError):
        return False


def test_no_function_of_the_package_gives_the_answer():
    tried = [(name, function) for name, function in package_functions() if takes_one(function)]
    assert (
        len(tried) > 100 and "minrm.orm.every_token" in dict(tried) and "minrm.reward_model.last_token" in dict(tried)
    )
    assert [name for name, function in tried if answers(function)] == []


# By text

LEFT_OUT = (
    "tests",
    "tools/assignment",
    "_build",
    "build",
    "dist",
    "submissions",
    "data/work",
)  # may hold it, or is built
TEXTS = sorted(
    path
    for path in ROOT.rglob("*")
    if path.suffix in (".py", ".md", ".ipynb", ".txt", ".toml")
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    and not path.relative_to(ROOT).as_posix().startswith(tuple(f"{folder}/" for folder in LEFT_OUT))
)
USUAL = {
    "turned round": r"mask\w*(\.\w+\(\))*\.flip\(|(flip|fliplr)\(\s*\w*mask|mask\w*\[:, *::-1\]",
    "the running count": r"cumsum\([^\n]*==|==[^\n=]*cumsum\(",
    "the last place of those": r"nonzero\([^\n]*\)[^\n]{0,12}\[-1\]|where\(\w*mask[^\n]*\[-1\]",
    "what follows": r"~ *\w*mask\w*\[[^\]]*1:|mask\w*\.roll\(|roll\(\s*\w*mask|mask\w*\[[^\]]*\] *& *~",
    "the largest place": r"arange\([^\n]*\* *\w*(solution_)mask|solution_mask\w* *\*[^\n]*(arange|place)",
    "scattered": r"\.scatter_?\((dim *= *)?(1|-1)",
}
DEFINED = re.compile(
    r"def (?!check_)(?:\w*final_token|\w*(?:final|last)\w*_mask)\([^\n]*\n(?P<body>(?:[ \t]+[^\n]*\n?|\n)*)"
)
REFUSES = re.compile(r"""\s*("{3}.*?"{3})?\s*raise NotImplementedError\([^\n]*\)\s*""", re.DOTALL)


def text_of(path):
    """What stands in a file; of a notebook its cells and what they printed."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = notebooks.read(path)["cells"]
    printed = [text for cell in cells if cell["cell_type"] == "code" for _, text in notebooks.output_texts(cell)]
    return "\n\n".join([notebooks.source(cell) for cell in cells] + printed)


def written_answers(text):
    """What a text has of the usual ways to write the answer, and of definitions that go by its name."""
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    found = [f"{way}: {match[0]}" for way, usual in USUAL.items() for match in re.finditer(usual, text)]
    found += [match[0] for match in DEFINED.finditer(text) if not REFUSES.fullmatch(match["body"])]
    return found + [name for name, function in page_functions(text) if answers(function)]


def page_functions(text):
    """The functions of one argument that stand in the code of a text, each built by itself."""
    for block in re.findall(r"^def .*\n(?:(?:[ \t].*)?\n)*", text + "\n", re.MULTILINE):
        names = {"torch": torch, "np": np}
        try:
            (definition,) = ast.parse(block).body
            definition.returns, definition.decorator_list = None, []
            for argument in ast.walk(definition.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            exec(compile(ast.unparse(definition), "page", "exec"), names)
        except Exception:  # text that looks like code, or that needs other names
            continue
        if takes_one(names[definition.name]):
            yield definition.name, names[definition.name]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_that_a_learner_reads_has_the_answer(path):
    assert written_answers(text_of(path)) == []


def test_the_places_that_matter_are_searched():
    searched = {path.relative_to(ROOT).as_posix() for path in TEXTS}
    assert {"minrm/orm.py", "data/runs.py", "book/04_outcome_reward_model.ipynb", "book/exercises.md"} <= searched


# That the searches find something

PLANTED = {
    "turned round": """
        place = solution_mask.shape[1] - 1 - solution_mask.int().flip(1).argmax(1)
        out = torch.full(solution_mask.shape, False)
        out[torch.arange(len(out)), place] = True
        return out & solution_mask
    """,
    "the running count": """
        return solution_mask & (solution_mask.cumsum(1) == solution_mask.sum(1, keepdim=True))
    """,
    "the last place of those": """
        out = torch.full(solution_mask.shape, False)
        for i, row in enumerate(solution_mask):
            out[i, row.nonzero().flatten()[-1]] = True
        return out
    """,
    "what follows": """
        out = solution_mask.clone()
        out[:, :-1] &= ~solution_mask[:, 1:]
        return out
    """,
    "the largest place": """
        place = torch.arange(solution_mask.shape[1])
        return place == (solution_mask * place).amax(1, keepdim=True)
    """,
    "scattered": """
        place = torch.arange(solution_mask.shape[1]).expand(solution_mask.shape)
        last = torch.where(solution_mask, place, -1).amax(1, keepdim=True)
        return torch.zeros(solution_mask.shape).bool().scatter(1, last, True)
    """,
}


def planted(way, name="helper"):
    return f"def {name}(solution_mask):\n{inspect.cleandoc(PLANTED[way])}\n".replace("\n", "\n    ").rstrip() + "\n"


@pytest.mark.parametrize("way", PLANTED)
def test_a_planted_answer_is_found_by_what_it_does(way):
    module = types.ModuleType("minrm.planted")
    vars(module).update(torch=torch)
    code = planted(way, "_helper") + "\nclass Model:\n    def hidden(self, mask):\n        return _helper(mask)\n"
    exec(code + "TABLE = [(1, lambda mask: _helper(mask))]", vars(module))
    found = [name for name, function in module_functions(module) if takes_one(function) and answers(function)]
    assert found == ["minrm.planted._helper", "minrm.planted.Model.hidden", "minrm.planted.TABLE"]


@pytest.mark.parametrize("way", PLANTED)
def test_a_planted_answer_is_found_by_how_it_is_written(way):
    page = f"Some prose.\n\n```python\n{planted(way)}```\n\nMore prose.\n"
    found = written_answers(page)
    assert any(entry.startswith(f"{way}: ") for entry in found) and "helper" in found
    folded = page.replace("def helper(solution_mask):", "")  # its lines alone, as in a folded hint
    assert any(entry.startswith(f"{way}: ") for entry in written_answers(folded))


def test_a_function_of_that_name_may_only_refuse():
    refuses = 'def final_token(solution_mask):\n    """What is wanted."""\n    raise NotImplementedError("yours")\n'
    assert written_answers(refuses) == []
    assert written_answers(refuses.replace('raise NotImplementedError("yours")', "return magic(solution_mask)"))


def test_what_only_resembles_the_answer_is_not_found():
    assert not answers(minrm.every_token)
    assert not answers(lambda mask: mask & (mask.cumsum(1) == 1))
    assert not answers(lambda mask: mask.int().argmax(1))
