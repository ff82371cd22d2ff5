"""A class of hostile hand-ins beside honest ones, graded in one call: what each is given, and that nothing gets out."""

import csv
import ctypes
import io
import json
import os
import platform
import re
import secrets
import socket
import zipfile
from pathlib import Path

import handins
import nbformat
import psutil
import pytest
import sandbox
import worker
from table import Verdict

pytestmark = pytest.mark.timeout(3600)  # only a hang: other programs may hold the machine
TOKEN = f"mark{secrets.token_hex(4)}"  # in the names of what hostile code makes: other tests may run beside this one
PAGE = sandbox.HOME / "book" / "instructors.md"
PLACES = ["/", "/tmp", "/var/tmp", "/dev/shm", "/usr/lib", "/sys/fs/cgroup", str(Path.home())]
HONEST = ("ada", "रीना", "रानी")
FUNCTION = handins.HEAD + "    return solution_mask"
NEVER = "import time\ntime.sleep(10**6)"

# Writes into every pipe it holds, then ends.
SAYS = """
import os
for number in range(3, 256):
    try:
        os.write(number, ANSWER)
    except OSError:
        pass
os._exit(0)
"""

# student: (what the notebook's cell holds, a pattern of the row's reason)
CODE = {
    # ends, or does not
    "leaves": ("import os\nos._exit(0)", "ended by itself .code 0"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "ended by itself .code -11"),
    "kills": (
        f"import os, signal\nfor pid in (os.getppid(), 0):\n    os.kill(pid, signal.SIGTERM)\n{NEVER}",
        "ended by itself .code -15|6 seconds of doing nothing",  # one that is the first of its namespace is spared
    ),
    "prints": ("while True:\n    print('x' * 10**6, flush=True)", "6 seconds of computing"),
    "ignores": (
        "import signal, threading\nfor number in (1, 2, 3, 14, 15, 24):\n    signal.signal(number, signal.SIG_IGN)\n"
        f"def spin():\n    while True: pass\nthreading.Thread(target=spin).start()\n{NEVER}",
        "6 seconds of computing",
    ),
    "hops": (  # one process after another, each gone before it has computed for long
        "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif os.fork():\n    time.sleep(10**6)\n"
        "while True:\n    end = time.monotonic() + .05\n    while time.monotonic() < end: pass\n"
        "    try:\n        if os.fork(): os._exit(0)\n    except OSError: pass",
        "6 seconds of computing|6 seconds of doing nothing",  # if a fork fails, the chain ends
    ),
    "forks": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "6 seconds of computing|500 MB of memory",
    ),
    "closes": (f"import os\nos.closerange(0, 256)\n{NEVER}", "closed the grader's pipe|6 seconds of doing nothing"),
    # takes memory
    "shares": (
        "import mmap\nfor _ in range(99):\n    part = mmap.mmap(-1, 64 << 20)\n    part.write(b'x' * (64 << 20))\n"
        f"    part.madvise(mmap.MADV_DONTNEED)\n{FUNCTION}",
        "a kind of memory that no limit counts",
    ),
    "herd": (
        "import os, time\nfor _ in range(8):\n    if not os.fork():\n        held = bytearray(b'x') * (100 << 20)\n"
        f"        time.sleep(10**6)\n{NEVER}",
        "more than 500 MB of memory",
    ),
    "unnamed": (
        "import os\nfor _ in range(99):\n    os.write(os.memfd_create(''), bytes(60 << 20))",
        "no function `final_token`, the cell only stopped",
    ),
    "segment": (
        "import ctypes\nif ctypes.CDLL(None).shmget(0, 1 << 30, 0o1600) < 0:\n    raise MemoryError",
        "no function `final_token`, the cell only stopped",
    ),
    "fills": (
        "import itertools\nfor n in itertools.count():\n    open(f'/tmp/{n}', 'wb').write(bytes(32 << 20))",
        "no function `final_token`, the cell only stopped",
    ),
    "crowds": (
        "import itertools\nfor n in itertools.count():\n    open(f'/tmp/{n}', 'wb')",
        "no function `final_token`, the cell only stopped",
    ),
    # answers
    "half": (
        f"{handins.HEAD}    raise RuntimeError('\\ud800;=cmd|\\' /C calc\\'!A0\\t=1\\r\\n@SUM(1,=2)')",
        "stopped with RuntimeError: \\?, '=cmd",
    ),
    "mute": (
        f"class Mute(Exception):\n    def __str__(self): raise SystemExit\n{handins.HEAD}    raise Mute",
        "ended by itself .code 0",
    ),
    "floods": (f"import os\nANSWER = b'[' * (17 << 20)\n{SAYS}", "an answer that is far too long"),
    "deep": (f"""ANSWER = b'{{"answers":' + b'[' * 60_000\n{SAYS}""", "the grader's own pipe"),
    "great": (
        f"""ANSWER = b'{{"stopped": [], "answers": [{{"type": "x", "mask": [1%s]}}]}}' % (b'0' * 400)\n{SAYS}""",
        "an answer that is none",
    ),
    "swaps": (
        "import builtins, sys, torch\ntorch.equal = torch.allclose = builtins.all = lambda *a, **k: True\n"
        f"sys.modules['minrm.checks'] = sys.modules['table'] = sys\n{FUNCTION}",
        "every token",
    ),
    # stays
    "daemon": (
        "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(10**6)\n"
        "    os._exit(0)\nimport atexit, threading\natexit.register(time.sleep, 10**6)\n"
        "threading.Thread(target=time.sleep, args=[10**6]).start()",
        "there is no function `final_token`",
    ),
    "shells": ("!touch /tmp/TOKEN\n%%bash\ntouch /tmp/TOKEN", "there is no function `final_token`"),
}

