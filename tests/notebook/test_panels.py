"""Small multiples draw what their table holds, named and legible."""

import numpy as np
import pytest

from minrm.errors import InputError
from minrm.notebook.panels import panels
from minrm.notebook.style import SMALLEST, WAYS

X = [1, 4, 16, 64, 256]


def rows(panel, line, level):
    return [
        {"panel": panel, "line": line, "x": x, "mean": level + i / 50, "low": level - 0.05, "high": level + 0.2}
        for i, x in enumerate(X)
    ]


TABLE = [
    row
    for i, panel in enumerate(("ORM", "ORM, few labels", "PRM, few labels"))
    for k, line in enumerate(("right", "every step good", "the proxy's own score"))
    for row in rows(panel, line, 0.2 + 0.1 * i + 0.2 * k)
]


def test_each_panel_draws_its_lines_and_intervals_in_the_colour_of_its_way():
    figure = panels(TABLE, "N", "share (%)", log=True)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["ORM", "ORM, few labels", "PRM, few labels"]
    for i, axes in enumerate(shown):
        for k, line in enumerate(axes.lines):
            np.testing.assert_allclose(line.get_xdata(), X)
            np.testing.assert_allclose(line.get_ydata(), 100 * (0.2 + 0.1 * i + 0.2 * k + np.arange(5) / 50))
        box = axes.collections[0].get_paths()[0].get_extents()
        assert (box.y0, box.y1) == pytest.approx((100 * (0.15 + 0.1 * i), 100 * (0.4 + 0.1 * i)))
        assert axes.lines[0].get_color() == WAYS["PRM" if i == 2 else "ORM"].colour


def test_lines_differ_by_more_than_colour_and_are_named_above():
    figure = panels(TABLE, "N", "share (%)", log=True)
    looks = {
        (str(line.get_linestyle()), line.get_marker(), line.get_markerfacecolor()) for line in figure.axes[0].lines
    }
    assert len(looks) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["right", "every step good", "the proxy's own score"]


def test_text_is_legible_and_lies_within_the_figure():
    figure = panels(TABLE, "samples per problem, N (log scale)", "share (%)", log=True)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    ticks = [t.label1 for a in figure.axes for t in a.xaxis.get_major_ticks() if a.get_visible()]
    titles = [a.title for a in figure.axes if a.get_visible()]
    texts = [*titles, *figure.legends[0].get_texts(), *figure.texts, *ticks]
    for text in [text for text in texts if text.get_text()]:
        box = text.get_window_extent()
        assert text.get_size() >= SMALLEST, text.get_text()
        assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, text.get_text()
    boxes = sorted((title.get_window_extent() for title in titles[:2]), key=lambda box: box.x0)
    assert boxes[0].x1 < boxes[1].x0


def test_a_data_frame_draws_like_a_list():
    pandas = pytest.importorskip("pandas")
    drawn = [
        [line.get_ydata().tolist() for axes in panels(table, "N", "share").axes for line in axes.lines]
        for table in (TABLE, pandas.DataFrame(TABLE))
    ]
    assert drawn[0] == drawn[1]


def test_an_empty_table_and_too_many_lines_are_refused():
    with pytest.raises(InputError, match="0 kinds of lines in 0 rows"):
        panels([], "N", "share")
    with pytest.raises(InputError, match="4 kinds of lines"):
        panels([row for name in "abcd" for row in rows("ORM", name, 0.1)], "N", "share")
