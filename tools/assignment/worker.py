"""The untrusted end: runs the cells of a submission, then answers what its `final_token` gives for a mask.

Started by `sandbox.py` as a script of its own, beside nothing of the kit. It knows no expectation, so there is none to
be read here, and a forged reply is no more than an answer, which is judged like any other. Lines of JSON come in and go
out through two pipes of their own, so that what a submission prints is not mistaken for a reply.
"""

import ast
import json
import os
import re
import resource
import sys
import traceback

LONGEST = 600  # characters of a message
LARGEST = 200_000  # elements of a tensor
DEFINES = re.compile(r"^(def final_token\b|final_token\s*[:=])", re.MULTILINE)
NEEDED = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
TIMED = re.compile(r"\s*%%(time|timeit|capture)\b.*")  # what follows is Python, as in a cell without it
SHELL = re.compile(r"^(\s*)([%!].*|\?+[\w.]+|[\w.]+\?+)\s*$")  # %magic, !command, name?


def limit(kind, most):
    """Lower a limit for good; one that the system does not know, or has set lower, is left."""
    try:
        hard = resource.getrlimit(getattr(resource, kind))[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(getattr(resource, kind), (most, most))
    except (AttributeError, ValueError, OSError):
        pass


def run_cells(cells, namespace):
    """Run each cell as far as it goes, as a notebook would. Returns what stopped: [[cell, message], …].

    Of what comes after the last definition of `final_token` only functions, classes and imports are needed: another
    training there would use up the time. Where no definition is found, all cells are run.
    """
    stopped = []
    last = max((place for place, (_, source) in enumerate(cells) if DEFINES.search(source)), default=len(cells))
    for place, (name, source) in enumerate(cells):
        source = TIMED.sub("", source, count=1) if TIMED.match(source) else source
        if source.lstrip().startswith("%%"):
            continue
        try:
            tree = python(source)
            if place > last:
                tree.body = [part for part in tree.body if isinstance(part, NEEDED)]
            exec(compile(tree, f"<cell {name}>", "exec"), namespace)
        except BaseException as error:  # sys.exit in a cell ends the cell, not the grading
            stopped.append([name, said(error)])
    return stopped


def python(source):
    """The cell as Python; if it is none, without the lines that are for the notebook (`pass`: they may be indented)."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse("\n".join(SHELL.sub(r"\1pass", line) for line in source.splitlines()))


def said(error):
    return "".join(traceback.format_exception_only(error)).strip()[:LONGEST]


def answer(namespace, values):
    """What `final_token` gives for a mask, told in JSON: a kind and its value, and whether the mask was changed."""
    import torch

    mask = torch.tensor(values, dtype=torch.bool)
    kept = mask.clone()
    try:
        came = namespace["final_token"](mask)
    except BaseException as error:
        told = {"kind": "raised", "name": type(error).__name__, "message": str(error)[:LONGEST]}
    else:
        told = describe(came, mask)
    changed = mask.shape == kept.shape and not torch.equal(mask, kept)
    return told | ({"changed": mask.int().tolist()} if changed else {})


def describe(came, mask):
    import numpy
    import torch

    if isinstance(came, torch.Tensor):
        if came is mask or (came.numel() and came.data_ptr() == mask.data_ptr()):
            return {"kind": "given"}
        if came.numel() <= LARGEST:
            dtype = str(came.dtype).removeprefix("torch.")
            return {"kind": "tensor", "dtype": dtype, "shape": list(came.shape), "values": came.flatten().tolist()}
    if isinstance(came, numpy.ndarray) and came.size <= LARGEST and came.dtype.kind in "bif":
        return {"kind": "array", "dtype": str(came.dtype), "shape": list(came.shape), "values": came.flatten().tolist()}
    try:
        if len(json.dumps(came)) <= LARGEST:
            return {"kind": "plain", "value": came}
    except Exception:
        pass
    return {"kind": "object", "name": type(came).__name__}


def main(task, requests, replies):
    for kind, most in task["limits"].items():
        limit(kind, most)
    for pipe in (requests, replies):
        os.set_inheritable(pipe, False)  # a process that the submission starts has no part in the talk
    namespace = {"__name__": "__main__", "display": lambda *shown, **options: None}
    with os.fdopen(requests, encoding="utf-8") as asked, os.fdopen(replies, "w", encoding="utf-8") as out:
        stopped = run_cells(task["cells"], namespace)
        told = {"stopped": stopped[:20], "defined": callable(namespace.get("final_token"))}
        print(json.dumps(told), file=out, flush=True)
        for line in asked:
            print(json.dumps(answer(namespace, json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        main(json.load(file), int(sys.argv[2]), int(sys.argv[3]))
