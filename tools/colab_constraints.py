"""Google Colab's list of installed packages as constraints for pip: what `tests/colab-constraints.txt` is made by.

`python tools/colab_constraints.py pip-freeze.gpu.txt DATE > tests/colab-constraints.txt`, with the list that Google
publishes in the repository googlecolab/backend-info, and the date of that version. Standard library only.
"""

import re
import sys
from pathlib import Path

PINNED = re.compile(r"([\w.-]+)==([^\s+]+)(\+\S+)?")
HEAD = """\
# What Google Colab's GPU runtime has installed, as constraints for pip: pip install --constraint FILE …
# Made by tools/colab_constraints.py from pip-freeze.gpu.txt of googlecolab/backend-info ({date}).
# Cut off, since no package index has them: the local labels ({labels}), which tell builds of one version apart.
# Left out, since a constraint is a name and a version: what was installed from an address or a file
# ({left}).
"""


def constraints(frozen: str, date: str) -> str:
    """The list as constraints, with a head that says what was left out. frozen: what `pip freeze` printed."""
    lines = [line for line in frozen.splitlines() if line.strip() and not line.startswith("#")]
    pinned = {line: PINNED.fullmatch(line) for line in lines}
    left = ", ".join(re.split(r"[ =]", line)[0] for line, match in pinned.items() if match is None)
    found = [match for match in pinned.values() if match]
    labels = ", ".join(sorted({match[3] for match in found if match[3]}))
    kept = "".join(f"{match[1]}=={match[2]}\n" for match in found)
    return HEAD.format(date=date, labels=labels or "none", left=left or "none") + kept


if __name__ == "__main__":
    sys.stdout.write(constraints(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2]))
