"""How a solution is written: steps, the answer block, the step token; and how its final answer is found.

The format is the article's: `Step: {n}: {text}` a line, and a block `# Answer` inside the last step. A process reward
model reads the probability of "correct" at a special token that ends each step. Final answers decide the outcome
labels (Cobbe et al. 2021) and the votes (Wang et al. 2022); the functions of `minrm.answers`, which compare them, are
offered here too.
"""

import re
from collections.abc import Sequence

from minrm.answers import answer_key, same_answer
from minrm.errors import InputError

__all__ = [
    "CORRECT", "INCORRECT", "STEP_TOKEN", "answer_key", "beginnings", "check_text", "final_answer", "join_steps",
    "labels_until_first_error", "same_answer", "split_steps", "with_step_tokens",
]  # fmt: skip

STEP_TOKEN = "<|prm_label|>"
INCORRECT, CORRECT = 0, 1  # the class order of every two-class logit; for process reward models these are "-" and "+"

_HEADER = re.compile(r"^Step: ?[0-9]+: ?", re.MULTILINE)
_START = r"^(?:Step: ?[0-9]+:)?[ \t]*"  # PRM800K has steps that are nothing but an answer block
_ANSWER_TITLE = rf"{_START}#{{1,6}}[ \t]*(?:final[ \t]+)?answer\b[ \t]*:?"
_ANSWER_AT_END = re.compile(rf"{_ANSWER_TITLE}|^[ \t]*(?:####|A:)(?=[^\n]*\s*\Z)", re.MULTILINE | re.IGNORECASE)
_SAID = r"\bthe (?:final )?answer is\b"
_SAME_SENTENCES = rf"(?:(?!{_SAID})[^\n])*"  # the rest of the line, or up to the next answer in it
_ANSWER_MARK = re.compile(
    rf"(?P<block>{_ANSWER_TITLE})"  # the article's and PRM800K's: "# Answer", the answer in the lines below
    r"|\#{4}[ \t]*(?P<gsm8k>\S.*)"  # GSM8K's worked answers: "#### 18"
    rf"|{_START}A:[ \t]*(?P<a>\S.*)"  # GSM8K's model solutions: "A: 18"
    r"|(?P<boxed>\\(?:boxed|fbox)\b)"  # MATH's: "\boxed{18}"
    # Wei et al.'s prompts: "The answer is 18."
    rf"|{_SAID}:?[ \t]*(?P<said>{_SAME_SENTENCES}[0-9\\]{_SAME_SENTENCES})",
    re.MULTILINE | re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(r"\.\s")


def join_steps(steps: Sequence[str]) -> str:
    """Write steps as one solution in the article's format: `Step: 1: …`, a newline, `Step: 2: …`.

    The last step already holds its answer block. `split_steps` gives the same steps back, unless a step holds a
    second line that itself looks like a header.
    """
    return "\n".join(f"Step: {number}: {step}" for number, step in enumerate(steps, start=1))


def with_step_tokens(steps: Sequence[str]) -> str:
    """The same, with the step token at the end of each step: the text that a process reward model reads."""
    return join_steps([step + STEP_TOKEN for step in steps])


def split_steps(solution: str) -> list[str]:
    """The steps of a solution without their headers, the inverse of `join_steps`; the answer block stays in the last.

    A solution without any header is read line by line (GSM8K's way): each line that is not empty is a step, and an
    answer line or block at the end (`# Answer`, `#### 18`, `A: 18`) belongs to the step before it. Text before the
    first header is a step of its own. An empty solution has no steps.
    """
    headers = list(_HEADER.finditer(solution))
    if not headers:
        return _split_lines(solution)
    ends = [header.start() - 1 for header in headers[1:]] + [len(solution)]  # -1: the newline before the next header
    steps = [solution[header.end() : max(header.end(), end)] for header, end in zip(headers, ends, strict=True)]
    before = solution[: headers[0].start()].strip()
    return [before, *steps] if before else steps


def beginnings(solution: str) -> list[str]:
    """The solution up to the end of each of its steps, as `join_steps` writes it; the last is all of it."""
    steps = split_steps(solution)
    return [join_steps(steps[:count]) for count in range(1, len(steps) + 1)]


def _split_lines(solution: str) -> list[str]:
    marks = list(_ANSWER_AT_END.finditer(solution))
    start = marks[-1].start() if marks else len(solution)
    body, block = solution[:start].rstrip(), solution[start:].strip()
    steps = [line.strip() for line in body.splitlines() if line.strip()]
    if not block or not steps:
        return steps or ([block] if block else [])
    gap = solution[len(body) : start].strip(" \t")  # the line breaks before the answer stay as they were written
    return [*steps[:-1], steps[-1] + gap + block]


def final_answer(solution: str) -> str | None:
    """The final answer as the solution wrote it, or None where it gives none (or was cut off inside it).

    Known forms: the block `# Answer`, `#### 18`, `A: 18`, `\\boxed{18}` and "The answer is 18."; the last in the text
    wins. Spaces, bold marks and a full stop around the answer are taken off; the rest is left to `same_answer`.
    """
    marks = list(_ANSWER_MARK.finditer(solution.replace(STEP_TOKEN, "")))
    if not marks:
        return None
    mark = marks[-1]
    if mark["block"] is not None:
        answer = _first_paragraph(mark.string[mark.end() :])
    elif mark["boxed"] is not None:
        answer = _boxed(mark.string[mark.start() :])
    else:
        answer = mark["gsm8k"] or mark["a"] or _NEXT_SENTENCE.split(mark["said"], maxsplit=1)[0]
    if "\\boxed" in answer:
        answer = _boxed(answer[answer.rindex("\\boxed") :])
    return answer.strip().lstrip("*").rstrip("*. \n").strip() or None


def _first_paragraph(text: str) -> str:
    """The first line that is not empty, and the lines after it while a LaTeX environment is open."""
    lines = text.strip().split("\n")
    taken = "" if _HEADER.match(lines[0]) else lines[0]
    for line in lines[1:]:
        if taken.count(r"\begin{") <= taken.count(r"\end{"):
            break
        taken += "\n" + line
    return taken


def _boxed(text: str) -> str:
    """What the braces after `\\boxed` hold, inner braces balanced; "" where they never close."""
    opening = text.find("{")
    if opening < 0 or text[:opening].strip() not in ("\\boxed", "\\fbox"):
        word = re.match(r"\\(?:boxed|fbox)\s+(\S+)", text)  # TeX lets a single token stand without braces
        return word[1].rstrip("$.,") if word else ""
    depth = 0
    for position in range(opening, len(text)):
        if text[position] in "{}" and text[position - 1] != "\\":
            depth += 1 if text[position] == "{" else -1
        if depth == 0:
            return text[opening + 1 : position]
    return ""


def labels_until_first_error(labels: Sequence[float | None]) -> list[float | None]:
    """Step labels as PRM800K has them: everything after the first bad step carries no label (None).

    Bad is 0, or, of soft labels, less than one half. A step without a label is neither good nor bad.
    """
    for position, label in enumerate(labels):
        if label is not None and label < 0.5:
            return [*labels[: position + 1], *[None] * (len(labels) - position - 1)]
    return list(labels)


def check_text(text: str, where: str, what: str = "solution") -> None:
    """Refuse an empty text, and one that holds the step token; what: the name of the text. Raises InputError."""
    if not text.strip():
        raise InputError(f"{where}: the {what} is empty; give its text, or leave the row out")
    if STEP_TOKEN in text:
        token = f"{STEP_TOKEN} at character {text.index(STEP_TOKEN) + 1}"
        raise InputError(f"{where}: the {what} holds the step token {token}; we set it ourselves, so take it out")
