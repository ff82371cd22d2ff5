"""The untrusted end: runs the cells of a submission, then tells what its `final_token` returns for masks.

Started by `sandbox.py` as a script of its own, beside nothing of the kit. It knows no expectation, so there is none to
be read here, and a forged answer is judged like any other. Answers go out as JSON through a pipe of their own, so that
what a submission prints is not mistaken for one.
"""

import ast
import ctypes
import json
import os
import platform
import re
import resource
import sys
import traceback
from contextlib import suppress

LONGEST = 600  # characters of a message
LARGEST = 200_000  # elements of a tensor
DEFINES = re.compile(r"^(def final_token\b|final_token\s*[:=])", re.MULTILINE)
NEEDED = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
TIMED = re.compile(r"\s*%%(time|timeit|capture)\b.*")  # what follows is Python, as in a cell without it
SHELL = re.compile(r"^(\s*)([%!].*|\?+[\w.]+|[\w.]+\?+)\s*$")  # %magic, !command, name?
KEYCTL = {"x86_64": 250, "aarch64": 219}  # the number of this system call


def run_cells(cells, namespace):
    """Run each cell as far as it goes, as a notebook would. Returns what stopped: [[cell, message], …].

    Of what comes after the last definition of `final_token` only functions, classes and imports are needed: another
    training there would use up the time. Where no cell defines it, all cells are run.
    """
    stopped = []
    last = max((index for index, (_, source) in enumerate(cells) if DEFINES.search(source)), default=len(cells))
    for index, (name, source) in enumerate(cells):
        source = TIMED.sub("", source, count=1) if TIMED.match(source) else source
        if source.lstrip().startswith("%%"):
            continue
        try:
            tree = python(source)
            if index > last:
                tree.body = [part for part in tree.body if isinstance(part, NEEDED)]
            exec(compile(tree, f"<cell {name}>", "exec"), namespace)
        except BaseException as error:  # sys.exit in a cell ends the cell, not the grading
            stopped.append([name, "".join(traceback.format_exception_only(error)).strip()[:LONGEST]])
    return stopped


def python(source):
    """The cell as Python; if it is none, without the lines that are for the notebook (`pass`: they may be indented)."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse("\n".join(SHELL.sub(r"\1pass", line) for line in source.splitlines()))


def answer(function, values):
    """What a function returns for a mask, to be told in JSON; `mask` is its argument afterwards."""
    import torch

    mask = torch.tensor(values, dtype=torch.bool)
    try:
        result = function(mask)
        reply: dict = {"type": type(result).__name__}
        if isinstance(result, torch.Tensor) and result.numel() <= LARGEST and not result.is_complex():
            reply = {"tensor": [str(result.dtype).removeprefix("torch."), list(result.shape), result.tolist()]}
    except BaseException as error:
        reply = {"raised": [type(error).__name__, str(error)[:LONGEST]]}
    return reply | {"mask": mask.tolist()}


def main(task, pipe):
    if platform.machine() in KEYCTL and sys.platform == "linux":
        ctypes.CDLL(None).syscall(KEYCTL[platform.machine()], 1, None)  # a new keyring: the instructor's holds keys
    for kind, most in task["limits"].items():
        with suppress(AttributeError, ValueError, OSError):  # one that the system does not know, or has set lower
            resource.setrlimit(getattr(resource, kind), (most, most))
    os.set_inheritable(pipe, False)  # a process that the submission starts has no part in the talk
    namespace = {"__name__": "__main__", "display": lambda *shown, **options: None}
    stopped = run_cells(task["cells"], namespace)
    function = namespace.get("final_token")
    answers = []
    for mask in task["masks"] if callable(function) else []:
        answers.append(answer(function, mask))
        if "raised" in answers[-1]:  # no test goes on behind it
            break
    with os.fdopen(pipe, "w", encoding="utf-8") as out:
        json.dump({"stopped": stopped[:20], "answers": answers}, out)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        task = json.load(file)
    main(task, int(sys.argv[2]))
