"""Schematics of the course as SVG: the three reward models over one solution, and the way from policy to answer.

Lines and letters take the page's own colour (`currentColor`) and nothing is filled with white, so a schematic is right
on light and on dark pages. `book/_pictures` holds them for pages that are no notebooks.
"""

from html import escape

from minrm.notebook.html import Page
from minrm.notebook.style import WAYS

WIDTH = 430  # of every schematic, in its own units: letters of 13 are readable on a telephone
_SIZE, _HIGH = 13, 26  # of letters, of a token's box
_WRONG = ["9", "+", "3", "=", "12", "¶", "12", "+", "5", "=", "17", "Answer", "17"]  # it should be 9 - 3; ¶: a new step
_RIGHT = ["9", "-", "3", "=", "6", "¶", "6", "+", "5", "=", "11", "Answer", "11"]
_ALT = {
    "ORM": "The outcome reward model has the label 0 over every token and is read at the last one.",
    "PRM": "The process reward model has a step token after each step, labelled minus and plus, and is read at both.",
    "Bradley–Terry": "The Bradley-Terry model has no labels; it is read at the last token of a chosen and of a "
    "rejected solution, and the loss compares the two.",
}


def three_models() -> Page:
    """One wrong solution as the three reward models see it: where labels are, what the loss reads, what is scored."""
    parts = [*_outcome(16), *_process(158), *_pair(308), _legend(500)]
    return _svg(parts, 510, "One solution as tokens, three times. " + " ".join(_ALT.values()))


def one_model(way: str) -> Page:
    """A solution as one reward model sees it, "ORM", "PRM" or "Bradley–Terry": the first picture of its chapter."""
    draw, height = {"ORM": (_outcome, 126), "PRM": (_process, 134), "Bradley–Terry": (_pair, 182)}[way]
    return _svg([*draw(16), _legend(height + 20)], height + 30, "A solution as tokens. " + _ALT[way])


def from_policy_to_answer() -> Page:
    """A policy writes N solutions, a judge scores each, and the best is handed in; the vote needs no judge."""
    answers, scores = ["17", "11", "17", "11"], [0.31, 0.92, 0.24, 0.88]
    rows = [24 + 36 * row for row in range(4)]
    green = WAYS["PRM"].colour
    boxes = [_box(112, y, 112, f"… Answer {answer}") for y, answer in zip(rows, answers, strict=True)]
    numbers = [
        _box(258, y, 46, f"{score:.2f}", "PRM", score == max(scores)) for y, score in zip(rows, scores, strict=True)
    ]
    arrows = [_arrow(65, 91, 110, y + 13) + _arrow(226, y + 13, 256, y + 13, green) for y in rows]
    parts = [
        _box(4, 78, 60, "policy"), *arrows, *boxes, *numbers, _arrow(306, 73, 334, 73, green),
        _box(336, 60, 90, "hand in 11", "PRM", bold=True), _text(168, 14, "N solutions", anchor="middle", faint=True),
        _text(281, 14, "a judge's scores", anchor="middle", faint=True),
        _text(381, 50, "best-of-N", anchor="middle", faint=True),
        _text(381, 122, "vote: 2 to 2", anchor="middle", faint=True),
    ]  # fmt: skip
    alt = (
        "A policy samples four solutions, which answer 17, 11, 17 and 11. A judge scores them 0.31, 0.92, 0.24, 0.88. "
        "Best-of-N hands in the answer of the highest score, 11. A vote alone would be two against two."
    )
    return _svg(parts, 172, alt)


def _outcome(y: int) -> list[str]:
    every = dict.fromkeys(range(len(_WRONG)), "0")
    return [
        _title("Outcome reward model", "the answer is wrong, so every token has the label 0", y, "ORM"),
        _solution(_WRONG, y + 46, "ORM", labels=every, read=[12]),
        _text(4, y + 106, "score = P(1) at the last token"),
    ]


def _process(y: int) -> list[str]:
    steps = ["◆" if token == "¶" else token for token in _WRONG] + ["◆"]
    return [
        _title("Process reward model", "a step token ◆ ends each step and has the step's label", y, "PRM"),
        _solution(steps, y + 46, "PRM", labels={5: "-", 13: "+"}, read=[5, 13]),
        _text(4, y + 114, "score = the product of P(+) at the step tokens"),
    ]


def _pair(y: int) -> list[str]:
    return [
        _title("Bradley–Terry", "no labels: one solution was preferred to the other", y, "Bradley–Terry"),
        _solution(_RIGHT, y + 32, "Bradley–Terry", labels={12: ""}, read=[12], name="chosen"),
        _solution(_WRONG, y + 90, "Bradley–Terry", labels={12: ""}, read=[12], name="rejected"),
        _text(4, y + 162, "loss = -log σ(score of chosen - score of rejected)"),
    ]


