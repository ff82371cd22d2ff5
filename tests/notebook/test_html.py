"""What goes onto a page: alternative texts, tokens, and nothing that only colour tells."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from contrast import contrast

from minrm.errors import InputError
from minrm.notebook.figures import bars_with_intervals
from minrm.notebook.html import image, masked_tokens, score_along_solution, show

ROWS = [{"name": "greedy", "mean": 0.5, "low": 0.4, "high": 0.6}]


class Tags(HTMLParser):
    """Collects every tag with its attributes, and the text; complains about tags that do not close."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_figure_becomes_a_small_picture_with_its_text():
    from PIL import Image

    html = image(bars_with_intervals(ROWS), 'half of "them" <solved>')
    ((tag, attributes),) = Tags(html).tags
    assert tag == "img" and attributes["alt"] == 'half of "them" <solved>'
    data = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
    picture = Image.open(io.BytesIO(data))
    assert picture.width == 672 and len(data) < 40_000
    corner = picture.convert("RGBA").getpixel((0, 0))
    assert corner == (255, 255, 255, 255)  # opaque white, on dark pages too


def test_the_same_figure_gives_the_same_bytes():
    assert image(bars_with_intervals(ROWS), "bars") == image(bars_with_intervals(ROWS), "bars")


def test_show_displays_html_and_falls_back_to_the_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append((data, raw)))
    show(bars_with_intervals(ROWS), " one bar ")
    ((data, raw),) = shown
    assert raw and data["text/plain"] == "one bar" and data["text/html"].startswith('<img alt="one bar"')


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_a_text_is_refused(alt):
    with pytest.raises(InputError, match="no alternative text"):
        show(bars_with_intervals(ROWS), alt)


PIECES = ["Tom", " <b>", "\n", "Step", " 1"]


def tokens(page):
    return [attributes for tag, attributes in Tags(str(page)).tags if tag == "span"]


def test_scores_are_named_at_each_token_and_written_where_they_move():
    page = score_along_solution(PIECES, [None, 0.5, 0.52, 0.9, 0.1])
    spans = tokens(page)
    assert [span.get("title") for span in spans[:5]] == [None, "score 0.50", "score 0.52", "score 0.90", "score 0.10"]
    assert re.findall(r"<sub[^>]*>([.0-9]+)</sub>", str(page)) == ["0.50", "0.90", "0.10"]
    assert "<b>" not in str(page) and " <b>" in Tags(str(page)).text  # a piece of text is never markup
    assert repr(page) == "4 scored tokens, the last at 0.10" and page._repr_html_() == str(page)


def test_every_token_is_legible_on_its_own_background_whatever_the_page():
    spans = tokens(score_along_solution(["x"] * 101, [i / 100 for i in range(101)]))
    for span in spans:
        colour = re.search(r"(?<![-\w])color:(#\w{6})", span["style"])
        ground = re.search(r"background:(#\w{6})", span["style"])
        assert contrast(colour[1], ground[1]) >= 7
    assert spans[0]["style"] != spans[25]["style"] != spans[75]["style"] != spans[100]["style"]


def test_supervised_tokens_are_marked_by_line_and_weight_as_well():
    page = masked_tokens(PIECES, [False, False, False, True, True])
    spans = tokens(page)[:5]
    assert [span["title"] for span in spans] == ["not supervised"] * 3 + ["supervised"] * 2
    for span in spans:
        marked = span["title"] == "supervised"
        assert ("border-bottom:3px" in span["style"]) == ("font-weight:700" in span["style"]) == marked
    assert repr(page) == "2 of 5 tokens are supervised" and "2 of 5 tokens are supervised" in Tags(str(page)).text


def test_line_ends_are_shown_and_break_the_line():
    html = str(masked_tokens(["a", "\n\n", "b"], [True] * 3))
    assert "↵↵</span><br>" in html and html.count("<br>") == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: masked_tokens(["a"], [True, False]), "1 pieces but mask of length 2"),
        (lambda: masked_tokens([], []), "0 pieces"),
        (lambda: score_along_solution(["a"], []), "1 pieces but scores of length 0"),
        (lambda: score_along_solution(["a", "b"], [0.5, 1.5]), "token 1 'b' has score 1.5"),
        (lambda: score_along_solution(["a"], [float("nan")]), "token 0 'a' has score nan"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
