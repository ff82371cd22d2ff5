"""How a solution is written: steps, the answer block, the step token; and how its final answer is found.

The format is the article's: `Step: {n}: {text}` a line, and a block `# Answer` inside the last step. A process reward
model reads the probability of "correct" at a special token that ends each step. Final answers decide the outcome
labels (Cobbe et al. 2021) and the votes (Wang et al. 2022); the functions of `minrm.answers`, which compare them, are
offered here too.
"""

import re
from collections.abc import Callable, Sequence

from minrm.answers import answer_key, same_answer
from minrm.answers.marks import TITLE, answers_from_last
from minrm.errors import InputError

__all__ = [
    "CORRECT", "INCORRECT", "STEP_TOKEN", "answer_key", "beginnings", "check_text", "cut_steps", "final_answer",
    "join_steps", "labels_until_first_error", "same_answer", "split_steps", "with_step_tokens",
]  # fmt: skip

STEP_TOKEN = "<|prm_label|>"
INCORRECT, CORRECT = 0, 1  # the class order of every two-class logit; for process reward models these are "-" and "+"

_HEADER = re.compile(r"^Step: ?[0-9]+: ?", re.MULTILINE)
_HEADERS = re.compile(rf"^(?:{_HEADER.pattern[1:]})+", re.MULTILINE)
# not cut inside: displayed formulas and code (of bounded length, for speed), numbers of a list, abbreviations
_WHOLE = (
    r"\\\[.{,2000}?\\\]|\$\$.{,2000}?\$\$|```.{,9000}?```|^[ \t]*\d+[.)]\s|"
    r"(?<![\w&])(?:Mrs?|Ms|Dr|St|vs|approx|e\.g|i\.e)\.[ \t]"
)
_CUTS = {  # where free text is cut; after a mark that ends a sentence, a small letter goes on with it
    at: re.compile(f"(?P<cut>{cut})|{_WHOLE}", re.MULTILINE | re.DOTALL)
    for at, cut in {
        "headers": r"^[ \t#*]*(?i:Step):?[ \t]*\d+(?:[.:)][ \t*]*|[ \t*]*$)|^\d+[.)][ \t]+",
        "lines": r"\n",
        "paragraphs": r"\n\s*\n",
        "sentences": r"\n|(?:(?<=[.!?])|(?<=[.!?][\"')\]*])|(?<=[.!?]\*\*))\s+(?![a-z])|(?<=[。！？])",
    }.items()
}
_ANSWER_AT_END = re.compile(rf"{TITLE}|^[ \t]*(?:####|A:)(?=[^\n]*\s*\Z)", re.MULTILINE | re.IGNORECASE)


def join_steps(steps: Sequence[str]) -> str:
    """The steps as one solution in the article's format: `Step: 1: …`, a newline, `Step: 2: …`.

    The last step already holds its answer block. `split_steps` gives the same steps back, unless a step holds a
    second line that itself looks like a header.
    """
    return "\n".join(f"Step: {number}: {step}" for number, step in enumerate(steps, start=1))


def with_step_tokens(steps: Sequence[str]) -> str:
    """The steps as one solution with the step token after each: the text that a process reward model reads."""
    return join_steps([step + STEP_TOKEN for step in steps])


def split_steps(solution: str) -> list[str]:
    """The steps of a solution without their headers, the inverse of `join_steps`; the answer block stays in the last.

    A solution without any header is read line by line (GSM8K's way): each line that is not empty is a step, and an
    answer line or block at the end (`# Answer`, `#### 18`, `A: 18`) belongs to the step before it. Text before the
    first header is a step of its own. An empty solution has no steps.
    """
    headers = list(_HEADER.finditer(solution))
    if not headers:
        return _split(solution, str.splitlines)
    ends = [header.start() - 1 for header in headers[1:]] + [len(solution)]  # -1: the newline before the next header
    steps = [solution[header.end() : max(header.end(), end)] for header, end in zip(headers, ends, strict=True)]
    before = solution[: headers[0].start()].strip()
    return [before, *steps] if before else steps


def beginnings(solution: str) -> list[str]:
    """The solution up to the end of each of its steps, as `join_steps` writes it; the last is the whole solution."""
    steps = split_steps(solution)
    return [join_steps(steps[:count]) for count in range(1, len(steps) + 1)]


def cut_steps(text: str, at: str = "paragraphs") -> list[str]:
    """The steps of free text, as models write it: cut at "headers", "lines", "paragraphs" or "sentences".

    Headers are `Step 1:`, with or without Markdown marks, and `1.` at the start of a line; they are removed, and text
    before the first one is a step. A line break ends a sentence too. Displayed formulas and code stay whole; an answer
    line or block at the end stays in the last step. `join_steps` makes one solution of the steps, to be scored. Choose
    the cut of the training rows: a process reward model knows no other steps. Raises InputError for another `at`.
    """
    if at not in _CUTS:
        raise InputError(f"at is {at!r}; free text is cut at {', '.join(_CUTS)}")

    def pieces(body: str) -> list[str]:
        cuts = [match.span() for match in _CUTS[at].finditer(body) if match["cut"] is not None]
        starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(body)]
        return [_HEADERS.sub("", body[start:end].strip()) for start, end in zip(starts, ends, strict=True)]

    return _split(text, pieces)


def _split(solution: str, pieces: Callable[[str], list[str]]) -> list[str]:
    marks = list(_ANSWER_AT_END.finditer(solution))
    start = marks[-1].start() if marks else len(solution)
    body, block = solution[:start].rstrip(), solution[start:].strip()
    steps = [piece.strip() for piece in pieces(body) if piece.strip()]
    if not block or not steps:
        return steps or ([block] if block else [])
    gap = solution[len(body) : start].strip(" \t")  # the line breaks before the answer stay as they were written
    return [*steps[:-1], steps[-1] + gap + block]


def final_answer(solution: str) -> str | None:
    """The final answer as the solution wrote it, or None where it gives none (or was cut off inside it).

    Known forms: the block `# Answer`, `Answer: 18`, `#### 18`, `A: 18`, `\\boxed{18}`, `<answer>18</answer>` and "The
    answer is 18."; the last in the text that holds an answer wins, and boxes side by side are one list. Spaces, bold
    marks, delimiters and what follows in the sentence are taken off; the rest is left to `same_answer`.
    """
    return next(answers_from_last(solution.replace(STEP_TOKEN, "")), None)


def labels_until_first_error(labels: Sequence[float | None]) -> list[float | None]:
    """Step labels as PRM800K has them: everything after the first bad step carries no label (None).

    A step is bad if its label is 0, or a soft label below one half. A step without a label is neither good nor bad.
    """
    for position, label in enumerate(labels):
        if label is not None and label < 0.5:
            return [*labels[: position + 1], *[None] * (len(labels) - position - 1)]
    return list(labels)


def check_text(text: str, where: str, what: str = "solution") -> None:
    """Refuse an empty text, and one that holds the step token. where, what: its place and name. Raises InputError."""
    if not text.strip():
        raise InputError(f"{where}: the {what} is empty; give its text, or leave the row out")
    if STEP_TOKEN in text:
        token = f"{STEP_TOKEN} at character {text.index(STEP_TOKEN) + 1}"
        raise InputError(f"{where}: the {what} holds the step token {token}; we set it ourselves, so take it out")
