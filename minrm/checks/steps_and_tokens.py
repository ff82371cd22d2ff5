"""The checks of chapter 3 (pairs that differ in one step, a safe tag) and of the page on labels (a threshold)."""

import operator
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from minrm.checks.attempt import Mistake, WrongAnswer, attempt, close, compare, exercise, must_be_function, short
from minrm.world import shipped

Soft = Sequence[Sequence[float]]
Exact = Sequence[Sequence[int]]


@exercise
def check_agreement(agreement: Callable[[Soft, Exact, float], float]) -> None:
    """Try `agreement(soft, exact, share)`: how often soft labels, cut at `share`, say what the exact ones say.

    soft, exact: for each solution its steps' labels. A step is good from `share` on; all steps up to and including the
    first exact error are compared.
    """
    rng = random.Random(0)
    cases: list[tuple[Any, ...]] = [
        ([[1.0, 0.25], [0.75, 0.0, 0.5]], [[1, 1], [1, 0, 1]], 0.5), ([[1.0, 0.5, 0.25]], [[1, 1, 0]], 0.5),
    ]  # fmt: skip
    for share in (0.125, 0.5, 0.5, 0.875):
        exact = [[int(rng.random() < 0.7) for _ in range(rng.choice((2, 3, 4)))] for _ in range(6)]
        soft = [[rng.choice((0.0, 0.125, 0.5, 0.875, 1.0)) for _ in labels] for labels in exact]
        cases.append((soft, exact, share))
    otherwise = "go through this input step by step: which steps count, and which of them agree?"
    compare("agreement", agreement, cases, _agreement, _AGREEMENT, otherwise, same=close)
    print("✓ agreement compares each step up to the first error once, and calls a step good from the share on.")


@exercise
def check_step_pairs(step_pairs: Callable[[list[dict[str, Any]]], list[dict[str, str]]]) -> None:
    """Try `step_pairs(rows)`: pairs of the same prompt and first steps, with a good next step and a bad one.

    rows: with `question`, `solution` and `labels`, as in `training.parquet`; a step without a label (None) is neither.
    Returns a dictionary for each place that has both: `prompt` (the question, then the steps so far, as `join_steps`
    writes them, a newline between), `chosen` and `rejected` (the next step with its header).
    """
    pairs = attempt("step_pairs", step_pairs, _ROWS)
    if hint := _hint(pairs):
        raise WrongAnswer(f"step_pairs(rows), for {len(_ROWS)} made rows, gave {short(repr(pairs))}: {hint}")
    print("✓ step_pairs finds each place with a good and a bad next step, and makes one pair of it.")


@exercise
def check_safe_tag(safe_tag: Callable[[Any, str, Sequence[str]], bool]) -> None:
    """Try `safe_tag(tokenizer, tag, texts)`: whether `tag` can end the steps of `texts` and be found again.

    True if the tag is one id, no text holds this id, and set at the end of each text it stays that id.
    """
    from transformers import PreTrainedTokenizerFast  # takes seconds, and only this check needs it

    must_be_function("safe_tag", safe_tag)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(shipped("policy"))
    sums = ["Step: 1: 6 + 5 = 11", "Step: 2: 11 - 9 = 2"]
    cases: list[tuple[Any, ...]] = [
        ("%", sums), ("<|prm_label|>", sums), ("-", ["Mia has 3 fewer: 9 - 3 = 6", "is-ought"]),
        ("?", ["How many pens?", *sums]), ("+", sums), ("0", ["6 - 5 = 1"]), ("0", ["6 - 5 = 1", "6 + 3 = 9"]),
    ]  # fmt: skip
    mistakes = [(partial(mistake, tokenizer), hint) for mistake, hint in _SAFE_TAG]
    otherwise = "print the ids of the tag, of each text, and of each text with the tag after it"
    compare("safe_tag", partial(safe_tag, tokenizer), cases, partial(_safe, tokenizer), mistakes, otherwise)
    print("✓ safe_tag refuses a tag that splits, one that occurs in a text, and one that merges at its end.")


