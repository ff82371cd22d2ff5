"""A Sphinx extension: `.. command:: train` shows what `minrm train --help` says, read from the command itself.

`.. command:: minrm` shows the options that stand before a command. The page cannot drift from the code.
"""

from typing import Any

import plain_docstrings
import typer
from sphinx.util.docutils import SphinxDirective


def commands() -> dict[str, Any]:
    """The commands by name; `minrm` is what they all belong to."""
    from minrm.cli.__main__ import app

    group: Any = typer.main.get_command(app)
    return {"minrm": group, **group.commands}


def as_rst(name: str) -> list[str]:
    """The help of a command as lines of reStructuredText: usage, prose, and a list of arguments and options."""
    command = commands()[name]
    title = name if name == "minrm" else f"minrm {name}"
    context = typer.Context(command, info_name=title)
    usage = " ".join([title, *command.collect_usage_pieces(context)])
    prose = [line for line in command.help.splitlines() if line != "\b"]  # which tells typer not to wrap a block
    lines = ["::", "", f"    {usage}", "", *plain_docstrings.as_rst(prose)]
    parameters = sorted(command.get_params(context), key=lambda one: one.param_type_name)  # arguments, then options
    for parameter in parameters:
        if parameter.name != "help":
            term, told = parameter.get_help_record(context)
            lines += [f"``{term}``", *(f"    {line}" for line in plain_docstrings.as_rst([told]))]
    return lines


class Command(SphinxDirective):
    required_arguments = 1

    def run(self):
        return self.parse_text_to_nodes("\n".join(as_rst(self.arguments[0])))


def setup(app):
    app.add_directive("command", Command)
    return {"parallel_read_safe": True}
