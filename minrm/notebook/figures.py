"""Every figure of the course, drawn in the one palette from the table that is printed above it.

A table is a pandas DataFrame or a list of dicts; `minrm.notebook.html.show` puts a figure on a page. Names stand at the
ends of lines, intervals are bands or bars, and every axis names its unit.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from minrm.errors import InputError
from minrm.notebook.style import INK, OTHER, PANEL, QUIET, SMALLEST, STYLE, WAYS, WIDTH, Look, look_of

VARIANT_LINES = (":", "--", "-.")  # of further curves that share a look
in_our_style = mpl.rc_context(STYLE)  # a decorator; the reader's own figures keep their style


@in_our_style
def selection_curves(table: Any, unit: str = "samples per problem, N (log scale)") -> Figure:
    """Accuracy against N. Rows: way, n (None: a level without samples), mean, low, high (shares from 0 to 1).

    Further ways with one look, such as "PRM, minimum" beside "PRM", have open markers and other lines.
    """
    rows = table_rows(table, "way", "n", "mean", "low", "high")
    counts = sorted({int(row["n"]) for row in rows if not _absent(row["n"])})
    if not counts:
        raise InputError("no row has a number of samples n; a curve needs some")
    figure, axes = _figure(4.3)
    powers = [2**k for k in range(counts[-1].bit_length()) if counts[0] <= 2**k <= counts[-1]]
    log2_axis(axes, powers[:: 1 + len(powers) // 8] or [counts[0]])
    axes.set_xlim(counts[0] / 1.1, counts[-1])
    ends: list[LineEnd] = []
    curves = _grouped(rows, "way")
    shade = 0.14 if len(curves) < 6 else 0.09
    for (name,), curve in sorted(curves.items(), key=lambda item: item[0][0] not in WAYS):  # plain names: filled marks
        look = look_of(name)
        variant = [end.look for end in ends].count(look)
        curve = sorted(curve, key=lambda row: 0 if _absent(row["n"]) else row["n"])
        level = _absent(curve[0]["n"])
        x = list(axes.get_xlim()) if level else [row["n"] for row in curve]
        mean, low, high = (np.resize([100 * row[k] for row in curve], len(x)) for k in ("mean", "low", "high"))
        axes.fill_between(x, low, high, color=look.colour, alpha=0.07 if level else shade, linewidth=0)
        face = PANEL if variant else look.colour
        line = VARIANT_LINES[(variant - 1) % len(VARIANT_LINES)] if variant else look.line
        marks: Any = {"marker": look.marker, "markerfacecolor": face, "markevery": [] if level else _marked(x)}
        axes.plot(x, mean, color=look.colour, ls=line, clip_on=False, **marks)
        ends.append(LineEnd(float(mean[-1]), name, look, face))
    axes.set(xlabel=unit, ylabel="problems solved (%)")
    name_line_ends(figure, axes, ends)
    return figure


@in_our_style
def bars_with_intervals(table: Any, label: str = "problems solved (%)", scale: float = 100) -> Figure:
    """One bar a row with its interval and number. Rows: name, mean, low, high; `scale` turns means into the unit."""
    names = [str(row["name"]) for row in table_rows(table, "name")]
    mean, low, high = (scale * column for column in _columns(table, "mean", "low", "high"))
    figure, axes = _figure(0.9 + 0.42 * len(names))
    y, colours = np.arange(len(names)), [_colour_of(name) for name in names]
    axes.barh(y, mean, height=0.62, color=[(colour, 0.75) for colour in colours], edgecolor=colours)
    axes.errorbar(mean, y, xerr=np.maximum([mean - low, high - mean], 0), fmt="none", ecolor=INK, capsize=3)
    for at, value, end in zip(y, mean, np.maximum(mean, high), strict=True):
        text = f"{value:.0f}" if scale == 100 else f"{value:.2f}"
        axes.annotate(text, (end, at), (5, 0), textcoords="offset points", va="center")
    _bar_names(axes, names)
    axes.set_xlim(min(0, low.min()), axes.get_xlim()[1] * 1.06)
    if scale == 100:
        axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= 100])
    axes.set_xlabel(label)
    return figure


@in_our_style
def calibration_plot(table: Any, way: str = "ORM", label: str = "observed: share that is right") -> Figure:
    """Observed share against predicted probability, with the counts below. Rows: `minrm.metrics.Calibration.rows()`."""
    x, y, low, high, count = _columns(table, "predicted", "observed", "low", "high", "count")
    look = look_of(way)
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    top.plot([0, 1], [0, 1], color=QUIET, ls=(0, (6, 3)), lw=1.2)
    spots = [(at, side) for at in (0.15, 0.35, 0.55, 0.75) for side in (9, -9)]  # in points, above or below the line
    at, side = max(spots, key=lambda spot: abs(np.interp(spot[0], x, y) - spot[0] - spot[1] / 200))  # the freest
    options: Any = {"textcoords": "offset points", "rotation": 38, "color": QUIET, "ha": "center", "va": "center"}
    top.annotate("perfect", (at, at), (-side * 0.6, side), **options)
    intervals = np.maximum([y - low, high - y], 0)
    top.errorbar(x, y, yerr=intervals, color=look.colour, marker=look.marker, ls="-", capsize=3)
    top.annotate(way, (x[-1], y[-1]), (-10, 0), textcoords="offset points", ha="right", va="bottom")
    top.set(ylim=(-0.03, 1.05), xlim=(-0.02, 1.02), ylabel=label)
    bottom.bar(x, count, width=0.05, color=(look.colour, 0.75), edgecolor=look.colour)
    bottom.set(xlabel="predicted: probability of being right", ylabel="samples")
    bottom.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    figure.align_ylabels()
    return figure


@in_our_style
def stacked_chains(table: Any, most: int = 4) -> Figure:
    """Different chains of thought stacked by the answer they reach, the likeliest chain first. Rows: answer, p, right.

    A row is one chain with its probability (or share) p; the answers with the most mass are shown.
    """
    groups = _grouped(table_rows(table, "answer", "p", "right"), "answer")
    heaviest = sorted(groups.values(), key=lambda rows: -sum(row["p"] for row in rows))[:most]
    figure, axes = _figure(1.1 + 0.55 * len(heaviest))
    for y, rows in enumerate(heaviest):
        colour, left = (WAYS["PRM"].colour if rows[0]["right"] else OTHER), 0.0
        for row in sorted(rows, key=lambda row: -row["p"]):
            share = 100 * row["p"]
            axes.barh(y, share, left=left, height=0.6, color=(colour, 0.45), edgecolor=colour, lw=0.8)
            left += share
        mark = "  ✓ right" if rows[0]["right"] else ""
        text = f"{len(rows)} chain{'s' * (len(rows) > 1)}, {left:.0f} %{mark}"
        axes.annotate(text, (left, y), (5, 0), textcoords="offset points", va="center")
    _bar_names(axes, [str(rows[0]["answer"]) for rows in heaviest])
    axes.set_xlim(0, 1.45 * max(sum(row["p"] for row in rows) for rows in heaviest) * 100)
    axes.set(xlabel="probability (%); one box for each different chain", ylabel="final answer")
    return figure


@in_our_style
def score_histogram(table: Any, label: str = "score", bins: int = 20) -> Figure:
    """How scores are spread, for up to three kinds of solutions. Rows: kind, score. A kind's bars add up to 100 %."""
    groups = {
        kind: [row["score"] for row in rows]
        for (kind,), rows in _grouped(table_rows(table, "kind", "score"), "kind").items()
    }
    figure, axes = _figure(3.4)
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins).tolist()
    for (kind, scores), look, hatch in zip(
        groups.items(), (WAYS["PRM"], WAYS["ORM"], WAYS["Bradley–Terry"]), ("///", "", "..."), strict=False
    ):
        shares = np.full(len(scores), 100 / len(scores))
        axes.hist(
            scores,
            edges,
            weights=shares,
            histtype="stepfilled",
            facecolor=(look.colour, 0.25),
            edgecolor=look.colour,
            hatch=hatch,
            lw=1.5,
            label=kind,
        )
    axes.set(xlabel=label, ylabel="solutions of the kind (%)")
    axes.legend(frameon=False)
    return figure


