"""What goes onto a page: alternative texts, tokens, and nothing that only colour tells."""

import base64
import io
import re
from xml.etree import ElementTree

import pytest
from contrast import contrast
from PIL import Image

from minrm.errors import InputError
from minrm.notebook.figures import bars_with_intervals
from minrm.notebook.html import image, labelled_steps, masked_tokens, score_along_solution, scored_steps, show

ROWS = [{"name": "greedy", "mean": 0.5, "low": 0.4, "high": 0.6}]


def elements(html):
    """The parsed elements, outermost first; a tag that does not close raises ParseError."""
    return list(ElementTree.fromstring("<p>" + re.sub("(<br|<img[^>]*)>", r"\1/>", html) + "</p>").iter())


def tokens(page):
    return [element.attrib for element in elements(str(page)) if element.tag == "span"]


def test_a_figure_becomes_a_small_picture_with_its_text_and_repeats_its_bytes():
    html = image(bars_with_intervals(ROWS), 'half of "them" <solved>')
    _, img = elements(html)
    assert img.tag == "img" and img.attrib["alt"] == 'half of "them" <solved>'
    data = base64.b64decode(img.attrib["src"].removeprefix("data:image/png;base64,"))
    picture = Image.open(io.BytesIO(data))
    assert picture.width == 672 and len(data) < 40_000
    assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)  # opaque white, on dark pages too
    assert image(bars_with_intervals(ROWS), "bars") == image(bars_with_intervals(ROWS), "bars")


def test_show_displays_html_falls_back_to_the_text_and_refuses_to_do_without(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append((data, raw)))
    show(bars_with_intervals(ROWS), " one bar ")
    ((data, raw),) = shown
    assert raw and data["text/plain"] == "one bar" and data["text/html"].startswith('<img alt="one bar"')
    with pytest.raises(InputError, match="no alternative text"):
        show(bars_with_intervals(ROWS), "  \n")


PIECES = ["Tom", " <b>", "\n", "Step", " 1"]


def test_scores_are_named_at_each_token_and_written_where_they_move():
    page = score_along_solution(PIECES, [None, 0.5, 0.52, 0.9, 0.1])
    spans = tokens(page)
    assert [span.get("title") for span in spans[:5]] == [None, "score 0.50", "score 0.52", "score 0.90", "score 0.10"]
    assert re.findall(r"<sub[^>]*>([.0-9]+)</sub>", str(page)) == ["0.50", "0.90", "0.10"]
    assert "↵</span><br>" in str(page) and str(page).count("<br>") == 1  # a line end is shown, and breaks the line
    assert "<b>" not in str(page) and " &lt;b&gt;" in str(page)  # a piece of text is never markup
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
    for span, marked in zip(tokens(page), [False, False, False, True, True], strict=False):
        assert span["title"] == ("supervised" if marked else "not supervised")
        assert ("border-bottom:3px" in span["style"]) == ("font-weight:700" in span["style"]) == marked
    assert repr(page) == "2 of 5 tokens are supervised" and "2 of 5 tokens are supervised" in str(page)


def test_bad_input_is_named():
    for score in 1.5, float("nan"):
        with pytest.raises(InputError, match=f"token 1 'b' has score {score}"):
            score_along_solution(["a", "b"], [0.5, score])
    with pytest.raises(ValueError, match="shorter|longer"):
        masked_tokens(["a"], [True, False])


def test_each_step_has_its_score_and_the_first_that_breaks_is_named_in_words():
    page = scored_steps(["9 + 3 = 12", "12 + 5 = 17\n\n# Answer\n\n17"], [0.04, 0.97], name="wrong")
    lines = [
        element for element in elements(str(page)) if element.tag == "div" and "padding:.25em" in element.get("style")
    ]
    assert ["".join(line.itertext()) for line in lines] == ["0.049 + 3 = 12 ← breaks here", "0.9712 + 5 = 17# Answer17"]
    assert repr(page) == "2 steps; the first below one half is step 1"
    for line in lines:
        background = re.search("background:(#[0-9a-f]{6})", line.get("style"))[1]
        assert contrast(background, "#1a1a1a") > 7
    assert "breaks" not in str(scored_steps(["a"], [0.5]))
    with pytest.raises(ValueError):
        scored_steps(["a", "b"], [0.5])


def test_every_source_has_its_label_of_each_step_in_words_and_none_is_a_dash():
    page = labelled_steps(
        ["9 + 3 = 12", "12 + 5 = 17\n\n# Answer\n\n17"], {"exact": [0, 1], "soft": [0.25, None]}, "wrong"
    )
    rows = [["".join(cell.itertext()) for cell in row] for row in elements(str(page)) if row.tag == "tr"]
    assert rows == [["", "exact", "soft"], ["9 + 3 = 12", "0", "0.25"], ["12 + 5 = 17# Answer17", "1", "–"]]
    assert repr(page) == "2 rows, labelled by: exact, soft" and ">wrong</div>" in str(page)
    cells = [element for element in elements(str(page)) if element.tag in ("td", "th")]
    grounds = [re.search("background:(#[0-9a-f]{6})", cell.get("style"))[1] for cell in cells]
    assert all(contrast(ground, "#1a1a1a") > 7 for ground in grounds)
    bad, soft, good, none = (grounds[at] for at in (4, 5, 7, 8))
    assert len({bad, soft, good, none}) == 4


@pytest.mark.parametrize(
    ("labels", "error"),
    [({"exact": [0, 1.5]}, InputError), ({"exact": [float("nan"), 1]}, InputError), ({"exact": [1]}, ValueError)],
)
def test_what_is_no_label_and_a_missing_label_are_refused(labels, error):
    with pytest.raises(error, match="shorter|no number"):
        labelled_steps(["a", "b"], labels)
