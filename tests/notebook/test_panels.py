"""Small multiples draw what their table holds, named and legible."""

import numpy as np
import pytest

from minrm.errors import InputError
from minrm.notebook.panels import panels
from minrm.notebook.style import WAYS

X = [1, 4, 16, 64, 256]
PANELS, LINES = ("ORM", "ORM, few labels", "PRM, few labels"), ("right", "every step good", "the proxy's own score")


def rows(panel, line, level):
    interval = {"low": level - 0.05, "high": level + 0.2}
    return [{"panel": panel, "line": line, "x": x, "mean": level + i / 50} | interval for i, x in enumerate(X)]


TABLE = [
    row for i, p in enumerate(PANELS) for k, name in enumerate(LINES) for row in rows(p, name, (2 + i + 2 * k) / 10)
]


def test_each_panel_draws_its_lines_and_intervals_in_the_colour_of_its_way():
    figure = panels(TABLE, "N", "share (%)", log=True)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == [*PANELS]
    for i, axes in enumerate(shown):
        for k, line in enumerate(axes.lines):
            np.testing.assert_allclose(line.get_xdata(), X)
            np.testing.assert_allclose(line.get_ydata(), 100 * (0.2 + 0.1 * i + 0.2 * k + np.arange(5) / 50))
        box = axes.collections[0].get_paths()[0].get_extents()
        assert (box.y0, box.y1) == pytest.approx((100 * (0.15 + 0.1 * i), 100 * (0.4 + 0.1 * i)))
        assert axes.lines[0].get_color() == WAYS["PRM" if i == 2 else "ORM"].colour


def test_lines_differ_by_more_than_colour_and_are_named_above():
    figure = panels(TABLE, "N", "share (%)", log=True)
    lines = figure.axes[0].lines
    assert len({(str(line.get_linestyle()), line.get_marker(), line.get_markerfacecolor()) for line in lines}) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*LINES]


def test_an_empty_table_and_too_many_lines_are_refused():
    with pytest.raises(InputError, match="table is empty"):
        panels([], "N", "share")
    with pytest.raises(InputError, match="4 kinds of lines"):
        panels([row for name in "abcd" for row in rows("ORM", name, 0.1)], "N", "share")
