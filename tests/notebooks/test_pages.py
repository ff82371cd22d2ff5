"""The rendered book in a real browser, at two widths, on light and dark pages; and that each kind of fault is found.

It looks at the pages that `make book` has rendered: `make pages`. Without a Chromium, or without pages as new as their
sources, it skips.
"""

from pathlib import Path

import browser
import pytest

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed (pip install '.[dev]')")
if browser.chromium() is None:
    pytest.skip("no Chromium or Chrome is installed, so no page is looked at", allow_module_level=True)

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
SOURCES = [ROOT / "_config.yml", ROOT / "_toc.yml", *(ROOT / "book").rglob("*"), *(ROOT / "minrm").rglob("*.py")]
TERMS = {  # a word of the field, words of a heading, a name of the package; and the page that must be among the hits
    "preference": "book/06_bradley_terry.html",
    "process reward model": "book/05_process_reward_model.html",
    "best_of_n": "book/api/core.html",
}

GOOD = """<!doctype html><html lang="en"><head><title>A page</title>{head}
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body style="margin:0"><main><h1>A page</h1><p>It has a sentence.</p>{body}</main></body></html>"""
LONG = "a line that is far longer than its box " * 8
GREY = "color:#aaaaaa;background:#ffffff"
PLANTED = {
    "cut off": ("", f'<div style="overflow:hidden;width:90%;white-space:nowrap">{LONG}</div>'),
    "cut off below": ("", f'<div style="overflow:hidden;height:1em;width:9em">{LONG}</div>'),
    "the page is": ("", f'<p style="white-space:nowrap">{LONG}</p>'),
    "at 1280 px, light: text cut off": ("", f'<pre tabindex="0" style="overflow-x:auto">{LONG}</pre>'),
    "cut off without a sign": ("", f'<pre tabindex="0" style="overflow-x:auto">{LONG[:100]}</pre>'),
    "cut off by its drawing": ("", '<svg width="99" height="40"><text y="20">wider than its drawing</text></svg>'),
    "a raw \\n": ("", r"<table><tr><th>step</th></tr><tr><td>9 + 3 = 12\n\n# Answer</td></tr></table>"),
    "image broken": ("", '<img src="data:image/png;base64,AAAA" alt="nothing">'),
    "404": ("", '<img src="lost.png" alt="lost">'),
    "console: no reward": ("<script>console.error('no reward')</script>", ""),
    "error: no model": ("<script>throw new Error('no model')</script>", ""),
    "loaded from elsewhere": ('<script async src="https://cdn.example/mathjax.js"></script>', ""),
    "image-alt": ("", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">'),
    "color-contrast": ("", f'<p style="{GREY}">pale</p>'),
    "dark: color-contrast": (f"<style>@media (prefers-color-scheme:dark) {{ p {{ {GREY} }} }}</style>", ""),
    "390 px, dark: color-contrast": (f"<style>@media (max-width:600px) {{ p {{ {GREY} }} }}</style>", ""),
}


def pages():
    """Every rendered page; or one test, skipped, that says why there is none."""
    if not (HTML / "index.html").exists():
        return [pytest.param("", marks=pytest.mark.skip(reason="the book has not been rendered: make html"))]
    newest = max((path for path in SOURCES if path.is_file()), key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime > (HTML / "searchindex.js").stat().st_mtime:
        return [pytest.param("", marks=pytest.mark.skip(reason=f"{newest.name} is newer than the pages: make html"))]
    names = [path.relative_to(HTML) for path in HTML.rglob("*.html")]
    return sorted(
        map(str, {name for name in names if name.parts[0] != "_static"} - {Path("index.html")})
    )  # it leads on


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as running:
        yield running


@pytest.fixture(scope="module")
def book(chromium):
    with browser.opened(HTML, chromium) as look:
        yield look


@pytest.fixture(scope="module")
def planted(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with browser.opened(folder, chromium) as look:
        look.folder = folder
        yield look


@pytest.mark.parametrize("name", pages())
def test_nothing_on_a_page_stands_in_a_readers_way(book, name):
    assert not (faults := book.faults(name)), "\n".join(faults)


@pytest.mark.parametrize("term", TERMS if len(pages()) > 1 else [])
def test_the_search_finds(book, term):
    assert TERMS[term] in book.search(term)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(planted, fault):
    head, body = PLANTED[fault]
    name = f"{list(PLANTED).index(fault)}.html"  # its own: a browser keeps a page that changes within a second
    (planted.folder / name).write_text(GOOD.format(head=head, body=body))
    assert any(fault in found for found in planted.faults(name))


def test_a_page_without_a_fault_has_none(planted):
    (planted.folder / "good.html").write_text(GOOD.format(head="", body=""))
    assert planted.faults("good.html") == []


def test_a_search_that_finds_nothing_is_seen(planted):
    (planted.folder / "search.html").write_text('<div id="search-results"><h2>Search Results</h2></div>')
    assert planted.search("preference") == []