# Looks, calls and writes wherever it may; what it could do it tells in its error.
LOOKS = """
import ctypes, gc, glob, os, signal, socket, sys
found = [path for path in PATHS if os.path.exists(path)]
for place in [*PLACES, *PATHS, '/proc', '.', '..']:
    try:
        open(os.path.join(place, TOKEN), 'w').close()
        found += [place] if place != '/tmp' else []  # which is its own
    except OSError:
        pass
libc, text = ctypes.CDLL(None), ctypes.create_string_buffer(999)
for ring in (-3, -4, -5):
    for call, *given in ((11, ring, text, 999), (10, ring, b'user', TOKEN.encode(), 0), (0, ring, 0)):
        found += [f'keys {ring}'] if libc.syscall(KEYCTL, call, *given) > 0 else []
for pid in [*PIDS, *(int(name) for name in os.listdir('/proc') if name.isdigit() and int(name) != os.getpid())]:
    try:
        os.kill(pid, 0)
        found.append(pid)
    except OSError:
        pass
    found += [pid] if libc.ptrace(16, pid, 0, 0) == 0 else []
for family, address in ((socket.AF_INET, ('127.0.0.1', PORT)), (socket.AF_UNIX, '/run/dbus/system_bus_socket')):
    try:
        socket.socket(family).connect(address)
        found.append(address)
    except OSError:
        pass
for path in [*glob.glob('/proc/[0-9]*/environ'), *glob.glob('/proc/[0-9]*/cmdline'), *glob.glob('/dev/sd*')]:
    try:
        found += [path] if any(word in open(path, 'rb').read(9999) for word in (SECRET, b'grade.py')) else []
    except OSError:
        pass
frame = sys._getframe()
while frame:
    found += [name for name in frame.f_locals if name in ('seed', 'verdict', 'reference', 'expected')]
    frame = frame.f_back
found += [type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in ('Verdict', 'Entry')]
found += [name for name in sys.modules if name in ('table', 'reference', 'trained', 'grade', 'sandbox')]
found += ['another user space'] if libc.unshare(0x10000000) == 0 else []
raise RuntimeError(f'looked everywhere, found {found}')
"""


