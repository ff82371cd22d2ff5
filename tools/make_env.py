"""`make env`: a virtual environment with exactly the versions that build the book, and a torch that the user chose.

`python tools/make_env.py FOLDER [ARGUMENTS]` installs what requirements.txt says, or else what the ARGUMENTS tell pip
(`make compat`). It reads TORCH (a version) and TORCH_ARGS (more arguments for pip, for torch alone)
from the environment. In this order: TORCH if given; the torch that FOLDER has; the torch of the Python that runs
this; DEFAULT_TORCH. Standard library only, and readable by old Pythons, so that they can say what is missing.
"""

import os
import shlex
import subprocess
import sys
from importlib.util import find_spec

DEFAULT_TORCH = "2.13.0"
SUPPORTED = ((3, 11), (3, 13))


def unsupported(version):
    """What to tell someone whose Python is too old or too new; None if it fits. version: (major, minor)."""
    oldest, newest = SUPPORTED
    if oldest <= tuple(version) <= newest:
        return None
    return (
        f"minrm needs Python 3.11, 3.12 or 3.13; this is Python {version[0]}.{version[1]} ({sys.executable}).\n"
        "Choose another one: make env PYTHON=python3.12"
    )


def run(*command):
    print("+ " + " ".join(command), flush=True)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def main(folder, *instead):
    problem = unsupported(sys.version_info[:2])
    if problem:
        print(problem, file=sys.stderr)
        return 2
    chosen = os.environ.get("TORCH", "")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        borrow = not chosen and find_spec("torch") is not None
        run(sys.executable, "-m", "venv", *(["--system-site-packages"] if borrow else []), folder)
    asked = [python, "-c", "import importlib.metadata; importlib.metadata.version('torch')"]
    has_torch = subprocess.run(asked, stderr=subprocess.DEVNULL).returncode == 0
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if chosen or not has_torch:
        run(*pip, f"torch=={chosen or DEFAULT_TORCH}", *shlex.split(os.environ.get("TORCH_ARGS", "")))
    for arguments in (
        [instead] if instead else [("--requirement", "requirements.txt"), ("--no-deps", "--editable", ".")]
    ):
        run(*pip, *arguments)
    with open(os.path.join(folder, ".ready"), "w", encoding="utf-8") as marker:
        marker.write(chosen)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