@in_our_style
def training_curve(table: Any, label: str = "loss (nats per supervised token)") -> Figure:
    """The loss along training. Rows: step, way, loss, and optionally split ("train" thin, any other with markers)."""
    rows = table_rows(table, "step", "way", "loss")
    figure, axes = _figure(3.8)
    ends: list[LineEnd] = []
    for (name, split), curve in _grouped(rows, "way", "split").items():
        look = look_of(name)
        curve = sorted(curve, key=lambda row: row["step"])
        x, values = [row["step"] for row in curve], [row["loss"] for row in curve]
        training = split in (None, "train")
        line: Any = {"lw": 1.0, "alpha": 0.75} if training else {"lw": 1.8, "alpha": 1, "marker": look.marker}
        axes.plot(x, values, color=look.colour, ls="-", markevery=_marked(x), **line)
        ends.append(LineEnd(values[-1], f"{name}, {split}" if split else name, look, None if training else look.colour))
    axes.set(xlabel="optimiser steps", ylabel=label)
    axes.set_xlim(left=0, right=max(row["step"] for row in rows))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    name_line_ends(figure, axes, ends)
    return figure


@in_our_style
def answer_histogram(table: Any, most: int = 10) -> Figure:
    """How often each answer was given to one problem, the rarest in one bar. Rows: answer (or None), count, right."""
    rows = sorted(table_rows(table, "answer", "count", "right"), key=lambda row: -row["count"])
    shown = rows[:most] + [row for row in rows[most:] if row["right"]]
    rest = [row for row in rows if row not in shown]
    bars = [("none" if _absent(row["answer"]) else str(row["answer"]), row["count"], row["right"]) for row in shown]
    if rest:
        bars.append((f"{len(rest)} others", sum(row["count"] for row in rest), False))
    figure, axes = _figure(0.9 + 0.36 * len(bars))
    for y, (_, count, right) in enumerate(bars):
        fill: Any = {"color": "#a5dcc9", "edgecolor": "#00704d", "hatch": "///"} if right else {"color": OTHER}
        axes.barh(y, count, height=0.68, **fill)
        text, weight = (f"{_short(count)}  ✓ right answer", "bold") if right else (_short(count), "normal")
        axes.annotate(text, (count, y), (5, 0), textcoords="offset points", va="center", weight=weight)
    _bar_names(axes, [name for name, *_ in bars])
    axes.set_xlim(0, max(count * (1.5 if right else 1.12) for _, count, right in bars))
    axes.set(xlabel="samples with this answer", ylabel="final answer")
    return figure