def with_and_without_steps() -> Page:
    """The same question answered at once and after written steps: the first picture of chapter 1."""
    blue = WAYS["vote"].colour
    parts = [
        _text(4, 16, "At once", bold=True), _text(4, 34, "one pass through the model for the whole sum", faint=True),
        _box(4, 46, 92, "9, 3, 5 → ?"), _arrow(98, 59, 246, 59), _box(250, 46, 60, "17 ✗"),
        _text(4, 106, "With steps", blue, bold=True),
        _text(4, 124, "each step is small, and the next one can read it", faint=True),
        _box(4, 136, 92, "9, 3, 5 → ?"), _arrow(98, 149, 118, 149, blue), _box(122, 136, 92, "9 - 3 = 6", "vote"),
        _arrow(216, 149, 236, 149, blue), _box(240, 136, 92, "6 + 5 = 11", "vote"), _arrow(334, 149, 354, 149, blue),
        _box(358, 136, 60, "11 ✓", "vote", bold=True),
    ]  # fmt: skip
    alt = (
        "Tom has 9 pens, 3 more than Mia, who buys 5. Asked at once, the model answers 17, which is wrong. With steps "
        "it writes 9 - 3 = 6, then 6 + 5 = 11, and answers 11, which is right."
    )
    return _svg(parts, 172, alt)


def search_tree() -> Page:
    """Beam search: every step is scored, and only the best beginnings grow on: the first picture of chapter 9."""
    green = WAYS["PRM"].colour
    rows = (14, 60, 106, 152)
    first, second = (0.92, 0.31, 0.88, 0.12), (0.95, 0.40, 0.84, 0.90)
    parts = [_box(4, 84, 70, "question")]
    for y, score in zip(rows, first, strict=True):
        kept = score > 0.5
        parts.append(_arrow(76, 97, 98, y + 13, green if kept else "currentColor"))
        parts.append(_box(100, y, 84, f"step {score:.2f}", "PRM" if kept else "", kept))
    for y, score, start in zip(rows, second, (14, 14, 106, 106), strict=True):
        kept = score > 0.85
        parts.append(_arrow(186, start + 13, 218, y + 13, green))
        parts.append(_box(220, y, 84, f"step {score:.2f}", "PRM" if kept else "", kept))
        parts += [_arrow(306, y + 13, 326, y + 13, green), _text(332, y + 18, "…")] if kept else []
    parts += [_text(356, 92, "hand in", faint=True), _text(356, 110, "the best", faint=True)]
    alt = (
        "A question grows into four first steps, which the PRM scores 0.92, 0.31, 0.88 and 0.12. The two best go on "
        "with two next steps each; of these four the best two go on again. The best-scored end is handed in."
    )
    return _svg(parts, 190, alt)


def training_loop() -> Page:
    """The policy writes, the reward judges, the policy changes, and begins again: the first picture of chapter 10."""
    green = WAYS["PRM"].colour
    rows, rewards, gains = (14, 60, 106), (0.92, 0.31, 0.12), ("more likely", "less likely", "less likely")
    parts = [_box(4, 60, 64, "policy")]
    for y, reward, gain in zip(rows, rewards, gains, strict=True):
        parts += [_arrow(70, 73, 92, y + 13), _box(94, y, 78, "solution"), _arrow(174, y + 13, 196, y + 13, green)]
        parts += [_box(198, y, 104, f"reward {reward:.2f}", "PRM", reward > 0.5)]
        parts += [_arrow(304, y + 13, 326, y + 13, green), _text(332, y + 18, gain)]
    parts += [_text(4, 168, "… and again, with the changed policy", faint=True)]
    alt = (
        "The policy writes three solutions of one question. The rewards are 0.92, 0.31 and 0.12. The first solution "
        "becomes more likely, the other two less likely. Then the changed policy writes again."
    )
    return _svg(parts, 178, alt)


def solution_as_row() -> Page:
    """A solution as a teacher marks it, and as the row that a process reward model learns from."""
    first, second = ["Step: 1:", *_WRONG[:5], "◆"], ["Step: 2:", *_WRONG[6:11], "¶", "# Answer", "17", "◆"]
    bad, good = WAYS["ORM"].colour, WAYS["PRM"].colour
    parts = [
        _text(4, 16, "A solution, as a teacher marks it", bold=True),
        _text(4, 38, "Tom has 9 pens. That is 3 more than Mia has. …", faint=True),
        _text(4, 60, "Step: 1: 9 + 3 = 12"), _text(4, 80, "Step: 2: 12 + 5 = 17"),
        _text(180, 60, "✗", bad, bold=True), _text(198, 60, "the question says 9 - 3"),
        _text(180, 80, "✓", good, bold=True), _text(198, 80, "follows from the 12"),
        _text(4, 100, "# Answer 17"), _arrow(215, 108, 215, 130),
        _text(4, 156, "The row: a token ◆ ends each step and has its label", bold=True),
        _box(4, 168, 254, "question: no label, only context"),
        _solution(first, 222, "PRM", labels={6: "-"}), _solution(second, 286, "PRM", labels={9: "+"}),
        f'<rect x="4" y="337" width="8" height="8" fill="{good}"/>',
        _text(18, 346, "a label; the other tokens have none"),
    ]  # fmt: skip
    alt = (
        "A solution of two steps, as a teacher marks it: 9 + 3 = 12 is wrong, since the question says 9 - 3; 12 + 5 = "
        "17 is good, since it follows from the 12. Below, the same solution as tokens. A step token ends each step; "
        "the first has the label minus, the second plus. The question and all other tokens have no label."
    )
    return _svg(parts, 356, alt)


