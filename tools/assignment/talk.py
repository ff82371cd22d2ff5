"""The trusted end: a submission's `final_token` as a function here, which asks the process where the code runs.

`with Submission(...) as final_token` starts the child and runs its cells; then `final_token(mask)` is what any check or
training can call. Nothing that comes back is trusted to be more than numbers. What ends the talk (time, memory, a dead
process, a reply that is none) is kept in `failure`, since a check would tell any exception as the learner's own.
"""

from __future__ import annotations

import builtins
import json
import math
import os
import select
import time
from typing import Any, NamedTuple, NoReturn

import numpy as np
import sandbox
import torch
from torch import Tensor

LARGEST = 4 << 20  # bytes of a reply
LOOK = 0.1  # seconds between two looks at memory
PATIENCE = 20  # times as long as it may compute, whatever else the machine does
DTYPES = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
}


class Stopped(Exception):
    """The submission cannot be asked any more; the message is for the student."""


class Raised(NamedTuple):
    """An exception of the submission's."""

    name: str
    message: str


class Submission:
    """A submission that runs in a sandbox. seconds: of computing, for its cells and all its answers together."""

    def __init__(self, cells: list[tuple[str, str]], way: str, seconds: float = 30, memory_mb: int = 2048) -> None:
        self.cells, self.way, self.seconds, self.memory_mb = cells, way, seconds, memory_mb
        self.failure = ""
        self.stopped: list[tuple[str, str]] = []  # cells that ended in an error, and which
        self.defined = False
        self.left, self.waited = PATIENCE * float(seconds), 0.0

    def __enter__(self) -> Submission:
        self.child = sandbox.Child(self.way, self.cells, self.seconds, self.memory_mb)
        self.buffer = b""
        try:
            told = self._reply("the end of its cells")
            self.defined = told.get("defined") is True
            self.stopped = [(str(cell)[:80], str(message)[:600]) for cell, message in told.get("stopped", [])][:20]
        except Stopped:
            pass  # told by `failure`
        except (TypeError, ValueError, AttributeError):
            self.failure = "it wrote into the grader's own pipe"
        return self

    def __exit__(self, *_: Any) -> None:
        self.child.close()

    def __call__(self, mask: Tensor) -> Any:
        """What the submission's `final_token` gives for a mask [B, T] bool. Raises Stopped, or what that raised."""
        if self.failure:
            raise Stopped(self.failure)
        try:
            os.write(self.child.requests, (json.dumps(mask.int().tolist()) + "\n").encode())
        except BrokenPipeError:
            self._fail(self._death())
        told = self._reply("an answer")
        try:
            value = _value(told, mask)
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError):
            self._fail("it sent an answer that is none")
        if isinstance(value, Raised):
            raise _exception(value.name)(value.message)
        return value

    def _reply(self, what: str) -> dict[str, Any]:
        """The next line, as a dictionary; what the child uses is watched while it is awaited."""
        looked = time.monotonic()
        while b"\n" not in self.buffer:
            if select.select([self.child.replies], [], [], LOOK)[0]:
                came = os.read(self.child.replies, 1 << 16)
                self.buffer += came
                if not came:
                    self._fail(self._death())
                if len(self.buffer) > LARGEST:
                    self._fail("it sent an answer that is far too long")
            if time.monotonic() - looked > LOOK:
                self._watch(what, time.monotonic() - looked)
                looked = time.monotonic()
        line, self.buffer = self.buffer.split(b"\n", 1)
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or self.buffer:  # it may speak only when asked
            self._fail("it wrote into the grader's own pipe")
        return told

    def _watch(self, what: str, passed: float) -> None:
        """Fail if the child has used too much; passed: seconds since the last look.

        Computing is what counts, and waiting only while it does not compute: other programs may hold the machine.
        """
        use = self.child.used()
        self.waited += 0 if use.busy else passed
        self.left -= passed
        for spent, kind in ((use.seconds, "computing"), (self.waited, "doing nothing")):
            if spent > self.seconds:
                self._fail(f"{what} had not come after {self.seconds:g} seconds of {kind}")
        if self.left < 0:
            self._fail(f"{what} had not come after {PATIENCE * self.seconds:g} seconds")
        if use.memory_mb > self.memory_mb:
            self._fail(f"it took more than {self.memory_mb} MB of memory")

    def _death(self) -> str:
        try:
            code = self.child.process.wait(timeout=5)
        except Exception:
            return "it closed the grader's pipe"
        words = self.child.last_words().splitlines()
        return f"its process ended by itself (code {code})" + (f": {words[-1][:300]}" if words else "")

    def _fail(self, reason: str) -> NoReturn:
        self.failure = self.failure or reason
        raise Stopped(self.failure)


def _value(told: dict[str, Any], mask: Tensor) -> Any:
    """The result that a reply describes; the mask changed as the submission changed its own."""
    if "changed" in told:
        mask.copy_(torch.tensor(told["changed"], dtype=torch.bool).reshape(mask.shape))
    kind = told["kind"]
    if kind == "given":
        return mask
    if kind == "tensor":
        return torch.tensor(told["values"], dtype=DTYPES[told["dtype"]]).reshape(_shape(told))
    if kind == "array":
        if told["dtype"] not in DTYPES:  # of a type of its own choice, each value could take megabytes
            raise ValueError("a type that no mask has")
        return np.array(told["values"], dtype=told["dtype"]).reshape(_shape(told))
    if kind == "plain":
        return told["value"]
    if kind == "raised":
        return Raised(str(told["name"]), str(told["message"])[:600])
    return type(str(told["name"])[:40], (), {})()


def _shape(told: dict[str, Any]) -> tuple[int, ...]:
    shape = tuple(int(size) for size in told["shape"])
    if min(shape, default=0) < 0 or math.prod(shape) != len(told["values"]):
        raise ValueError("a shape that does not fit its values")
    return shape


def _exception(name: str) -> type[Exception]:
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception) and not issubclass(known, UnicodeError):
        return known  # the Unicode ones want more than a message
    return type(name[:40] if name.isidentifier() else "Exception", (Exception,), {})