def _agreed(
    soft: Soft, exact: Exact, share: float, good: Callable = operator.ge, until: int = 1, by_soft: bool = False
) -> list[list[bool]]:
    """For each solution, whether the labels agree, on `until` steps of those from the first error on."""
    cut = [[value >= share for value in own] for own in soft] if by_soft else exact
    ends = [list(labels).index(0) + until if 0 in labels else len(labels) for labels in cut]
    rows = zip(soft, exact, ends, strict=True)
    return [[good(s, share) == e for s, e in zip(own[:end], labels[:end], strict=True)] for own, labels, end in rows]


def _flat(count: Callable = np.mean, **how: Any) -> Callable[[Soft, Exact, float], float]:
    return lambda *args: float(count([step for own in _agreed(*args, **how) for step in own]))


_agreement = _flat()
_AGREEMENT: list[Mistake] = [
    (_flat(until=99), "the steps after the first error are compared too; there the two definitions differ by design"),
    (_flat(until=0), "the first error itself is left out; it is the step that matters most"),
    (_flat(good=operator.gt), "a label equal to the share counts as good: `>=`, not `>`"),
    (lambda *args: float(np.mean([np.mean(own) for own in _agreed(*args)])),
        "that is the mean of the solutions' means; let each step count once"),
    (_flat(by_soft=True), "cut at the first error that the exact labels name, not at the first low soft label"),
    (_flat(good=lambda label, share: label),
        "the soft labels are compared as they are; first make each good or bad by the share"),
    (lambda *args: 1 - _agreement(*args), "that is how often they differ"),
    (_flat(count=sum), "that is a number of steps; divide it by how many were compared"),
    (lambda *args: 100 * _agreement(*args), "these are per cent; return a share of 1"),
    (lambda soft, exact, share: _agreement(soft, exact, 0.5), "the threshold is fixed at one half; use `share`"),
]  # fmt: skip

_START, _OTHER = "Mia has 9 pens. Mia buys 5 pens.", "Tom has 8 books. Tom loses 2 books. Tom buys 3 books."
_ROWS: list[dict[str, Any]] = [
    {"question": _START, "solution": "Step: 1: 9 + 5 = 14\n\n# Answer\n\n14", "labels": [1]},
    {"question": _START, "solution": "Step: 1: 9 + 5 = 13\n\n# Answer\n\n13", "labels": [0]},
    {"question": _START, "solution": "Step: 1: 9 + 5 = 12\n\n# Answer\n\n12", "labels": [0]},
    {"question": _OTHER, "solution": "Step: 1: 8 - 2 = 6\nStep: 2: 6 + 3 = 9\n\n# Answer\n\n9", "labels": [1, 1]},
    {"question": _OTHER, "solution": "Step: 1: 8 - 2 = 6\nStep: 2: 6 + 3 = 8\n\n# Answer\n\n8", "labels": [1, 0]},
    {"question": _OTHER, "solution": "Step: 1: 8 - 2 = 5\nStep: 2: 5 + 3 = 8\n\n# Answer\n\n8", "labels": [0, 1]},
    {"question": _OTHER, "solution": "Step: 1: 8 - 2 = 5\nStep: 2: 5 + 3 = 7\n\n# Answer\n\n7", "labels": [0, None]},
]


def _next_steps(rows: list[dict[str, Any]]) -> dict[str, dict[Any, set[str]]]:
    """The next steps of the rows, by the text before them and by label."""
    places: dict[str, dict[Any, set[str]]] = {}
    for row in rows:
        prompt = row["question"]
        for step, label in zip(re.split(r"\n(?=Step: )", row["solution"]), row["labels"], strict=True):
            places.setdefault(prompt, {1: set(), 0: set(), None: set()})[label].add(step)
            prompt += f"\n{step}"
    return places


_NEXT = _next_steps(_ROWS)
_QUESTIONS = {_START, _OTHER}


