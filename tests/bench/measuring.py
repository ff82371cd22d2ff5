"""Two ways to do the same work, side by side: alternating in one fresh process, and each alone in another for memory.

A work is a function that takes a size ("full", "quick" for a look, "tiny" for the tests) and gives a `Work`. Times of
ways that do a part of the work are scaled up to the whole, and the results say so.
"""

import ctypes
import gc
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUNDS = {"full": 3, "quick": 1, "tiny": 1}
SELF = Path("/proc/self")


@dataclass
class Work:
    """what: the work and its size. about: how each other way goes. ways: name → the call that does it, minrm's first.

    close: takes a result of each way, and raises AssertionError if they differ. parts: of a way that does only a part
    of the work, the share that it does.
    """

    what: str
    about: dict[str, str]
    ways: dict[str, Callable[[], Any]]
    close: Callable[[dict[str, Any]], None]
    parts: dict[str, float] = field(default_factory=dict)


class NotInstalled(Exception):
    """A work that compares with a package that is not there."""


def seconds(call: Callable[[], Any]) -> float:
    """How long one call takes; a GPU's work counts until it is done."""
    gc.collect()
    start = time.perf_counter()
    call()
    if torch := _torch_on_gpu():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def alternate(work: Work, rounds: int) -> dict[str, Any]:
    """The median seconds of each way, and by how much minrm is faster than each other one, round by round.

    Every way runs once before, and the results are compared; every second round goes backwards.
    """
    work.close({way: call() for way, call in work.ways.items()})
    times: dict[str, list[float]] = {way: [] for way in work.ways}
    for turn in range(rounds):
        for way in list(work.ways)[:: 1 if turn % 2 == 0 else -1]:
            times[way].append(seconds(work.ways[way]) / work.parts.get(way, 1))
    result: dict[str, Any] = {way: {"seconds": round(statistics.median(taken), 4)} for way, taken in times.items()}
    for way in list(work.ways)[1:]:
        result[way]["ratio"] = spread([other / own for own, other in zip(times["minrm"], times[way], strict=True)])
    return result


def spread(values: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    named = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in named.items()}


def peak_gb(call: Callable[[], Any]) -> float:
    """The most memory, in GB, that one call takes above what is held before it: on the GPU, where there is one."""
    gc.collect()
    if torch := _torch_on_gpu():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return round((torch.cuda.max_memory_allocated() - before) / 1e9, 4)
    with suppress(OSError, AttributeError):  # give back what building the work left behind
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    if SELF.exists():
        (SELF / "clear_refs").write_text("5")  # the mark of the most is set back to what is held now
    before = _most()
    call()
    return round((_most() - before) / 1e9, 4)


def _most() -> int:
    if SELF.exists():
        line = next(line for line in (SELF / "status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if os.uname().sysname == "Darwin" else 1024  # there the mark only grows: peaks come out too small
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _torch_on_gpu() -> Any:
    torch = sys.modules.get("torch")  # a work without torch should not load it
    return torch if torch is not None and torch.cuda.is_available() else None
