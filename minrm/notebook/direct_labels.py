"""Names at the ends of lines, in place of a legend, moved apart where they would overlap."""

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minrm.notebook.style import SMALLEST, Look


class LineEnd(NamedTuple):
    """The value at which a line ends, its name and look; face: the fill of its marker, None for a line without."""

    value: float
    name: str
    look: Look
    face: str | None


def name_line_ends(figure: Figure, axes: Axes, ends: list[LineEnd]) -> None:
    """Write each name beside the end of its line, moved up or down until no two overlap, joined by a thin line."""
    figure.draw_without_rendering()  # settles the layout, so that points turn into the axis' unit
    bottom, top = axes.get_ylim()
    gap = 1.3 * SMALLEST * figure.dpi / 72 * (top - bottom) / axes.get_window_extent().height
    ends = sorted(ends, key=lambda end: end.value)
    edge = axes.get_yaxis_transform()
    for end, y in zip(ends, spread([end.value for end in ends], gap), strict=True):
        options: Any = {"color": end.look.colour, "transform": edge, "clip_on": False}
        axes.plot([1.0, 1.035], [end.value, y], lw=1.2, **options)
        axes.plot([1.055], [y], marker=end.look.marker if end.face else "_", markerfacecolor=end.face, **options)
        axes.text(1.085, y, end.name, transform=edge, va="center_baseline")
    axes.set_ylim(bottom, top)


def spread(values: list[float], gap: float) -> list[float]:
    """Positions at least `gap` apart and as near as can be to the rising values (neighbours move as one block)."""
    blocks: list[list[float]] = []  # [sum of (value - offset within the block), size]
    for value in values:
        blocks.append([value, 1])
        while len(blocks) > 1:
            (below, n), (above, m) = blocks[-2:]
            if above / m - below / n >= gap * (n + m) / 2 - 1e-12 * gap:
                break
            blocks[-2:] = [[below + above, n + m]]
    return [total / size + gap * (i - (size - 1) / 2) for total, size in blocks for i in range(int(size))]
