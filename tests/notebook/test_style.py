"""The palette holds what it promises: contrast on the panel, and colours that stay apart in every colour vision."""

import itertools

import numpy as np
import pytest
from contrast import contrast, linear

from minrm.errors import InputError
from minrm.notebook.style import INK, OTHER, PANEL, QUIET, SMALLEST, STYLE, WAYS, WIDTH, look_of

DARK_PAGE = "#121212"
VISION = {  # Machado et al. 2009, severity 1.0, on linear RGB
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_LMS = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
TO_LAB = [[0.21045426, 0.7936178, -0.00407205], [1.9779985, -2.4285922, 0.4505937], [0.02590404, 0.7827718, -0.8086758]]


def oklab(rgb):
    """Ottosson 2020: distances in it are about as large as they look."""
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_LMS) @ rgb)


def test_no_grey_reads_on_white_and_dark_pages_alike_so_the_panel_is_opaque():
    greys = [f"#{value:02x}{value:02x}{value:02x}" for value in range(256)]
    assert max(min(contrast(grey, "#ffffff"), contrast(grey, DARK_PAGE)) for grey in greys) < 4.5
    assert len(PANEL) == 7 and STYLE["figure.facecolor"] == STYLE["axes.facecolor"] == PANEL


def test_text_and_lines_have_contrast_on_the_panel():
    assert contrast(INK, PANEL) >= 7 and contrast(QUIET, PANEL) >= 4.5
    assert min(contrast(colour, PANEL) for colour in [OTHER, *(look.colour for look in WAYS.values())]) >= 3


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart_for_every_kind_of_colour_vision(vision):
    colours = sorted({way.colour for way in WAYS.values()})
    seen = {c: oklab(np.clip(np.array(VISION[vision]) @ linear(c), 0, 1)) for c in colours}
    for a, b in itertools.combinations(colours, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 0.07, (a, b)


def test_no_two_ways_are_told_apart_by_colour_alone():
    assert len({way.marker for way in WAYS.values()}) == len(WAYS)
    assert len({(way.colour, str(way.line)) for way in WAYS.values()}) == len(WAYS)


def test_the_smallest_lettering_is_nine_pixels_on_a_telephone():
    column = 390 - 40  # what margins leave of the width
    assert SMALLEST / 72 / WIDTH * column >= 9
    assert min(value for key, value in STYLE.items() if key.endswith("size") and "marker" not in key) >= SMALLEST


def test_longer_names_take_the_look_of_the_way_they_begin_with():
    assert look_of("PRM, minimum") == WAYS["PRM"] and look_of("weighted vote (PRM)") == WAYS["weighted vote"]
    for wrong in ("PRMs", "", "best"):
        with pytest.raises(InputError, match="begins with one of: direct, greedy"):
            look_of(wrong)
