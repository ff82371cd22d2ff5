"""Small multiples: the same few lines for each proxy, panel beside panel, so that their shapes can be compared.

Tables come in (a pandas DataFrame or a list of dicts), one matplotlib figure goes out, in the palette of `plots.py`.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from minrm.errors import InputError
from minrm.notebook.style import INK, PANEL, QUIET, STYLE, WIDTH, way_of

LOOKS: tuple[dict[str, Any], ...] = (  # of the first, second and third line, in the colour of the panel's way
    {"ls": "-"},
    {"ls": ":", "markerfacecolor": PANEL},
    {"ls": (0, (5, 2)), "marker": "", "color": QUIET},
)


def panels(table: Any, xlabel: str, ylabel: str, log: bool = False) -> Figure:
    """One panel for each `panel` of the table, two in a row, with up to three lines in each and their intervals.

    Rows: panel (a name that begins with a way of choosing), line, x, mean, low, high; shares are drawn in per cent. The
    lines' names, in their order in the table, stand above all panels: there is no room inside. log: x on a log scale.
    Raises InputError for an empty table, or more than three lines.
    """
    rows = table.to_dict("records") if hasattr(table, "to_dict") else list(table)
    names, lines = (list(dict.fromkeys(row[key] for row in rows)) for key in ("panel", "line"))
    if not 1 <= len(lines) <= len(LOOKS):
        raise InputError(f"{len(lines)} kinds of lines in {len(rows)} rows; a panel has one to {len(LOOKS)}")
    height = -(-len(names) // 2)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 2.25 * height), layout="constrained")
        grid = np.ravel(figure.subplots(height, 2, sharex=True, sharey=True, squeeze=False))
        for axes, name in zip(grid, names, strict=False):
            _draw(axes, name, [row for row in rows if row["panel"] == name], lines)
            if log:
                _log_scale(axes, [row["x"] for row in rows])
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        figure.supxlabel(xlabel, fontsize=STYLE["font.size"])
        figure.supylabel(ylabel, fontsize=STYLE["font.size"])
        handles = [Line2D([], [], **{"color": INK, "marker": "o"} | look) for look in LOOKS[: len(lines)]]
        figure.legend(handles, lines, loc="outside upper center", ncols=len(lines), frameon=False, handlelength=2.4)
        return figure


def _draw(axes: Axes, name: str, rows: list[dict[str, Any]], lines: list[str]) -> None:
    way = way_of(name)
    for line, look in zip(lines, LOOKS, strict=False):
        own = sorted((row for row in rows if row["line"] == line), key=lambda row: row["x"])
        x = [row["x"] for row in own]
        mean, low, high = (100 * np.array([row[key] for row in own], dtype=float) for key in ("mean", "low", "high"))
        style: dict[str, Any] = {"color": way.colour, "marker": way.marker} | look
        axes.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)
        axes.plot(x, mean, **style)
    axes.set_title(name)


def _log_scale(axes: Axes, x: list[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([4**k for k in range(12) if min(x) <= 4**k <= max(x)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
