"""Where a submission runs, without a class: what it is given, and how it ends."""

import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

import handins
import pytest
import sandbox
import worker

HIDES = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            pass
    os._exit(0)
time.sleep(1000)
"""
CLOSES = "import os, time\nos.closerange(3, 300)\ntime.sleep(1000)"
COMPUTES, WAITS = "stopped after 2 seconds of computing", "stopped after 2 seconds of doing nothing"
ENDS = {"while True:\n    pass": COMPUTES, HIDES: COMPUTES, "import time\ntime.sleep(1000)": WAITS, CLOSES: "closed"}


def test_whatever_a_submission_starts_is_watched_and_ended_in_every_way(way):
    """All at once, each in a process as the grader's: most of them wait."""
    with ExitStack() as stack:
        runs = []
        for each in sandbox.ways()[sandbox.ways().index(way) :]:
            for cell, reason in ENDS.items():
                pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"), sandbox.protect))
                if reason == "closed":  # unshare, around namespaces, holds the pipe too
                    reason = WAITS if each == "namespaces" else "it closed the grader's pipe"
                task = {"cells": [("", cell)], "function": "f", "calls": []}
                runs.append((pool, pool.submit(sandbox.run, each, task, 2), reason))
        for pool, run, reason in runs:
            assert run.result() == (b"", reason)
            assert not pool.submit(sandbox._children).result()


REACHES = """
import ctypes, mmap, os, socket
found, libc = [], ctypes.CDLL(None)
for name, reach in {
    "network": lambda: socket.socket(),
    "parent": lambda: os.kill(os.getppid() or 2, 0),
    "unnamed": lambda: os.memfd_create(""),
}.items():
    try:
        reach()
        found.append(name)
    except OSError:
        pass
given = {"keys": (KEYCTL, 0, -3, 0), "segment": (SHMGET, 0, 4096, 0o1600), "users": (CLONE, 0x10000011, 0, 0, 0, 0)}
found += [name for name, call in given.items() if libc.syscall(*call) >= 0]
raise RuntimeError(f"found {found}")
"""


@pytest.mark.skipif(
    platform.machine() not in worker.MACHINES or sys.platform != "linux", reason="no filter of calls here"
)
def test_no_way_leaves_the_network_keys_others_or_hidden_memory_within_reach():
    which, _ = worker.MACHINES[platform.machine()]
    numbers = {"KEYCTL": worker.KEYCTL, "SHMGET": worker.DENIED["shmget"], "CLONE": worker.CLONE}
    cell = "".join(f"{name} = {number[which]}\n" for name, number in numbers.items()) + REACHES
    for way in sandbox.ways():
        output, failure = sandbox.run(way, {"cells": [("", cell)], "function": "f", "calls": []}, 30)
        assert not failure and b"found []" in output or way == "namespaces" and not output


def test_the_environment_is_not_handed_on(monkeypatch):
    monkeypatch.setenv("MINRM_SECRET", handins.SECRET)
    assert not any(handins.SECRET in value for value in sandbox.environment("/tmp").values())
