"""The table of the page "How this book was run", from `book/run.json`: `python tools/run_table.py > _build/run.md`."""

import json
from pathlib import Path
from typing import Any

Runs = dict[str, dict[str, Any]]


def table(runs: Runs) -> str:
    """Markdown: for each machine with its versions, the chapters that ran there and their minutes."""
    if not runs:
        return "No chapter has been run yet: `make refresh`.\n"
    groups: dict[str, Runs] = {}
    for chapter, run in sorted(runs.items()):
        groups.setdefault(json.dumps([run["machine"], run["versions"]], sort_keys=True), {})[chapter] = run
    return "\n".join(_group(group) for group in groups.values())


def _group(group: Runs) -> str:
    first = next(iter(group.values()))
    machine, versions = first["machine"], first["versions"]
    rows = [f"| [](./{chapter}.ipynb) | {run['minutes']:.1f} |" for chapter, run in group.items()]
    if len(group) > 1:
        rows.append(f"| together | {sum(run['minutes'] for run in group.values()):.1f} |")
    lines = [
        f"On {machine['processor']}, {machine['cores']} cores, {machine['system']}:",
        "",
        "| page | minutes |",
        "|---|--:|",
        *rows,
        "",
        "with " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    run_file = Path("book/run.json")
    runs = json.loads(run_file.read_text(encoding="utf-8")) if run_file.exists() else {}
    # a chapter that was renamed or removed leaves its line behind; the page lists what is there
    print(table({name: run for name, run in runs.items() if Path(f"book/{name}.ipynb").exists()}))