def joined_or_apart() -> Page:
    """The border between question and solution: tokenised as one text, and tokenised apart and joined."""
    together, apart = ["now", "?", "↵↵", "Step: 1:", "9"], ["now", "?", "↵", "¶", "↵", "Step: 1:", "9"]
    across, between = 2.5 + _width("now", "?") + _width("↵↵") / 2, 8 + _width("now", "?", "↵")
    parts = [
        _text(4, 16, "As one text: a token lies across the border", bold=True),
        _solution(together, 34, "PRM"), _border(across, 28),
        _text(4, 92, "Apart, then joined: the border is exact", bold=True),
        _solution(apart, 110, "PRM"), _border(between, 104),
        _text(between - 6, 160, "question", anchor="end", faint=True), _text(between + 6, 160, "solution", faint=True),
    ]  # fmt: skip
    alt = (
        "The end of a question and the beginning of a solution as tokens, twice. Tokenised as one text, two line "
        "breaks are one token, which lies across the border. Tokenised apart and joined, each side has its own."
    )
    return _svg(parts, 168, alt)


def _svg(parts: list[str], height: int, alt: str) -> Page:
    style = (
        "width:100%;max-width:34em;height:auto;margin:1em 0;font-family:DejaVu Sans,Verdana,sans-serif;color:inherit"
    )
    head = f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {WIDTH} {height}" style="{style}"'
    return Page(f'{head} xmlns="http://www.w3.org/2000/svg" fill="currentColor">{"".join(parts)}</svg>', alt)


def _text(
    x: float, y: float, text: str, colour: str = "currentColor", anchor: str = "start", bold: bool = False,
    faint: bool = False,
) -> str:  # fmt: skip
    weight, opacity = ' font-weight="700"' if bold else "", ' opacity="0.75"' if faint else ""
    where = f'x="{x:g}" y="{y:g}" font-size="{_SIZE}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {where}{weight}{opacity}>{escape(text)}</text>"


def _title(name: str, what: str, y: int, way: str) -> str:
    first = _text(4, y, name, WAYS[way].colour, bold=True)
    return first + _text(4, y + 18, what, faint=True)


def _box(x: float, y: float, width: float, text: str, way: str = "", bold: bool = False) -> str:
    """A frame with a text in its middle."""
    colour = WAYS[way].colour if way else "currentColor"
    stroke = f'stroke="{colour}" stroke-width="{2 if bold else 1}"' + ("" if way else ' stroke-opacity="0.45"')
    frame = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{_HIGH}" rx="4" fill="none" {stroke}/>'
    return frame + _text(x + width / 2, y + 18, text, anchor="middle", bold=bold)


def _solution(
    tokens: list[str], y: int, way: str, labels: dict[int, str] | None = None, read: list[int] | None = None,
    name: str = "",
) -> str:  # fmt: skip
    """Tokens in a row: labels above them, a square below where the loss looks, a triangle where the score is read."""
    colour, labels, read = WAYS[way].colour, labels or {}, read or []
    left, parts = 70.0 if name else 4.0, [_text(4, y + 18, name, faint=True)] if name else []
    for at, token in enumerate(tokens):
        width = _width(token) - 3
        centre = left + width / 2
        if token != "¶":
            parts.append(_box(left, y, width, token, way if token == "◆" else ""))
        if at in labels:
            parts += [_text(centre, y - 5, labels[at], colour, anchor="middle", bold=True)] if labels[at] else []
            parts.append(f'<rect x="{centre - 4:g}" y="{y + 30}" width="8" height="8" fill="{colour}"/>')
        if at in read:
            top = y + (40 if at in labels else 30)
            parts.append(f'<path d="M{centre:g} {top} l7 11 h-14 z" fill="{colour}"/>')
        left += width + 3
    return "".join(parts)


def _width(*tokens: str) -> float:
    """What tokens in a row take up, the gaps behind them included."""
    return sum(11.0 if token == "¶" else 12 + 8.2 * len(token) for token in tokens)


def _border(x: float, y: float) -> str:
    return f'<path d="M{x:g} {y} v38" stroke="{WAYS["ORM"].colour}" stroke-width="2.5" stroke-dasharray="5 3"/>'


def _arrow(x: float, y: float, to_x: float, to_y: float, colour: str = "currentColor") -> str:
    line = f'<path d="M{x:g} {y:g} L{to_x:g} {to_y:g}" stroke="{colour}" stroke-width="1.3" stroke-opacity="0.8"/>'
    return line + f'<circle cx="{to_x:g}" cy="{to_y:g}" r="2.6" fill="{colour}"/>'


def _legend(y: int) -> str:
    square = f'<rect x="4" y="{y - 9}" width="8" height="8" fill="currentColor"/>'
    triangle = f'<path d="M202 {y - 10} l7 11 h-14 z" fill="currentColor"/>'
    return square + _text(18, y, "the loss looks here") + triangle + _text(214, y, "the score is read here")
