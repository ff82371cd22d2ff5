"""Where solutions part: the places at which a good and a bad next step follow the same beginning.

`check_step_pairs` asks here what is wrong with a learner's pairs. Any good and any bad step of a place will do, so the
pairs are not compared with one right list; each is held against the rows.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from minrm.text import join_steps, split_steps

KEYS = {"prompt", "chosen", "rejected"}


class Places:
    """The next steps of some rows, by the text before them and by label."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.next: dict[str, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.questions = {row["question"] for row in rows}
        self.whole = {row["solution"] for row in rows}
        for row in rows:
            steps = split_steps(row["solution"])
            for k, (step, label) in enumerate(zip(steps, row["labels"], strict=True)):
                before = [row["question"], join_steps(steps[:k])] if k else [row["question"]]
                self.next["\n".join(before)][label].add(f"Step: {k + 1}: {step}")
        self.both = [prompt for prompt, steps in self.next.items() if steps[1] and steps[0]]

    def hint(self, pairs: Any) -> str | None:
        """What is wrong with the learner's pairs, None if nothing is."""
        complete = isinstance(pairs, list) and all(isinstance(pair, dict) and KEYS.issubset(pair) for pair in pairs)
        if not complete:
            return "wanted is a list of dictionaries with `prompt`, `chosen` and `rejected`; does it end in `return`?"
        for pair in pairs:
            hint = self._prompt(pair) or self._steps(pair)
            if hint:
                return f"{hint}. It shows at the prompt {pair['prompt']!r}"
        prompts = [pair["prompt"] for pair in pairs]
        twice = [prompt for prompt in prompts if prompts.count(prompt) > 1]
        if twice:
            return f"{prompts.count(twice[0])} pairs at the prompt {twice[0]!r}; one for each place is wanted"
        missed = [prompt for prompt in self.both if prompt not in prompts]
        if missed and prompts and set(prompts) <= self.questions:
            return f"all pairs stand at the first step; the prompt {missed[0]!r} has a good and a bad next step too"
        return f"no pair for the prompt {missed[0]!r}, which has a good and a bad next step" if missed else None

    def _prompt(self, pair: dict[str, str]) -> str | None:
        """What is wrong with a pair's prompt."""
        prompt = str(pair["prompt"])
        if prompt in self.next:
            return None
        if prompt.strip() in self.next:
            return "the prompt begins or ends in a line break or space; the package sets the newline behind it itself"
        if not any(prompt.startswith(question) for question in self.questions):
            return "the question is missing: a prompt begins with it, else steps of other problems are mixed in"
        return "the prompt is no beginning of a solution: question, newline, and the steps as `join_steps` writes them"

    def _steps(self, pair: dict[str, str]) -> str | None:
        """What is wrong with a pair's two next steps."""
        steps, chosen, rejected = self.next[pair["prompt"]], pair["chosen"], pair["rejected"]
        known = set().union(*steps.values())
        for response in (chosen, rejected):
            if response in known:
                continue
            bare = {step.split(": ", 2)[2] for step in known}
            if response in bare:
                return f"the response {response!r} has no header; write `Step: k: ` before it, as the solution does"
            if str(response).split(": ", 2)[-1] in bare:
                return f"the response {response!r} has a wrong number in its header; the first step is number 1"
            if response in self.whole:
                return f"the response {response!r} goes on to the end; only the next step is wanted"
            return f"the response {response!r} never follows this prompt in the rows"
        if chosen in steps[0] and rejected in steps[1]:
            return "chosen and rejected are the wrong way round"
        if chosen in steps[None] or rejected in steps[None]:
            return "a step without a label (None) is neither good nor bad; leave it out"
        return None if chosen in steps[1] and rejected in steps[0] else "both steps have the same label"