def table_rows(table: Any, *needed: str) -> list[dict[str, Any]]:
    """The rows of a DataFrame or a list of dicts. Raises InputError for an empty table or a missing column."""
    rows = table.to_dict("records") if hasattr(table, "to_dict") else [dict(row) for row in table]
    if not rows:
        raise InputError(f"the table is empty; its rows need {', '.join(needed)}")
    for index, row in enumerate(rows):
        if missing := [name for name in needed if name not in row]:
            raise InputError(f"row {index} of the table has no {', '.join(missing)}; it has {', '.join(map(str, row))}")
    return rows


def _columns(table: Any, *names: str) -> list[np.ndarray]:
    rows = table_rows(table, *names)
    return [np.array([row[name] for row in rows], dtype=float) for name in names]


def log2_axis(axes: Axes, ticks: list[int]) -> None:
    """Make the x axis logarithmic, with plain numbers at the ticks and none between."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


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


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")  # not pyplot's: nothing is shown twice in a notebook
    return figure, figure.subplots()


def _bar_names(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)


def _grouped(rows: list[dict[str, Any]], *names: str) -> dict[Any, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(None if _absent(row.get(name)) else row[name] for name in names)].append(row)
    return groups


def _absent(value: Any) -> bool:
    return value is None or value != value  # pandas writes None as NaN


def _marked(x: list[Any]) -> list[int]:
    """At most about nine markers on a line: at powers of two where there is a point for every n."""
    few = [i for i, n in enumerate(x) if float(n).is_integer() and n > 0 and int(n).bit_count() == 1]
    return list(range(len(x))) if len(x) <= 12 else few if len(few) > 3 else list(range(0, len(x), len(x) // 8))


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 and value % 100 == 0 else f"{value:,.0f}"


def _colour_of(name: str) -> str:
    try:
        return look_of(name).colour
    except InputError:
        return OTHER
