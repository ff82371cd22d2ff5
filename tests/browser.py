"""Pages in a real browser: what a reader would stumble over at two widths, on a light and on a dark page.

`with started() as browser, opened(folder, browser) as look:` serves the folder; `look.faults("book/intro.html")` is a
list of findings, a line each, and `look.search("vote")` what the book's own search lists. Nothing leaves this machine.
"""

import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from urllib.parse import quote_plus

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
SECONDS = 300  # only a hang: other programs may hold the machine
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu"]

# A box cuts text off if its content is larger than itself and is not shown beyond. At 1,280 px nothing scrolls
# sideways; on a phone code, tables and equations may, where a shadow at the edge says so. One pixel is rounding. What
# is clipped away entirely, equations for screen readers, is taken out while the rest is measured.
CUT_OFF = r"""() => {
  const cut = [], phone = innerWidth < 600, root = document.scrollingElement;
  const unseen = [...document.querySelectorAll("body *")].filter(box => getComputedStyle(box).clip != "auto");
  unseen.forEach(box => box.style.setProperty("display", "none", "important"));
  const say = (box, what) => cut.push(`${what}: <${box.localName} class="${box.getAttribute("class") ?? ""}"> ` +
    box.textContent.trim().replace(/\s+/g, " ").slice(0, 60));
  if (root.scrollWidth > innerWidth + 1) say(root, `text cut off, the page is ${root.scrollWidth} px wide`);
  for (const box of document.querySelectorAll("body *")) {
    if (box.clientWidth < 2 || !box.checkVisibility({visibilityProperty: true}) || !box.textContent.trim()) continue;
    const style = getComputedStyle(box), size = `${box.scrollWidth} of ${box.clientWidth} px`;
    const scrolls = ["auto", "scroll"].includes(style.overflowX), hides = ["hidden", "clip"];
    if (box.scrollWidth > box.clientWidth + 1 && style.overflowX != "visible") {
      if (!scrolls || !phone) say(box, `text cut off, ${size}`);
      else if (!style.backgroundAttachment.includes("local")) say(box, `text cut off without a sign, ${size}`);
    }
    if (box.scrollHeight > box.clientHeight + 1 && hides.includes(style.overflowY)) say(box, "text cut off below");
  }
  for (const text of document.querySelectorAll("svg text")) {
    const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
    if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1 ||
        inner.bottom > outer.bottom + 1) say(text, "text cut off by its drawing");
  }
  for (const cell of document.querySelectorAll("td, th"))
    if (cell.textContent.includes("\\n") && !cell.querySelector("code")) say(cell, "a raw \\n");
  unseen.forEach(box => box.style.removeProperty("display"));
  return cut;
}"""
BROKEN = """() => [...document.images].filter(image => !image.naturalWidth)
  .map(image => "image broken: " + (image.getAttribute("src") ?? "").slice(0, 80))"""
UNFOLD = """() => {
  document.querySelectorAll("details").forEach(fold => fold.open = true);
  document.querySelectorAll("img").forEach(image => image.loading = "eager");
  document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important; }</style>");
  return Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
}"""
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
RESIZED = 350  # milliseconds until the theme has seen a new width and has made what scrolls reachable by keyboard

# A barrier depends on the width (what is shown, what scrolls) or on the scheme (contrast), not on both; and contrast is
# slow, so of the words of a listing that look alike it sees the first.
AXE_LOOKS = ((1280, "light"), (390, "dark"))
BARRIERS = """theirs => {
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight span"))
    seen.has(word.className) ? word.replaceWith(...word.childNodes) : seen.add(word.className);
  const ours = (rule, place) => !document.querySelector(place.target[0]).matches(theirs[rule] ?? "not-an-element");
  return axe.run({resultTypes: ["violations"], preload: false}).then(({violations}) => violations
    .map(({id, impact, nodes}) => ({id, impact, nodes: nodes.filter(place => ours(id, place))}))
    .filter(({impact, nodes}) => nodes.length && ["serious", "critical"].includes(impact)));
}"""
THEIRS = {  # what only the tools can mend: a rule of axe-core, and where it finds what is theirs
    "summary-name": ".bd-sidebar summary",  # the theme: the arrow that unfolds a part of the sidebar has no name
    "aria-required-children": ".citation-list",  # docutils: a list of references has links back among its items
}


def chromium():
    """The path of an installed Chromium or Chrome; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # a page asks for forty files at once


class Look:
    """A browser that looks at the pages of one folder, served at `address`. Made by `opened`."""

    def __init__(self, page, address):
        self.page, self.address, self.noted = page, address, []
        page.set_default_timeout(1000 * SECONDS)
        page.on("console", lambda message: message.type == "error" and self.noted.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.noted.append(f"error: {error}"))
        page.on("response", lambda got: got.status >= 400 and self.noted.append(f"{got.status}: {got.url}"))
        page.on("request", self._note_stranger)

    def _note_stranger(self, request):
        if not request.url.startswith((self.address, "data:", "blob:", "about:")):
            self.noted.append(f"loaded from elsewhere: {request.url}")

    def faults(self, name):
        """What is wrong with a page, a line each: errors, broken images, text cut off, serious findings of axe-core."""
        from axe_playwright_python.base import AXE_SCRIPT

        self._open(name)
        self.page.evaluate(AXE_SCRIPT)
        faults = []
        for width, scheme in product(WIDTHS, SCHEMES):
            self._turn_to(width, scheme)
            found = self.page.evaluate(CUT_OFF) + self.page.evaluate(BROKEN)
            if (width, scheme) in AXE_LOOKS:
                self.page.wait_for_timeout(RESIZED)
                found += map(_told, self.page.evaluate(BARRIERS, THEIRS))
            faults += [f"{name} at {width} px, {scheme}: {one}" for one in found]
        return [f"{name}: {one}" for one in self.noted] + faults

    def search(self, term):
        """The pages, without their folder's address, that the book's own search lists for a term, the best first."""
        self._open(f"search.html?q={quote_plus(term)}")
        done = self.page.locator("#search-results h2", has_text="Search Results")
        done.wait_for(state="attached")  # when all are there; the theme hides this heading
        links = self.page.locator("#search-results li > a")
        return list(dict.fromkeys(link.get_attribute("href").split("?")[0].split("#")[0] for link in links.all()))

    def _open(self, name):
        self.noted.clear()
        self._turn_to(WIDTHS[0], SCHEMES[0])
        self.page.goto(self.address + name)
        self.page.evaluate(UNFOLD)

    def _turn_to(self, width, scheme):
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme)
        self.page.evaluate(SETTLED)


def _told(barrier):
    """One finding of axe-core in a line: what it is, how often, and the first place."""
    places = barrier["nodes"]
    why = places[0]["failureSummary"].splitlines()[1].strip()
    return f"{barrier['id']} ({len(places)} times): {places[0]['html'][:120]}: {why}"


@contextmanager
def started():
    """An installed Chromium, for any number of folders: Playwright starts once in a thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, play.chromium.launch(executable_path=chromium(), args=OFFLINE) as browser:
        yield browser


@contextmanager
def opened(folder, browser):
    """A Look at the pages in a folder, served on loopback while it is open."""
    server = Server(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser.new_page() as page:
            yield Look(page, f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