NAMES = {  # of files: the student in the table
    b"jos\xe9": "jos%E9", b"jos\xc3\xa9": "josé", b"a;b": "a%3Bb", b"a, b": "a, b", b"a\nb": "a%0Ab", b"a b": "a b",
    b"a  b": "a %20b", b"'=1": "''=1", b"=cmd|' C calc'!A0\t=2": "'=cmd|' C calc'!A0%09=2", b"O'Brien": "O'Brien",
    b"O?Brien": "O?Brien", b"n" * 249: "n" * 249,
}  # fmt: skip


def not_read(folder):
    """Hand in what is no notebook, or none that may be read. Returns the reason of each student's row."""
    os.mkfifo("fifo.ipynb")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.ipynb")  # its address has room for 108 bytes
    targets = {"copy.ipynb": "ada.ipynb", "circle.ipynb": "circle.ipynb", "zero.ipynb": "/dev/zero", "linked": "."}
    for name, target in targets.items():
        os.symlink(target, name)
    with open("huge.ipynb", "wb") as file:
        file.truncate(200 << 20)
    with zipfile.ZipFile("zip.ipynb", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zip.ipynb", bytes(1 << 20))
    texts = {"nested": '{"cells":' * 20_000, "numbers": f'{{"cells": [{"1" * 9999}]}}', "types": '{"cells": [3]}'}
    for name, text in texts.items() | {(name, "{") for name in NAMES}:
        Path(os.fsdecode(name) + ".ipynb").write_text(text)
    os.mkdir("empty.ipynb")
    for name in ["buried", *["x" * 60] * 80]:  # its path is longer than the system takes
        os.mkdir(name)
        os.chdir(name)
    os.chdir(folder)
    reasons = dict.fromkeys([*NAMES.values(), *texts, "zip"], "no notebook that can be read")
    reasons |= dict.fromkeys(("fifo", "socket", "copy", "circle", "zero"), "is a link or a device")
    reasons |= {"linked": "was handed in, but linked", "huge": "huge.ipynb is larger than 30 MB"}
    reasons |= dict.fromkeys(("empty.ipynb", "buried"), "but a folder in which nothing can be read")
    return {student: re.escape(reason) for student, reason in reasons.items()}


def notebook(code, *outputs):
    text = nbformat.v4.new_markdown_cell("## What I see and why\n\nThe final token ranks better.")
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, id="only", outputs=list(outputs)), text])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, way):
    """The class, graded; the reasons that are expected; and where the grader's folders for submissions lay."""
    if way != "namespaces":
        pytest.skip(f"no namespaces here: submissions are contained by {way}")
    folder, temporary = tmp_path_factory.mktemp("hostile") / "submissions", tmp_path_factory.mktemp("temporary")
    folder.mkdir()
    remember()
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        reasons = not_read(folder)
        printed = nbformat.v4.new_output("stream", text=f"results: {json.dumps(handins.RESULTS)}\n")
        for student in HONEST:
            nbformat.write(notebook(f"import torch\n{handins.HONEST}", printed), f"{student}.ipynb")
        others = [str(sandbox.HOME / name) for name in ("tests", "tools", ".git")]
        given = {
            "PATHS": [str(folder), str(folder.with_name("submissions-graded")), *others],
            "PLACES": PLACES, "PIDS": [os.getpid(), os.getppid()], "PORT": server.getsockname()[1], "TOKEN": TOKEN,
            "SECRET": handins.SECRET.encode(), "KEYCTL": number("keyctl"),
        }  # fmt: skip
        looks = "".join(f"{name} = {value!r}\n" for name, value in given.items()) + LOOKS
        for student, (code, reason) in (CODE | {"looks": (looks, "no function `final_token`")}).items():
            code = f"# final_token\nimport ctypes\nctypes.CDLL(None).prctl(15, b'{TOKEN}')\n{code}"  # PR_SET_NAME
            nbformat.write(notebook(code.replace("/TOKEN", f"/{TOKEN}")), f"{student}.ipynb")
            reasons[student] = reason
        patch.setenv("TMPDIR", str(temporary))
        return handins.grade(folder, "--time", "6", "--memory", "500"), reasons, temporary


