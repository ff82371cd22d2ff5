"""The small tools around the book: the table of the run, the docstrings' rendering, the fork, the environment."""

import json
import sys
from pathlib import Path
from typing import get_type_hints

import command_pages
import fork
import make_env
import notebooks
import plain_docstrings
import pytest
import refresh
import run_table

ROOT = Path(__file__).parents[2]


def project(folder):
    """A copy of the one setting, a page and a sealed chapter, as they are before a fork."""
    (folder / "book").mkdir()
    (folder / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    page = "[run](https://colab.research.google.com/github/ORG/NAME/blob/main/book/01.ipynb)\n"
    page += 'pip install "minrm @ git+https://github.com/ORG/NAME"\nmake fork REPOSITORY=https://github.com/ORG/NAME\n'
    page += "https://github.com/ORG/NAMES is another project\n"
    (folder / "README.md").write_text(page)
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": 1}
    cell["source"] = 'REPOSITORY = "https://github.com/ORG/NAME"'
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebooks.seal(notebook)
    notebooks.write(folder / "book" / "01.ipynb", notebook)
    return folder


def test_a_fork_repoints_badge_install_line_and_link_and_keeps_the_chapter_sealed(tmp_path):
    root = project(tmp_path)
    changed = fork.repoint(root, "https://github.com/ada/rewards.git")
    assert {path.name for path in changed} == {"_config.yml", "README.md", "01.ipynb"}
    page = (root / "README.md").read_text()
    assert "https://colab.research.google.com/github/ada/rewards/blob/main/book/01.ipynb" in page
    assert "git+https://github.com/ada/rewards" in page
    assert "make fork REPOSITORY=https://github.com/ORG/NAME" in page
    assert "https://github.com/ORG/NAMES" in page
    config = (root / "_config.yml").read_text()
    assert 'url: "https://github.com/ada/rewards"' in config
    assert 'colab_url: "https://colab.research.google.com"' in config
    notebook = notebooks.read(root / "book" / "01.ipynb")
    assert notebooks.sealed(notebook) == [notebooks.digest(cell) for cell in notebook["cells"]]


def test_a_second_fork_moves_on_and_leaves_nothing_of_the_first(tmp_path):
    root = project(tmp_path)
    fork.repoint(root, "https://github.com/ada/rewards")
    fork.repoint(root, "https://github.com/grace/course/")
    for path in ("_config.yml", "README.md", "book/01.ipynb"):
        text = (root / path).read_text()
        assert "ada/rewards" not in text
        assert "https://github.com/grace/course" in text


def test_a_fork_does_not_seal_what_was_tampered_with(tmp_path):
    root = project(tmp_path)
    path = root / "book" / "01.ipynb"
    notebook = notebooks.read(path)
    notebook["cells"][0]["source"] += "\nprint(1)"
    notebooks.write(path, notebook)
    fork.repoint(root, "https://github.com/ada/rewards")
    notebook = notebooks.read(path)
    assert notebooks.sealed(notebook) != [notebooks.digest(cell) for cell in notebook["cells"]]


@pytest.mark.parametrize("address", ["", "https://github.com/ORG/NAME", "github.com/a/b", "https://github.com/a"])
def test_a_fork_without_an_address_of_its_own_is_refused(tmp_path, address):
    root = project(tmp_path)
    before = (root / "_config.yml").read_text()
    with pytest.raises(ValueError, match="give the address of your own"):
        fork.repoint(root, address)
    assert (root / "_config.yml").read_text() == before


def test_the_run_is_noted_chapter_by_chapter_and_shown(tmp_path):
    run_file = tmp_path / "run.json"
    refresh.note(run_file, "01_a", 90)
    refresh.note(run_file, "02_b", 150)
    refresh.note(run_file, "01_a", 60)
    runs = json.loads(run_file.read_text())
    shown = run_table.table(runs)
    assert "| [](./01_a.ipynb) | 1.0 |" in shown
    assert "| together | 3.5 |" in shown
    assert "Python {}.{}".format(*sys.version_info) in shown
    assert shown.count("cores") == 1, "one machine, one group"
    runs["02_b"]["machine"]["cores"] = 999
    assert run_table.table(runs).count("cores") == 2


@pytest.mark.parametrize(
    ("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((2, 7), False)]
)
def test_only_supported_pythons_make_an_environment(version, fits):
    assert (make_env.unsupported(version) is None) == fits


def test_docstrings_render_as_they_are_written():
    from docutils.core import publish_doctree

    prose = """Scores [B, T] of `p_i` and *args, 2 * 3 | 4, a_ and `b`s, <|token|>.

    Code that breaks over two lines: `pip
    install openai`, and
    2. no list either.

    1. not a list

    - first item
      goes on
    - second `x*`

    Like this:
        x  = 1
          deep
    """
    lines = [line.removeprefix("    ") for line in prose.splitlines()]
    tree = publish_doctree("\n".join(plain_docstrings.as_rst(lines)), settings_overrides={"report_level": 1})
    text = tree.astext()
    assert not list(tree.findall(lambda node: node.tagname in ("system_message", "problematic", "emphasis", "target")))
    for written in (
        "Scores [B, T] of p_i and *args, 2 * 3 | 4, a_ and bs, <|token|>.",
        "pip install openai, and 2. no list either.",
        "1. not a list",
        "  deep",
    ):
        assert written in text
    assert [node.astext() for node in tree.findall(lambda node: node.tagname == "list_item")] == [
        "first item goes on", "second x*",
    ]  # fmt: skip


def test_every_file_of_the_package_has_a_file_of_tests():
    """Of `minrm.checks`, the exercises' answers, tests/checks holds one a chapter."""
    files = {path.stem for path in (ROOT / "minrm").glob("*.py")} - {"__init__"}
    assert {name for name in files if not (ROOT / "tests" / f"test_{name}.py").exists()} == set()


def test_every_file_of_the_package_has_its_place_in_the_reference():
    pages = "".join(path.read_text() for path in (ROOT / "book" / "api").glob("*.md"))
    files = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "minrm").rglob("*.py")}
    modules = {".".join(path.parts[1:]).removesuffix(".__init__") for path in files} - {"__init__"}
    assert "checks" in modules, "packages within the package count too"
    assert {name for name in modules if pages.count(f".. automodule:: minrm.{name}\n") != 1} == set()


def test_the_page_of_the_command_line_has_every_command():
    page = (ROOT / "book" / "api" / "cli.md").read_text()
    assert {name for name in command_pages.commands() if page.count(f".. command:: {name}\n") != 1} == set()


@pytest.mark.parametrize("name", command_pages.commands())
def test_a_command_is_shown_with_all_that_its_help_says(name):
    from docutils.core import publish_doctree

    tree = publish_doctree("\n".join(command_pages.as_rst(name)), settings_overrides={"report_level": 1})
    assert not list(tree.findall(lambda node: node.tagname in ("system_message", "problematic", "target")))
    shown = " ".join(tree.astext().split())
    hints = get_type_hints(command_pages.commands()[name].callback, include_extras=True)
    told = {argument: hint.__metadata__[0] for argument, hint in hints.items() if argument != "return"}
    assert len(told) == len(list(tree.findall(lambda node: node.tagname == "term")))
    for argument, info in told.items():
        declared = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
        parts = [*(declared or [argument.replace("_", "-")]), " ".join((info.help or "").replace("`", "").split())]
        assert [part for part in parts if part not in shown] == []
