"""The untrusted end: runs the cells of a submission, then tells what its function returns for some arguments.

Started by `sandbox.py` as a script of its own, beside nothing of the kit. It knows no expectation, so there is none to
be read here, and a forged answer is judged like any other. Answers go out as JSON through a pipe of their own, so that
what a submission prints is not mistaken for one.
"""

import ast
import ctypes
import errno
import json
import os
import platform
import re
import resource
import struct
import sys
import traceback
from contextlib import suppress

LONGEST = 600  # characters of a message
LARGEST = 200_000  # elements of a tensor
NEEDED = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
TIMED = re.compile(r"\s*%%(time|timeit|capture)\b.*")  # what follows is Python, as in a cell without it
SHELL = re.compile(r"^(\s*)([%!].*|\?+[\w.]+|[\w.]+\?+)\s*$")  # %magic, !command, name?
# System calls that no hand-in needs, with their numbers on x86_64 and aarch64: memory that no process is charged with,
KEYCTL = (250, 219)
DENIED = {
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "mq_open": (240, 180), "io_uring_setup": (425, 425), "userfaultfd": (323, 282),
    # keys of the user who grades, the network (all that is left of it), file systems and users of its own,
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": KEYCTL, "socket": (41, 198), "socketpair": (53, 199),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "bpf": (321, 280), "perf_event_open": (298, 241),
    # and other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "tkill": (200, 130),
    "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
}  # fmt: skip
# these only where they are for the process that calls, or its group
OWN = {"kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261)}
CLONE, CLONE3, MMAP = (56, 220), (435, 435), (9, 222)
NEW_NAMESPACES = 0x7E020000  # the flags with which `clone` makes them
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which number it is above, and its name in a filter


def run_cells(cells, namespace, function):
    """Run each cell as far as it goes, as a notebook would. Returns what stopped: [[cell, message], …].

    Of what comes after the last definition of the function only functions, classes and imports are needed: another
    training there would use up the time. Where no cell defines it, all cells are run.
    """
    stopped = []
    defines = re.compile(rf"^(def {function}\b|{function}\s*[:=])", re.MULTILINE)
    last = max((index for index, (_, source) in enumerate(cells) if defines.search(source)), default=len(cells))
    for index, (name, source) in enumerate(cells):
        source = TIMED.sub("", source, count=1) if TIMED.match(source) else source
        if source.lstrip().startswith("%%"):
            continue
        try:
            tree = python(source)
            if index > last:
                tree.body = [part for part in tree.body if isinstance(part, NEEDED)]
            exec(compile(tree, f"<cell {name}>", "exec"), namespace)
        except BaseException as error:  # sys.exit in a cell ends the cell, not the grading
            stopped.append([name, "".join(traceback.format_exception_only(error)).strip()[:LONGEST]])
    return stopped


def python(source):
    """The cell as Python; if it is none, without the lines that are for the notebook (`pass`: they may be indented)."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse("\n".join(SHELL.sub(r"\1pass", line) for line in source.splitlines()))


def pack(value):
    """A tensor, or what JSON can hold, to be told in JSON; of anything else the name of its type."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor) and value.numel() <= LARGEST and not value.is_complex():
        return {"tensor": [str(value.dtype).removeprefix("torch."), list(value.shape), value.tolist()]}
    if isinstance(value, np.ndarray | np.generic) and value.size <= LARGEST:
        value = value.tolist()
    with suppress(TypeError, ValueError, RecursionError):
        plain = [each.item() if isinstance(each, np.generic) else each for each in value] if listed(value) else value
        if len(told := json.dumps(plain)) <= 10 * LARGEST:
            return {"plain": json.loads(told)}
    return {"type": type(value).__name__}


def listed(value):
    return isinstance(value, list | tuple | set | frozenset | range)


def unpack(told):
    """What `pack` was given: a tensor, or what JSON can hold. Raises KeyError for anything else."""
    import torch

    if "tensor" in told:
        dtype, shape, values = told["tensor"]
        return torch.tensor(values, dtype=getattr(torch, dtype)).reshape(shape)
    return told["plain"]


def answer(function, arguments):
    """What a function returns for packed arguments, packed; `arguments` are these afterwards."""
    given = [unpack(each) for each in arguments]
    try:
        reply = pack(function(*given))
    except BaseException as error:
        reply = {"raised": [type(error).__name__, str(error)[:LONGEST]]}
    return reply | {"arguments": [pack(each) for each in given]}


def restrict(limits):
    """Take from this process, for good, what no hand-in needs: keys, many system calls, what is beyond the limits."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if the machine's memory ends, this process goes first
    for kind, most in limits.items():
        with suppress(AttributeError, ValueError, OSError):  # one that the system does not know, or has set lower
            resource.setrlimit(getattr(resource, kind), (most, most))
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return
    which, machine = MACHINES[platform.machine()]
    libc = ctypes.CDLL(None)
    libc.syscall(KEYCTL[which], 1, None)  # join a new session keyring: the instructor's holds keys
    program = call_filter(which, machine, os.getpid())
    code = ctypes.create_string_buffer(program)
    told = ctypes.create_string_buffer(struct.pack("HP", len(program) // 8, ctypes.addressof(code)))
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    libc.prctl(22, 2, told, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def call_filter(which, machine, pid):
    """A program for the kernel (seccomp, in classic BPF) that answers the calls above with "not permitted".

    Memory that processes share without a file ends the process: no other trace of it is left once it is unmapped.
    """
    load, equal, greater, any_bit, end = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, deny, unknown, kill = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (end, 0, 0, deny), (load, 0, 0, 0)]  # the calls of 32 bits differ
    steps += [(greater, 0, 1, 0x40000000), (end, 0, 0, deny)]  # so do those of x32
    steps += [(equal, 0, 1, CLONE3[which]), (end, 0, 0, unknown)]  # its flags cannot be seen; then `clone` is used
    for numbers in DENIED.values():
        steps += [(equal, 0, 1, numbers[which]), (end, 0, 0, deny)]
    for numbers in OWN.values():
        steps += [(equal, 0, 5, numbers[which]), (load, 0, 0, 16), (equal, 2, 0, 0), (equal, 1, 0, pid)]
        steps += [(end, 0, 0, deny), (end, 0, 0, allow)]
    steps += [(equal, 0, 3, CLONE[which]), (load, 0, 0, 16), (any_bit, 0, 1, NEW_NAMESPACES), (end, 0, 0, deny)]
    steps += [(load, 0, 0, 0), (equal, 0, 4, MMAP[which]), (load, 0, 0, 40), (any_bit, 0, 2, 0x20), (any_bit, 0, 1, 1)]
    steps += [(end, 0, 0, kill)]  # MAP_ANONYMOUS and MAP_SHARED
    return b"".join(struct.pack("HBBI", *step) for step in [*steps, (end, 0, 0, allow)])


def main(task, pipe):
    restrict(task["limits"])
    os.set_inheritable(pipe, False)  # a process that the submission starts has no part in the talk
    namespace = {"__name__": "__main__", "display": lambda *shown, **options: None}
    stopped = run_cells(task["cells"], namespace, task["function"])
    function = namespace.get(task["function"])
    answers = []
    for arguments in task["calls"] if callable(function) else []:
        answers.append(answer(function, arguments))
        if "raised" in answers[-1]:  # no test goes on behind it
            break
    with os.fdopen(pipe, "w", encoding="utf-8") as out:
        json.dump({"stopped": stopped[:20], "answers": answers}, out)
    os._exit(0)  # whatever else the submission has begun: threads, exit handlers


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        task = json.load(file)
    main(task, int(sys.argv[2]))
