"""Where a submission runs: a process with limits, an environment of its own, and as little around it as can be had.

Three ways, the best that the system permits. *namespaces*: no network, no process but its own, a file system in which
only Python and the course lie, read-only, and an empty /tmp. *user*: another user without rights (the grader is root).
*limits*: nothing but limits; the submission may read what the instructor may read. In each of them `worker.py` gives up
many system calls before it runs the submission.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen
from subprocess import run as call
from typing import Any

import psutil

import minrm

WORKER, ENTER = (Path(__file__).with_name(name) for name in ("worker.py", "enter.sh"))
HOME = Path(minrm.__file__).parent.parent  # of the package
TASKS, FILE_MB, FILES = 64, 64, 256  # processes and threads, a file's size, open files
HELD = re.compile(r"^(?:Rss(?:Anon|Shmem)|Vm(?:PTE|Swap)):\s+(\d+) kB", re.MULTILINE)
LARGEST = 16 << 20  # bytes of all answers
LOOK = 0.1  # seconds between two looks at what it uses
HANGS = 40  # times the seconds of computing: so long it may take where other programs hold the machine
CONTAINED = {
    "namespaces": "no network, no other process, nothing to read but Python and the course, nothing to write but /tmp",
    "user": "another user, who can write none of your files; files that everybody may read are within reach",
    "limits": "limits of time, memory and processes; your files are within reach, and the network if not on Linux",
}
UNSHARE = "setpriv --pdeathsig KILL unshare --mount --pid --net --ipc --uts --fork --kill-child"


def protect() -> None:
    """Let no process of the same user look into this one's memory, let it end with the program that started it, and
    let orphans of its children come to it."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def run(way: str, task: dict[str, Any], seconds: float = 30, memory_mb: int = 2048) -> tuple[bytes, str]:
    """What a worker writes, and why it was ended: nothing if it ended by itself.

    task: `cells`, the name of the `function`, and its `calls`, each a list of packed arguments (`worker.py`).
    seconds: of computing, or of doing nothing, so that other programs may hold the machine.
    """
    others = _children()
    with _folder() as folder:
        pipe, end = os.pipe()
        try:
            process = _start(way, folder, task, seconds, memory_mb, end)
            os.close(end)
            return _watch(process, pipe, seconds, memory_mb, others)
        finally:
            for _ in range(50):  # some may start others meanwhile
                for member in (members := _children() - others):
                    with suppress(psutil.Error):
                        member.kill()
                psutil.wait_procs(members, timeout=1)
                if not members:
                    break
            os.close(pipe)


