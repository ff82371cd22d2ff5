"""P10: how long a fresh interpreter takes to show the help and to import, and whether that loads torch."""

import subprocess
import sys
import time
from typing import Any

from bench.measuring import ROUNDS, spread

CALLS = {
    "minrm --help": "import sys; from minrm.cli.__main__ import main; sys.argv = ['minrm', '--help']; main()",
    "import minrm": "import minrm",
    "from minrm import best_of_n": "from minrm import best_of_n",
}


def p10(size: str) -> dict[str, Any]:
    """Seconds of each call (median, minimum, maximum), and whether torch is loaded after it."""
    calls: dict[str, Any] = {}
    for name, code in CALLS.items():
        times = []
        for _ in range(2 * ROUNDS[size]):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
        ask = f"import atexit, os, sys; atexit.register(lambda: os._exit(7 if 'torch' in sys.modules else 0)); {code}"
        loaded = subprocess.run([sys.executable, "-c", ask], stdout=subprocess.DEVNULL).returncode == 7
        calls[name] = {"seconds": spread(times), "loads torch": loaded}
    return {"what": "help and imports in a fresh interpreter", "calls": calls}
