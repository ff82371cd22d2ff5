"""The command line: `minrm sample · prepare · train · score · evaluate · serve-command`, the course for files.

An error is one line and exit code 2; `minrm --debug …` shows its traceback. Heavy imports wait inside the commands, so
`--help` answers at once. `accelerate launch -m minrm.cli` starts this file.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated

import typer

from minrm.cli.evaluate import evaluate
from minrm.cli.prepare import prepare
from minrm.cli.sample import sample
from minrm.cli.score import score
from minrm.cli.serve_command import serve_command
from minrm.cli.train import train
from minrm.errors import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Reward models: sample solutions, prepare rows, train, score, evaluate.

    The whole way, on the embedded world, without a download:

    \b
      minrm sample --world 100 --n 16 -o samples.jsonl
      minrm sample --world 1000 --split train --n 4 --temperature 1 -o more.jsonl
      minrm prepare more.jsonl --source samples --schema process -o train.jsonl
      minrm train train.jsonl -o prm
      minrm prepare samples.jsonl --source samples -o test.jsonl
      minrm score prm test.jsonl -o scored.jsonl
      minrm evaluate scored.jsonl --figure curves.png
    """


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C becomes one line and exit code 130, whatever the version of typer makes of it."""
    try:
        yield
    except KeyboardInterrupt as stop:
        print(f"minrm: {str(stop) or 'stopped; give the same command again to go on'}", file=sys.stderr)
        raise typer.Exit(130) from None


for command in (sample, prepare, train, score, evaluate, serve_command):
    app.command()(_stoppable()(command))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error that a user can mend is one line on stderr and exit code 2."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    for stream in (sys.stdout, sys.stderr):  # a terminal, or a file, that knows fewer characters shows others as ?
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("minrm").setLevel(logging.INFO)
    try:
        _refuse_empty(arguments)
        sys.exit(app(arguments, standalone_mode=False) or 0)
    except Exception as error:
        if "--debug" in arguments:
            raise
        print("minrm: " + " ".join(_told(error).split()), file=sys.stderr)
        sys.exit(2)


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an empty argument, which is what an unset variable becomes, not an option left out. Raises InputError."""
    for before, argument in pairwise(["", *arguments]):
        option, equals, value = argument.partition("=")
        named = bool(equals) and argument.startswith("-")
        if not (value if named else argument).strip():
            name = option if named else before if before.startswith("-") else "an argument"
            raise InputError(f"{name} is empty; is the variable set that it comes from?")


def _told(error: Exception) -> str:
    """What an error says: typer's and ours as they are, the system's with its file and a remedy."""
    if hasattr(error, "format_message"):
        return error.format_message()
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}; check that the path is right, may be read and written, and has free space"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