def number(call):
    """Of a system call, on this machine."""
    return worker.DENIED[call][platform.machine() == "aarch64"]


def remember():
    """Put a secret into the keyring that programs started from here inherit, where the system lets us."""
    libc, secret = ctypes.CDLL(None), handins.SECRET.encode()
    libc.syscall(number("keyctl"), 1, None)  # KEYCTL_JOIN_SESSION_KEYRING
    libc.syscall(number("add_key"), b"user", TOKEN.encode(), secret, len(secret), -3)


def test_the_honest_ones_get_all_points_of_the_machine(hostile):
    graded, _, _ = hostile
    assert [(graded.rows[name]["total so far"], graded.rows[name]["reason"]) for name in HONEST] == [("50", "")] * 3


def test_each_hostile_one_has_no_points_a_reason_and_a_page(hostile):
    graded, reasons, _ = hostile
    rows = {student: graded.rows.get(student) for student in reasons}
    assert not {
        student: row
        for student, row in rows.items()
        if not row or row["total so far"] != "0" or not re.search(reasons[student], row["reason"])
    }
    assert graded.rows.keys() == reasons.keys() | set(HONEST)
    assert f"{len(reasons)} hostile hand-ins beside three honest ones" in PAGE.read_text(encoding="utf-8")
    assert len(os.listdir(graded.out / "feedback")) == len(graded.rows)


def test_nothing_gets_out(hostile):
    graded, _, temporary = hostile
    assert "looked everywhere, found []" in graded.page("looks")
    assert not [process for process in psutil.process_iter() if process.name() == TOKEN]
    assert not list(temporary.glob("grading-*")) and set(os.listdir(graded.out)) == {
        "feedback",
        "grades.csv",
        "verdicts.json",
    }
    assert not [place for place in [*PLACES, graded.folder] if os.path.exists(os.path.join(place, TOKEN))]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_is_a_formula_whatever_separates_cells(hostile, separator):
    text = (hostile[0].out / "grades.csv").read_text(encoding="utf-8")
    cells = [part for row in csv.reader(io.StringIO(text), delimiter=separator) for part in row]
    cells += [part for line in text.splitlines() for part in line.split(separator)]
    assert not [part for part in cells if part.strip(' "').startswith(("=", "+", "-", "@", "\t", "\r"))]


# Without a class


WAITS = """
import ctypes, time
CALL, NEITHER = (56, 220)[machine == 'aarch64'], 0
if ctypes.CDLL(None).syscall(CALL, 0x4000 | 17, NEITHER, NEITHER, NEITHER, NEITHER) == 0:  # CLONE_VFORK
    time.sleep(10**6)
"""


def test_what_neither_computes_nor_seems_idle_is_ended_too(monkeypatch):
    """A process that waits for what it started by `vfork` looks as one that waits for a disk."""
    task = {"cells": [("", f"machine = {platform.machine()!r}\n{WAITS}")], "function": "f", "calls": []}
    monkeypatch.setattr(sandbox, "HANGS", 3)
    before = set(psutil.Process().children())  # servers that other tests have started
    assert sandbox.run("limits", task, 2) == (b"", "stopped after 6 seconds")
    assert set(psutil.Process().children()) <= before


def ends_its_grader(entry, *options):
    if entry.student == "mallory":
        os.kill(os.getpid(), 9)
    return Verdict(entry.student, entry.file)


def test_a_process_of_the_grader_that_is_ended_costs_nobody_else_a_row(tmp_path, monkeypatch):
    import grade
    from submissions import find

    for student in ("ada", "ben", "mallory", "zoe"):
        (tmp_path / f"{student}.ipynb").write_text("")
    monkeypatch.setattr(grade, "judge", ends_its_grader)
    verdicts = list(grade.judge_all(find(tmp_path), 2))
    assert [verdict.student for verdict in verdicts] == ["ada", "ben", "mallory", "zoe"]
    assert [verdict.student for verdict in verdicts if "ended from outside" in verdict.reason] == ["mallory"]
