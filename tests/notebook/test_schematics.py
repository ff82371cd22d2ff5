"""Schematics are well-formed SVG, in the page's own colour, with every letter inside the picture."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib import font_manager
from PIL import ImageFont

from minrm.notebook import schematics

PICTURES = {"three_models": schematics.three_models(), "from_policy_to_answer": schematics.from_policy_to_answer()}
ALL = PICTURES | {way: schematics.one_model(way) for way in ("ORM", "PRM", "Bradley–Terry")}
ALL |= {"with_and_without_steps": schematics.with_and_without_steps(), "search_tree": schematics.search_tree()}
ALL |= {"training_loop": schematics.training_loop()}
ALL |= {"solution_as_row": schematics.solution_as_row(), "joined_or_apart": schematics.joined_or_apart()}
FOLDER = Path(__file__).parents[2] / "book/_pictures"


@pytest.mark.parametrize("name", ALL)
def test_every_letter_and_box_lies_inside_and_nothing_is_filled_with_white(name):
    root = ElementTree.fromstring(ALL[name].html)
    width, height = map(float, root.get("viewBox").split()[2:])
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans:bold"), 13)  # the widest that is used
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        length, x = font.getlength(node.text), float(node.get("x"))
        left = x - {"start": 0, "middle": length / 2, "end": length}[node.get("text-anchor")]
        assert left >= 0 and left + length <= width and 10 <= float(node.get("y")) <= height, node.text
    for node in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(node.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height
    assert not re.search("#fff|white", ALL[name].html) and root.get("aria-label") == ALL[name].text


@pytest.mark.parametrize("name", PICTURES)
def test_the_files_for_the_pages_are_what_the_code_draws(name):
    assert (FOLDER / f"{name}.html").read_text(encoding="utf-8") == PICTURES[name].html + "\n"
