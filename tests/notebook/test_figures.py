"""Figures show what their tables hold, with units, intervals and names that can be read."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.notebook import figures
from minrm.notebook.figures import answer_histogram, bars_with_intervals, selection_curves, spread, training_curve
from minrm.notebook.panels import panels
from minrm.notebook.style import INK, SMALLEST, WAYS

COUNTS = [1, 4, 16, 64]


def curve(way, level, counts=COUNTS):
    interval = {"low": level - 0.05, "high": level + 0.1}
    return [{"way": way, "n": n, "mean": level + 0.02 * i} | interval for i, n in enumerate(counts)]


CURVES = [row for i, way in enumerate(WAYS) for row in curve(way, 0.4 + 0.011 * i)]
CURVES += [{"way": "greedy, other model", "n": None, "mean": 0.3, "low": 0.25, "high": 0.35}]
MEANS = {"greedy": 0.5, "PRM": 0.9, "a model": 0.2}
BARS = [{"name": name, "mean": mean, "low": mean - 0.1, "high": mean + 0.1} for name, mean in MEANS.items()]
POINTS = [{"predicted": p, "observed": p - 0.1, "low": p - 0.2, "high": p, "count": 20_000} for p in (0.2, 0.9)]
SPLITS = [(way, split) for way in ("ORM", "PRM") for split in ("train", "held out")]
STEPS = [{"step": s, "way": way, "split": split, "loss": 1 / (1 + s)} for s in range(0, 50, 5) for way, split in SPLITS]
ANSWERS = [{"answer": str(i), "count": 50 - i, "right": i == 14} for i in range(20)]
ANSWERS += [{"answer": None, "count": 3, "right": False}]
PANELS = [row | {"panel": row["way"], "line": line, "x": row["n"]} for row in CURVES[:20] for line in ("right", "good")]

FIGURES = {
    "curves": lambda: selection_curves(CURVES),
    "bars": lambda: bars_with_intervals(BARS),
    "calibration": lambda: figures.calibration_plot(POINTS),
    "training": lambda: training_curve(STEPS),
    "answers": lambda: answer_histogram(ANSWERS),
    "panels": lambda: panels(PANELS, "samples per problem, N (log scale)", "share (%)", log=True),
}


def texts(figure):
    """All text that is drawn; matplotlib also keeps labels for ticks beyond the ends of an axis."""
    figure.draw_without_rendering()
    shown = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in (axes for axes in figure.axes if axes.get_visible()):
        shown += [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in shown if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_named_axes_and_legible_text_that_lies_within(name):
    figure = FIGURES[name]()
    assert figure.texts or all(axes.get_ylabel() or name == "bars" for axes in figure.axes)
    assert figure.texts or figure.axes[-1].get_xlabel()
    width, height = figure.get_size_inches() * figure.dpi
    for text in texts(figure):
        box = text.get_window_extent()
        assert text.get_size() >= SMALLEST, text.get_text()
        assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, text.get_text()


def test_names_at_the_ends_of_ten_close_lines_do_not_overlap():
    figure = selection_curves(CURVES)
    names = {row["way"] for row in CURVES}
    boxes = sorted((t.get_window_extent() for t in texts(figure) if t.get_text() in names), key=lambda box: box.y0)
    assert len(boxes) == len(names)
    assert all(below.y1 <= above.y0 + 1 for below, above in zip(boxes, boxes[1:], strict=False))


def test_curves_draw_the_means_and_the_intervals_of_the_table():
    figure = selection_curves(curve("PRM", 0.6))
    axes = figure.axes[0]
    line = next(line for line in axes.lines if len(line.get_xdata()) == len(COUNTS))
    np.testing.assert_allclose(line.get_xdata(), COUNTS)
    np.testing.assert_allclose(line.get_ydata(), [60, 62, 64, 66])
    assert (line.get_color(), line.get_marker()) == (WAYS["PRM"].colour, WAYS["PRM"].marker)
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((55, 70))
    assert axes.get_xscale() == "log" and list(axes.get_xticks()) == [1, 2, 4, 8, 16, 32, 64]


@pytest.mark.parametrize("kind", [list, pandas.DataFrame])  # pandas writes None as NaN
def test_a_way_without_n_is_a_level_from_edge_to_edge(kind):
    greedy = {"way": "greedy", "n": None, "mean": 0.5, "low": 0.4, "high": 0.6}
    figure = selection_curves(kind([*curve("vote", 0.6), greedy]))
    level = next(line for line in figure.axes[0].lines if line.get_color() == WAYS["greedy"].colour)
    assert tuple(level.get_xdata()) == figure.axes[0].get_xlim()
    assert list(level.get_ydata()) == [50, 50]


def test_four_variants_of_a_way_have_four_lines_and_the_plain_name_has_filled_markers():
    names = ("PRM, minimum", "PRM", "PRM, last", "PRM, mean")
    rows = [row for i, name in enumerate(names) for row in curve(name, 0.5 + 0.1 * i)]
    figure = selection_curves(rows, unit="tokens")
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata()) == len(COUNTS)]
    assert len({line.get_linestyle() for line in drawn}) == len(names)
    filled = [line for line in drawn if line.get_markerfacecolor() == line.get_color()]
    assert [line.get_ydata()[0] for line in filled] == pytest.approx([60])
    assert figure.axes[0].get_xlabel() == "tokens"


def test_bars_say_their_number_and_never_promise_more_than_all():
    figure = bars_with_intervals(BARS)
    written = [text.get_text() for text in texts(figure)]
    assert {"50", "90", "20", "greedy", "PRM", "a model"} <= set(written)
    assert max(figure.axes[0].get_xticks()) <= 100
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([50, 90, 20])


def test_the_right_answer_is_marked_by_more_than_colour_and_kept_when_rare():
    figure = answer_histogram(ANSWERS)
    written = [text.get_text() for text in texts(figure)]
    assert "36  ✓ right answer" in written and "10 others" in written  # the fifteenth of twenty answers
    assert [bool(bar.get_hatch()) for bar in figure.axes[0].patches].count(True) == 1
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == sum(row["count"] for row in ANSWERS)
    assert "none" in [text.get_text() for text in texts(answer_histogram(ANSWERS[-3:]))]


def test_training_tells_the_splits_apart_by_markers():
    lines = [line for line in training_curve(STEPS).axes[0].lines if len(line.get_xdata()) == 10]
    expected = {(WAYS[way].colour, marker) for way in ("ORM", "PRM") for marker in ("None", WAYS[way].marker)}
    assert {(line.get_color(), line.get_marker()) for line in lines} == expected and len(lines) == 4


def test_figures_and_the_readers_own_style_leave_each_other_alone():
    before = dict(mpl.rcParams)
    FIGURES["curves"]()
    assert dict(mpl.rcParams) == before
    with mpl.rc_context({"text.color": "white", "font.size": 5}):
        assert {text.get_color() for text in texts(bars_with_intervals(BARS))} == {INK}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: selection_curves([]), "table is empty"),
        (lambda: selection_curves([{"way": "PRM", "n": 1}]), "row 0 of the table has no mean, low, high; it"),
        (lambda: selection_curves([{"way": "my own", "n": 1, "mean": 0, "low": 0, "high": 0}]), "'my own'"),
        (lambda: selection_curves([{"way": "PRM", "n": None, "mean": 0, "low": 0, "high": 0}]), "no row has a number"),
    ],
)
def test_bad_tables_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_choosing_and_measuring_do_not_load_matplotlib():
    code = "import sys, minrm.selection, minrm.metrics, minrm.notebook.html; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Names at the ends of lines

VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=10).map(sorted)


@given(VALUES, st.floats(0.5, 20))
def test_places_are_apart_and_in_order(values, gap):
    places = spread(values, gap)
    assert len(places) == len(values)
    assert (np.diff(places) >= gap * (1 - 1e-9) - 1e-9).all()


@given(VALUES, st.floats(0.5, 20))
def test_no_other_places_are_nearer(values, gap):
    size, offsets = len(values), gap * np.arange(len(values))
    v = np.array(values) - offsets  # to be `gap` apart is to be rising after the offsets: an isotonic regression,
    expected = [  # of which the least squares are known as the greatest of least means (Robertson et al. 1988)
        max(min(v[a : b + 1].mean() for b in range(i, size)) for a in range(i + 1)) + offsets[i] for i in range(size)
    ]
    np.testing.assert_allclose(spread(values, gap), expected, atol=1e-6)


def test_a_histogram_of_scores_gives_every_kind_the_same_area_whatever_its_number():
    rows = [{"kind": "right", "score": s} for s in (0.9, 0.8, 0.95)] + [{"kind": "wrong", "score": 0.1}] * 40
    figure = figures.score_histogram(rows, bins=10)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["right", "wrong"]
    for patch in figure.axes[0].patches:
        x, y = patch.get_xy().T
        heights = {(a, b): top for a, b, top in zip(x, x[1:], y, strict=False) if b > a and top > 0}
        assert sum(heights.values()) == pytest.approx(100)


def test_chains_are_stacked_by_their_answer_and_the_heaviest_answer_is_on_top():
    rows = [{"answer": "17", "p": 0.3, "right": False}] + [{"answer": "11", "p": 0.1, "right": True}] * 5
    axes = figures.stacked_chains(rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["11", "17"]
    assert len(axes.patches) == 6 and sum(bar.get_width() for bar in axes.patches) == pytest.approx(80)
    assert {text.get_text() for text in axes.texts} == {"5 chains, 50 %  ✓ right", "1 chain, 30 %"}
