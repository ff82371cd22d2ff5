"""Where a submission runs, without a class: what it is given, and how it ends."""

import platform
import sys
from concurrent.futures import ProcessPoolExecutor
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("cell", "reason"), [(HIDES, "6 seconds of computing"), (CLOSES, "closed the grader's pipe")])
def test_whatever_a_submission_starts_is_watched_and_ended_in_every_way(cell, reason):
    task = {"cells": [("", cell)], "masks": []}
    with ProcessPoolExecutor(1, get_context("spawn"), sandbox.protect) as pool:
        for way in sandbox.ways()[1:]:  # the best one is tried on a class
            output, failure = pool.submit(sandbox.run, way, task, 6).result()
            assert output == b"" and reason in failure
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
        output, failure = sandbox.run(way, {"cells": [("", cell)], "masks": []}, 30)
        assert not failure and b"found []" in output or way == "namespaces" and not output


def test_the_environment_is_not_handed_on(monkeypatch):
    monkeypatch.setenv("MINRM_SECRET", handins.SECRET)
    assert not any(handins.SECRET in value for value in sandbox.environment("/tmp").values())
