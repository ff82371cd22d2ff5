"""Links to the glossary: each leads to a term, and a page links a term once, where it is first used."""

import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import glossary_links
import notebooks
import pytest

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted([*BOOK.glob("*.md"), *BOOK.glob("*.ipynb"), *BOOK.glob("exercises/*.ipynb")])
LINKING = {"five_minutes", "what_a_label_means", "gpu"}  # and the chapters
LINK = re.compile(r"\]\(#([^)]+)\)")


def terms():
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```", (BOOK / "glossary.md").read_text(encoding="utf-8"), re.S | re.M)
    return {line.lower() for block in blocks for line in block.splitlines() if re.match(r"\S", line)}


def text(page):
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    cells = notebooks.read(page)["cells"]
    return "\n\n".join(notebooks.source(cell) for cell in cells if cell["cell_type"] == "markdown")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_link_within_the_book_leads_to_a_term_or_a_label_and_a_page_links_a_term_once(page):
    written = text(page)
    linked = [unquote(target) for target in LINK.findall(written)]
    labels = set(re.findall(r"^\(([\w-]+)\)=$", written, re.MULTILINE))
    assert set(linked) <= terms() | labels
    once = [target for target in linked if target in terms()]
    assert len(once) == len(set(once))
    assert len(once) >= 5 or not (page.stem in LINKING or page.stem[0].isdigit())


def test_a_term_with_capitals_is_found_in_lower_case():
    objects = {("term", "pass@N"): ("glossary", "term-pass-N"), ("label", "N"): ("a", "b")}
    domain = SimpleNamespace(objects=objects)
    glossary_links.add_lower_case(None, SimpleNamespace(get_domain=lambda name: domain))
    assert objects["term", "pass@n"] == objects["term", "pass@N"] and ("label", "n") not in objects
