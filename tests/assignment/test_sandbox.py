"""Where a submission runs, without a class: what it is given, and how it ends."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import handins
import pytest
import sandbox

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


def test_the_environment_is_not_handed_on(monkeypatch):
    monkeypatch.setenv("MINRM_SECRET", handins.SECRET)
    assert not any(handins.SECRET in value for value in sandbox.environment("/tmp").values())
