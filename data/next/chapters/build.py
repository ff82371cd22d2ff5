"""The chapters' notebooks from their texts here, into book/: python data/next/chapters/build.py

Cells begin with `%% md`, `%% code TAG,TAG`, or `%% install` for the cell that installs the course, the same in all
notebooks. Nothing is executed; `make refresh` does that, chapter by chapter.
"""

import json
import re
from copy import deepcopy
from pathlib import Path

HERE = Path(__file__).parent
BOOK = HERE.parents[2] / "book"
CHAPTERS = [
    "01_chain_of_thought", "02_self_consistency", "04_outcome_reward_model", "05_process_reward_model",
    "06_bradley_terry", "07_best_of_n", "08_when_rewards_go_wrong", "09_search_with_a_process_reward_model",
    "10_training_against_a_reward",
]  # fmt: skip


def build(name: str, pattern: dict) -> dict:
    """The notebook of a chapter, with metadata and the install cell of another notebook."""
    install = next(cell for cell in pattern["cells"] if cell["cell_type"] == "code")
    text, cells = (HERE / f"{name[:2]}.txt").read_text(encoding="utf-8"), []
    for part in re.split(r"^%% ", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        kind, *tags = head.split()
        cell = {"cell_type": "markdown" if kind == "md" else "code", "id": f"ch{int(name[:2])}-{len(cells) + 1:02}"}
        source = install["source"] if kind == "install" else body.strip("\n").splitlines(keepends=True)
        cell |= {"source": source, "metadata": {"tags": tags[0].split(",")} if tags else {}}
        cells.append(cell if kind == "md" else cell | {"execution_count": None, "outputs": []})
    metadata = deepcopy(pattern["metadata"])
    metadata.pop("minrm", None)  # the seal of its outputs
    return pattern | {"cells": cells, "metadata": metadata}


if __name__ == "__main__":
    pattern = json.loads((BOOK / "03_steps_and_tokens.ipynb").read_text(encoding="utf-8"))
    for name in CHAPTERS:
        text = json.dumps(build(name, pattern), indent=1, sort_keys=True, ensure_ascii=False)
        (BOOK / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
