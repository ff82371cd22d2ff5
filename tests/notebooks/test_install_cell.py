"""The install cell of every notebook: harmless to run twice, without a GPU too, and from an address that is owned."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import fork
import notebooks
import pytest

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = sorted([*BOOK.glob("*.ipynb"), *BOOK.glob("exercises/*.ipynb")])
OWNED = "https://github.com/ada/rewards"


def install_cell(path):
    """The first code cell, as it stands."""
    return notebooks.source(notebooks.code_cells(notebooks.read(path))[0])


def forked(code):
    """The cell after `make fork`."""
    changed = fork._follow(code, fork.PLACEHOLDER, OWNED.removeprefix("https://github.com/"))
    assert changed != code
    return changed


@pytest.fixture
def session(monkeypatch):
    """A session in which the package is missing at first: session(code) is the commands that were started so far."""
    state = {"installed": False, "commands": []}
    found = importlib.util.find_spec

    def find_spec(name, *rest):
        return found(name, *rest) if name != "minrm" or state["installed"] else None

    def run(command, **options):
        assert options.get("check") is True
        state["commands"].append(command)
        state["installed"] = True

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(subprocess, "run", run)
    for name in ("Popen", "call", "check_call", "check_output", "getoutput"):
        monkeypatch.setattr(subprocess, name, lambda *_, **__: pytest.fail("a command that the test does not see"))

    def execute(code):
        exec(compile(code, "install cell", "exec"), {"__name__": "__main__"})
        return list(state["commands"])

    execute.state = state
    return execute


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cell(request):
    return install_cell(request.param)


def test_the_first_run_installs_the_package_alone_and_the_second_does_nothing(cell, session):
    for _ in range(2):
        commands = session(forked(cell))
        assert len(commands) == 1
    assert commands[0][:4] == [sys.executable, "-m", "pip", "install"]
    what = [argument for argument in commands[0][4:] if not argument.startswith("-")]
    assert len(what) == 1 and re.fullmatch(rf"(minrm(\[[a-z,]+\])? @ )?git\+{OWNED}", what[0])


def test_where_the_package_is_nothing_is_installed(cell, session):
    session.state["installed"] = True
    assert session(cell) == session(forked(cell)) == []


def test_nothing_is_installed_from_an_address_that_nobody_owns(cell, session):
    for _ in range(2):
        with pytest.raises(SystemExit, match="no address to install from yet"):
            session(cell)
    assert session.state["commands"] == []


def test_it_asks_for_no_gpu_and_touches_no_other_package(cell):
    lines = [line for line in cell.splitlines() if not line.lstrip().startswith("#")]
    assert not re.search(r"torch|cuda|numpy|nvidia|upgrade|-U\b", "\n".join(lines))