def _watch(process: Popen, pipe: int, seconds: float, memory_mb: int, others: set[psutil.Process]) -> tuple[bytes, str]:
    """What comes through the pipe until the process has ended, or must be."""
    output, closed, idle, unseen = b"", False, 0.0, 0.0
    spent: dict[psutil.Process, float] = {}
    before = (0, 0.0, 0)
    begin = last = time.monotonic()
    while True:
        over = process.poll() is not None
        ready = bool(select.select([] if closed else [pipe], [], [], 0 if over else LOOK)[0])
        part = os.read(pipe, 1 << 16) if ready else b""
        output, closed = output + part, closed or (ready and not part)
        if over and not part:  # one that it left behind may hold the pipe open
            break
        if time.monotonic() < last + LOOK and len(output) <= LARGEST:
            continue
        memory, busy = used(_children() - others, spent)
        passed, last = time.monotonic() - last, time.monotonic()
        state = len(spent), sum(spent.values()), len(output)
        if state[0] > max(before[0], TASKS):  # what starts others all the time leaves most of its computing unseen
            unseen += min(passed, LOOK)
        elif state == before and not busy:
            idle += passed
        before = state
        limits = {
            f"{seconds:g} seconds of computing": state[1] + unseen > seconds,
            f"{seconds:g} seconds of doing nothing": idle > seconds,
            f"{HANGS * seconds:g} seconds": last - begin > HANGS * seconds,
            f"more than {memory_mb} MB of memory": memory > memory_mb,
            "an answer that is far too long": len(output) > LARGEST,
        }
        if reasons := [reason for reason, true in limits.items() if true]:
            return output, "it closed the grader's pipe" if closed else f"stopped after {reasons[0]}"
    if process.returncode == -signal.SIGSYS:
        return output, "stopped at a kind of memory that no limit counts: shared between processes, without a file"
    failed = process.returncode or not output
    return output, f"its process ended by itself (code {process.returncode})" if failed else ""


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty folder for one submission, which goes whatever the submission makes in it: folders without rights, or
    thousands inside one another."""
    folder = tempfile.mkdtemp(prefix="grading-")
    try:
        yield Path(folder)
    finally:
        call(["chmod", "-R", "u+rwX", folder], stderr=DEVNULL)
        call(["rm", "-rf", folder], stderr=DEVNULL)


def _start(way: str, folder: Path, task: dict[str, Any], seconds: float, memory_mb: int, pipe: int) -> Popen:
    """A worker that writes to this pipe, in an empty folder."""
    if way == "user":
        os.chown(folder, _user(), _user())  # and to nobody else's eyes: others run beside it
    inside, new_root, scratch = (folder / name for name in ("in", "root", "scratch"))
    for place in (inside, new_root, scratch):
        place.mkdir()
    scratch.chmod(0o777)  # in a folder that nobody else may enter
    shutil.copy(WORKER, inside)
    limits = {
        "RLIMIT_CPU": int(seconds) + 5, "RLIMIT_DATA": memory_mb << 20, "RLIMIT_FSIZE": FILE_MB << 20,
        "RLIMIT_NOFILE": FILES, "RLIMIT_CORE": 0, "RLIMIT_NPROC": TASKS + _tasks(_user() if root() else os.getuid()),
    }  # fmt: skip
    (inside / "task.json").write_text(json.dumps(task | {"limits": limits}), encoding="utf-8")
    for path in (inside, *inside.iterdir()):
        path.chmod(0o755)  # whatever the umask is
    alone = way == "namespaces"
    command = [sys.executable, "-s", inside / "worker.py", inside / "task.json", pipe]
    return Popen(
        [str(part) for part in _around(way, new_root, [inside]) + command],
        stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, pass_fds=[pipe], start_new_session=True,
        cwd="/" if alone else scratch, env=environment("/tmp" if alone else str(scratch)),
    )  # fmt: skip


def used(members: set[psutil.Process], spent: dict[psutil.Process, float]) -> tuple[float, bool]:
    """MB of memory of these processes, and whether one is busy now. `spent` takes in the seconds that each has computed
    so far, and keeps those of the ones that have ended.

    Memory is all but files: their own, and what they share, which no limit of the system counts.
    """
    kb, busy = 0.0, False
    for member in members:
        with suppress(psutil.Error, OSError):
            spent[member] = sum(member.cpu_times()[:2])
            busy |= member.status() in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
            status = Path(f"/proc/{member.pid}/status")
            held = HELD.findall(status.read_text()) if status.exists() else []
            kb += sum(map(int, held)) or member.memory_info().rss / 1024
    return kb / 1024, busy


def _children() -> set[psutil.Process]:
    """What this process, and all that it has started, has started."""
    return set(psutil.Process().children(recursive=True))


def _user() -> int:
    """Of those that no person has; another one in each process of the grader."""
    return 61184 + os.getpid() % 4000


def root() -> bool:
    return os.getuid() == 0


def ways() -> list[str]:
    """The ways for which this system has the programs, the best first. Whether it lets them is found by trying."""
    setpriv = shutil.which("setpriv") is not None
    possible = {"namespaces": setpriv and shutil.which("unshare"), "user": setpriv and root(), "limits": True}
    return [way for way, can in possible.items() if can]


def environment(home: str) -> dict[str, str]:
    """Nothing of the instructor's own environment, where keys and tokens may stand."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "TMPDIR": home, "USER": "student", "LANG": "C.UTF-8",
        "PYTHONPATH": str(HOME), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg",
        "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip


def readable() -> list[Path]:
    """The folders that Python and the course need, none inside another."""
    paths = {Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), HOME / "minrm", HOME / "data"}
    paths |= {Path(place) for place in sys.path if Path(place).name in ("site-packages", "dist-packages")}
    paths |= {path for path in (Path("/bin"), Path("/lib"), Path("/lib64")) if not path.is_symlink()}
    folders = sorted(path for path in paths if path.is_dir())
    return [path for path in folders if not any(other in path.parents for other in folders)]


def _around(way: str, new_root: Path, also: list[Path]) -> list[Any]:
    """The commands in front of Python's."""
    drop = f"--reuid={_user()} --regid={_user()} --clear-groups" if root() else ""
    if way == "user":
        return ["setpriv", *drop.split(), "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    if way == "limits":
        return []
    folders = [*readable(), *also]
    own = [] if root() else ["--user", "--map-root-user"]
    return [*UNSHARE.split(), *own, "sh", ENTER, new_root, drop, len(folders), *folders]


def _tasks(user: int) -> int:
    """How many processes and threads a user has: a limit counts these too."""
    infos = [process.info for process in psutil.process_iter(["uids", "num_threads"])]
    return sum(info["num_threads"] or 1 for info in infos if info["uids"] and info["uids"].real == user)
