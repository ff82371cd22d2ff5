"""HTML for the pages: figures with an alternative text, and a solution's tokens with their scores or masks.

Every box sets its own background and ink, so that dark and light pages show the same colours.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from minrm.errors import InputError
from minrm.notebook.style import INK, PANEL, QUIET

LOW, HIGH = (230, 159, 0), (86, 180, 233)  # Okabe & Ito's orange and sky blue: apart for every kind of colour vision

_BOX = (
    f"background:{PANEL};color:{INK};border:1px solid #c9c9c9;border-radius:8px;padding:.7em .9em;max-width:46em;"
    "line-height:2.1;overflow-wrap:anywhere;font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.92em"
)


@dataclass(repr=False)
class Page:
    """HTML that a notebook shows when it is a cell's last value; `str(page)` is the HTML, `repr(page)` a short text."""

    html: str
    text: str

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text

    _repr_html_ = __str__


def show(figure: Any, alt: str) -> None:
    """Display a matplotlib figure, with one or two sentences that say what it shows as its alternative text."""
    from IPython.display import display  # only notebooks need it

    display({"text/html": image(figure, alt), "text/plain": alt.strip()}, raw=True)


def image(figure: Any, alt: str) -> str:
    """The <img> of a figure, a PNG of at most 256 colours inside. Raises InputError without an alternative text."""
    if not alt.strip():
        raise InputError("the figure has no alternative text; say in a sentence what it shows")
    from PIL import Image  # matplotlib brings it

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    picture = Image.open(drawn).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(packed, format="png", optimize=True)  # a third of the size: the book's pages carry every picture
    data = base64.b64encode(packed.getvalue()).decode()
    width = round(figure.get_figwidth() * 110)  # pixels on the page: sharper than its size where the screen is
    style = f"width:100%;max-width:{width}px;height:auto;background:{PANEL};border-radius:8px;padding:0"
    return f'<img alt="{escape(alt.strip())}" style="{style}" src="data:image/png;base64,{data}">'


def score_along_solution(pieces: Sequence[str], scores: Sequence[float | None]) -> Page:
    """A solution's tokens [T], coloured by the score at each: orange 0, white one half, blue 1; None: no score.

    A token has its score as a tooltip, and below it where it has moved by 0.1, and at the last one.
    """
    parts, written = [], -1.0
    last = max((index for index, score in enumerate(scores) if score is not None), default=None)
    for index, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        if score is None:
            parts.append(_token(piece))
            continue
        if not 0 <= score <= 1:
            raise InputError(f"token {index} {piece!r} has score {score}, which is no probability in [0, 1]")
        moved = written < 0 or abs(score - written) >= 0.1 or index == last
        written = score if moved else written
        number = f'<sub style="font-size:.72em;font-weight:700">{score:.2f}</sub>' if moved else ""
        parts.append(_token(piece, f"score {score:.2f}", f"background:{_between(score)}", number))
    key = " ".join(_token(f"{p:g}", f"score {p:g}", f"background:{_between(p)}") for p in (0, 0.25, 0.5, 0.75, 1))
    scored = [score for score in scores if score is not None]
    text = f"{len(scored)} scored tokens, the last at {scored[-1]:.2f}" if scored else "no scored token"
    return _page(
        parts, f"P(right) so far: {key} · a number below a token: the score has moved by 0.1, or is the last", text
    )


def scored_steps(steps: Sequence[str], scores: Sequence[float], name: str = "") -> Page:
    """A solution's steps [S], one below the other, coloured by P(+) after each, the first one below one half marked.

    scores: [S], in [0, 1]. name: a heading, such as "right" beside "wrong".
    """
    first = next((at for at, score in enumerate(scores) if score < 0.5), None)
    parts = [f'<div style="font-weight:700;line-height:1.6">{escape(name)}</div>'] if name else []
    for at, (step, score) in enumerate(zip(steps, scores, strict=True)):
        number = f'<b style="display:inline-block;min-width:3.2em">{score:.2f}</b>'
        mark = " <b>← breaks here</b>" if at == first else ""
        look = f"background:{_between(score)};padding:.25em .5em;margin:.2em 0;border-radius:4px;line-height:1.5"
        parts.append(f'<div style="{look}">{number}{_lines(step)}{mark}</div>')
    said = f"the first below one half is step {first + 1}" if first is not None else "none is below one half"
    return _page(parts, "P(+) after each step", f"{len(steps)} steps; {said}")


