"""Who may import whom: the rules that keep the package a house with rooms instead of a corridor."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minrm"
CORE = {
    "errors", "text", "rows", "loading", "reward_model", "sampling",
    "orm", "prm", "bradley_terry", "selection", "votes",
}  # fmt: skip
MAY_IMPORT = {  # a room → the rooms that its files may import from; "core" are the files at the top
    "core": {"core", "files", "inference", "answers", "metrics"},
    "files": {"files", "errors"},
    "inference": {"inference", "errors"},
    "answers": {"answers", "errors"},
    "metrics": {"metrics", "errors"},
    "training": {"training", "core", "files", "inference", "metrics"},
    "world": {"world", "core", "metrics"},
    "sources": {"sources", "core"},
    "published": {"published", "core"},
    "using": {"using", "core", "files", "training"},
    "notebook": {"notebook", "errors", "metrics"},
    "checks": {"checks", "core", "metrics", "world"},
    "cli": {
        "cli", "core", "files", "inference", "answers", "metrics", "training", "world", "sources", "published", "using",
        "notebook", "checks",
    },
}  # fmt: skip
HAND_ON = {*MAY_IMPORT, "cli.__main__"}  # doors (a room's __init__) and the entry point: no floors of their own
FLOORS = 8


def modules():
    """Every module of the package but `minrm` itself → the modules of ours that it imports anywhere in its code."""
    names = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    names = {name.removesuffix(".__init__"): path for name, path in names.items() if name != "__init__"}
    return {name: set(imports(path, names)) - {name} for name, path in names.items()}


def imports(path, names):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        targets = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minrm":
            inner = node.module.removeprefix("minrm").removeprefix(".")
            targets = [".".join(filter(None, [inner, alias.name])) for alias in node.names] + [inner]
        elif isinstance(node, ast.Import):
            targets = [alias.name.removeprefix("minrm.") for alias in node.names if alias.name.startswith("minrm.")]
        deepest = [target for target in targets if target in names]
        yield from (target for target in deepest if not any(other.startswith(target + ".") for other in deepest))


def room(name):
    return "core" if name in CORE else name.split(".")[0]


MODULES = modules()


def test_the_top_of_the_package_is_the_learners_core():
    files = {path.stem for path in PACKAGE.glob("*.py")}
    assert files == CORE | {"__init__"}
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.glob("*.py")) <= 1850


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_rooms_that_it_may(name):
    allowed = MAY_IMPORT[room(name)]
    wrong = {target for target in MODULES[name] if not {room(target), target} & allowed}
    assert not wrong


def test_there_is_no_circle_and_few_floors():
    floors = {}
    for name in TopologicalSorter(MODULES).static_order():  # raises CycleError
        floors[name] = (name not in HAND_ON) + max((floors[target] for target in MODULES[name]), default=0)
    assert max(floors.values()) <= FLOORS, floors


def test_the_pages_and_their_figures_need_no_torch():
    for path in (PACKAGE / "notebook").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in names if name.split(".")[0] in ("torch", "transformers")}, path.name


def length(function):
    """The lines of a function besides its docstring."""
    doc = function.body[0] if ast.get_docstring(function) else None
    return function.end_lineno - function.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)


def test_a_function_has_at_most_fifty_lines_besides_its_docstring():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    functions = [
        (path, node) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    ]
    assert {f"{path.stem}.{node.name}": length(node) for path, node in functions if length(node) > 50} == {}
