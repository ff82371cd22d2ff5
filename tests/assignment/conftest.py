"""One class for all tests of the grader: a folder of submissions, graded once."""

import os
import socket

import handins
import pytest
from grade import best_way


@pytest.fixture(scope="session")
def way():
    """How submissions are contained on this machine."""
    return best_way()


@pytest.fixture(scope="session")
def graded(tmp_path_factory, way):
    folder = tmp_path_factory.mktemp("class") / "submissions"
    folder.mkdir()
    for student, answer in handins.RIGHT.items():
        handins.hand_in(folder, student, handins.HEAD + answer)
    for student, (answer, _) in handins.WRONG.items():
        handins.hand_in(folder, student, handins.HEAD + answer)
    for student, (function, _) in handins.BROKEN.items():
        if student != "forks" or way != "limits" or os.getuid():  # no limit holds root's processes
            handins.hand_in(folder, student, function)
    handins.hand_in(folder, "blank", results=None, explanation=None)
    handins.hand_in(folder, "markup", handins.HONEST, explanation="<script>alert(1)</script>", results=None)
    handins.hand_in(folder, "twice_1", handins.HONEST)
    handins.hand_in(folder, "twice_2", handins.HONEST)
    handins.other_assignment(folder, "other")
    (folder / "text.ipynb").write_text("no notebook")
    (folder / "word.docx").write_text("")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / os.fsdecode(b"jos\xe9.ipynb")).write_text("no notebook")
    (folder / f"{'long' * 60}.ipynb").write_text("no notebook")
    with socket.create_server(("127.0.0.1", 0)) as server:
        if way == "namespaces":
            for student, function in handins.hostile(folder, server.getsockname()[1]).items():
                handins.hand_in(folder, student, function)
        return handins.grade(folder, "--time", "3600", "--memory", "1500")