def labelled_steps(steps: Sequence[str], labels: Mapping[str, Sequence[float | None]], name: str = "") -> Page:
    """A solution's steps [S] in rows, and a column for each source of labels: orange 0, blue 1, between: soft.

    labels: for each source, [S] numbers in [0, 1]; None, a dash on grey: no label. name: a heading, as the question.
    A row may also be a place at which steps stand, its numbers their means.
    """
    look = f"color:{INK};padding:.3em .35em;border:2px solid {PANEL};line-height:1.35;overflow-wrap:break-word"
    left, middle = f"{look};background:{PANEL};text-align:left", f"{look};white-space:nowrap;text-align:center"
    heads = [f'<th scope="col" style="{middle};background:{PANEL}">{escape(source)}</th>' for source in labels]
    rows = [f'<td style="{left}"></td>' + "".join(heads)]
    for step, *own in zip(steps, *labels.values(), strict=True):
        first = f'<th scope="row" style="{left};font-weight:400">{_lines(step)}</th>'
        rows.append(first + "".join(_label(label, middle) for label in own))
    table = "".join(f"<tr>{row}</tr>" for row in rows)
    font = "font-family:DejaVu Sans,Verdana,sans-serif;line-height:1.6"
    parts = [f'<div style="{font};font-weight:700">{escape(name)}</div>'] if name else []
    parts.append(f'<table style="{font};border-collapse:collapse;margin:0">{table}</table>')
    page = _page(parts, "1, blue: good · 0, orange: bad · between: soft · –: no label", "")
    return Page(f'<div style="margin:.6em 0">{page}</div>', f"{len(steps)} rows, labelled by: {', '.join(labels)}")


def masked_tokens(pieces: Sequence[str], mask: Sequence[bool]) -> Page:
    """Tokens ([T] texts) with those marked that the mask ([T] bool) supervises: underlined, bold and shaded."""
    look = "background:#cfe6f7;font-weight:700;border-bottom:3px solid #1c51a9"
    tokens = zip(pieces, mask, strict=True)
    parts = [_token(text, "supervised", look) if on else _token(text, "not supervised") for text, on in tokens]
    count = f"{sum(map(bool, mask))} of {len(pieces)} tokens are supervised"
    return _page(parts, f"{_token('like this', 'supervised', look)} {count}", count)


def _token(piece: str, title: str = "", style: str = "", below: str = "") -> str:
    """One token in a thin frame; line ends are shown as ↵ and break the line after the token."""
    shown = escape(piece).replace("\n", "↵")
    named = f' title="{escape(title)}"' if title else ""
    frame = f"color:{INK};border:1px solid #d8d8d8;border-radius:3px;padding:.1em .05em;white-space:pre-wrap;{style}"
    return f'<span{named} style="{frame}">{shown}{below}</span>' + ("<br>" if "\n" in piece else "")


def _lines(step: str) -> str:
    """A step's lines that are not empty, as HTML."""
    return "<br>".join(escape(line) for line in step.splitlines() if line.strip())


def _label(label: float | None, style: str) -> str:
    """A cell of a label's colour with its number, or with a dash."""
    if label is not None and not 0 <= label <= 1:
        raise InputError(f"the label {label} is no number in [0, 1]; None is for no label")
    ground, shown = ("#e3e3e3", "–") if label is None else (_between(label), f"{label:.2f}".removesuffix(".00"))
    return f'<td style="{style};background:{ground};font-weight:700">{shown}</td>'


def _between(score: float) -> str:
    """The colour of a score, lightest at one half; black ink keeps 7:1 on all of them."""
    end, share = (HIGH, 2 * score - 1) if score > 0.5 else (LOW, 1 - 2 * score)
    return "#" + "".join(f"{round(255 + share * (channel - 255)):02x}" for channel in end)


def _page(parts: list[str], key: str, text: str) -> Page:
    legend = f'<div style="color:{QUIET};font-size:.9em;line-height:1.8;margin-top:.5em">{key}</div>'
    return Page(f'<div style="{_BOX}">{"".join(parts)}{legend}</div>', text)
