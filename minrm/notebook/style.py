"""The palette of the course: one colour, marker and line for each way of choosing, on every page.

The colours stay apart under simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009), and have a
contrast of 3:1 with the panel, which is white on every page. Lettering is legible on a telephone of 390 pixels.
"""

from typing import Any, NamedTuple

from minrm.errors import InputError

PANEL, INK, QUIET, OTHER = "#ffffff", "#1a1a1a", "#5f5f5f", "#7d8da6"
WIDTH, SMALLEST = 5.6, 11.0  # inches, points: 11 pt are 9.5 pixels where the figure is 350 pixels wide


class Look(NamedTuple):
    """How one way of choosing looks in every figure."""

    colour: str
    marker: str
    line: Any


WAYS = {
    "direct": Look("#666666", "x", (0, (1, 2))),
    "greedy": Look("#666666", "P", (0, (6, 3))),
    "one sample": Look("#666666", "+", (0, (4, 2, 1, 2))),
    "longest": Look("#666666", "p", (0, (1, 1.5))),
    "vote": Look("#1c51a9", "o", "-"),
    "weighted vote": Look("#1672dc", "h", (0, (5, 1.5))),
    "likelihood": Look("#ce7900", "v", (0, (1, 1))),
    "ORM": Look("#b93f13", "s", "-"),
    "PRM": Look("#00a874", "^", "-"),
    "Bradley–Terry": Look("#af82c5", "D", "-"),
    "exact checker": Look("#1a1a1a", "X", "-"),
    "pass@N": Look("#000000", "*", (0, (2, 1.5))),
}

STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": SMALLEST, "axes.labelsize": SMALLEST, "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST, "legend.fontsize": SMALLEST, "axes.titlesize": SMALLEST + 1, "text.color": INK,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": QUIET, "figure.facecolor": PANEL,
    "axes.facecolor": PANEL, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": "#e2e2e2", "grid.linewidth": 0.8, "lines.linewidth": 1.8,
    "lines.markersize": 6, "hatch.linewidth": 0.8, "figure.constrained_layout.w_pad": 0.09,
}  # fmt: skip


def look_of(name: str) -> Look:
    """The look of a way of choosing; a longer name ("PRM, minimum") has the look of the way that it begins with."""
    known = [way for way in WAYS if name == way or name.startswith((way + " ", way + ","))]
    if not known:
        raise InputError(f"no way of choosing is called {name!r}; a name begins with one of: {', '.join(WAYS)}")
    return WAYS[max(known, key=len)]
