"""The running half of the notebook gate: nbval executes a chapter against its stored outputs.

`python tools/prove_notebook.py book/01_x.ipynb STAMP` writes STAMP when every cell came out as stored; otherwise it
prints nbval's report, writes the failing cells to STAMP.failed, and exits 1. Refreshing uses the same environment.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import notebooks

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"
CELL_TIMEOUT = 1800  # seconds

# What must be the same where outputs are stored and where they are compared. A deprecation says something about a
# version, not about the chapter, and tqdm that widgets are missing, which no page shows; every other warning shows.
# The default world needs no download: the gate proves it. Waiting threads sleep, so that a busy machine stays usable.
QUIET = ["ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::FutureWarning"]
ENVIRONMENT = {
    "PYTHONWARNINGS": ",".join([*QUIET, "ignore:IProgress not found"]),
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "COLUMNS": "80",
}


def prove(chapter: Path) -> tuple[list[str], str]:
    """Run `chapter` under nbval. Returns the failing cells as "[3]", their execution count (none: all as stored), and
    nbval's report.
    """
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={SANITIZE}"]
    options += [f"--nbval-cell-timeout={CELL_TIMEOUT}", "-q", "-rf", "--color=no", "--tb=short", "--no-header"]
    options += ["-o", "addopts=", "-o", "timeout=0", "-p", "no:cacheprovider"]
    chapter = chapter.resolve()
    # the chapter's folder is the root: a chapter can be proven wherever it lies, and no conftest is picked up
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(chapter.parent), "--noconftest", chapter.name]
    done = subprocess.run(
        command,
        cwd=chapter.parent,
        env=os.environ | ENVIRONMENT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    report = done.stdout
    code = [cell for cell in notebooks.read(chapter)["cells"] if cell["cell_type"] == "code"]
    numbers = re.findall(r"^FAILED .*::Cell (\d+)\b", report, re.MULTILINE)
    failing = [f"[{code[int(number)]['execution_count']}]" for number in numbers]
    if done.returncode and not failing:
        failing = ["nbval could not run"]
    return failing, report


def main(chapter: Path, stamp: Path) -> int:
    failed = stamp.with_suffix(".failed")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    for before in (stamp, failed):
        before.unlink(missing_ok=True)
    began = time.monotonic()
    failing, report = prove(chapter)
    minutes = (time.monotonic() - began) / 60
    if failing:
        print(report)
        summary = f"✗ {chapter}: not as stored: {', '.join(failing)}"
        failed.write_text(summary + "\n", encoding="utf-8")
        print(summary)
        return 1
    stamp.write_text(f"{minutes:.1f} minutes\n", encoding="utf-8")
    print(f"✓ {chapter}: every cell as stored ({minutes:.1f} min)")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
