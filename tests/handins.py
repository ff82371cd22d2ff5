"""Submissions as students would hand them in, made from the student's notebook, and the grader called on a folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import sandbox
from rubric import FINAL_TOKEN
from table import file_name

GRADE = Path(sandbox.__file__).with_name("grade.py")
SECRET = "a-token-of-the-instructor"


class Graded(NamedTuple):
    """rows: by student. printed: by the program."""

    folder: Path
    out: Path
    rows: dict[str, dict[str, str]]
    printed: str

    def page(self, student: str) -> str:
        return (self.out / "feedback" / file_name(student)).read_text(encoding="utf-8")


def grade(folder: Path, *options: str) -> Graded:
    """Call the grader, as `make grade` does, with a secret in its environment."""
    environment = os.environ | {"MINRM_SECRET": SECRET}
    call = [sys.executable, GRADE, folder, *options]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = folder.with_name(f"{folder.name}-graded")
    return Graded(folder, out, rows_of(out), done.stdout)


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


# What students hand in

HEAD = "def final_token(solution_mask):\n"
RIGHT = {
    "ada": "    c = torch.arange(solution_mask.shape[1])\n"
    "    last = torch.where(solution_mask, c, -1).amax(dim=1)\n"
    "    return c == last[:, None]",
    "ben": "    later = solution_mask.flip(1).cumsum(1).flip(1)\n    return solution_mask & (later == 1)",
}
LAST = "torch.where(solution_mask, torch.arange(solution_mask.shape[1]), -1).amax(dim=1)"
WRONG = {  # student: (answer, what the hint says)
    "dag": ("    out = torch.zeros_like(solution_mask)\n    out[:, -1] = True\n    return out", "last column"),
    "eva": ("    return solution_mask & (solution_mask.cumsum(1) == 1)", "first"),
    "fay": ("    return solution_mask.clone()", "every token"),
    "gil": (f"    return {LAST}", "numbers of columns"),
    "ida": ("    solution_mask[:, :-1] &= ~solution_mask[:, 1:]\n    return solution_mask", "changed its argument"),
}
HONEST = HEAD + RIGHT["ada"]
RESULTS = {
    variant: [{"seed": seed, "auc": auc + seed / 100, "best_of_n": {"1": 0.7, "16": auc}} for seed in (0, 1)]
    for variant, auc in (("every token", 0.7), ("final token", 0.8))
}


def notebook(
    function,
    results=RESULTS,
    explanation="I see that one of the two is better, because of its loss.",
    assignment=FINAL_TOKEN,
):
    """The student's notebook with an answer pasted in, run, and explained. A value of None leaves a cell as it is."""
    made = nbformat.read(assignment.notebook, as_version=4)
    cells = {cell.id: cell for cell in made.cells}
    if function is not None:
        cells[assignment.cell].source = f"import torch\n{function}"
    if results is not None:
        printed = nbformat.v4.new_output("stream", name="stdout", text=f"results: {json.dumps(results)}\n")
        cells["experiment"].outputs = [printed]
    if explanation is not None:
        cells["explanation"].source = f"## What I see and why\n\n{explanation}"
    return made


def hand_in(folder: Path, name: str, function=None, **rest) -> Path:
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(function, **rest), path)
    return path


def other_assignment(folder: Path, name: str) -> Path:
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('chapter 1')")]), path)
    return path


FORKS = """
    import os
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
# Memory that no limit of the system counts, and memory that many processes hold together
SHARES = """
import mmap
shared = mmap.mmap(-1, 1600 << 20)
for place in range(0, 1600 << 20, 4096):
    shared[place] = 1
"""
HERD = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        memory = bytearray(300 << 20)
        time.sleep(1000)
time.sleep(1000)
"""
BROKEN = {  # student: (what stands in the cell, a pattern of its reason)
    "dies": (HEAD + "    import os\n    os._exit(0)", "its process ended by itself .code 0"),
    "error": (HEAD + "    return solution_mask / nothing", "NameError: name 'nothing' is not defined"),
    "exits": ("import sys\nsys.exit('enough')", "there is no function `final_token`, the cell final-token stopped"),
    "bomb": (HEAD + "    kept = []\n    while True:\n        kept.append(bytearray(2**26))", "MemoryError|of memory"),
    "forks": (f"{HEAD}{FORKS}", "of computing|of memory"),
    "shares": (f"{HONEST}\n{SHARES}", "of memory"),
    "herd": (f"{HONEST}\n{HERD}", "of memory"),
    "half": (HEAD + "    raise RuntimeError('\\ud800')", "stopped with RuntimeError: \\?"),
}


def hostile(folder: Path, port: int) -> dict[str, str]:
    """Code that is meant to cheat, to be run only where namespaces contain it. What it finds it tells in an error."""
    out, repository = folder.with_name(f"{folder.name}-graded"), FINAL_TOKEN.notebook.parents[2]
    paths = [str(folder), str(out), *(str(repository / name) for name in ("tests", "tools", "book", ".git"))]
    tell = "raise RuntimeError(f'looked everywhere, found {found}')"
    return {
        "reader": f"paths = {paths}\n{READER}\n{HONEST}\n{tell}",
        "writer": f"out, pids = {str(out)!r}, {[os.getpid(), os.getppid()]}\n{WRITER}\n{WRONG['fay'][0]}\n{tell}",
        "caller": f"port = {port}\n{CALLER}\n{HEAD}{WRONG['fay'][0]}\n{tell}",
        "forger": f"{FORGER}\n{HONEST}",
        "liar": f"{HONEST}\n{LIAR}",
    }


# Looks for secrets, hidden tests and expectations wherever a process may look.
READER = """
import gc, glob, os, sys
found = [path for path in paths if os.path.exists(path)]
found += [name for name in os.environ if 'SECRET' in name]
for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
    try:
        text = open(path, 'rb').read()
    except OSError:
        continue
    found += [path for word in (b'MINRM_SECRET', b'grade.py') if word in text]
frame = sys._getframe()
while frame:
    found += [name for name in frame.f_locals if name in ('seed', 'verdict', 'reference', 'expected')]
    frame = frame.f_back
found += [type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in ('Verdict', 'Entry')]
found += [name for name in sys.modules if name in ('table', 'reference', 'trained', 'grade')]
"""

# Tries to write the table and its own page, and to reach the processes around it.
WRITER = (
    """
import ctypes, os, pathlib
found = []
for path in (out + '/grades.csv', out + '/feedback/writer.html', '../grades.csv', '/usr/grades.csv'):
    try:
        pathlib.Path(path).write_text('student,code\\nwriter,100\\n')
        found.append(path)
    except OSError:
        pass
for pid in {os.getppid() or 10**6, *pids} - {1}:  # which is itself, there
    try:
        os.kill(pid, 0)
        found.append(pid)
    except OSError:
        pass
    found += [pid] if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0 else []
"""
    + HEAD
)

CALLER = """
import socket
found = []
try:
    socket.create_connection(('127.0.0.1', port), timeout=3)
    found.append('the network')
except OSError:
    pass
"""

# Writes what answers look like into every pipe it holds.
FORGER = """
import os
for number in range(3, 256):
    try:
        os.write(number, b'{"stopped": [], "answers": []}')
    except OSError:
        pass
"""

LIAR = """
import json
none = {'tensor': ['bool', [9], []], 'arguments': [{'tensor': ['bool', [1, 1], [[True]]]}]}
tell = json.dump
json.dump = lambda told, out: tell(told | {'answers': [none] * len(told['answers'])}, out)
"""
