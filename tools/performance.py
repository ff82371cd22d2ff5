"""The measured part of the page "Fast, and measured", from what `make bench` wrote.

`python tools/performance.py > _build/performance.md`: a table of minrm beside the usual ways, the figure of growth, the
imports, and for each machine what was measured there, and when.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

RESULTS = Path("tests/bench/results.json")
AIMS = {  # of a work, against each other way: by how much faster, and how much of its memory at most
    "P1": {"usual": "≥ 35×, ≤ 1/3 of the memory"}, "P2": {"usual": "≥ 3.5×, ≤ 1/10 of the memory"},
    "P3": {"usual": "≥ 1.3×, ≤ 1/2 of the memory"}, "P4": {"usual": "not slower"},
    "P5": {"usual": "≥ 1,000×", "shuffles": "≥ 70×"}, "P6": {"usual": "≥ 25×"}, "P7": {"usual": "≥ 2×"},
}  # fmt: skip
LOOKS = {"score": ("#1c51a9", "o"), "prepare": ("#00a874", "^"), "evaluate": ("#b93f13", "s")}
Results = dict[str, dict[str, Any]]


def page(results: Results) -> str:
    """Markdown of all that was measured; where nothing was, how to."""
    if not results:
        return "Nothing has been measured on this machine yet: `make bench`.\n"
    parts = [beside(results), growth(results.get("P8")), imports(results.get("P10")), machines(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def beside(results: Results) -> str:
    """A table with a line for each usual way that minrm was measured against."""
    lines = ["| | work and usual way | minrm | usual | faster | peak memory | aim |", "|---|---|--:|--:|--:|--:|---|"]
    for name, result in results.items():
        ours = result.get("ways", {}).get("minrm")
        for way, other in result.get("ways", {}).items():
            if way == "minrm":
                continue
            part = f" ({other['part']:.2%} of it, scaled up)" if "part" in other else ""
            ratio = other["ratio"]
            cells = [
                name,
                f"{result['what']}; usual: {other['how']}{part}",
                time(ours["seconds"]),
                time(other["seconds"]),
                f"**{number(ratio['median'])}×** ({number(ratio['min'])} to {number(ratio['max'])})",
                f"{ours['peak_gb']:.2f} GB, usual {other['peak_gb']:.2f}",
                AIMS.get(name, {}).get(way, ""),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else ""


def growth(result: dict[str, Any] | None) -> str:
    """The table and the figure of growth, the slopes in its names."""
    if not result:
        return ""
    from minrm.notebook.html import image

    series = result["series"]
    lines = ["| task | rows | seconds | peak memory |", "|---|--:|--:|--:|"]
    for task, of_task in series.items():
        for point in of_task["points"]:
            lines.append(f"| {task} | {point['rows']:,} | {point['seconds']:.2f} | {point['peak_gb']:.3f} GB |")
    slopes = ", ".join(f"{task} {of_task['slope']:.2f}" for task, of_task in series.items())
    alt = f"Seconds and peak memory against the number of rows, both axes on a log scale. Slopes of time: {slopes}."
    table = "<details><summary>The table behind the figure</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
    return f"{image(growth_figure(series), alt)}\n\n{table}"


def growth_figure(series: dict[str, Any]) -> Figure:
    """Seconds above, memory below, against the number of rows."""
    from minrm.notebook.style import STYLE, WIDTH

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, value, label in zip(panels, ("seconds", "peak_gb"), ("seconds", "peak memory (GB)"), strict=True):
            for task, of_task in series.items():
                colour, marker = LOOKS[task]
                x, y = zip(*((point["rows"], point[value]) for point in of_task["points"]), strict=True)
                axes.plot(x, y, color=colour, marker=marker)
                name = f"{task}, slope {of_task['slope']:.2f}" if value == "seconds" else task
                axes.annotate(name, (x[-1], y[-1]), (7, 0), textcoords="offset points", va="center", color=colour)
            axes.set(xscale="log", ylabel=label)
            axes.margins(x=0.05)
        panels[0].set_yscale("log")
        panels[1].set_xlabel("rows (log scale)")
        return figure


def imports(result: dict[str, Any] | None) -> str:
    """A table of the times until a command or an import is there."""
    if not result:
        return ""
    lines = ["| in a fresh interpreter | seconds | loads torch |", "|---|--:|---|"]
    for call, values in result["calls"].items():
        taken = values["seconds"]
        spread = f"{taken['median']:.2f} ({taken['min']:.2f} to {taken['max']:.2f})"
        lines.append(f"| `{call}` | {spread} | {'yes' if values['loads torch'] else 'no'} |")
    return "\n".join(lines)


def machines(results: Results) -> str:
    """On which machine, with which versions and when each work was measured."""
    groups: dict[str, list[str]] = {}
    for name, result in results.items():
        machine, versions = result["machine"], result["versions"]
        where = f"on {machine['processor']}, {machine['cores']} cores, {machine['system']}, with "
        where += ", ".join(f"{package} {version}" for package, version in versions.items())
        groups.setdefault(f"{where}, on {result['date']}", []).append(name)
    return "\n".join(f"- {', '.join(names)}: {where}." for where, names in groups.items())


def time(seconds: float) -> str:
    """Seconds, or hours where there are many."""
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{number(seconds)} s"


def number(value: float) -> str:
    """Three digits, and no decimals from one hundred on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}))