def _hint(pairs: Any) -> str | None:
    """What is wrong with the learner's pairs, None if nothing is: any good and any bad step of a place will do."""
    keys = {"prompt", "chosen", "rejected"}
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) and keys <= pair.keys() for pair in pairs):
        return "expected a list of dictionaries with `prompt`, `chosen` and `rejected`; is a `return` missing?"
    for pair in pairs:
        if hint := _prompt_hint(str(pair["prompt"])) or _steps_hint(**pair):
            return f"{hint}. This happens at the prompt {pair['prompt']!r}"
    prompts = [pair["prompt"] for pair in pairs]
    if twice := [prompt for prompt in prompts if prompts.count(prompt) > 1]:
        return f"{prompts.count(twice[0])} pairs at the prompt {twice[0]!r}; return one for each place"
    missed = [prompt for prompt, steps in _NEXT.items() if steps[1] and steps[0] and prompt not in prompts]
    return f"no pair for the prompt {missed[0]!r}, which has a good and a bad next step" if missed else None


def _prompt_hint(prompt: str) -> str | None:
    if prompt in _NEXT:
        return None
    if prompt.strip() in _NEXT:
        return "the prompt begins or ends in a line break or space; the package adds the newline after it itself"
    if not prompt.startswith(tuple(_QUESTIONS)):
        return "the question is missing: a prompt begins with it, else steps of other problems are mixed in"
    return "the prompt is no beginning of a solution: question, newline, and the steps as `join_steps` writes them"


def _steps_hint(prompt: str, chosen: str, rejected: str, **_: Any) -> str | None:
    steps = _NEXT[prompt]
    known = set().union(*steps.values())
    bare = {step.split(": ", 2)[2] for step in known}
    for response in [response for response in (chosen, rejected) if response not in known]:
        if str(response).split(": ", 2)[-1] in bare:
            return (
                f"the response {response!r} has no header `Step: k: ` or a wrong number in it; write it as the rows do"
            )
        if response in {row["solution"] for row in _ROWS}:
            return f"the response {response!r} goes on to the end; return only the next step"
        return f"the response {response!r} never follows this prompt in the rows"
    if chosen in steps[0] and rejected in steps[1]:
        return "chosen and rejected are the wrong way round"
    if chosen in steps[None] or rejected in steps[None]:
        return "a step without a label (None) is neither good nor bad; leave it out"
    return None if chosen in steps[1] and rejected in steps[0] else "both steps have the same label"


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _one(tokenizer: Any, tag: str, texts: Sequence[str]) -> bool:
    return len(_ids(tokenizer, tag)) == 1


def _absent(tokenizer: Any, tag: str, texts: Sequence[str]) -> bool:
    return all(_ids(tokenizer, tag)[0] not in _ids(tokenizer, text) for text in texts)


def _stays(tokenizer: Any, tag: str, texts: Sequence[str]) -> bool:
    return all(_ids(tokenizer, text + tag)[-1:] == _ids(tokenizer, tag) for text in texts)


def _unread(tokenizer: Any, tag: str, texts: Sequence[str]) -> bool:
    """Looking for the tag's letters instead of its id."""
    return not any(tag in text for text in texts)


def _all(*conditions: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *args: all(condition(*args) for condition in conditions)


_safe = _all(_one, _absent, _stays)
_LETTERS = "look for the tag's id, not for its letters: the same sign inside another token does no harm"
_SAFE_TAG: list[Mistake] = [
    (_all(_one, _absent), "here the tag merges with what stands before it: look at the ids of text + tag"),
    (_all(_one, _stays), "here the tag's id occurs in a text already, where no step ends"),
    (_all(_absent, _stays), "the tag is several ids, so there is no single place to read from"),
    (_one, "one id is not enough: it may occur in the texts, and it may merge with what stands before it"),
    (_all(_one, _unread), _LETTERS),
    (_all(_one, _unread, _stays), _LETTERS),
    (lambda tokenizer, tag, texts: _safe(tokenizer, tag, texts[:1]), "only the first text is looked at"),
    (lambda tokenizer, tag, texts: any(_safe(tokenizer, tag, [text]) for text in texts),
        "one text in which it works is not enough: `all`, not `any`"),
    (lambda *args: not _safe(*args), "True is for a tag that is safe"),
    (lambda *args: True, "every tag passes; some of these split, occur or merge"),
    (lambda *args: False, "no tag passes; some of these are safe"),
]  # fmt: skip
