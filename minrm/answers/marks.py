"""The answers that a solution marks as final, in the forms that people and models use; `minrm.text` takes the last.

What follows a mark belongs to it up to the next mark; tails such as "which is even" and the tokens that end a chat turn
are left out. The answer stays as it was written: `minrm.answers.keys` compares.
"""

import re
from collections.abc import Iterator

from minrm.answers.numbers_and_units import tidy

START = r"^(?:Step: ?[0-9]+:)?[ \t]*"  # PRM800K has steps that are nothing but an answer block
TITLE = rf"{START}#{{1,6}}[ \t]*(?:final[ \t]+)?answer\b[ \t]*:?"
_ADJECTIVES = r"(?:(?:final|correct|right|exact|required|numerical) )*"
_BOLD = r"(?:\*\*|__)"
_MARK = re.compile(
    rf"(?P<block>{TITLE}"  # the article's and PRM800K's: "# Answer", the answer in the lines below
    rf"|(?:{START}(?:[-*>] )?|(?<=[.!?] )){_BOLD}?(?:the )?{_ADJECTIVES}answer"  # "**Answer:** 18", "**Answer**"
    rf"(?:{_BOLD}? ?[:=]|{_BOLD}$)|\bfinal answer{_BOLD}? ?[:=])"
    r"|(?P<gsm8k>^[ \t]*\#{4}(?!\#))"  # GSM8K's worked answers: "#### 18"
    rf"|(?P<line>{START}A:(?=[ \t]*\S))"  # GSM8K's model solutions: "A: 18"
    r"|(?P<boxed>\\(?:boxed|fbox)(?![a-z]))"  # MATH's: "\boxed{18}"
    r"|(?P<tag><answer>)"
    # Wei et al.'s prompts: "The answer is 18."
    rf"|(?P<said>(?:\b(?:the|my|our) |^[ \t]*){_ADJECTIVES}answers?(?: to [^.\n]{{1,80}}?)? ?"
    r"(?:\b(?:is|are|equals|would be|must be|should be|will be)\b|:|=)(?! ?not\b))",
    re.MULTILINE | re.IGNORECASE,
)
_HEADER = re.compile(r"Step: ?[0-9]+:")
_TURN_END = re.compile(r"(?<=\S)\s*(?:</s>|<eos>|<end_of_turn>|<[|｜](?:im_end|e[om]t_id|end[^|｜>]*|return)[|｜]>)")
_TAIL = re.compile(  # what follows an answer in its sentence, or after it
    r"\.(?=\**\s)|</?(?:answer|think|br|p|s)\b|<[|｜]|,? (?:which|because|since|but)\b|,? as (?=[a-z]{2})"
    r"|[,;] (?:so|thus|not)\b|,? i\.e\.| \((?=[a-z]{2,} )|[,;]? and (?=(?:we|it|he|she|they|this|that|the|you|I|is)\b)"
)
_HEADING = re.compile(r"(?![A-Za-z ]+=)[^\d\\∞π√A-Za-z]*(?:[A-Za-z]+ )*[A-Za-z]{3}|[0-9]+[.):]\s+[A-Za-z].*\n\s*\S")
_CHOICE = re.compile(r"\W*(?:(?:option|choice) )?\W*(?:[A-Z]|(?<=\()[a-z]|(?i:yes|no|true|false))\W*")
_REMARK = re.compile(r"(?:found|given|derived|obtained|shown|correct|right|wrong|clear|based|consistent|in|on|from)\b")
_VALUE = re.compile(r"[0-9\\∞π√½]")
_DISPLAY = re.compile(r"\s*(?:\$\$(.+?)\$\$|\\\[(.+?)\\\])", re.DOTALL)
_AROUND = re.compile(r"\*\*([^*]*)\*\*|\$\$([^$]*)\$\$|\$([^$]*)\$|\\\((.*)\\\)|\\\[(.*)\\\]", re.DOTALL)
_BOX = re.compile(
    r"(?P<name>\b[A-Za-z]\w* *= *)?\$?(?P<box>\\(?:boxed|fbox)(?:\s*(?P<brace>\{)|\s+(?P<token>[^\s{]+)))"
)
_BESIDE = re.compile(  # between two boxes of one list
    r"(?:[ \t,;&$]|\\[,;:! ]|\\q?quad|\\(?:text|mathrm) ?\{ *(?:and|or) *\}|\b(?:and|or)\b)*"
)


