"""Small multiples: a few lines for each proxy, panel beside panel, so that their shapes can be compared."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from minrm.errors import InputError
from minrm.notebook.figures import in_our_style, log2_axis, table_rows
from minrm.notebook.style import INK, PANEL, QUIET, STYLE, WIDTH, look_of

LINES: tuple[dict[str, Any], ...] = (  # the first, second and third line, in the colour of the panel's way
    {"ls": "-"},
    {"ls": ":", "markerfacecolor": PANEL},
    {"ls": (0, (5, 2)), "marker": "", "color": QUIET},
)


@in_our_style
def panels(table: Any, xlabel: str, ylabel: str, log: bool = False) -> Figure:
    """One panel for each `panel` of the table, two in a row, with up to three lines in each and their intervals.

    Rows: panel (a name that begins with a way of choosing), line, x, mean, low, high (shares from 0 to 1).
    """
    rows = table_rows(table, "panel", "line", "x", "mean", "low", "high")
    names, lines = (list(dict.fromkeys(row[key] for row in rows)) for key in ("panel", "line"))
    if len(lines) > len(LINES):
        raise InputError(f"the table has {len(lines)} kinds of lines; a panel has one to {len(LINES)}")
    height = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 0.9 + 2.25 * height), layout="constrained")
    grid = np.ravel(figure.subplots(height, 2, sharex=True, sharey=True, squeeze=False))
    x = [row["x"] for row in rows]
    for axes, name in zip(grid, names, strict=False):
        _draw(axes, name, [row for row in rows if row["panel"] == name], lines)
        if log:
            log2_axis(axes, [4**k for k in range(12) if min(x) <= 4**k <= max(x)])
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(xlabel, fontsize=STYLE["font.size"])
    figure.supylabel(ylabel, fontsize=STYLE["font.size"])
    handles = [Line2D([], [], **{"color": INK, "marker": "o"} | line) for line in LINES[: len(lines)]]
    figure.legend(handles, lines, loc="outside upper center", ncols=len(lines), frameon=False, handlelength=2.4)
    return figure


def _draw(axes: Axes, name: str, rows: list[dict[str, Any]], lines: list[str]) -> None:
    look = look_of(name)
    for line, options in zip(lines, LINES, strict=False):
        points = sorted((row for row in rows if row["line"] == line), key=lambda row: row["x"])
        x = [row["x"] for row in points]
        mean, low, high = (100 * np.array([row[key] for row in points], dtype=float) for key in ("mean", "low", "high"))
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker} | options
        axes.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)
        axes.plot(x, mean, **style)
    axes.set_title(name)