def answers_from_last(solution: str) -> Iterator[str]:
    """The answers that a solution marks as final, the last first; marks without an answer are skipped."""
    end = _TURN_END.search(solution)
    text = solution[: end.start()] if end else solution
    boxes = _boxes(text) if "\\" in text else {}
    following = len(text)
    for mark in reversed(list(_MARK.finditer(text))):
        answer = _bare(boxes.get(mark.start(), "")) if mark["boxed"] else _after(mark, text[mark.end() : following])
        following = mark.start()
        if answer.isalnum() or re.search(r"[^\W_]|[∞∅]", tidy(answer[:500])):  # "?" and "___" are none
            yield answer


def _after(mark: re.Match[str], text: str) -> str:
    """The answer in the text between a mark and the next."""
    if mark["tag"]:
        return _bare(text.partition("</answer>")[0]) if "</answer>" in text else ""
    if mark["said"] and re.match(r"[ *_]*\n", text) and not _DISPLAY.match(text):
        return ""
    first = text.split("\n")[0] if mark["gsm8k"] or mark["line"] else _first_paragraph(text)
    answer = _bare(_TAIL.split(first, maxsplit=1)[0])
    if mark["gsm8k"] and _HEADING.match(text.lstrip()) and not _CHOICE.fullmatch(answer):
        return ""  # "#### Check", "#### 2. Check" with its text below
    if mark["said"]:
        answer = re.sub(r"^(?:(?:equal to|simply|just|therefore|thus|then|indeed|option|choice)\b ?)+", "", answer)
        stated = (_VALUE.search(answer) or _CHOICE.fullmatch(answer)) and not _REMARK.match(answer)
        return answer if stated else ""
    return answer


def _first_paragraph(text: str) -> str:
    """The first line that is not empty, or a display, and the lines after it while a LaTeX environment is open."""
    display = _DISPLAY.match(text.lstrip(" *_:\n"))
    if display:
        return display[1] or display[2]
    lines = text.lstrip(" \t*_:\n").split("\n")
    taken = "" if _HEADER.match(lines[0]) else lines[0]
    for line in lines[1:]:
        if taken.count(r"\begin{") <= taken.count(r"\end{"):
            break
        taken += "\n" + line
    return taken


def _bare(answer: str) -> str:
    """The answer without what surrounds it: spaces, a full stop, bold marks, math delimiters."""
    answer = answer.strip(" \t\n:").rstrip(".").strip()
    if answer.count("**") % 2:
        answer = answer.strip("* ")
    around = _AROUND.fullmatch(answer)
    return _bare("".join(filter(None, around.groups()))) if around else answer


def _boxes(text: str) -> dict[int, str]:
    """Where each box starts → what it holds, and what the boxes before it in the same list hold."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for token in re.finditer(r"\\.|[{}]", text, re.DOTALL):  # \{ is no bracket, but the brace of \\{ is one
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            closing[opened.pop()] = token.start()
    boxes: dict[int, str] = {}
    group: list[str] = []
    end = 0
    for match in _BOX.finditer(text):
        brace = match.start("brace")
        if brace in closing or brace < 0:
            inside = text[brace + 1 : closing[brace]] if brace >= 0 else match["token"].rstrip("$.,")
            beside = group and end <= match.start("box") and _BESIDE.fullmatch(text, end, match.start())
            group = [*(group if beside else []), (match["name"] or "") + inside]
            boxes[match.start("box")] = ", ".join(group) if beside else inside
            end = closing.get(brace, match.end()) + 1
    return boxes
