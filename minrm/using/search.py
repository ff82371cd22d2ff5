"""Search with a reward model: solutions grow step by step, and only the best beginnings grow on.

Best-of-N judges whole solutions; search judges each beginning and spends the remaining tokens where the judge gives the
highest scores. Beam search compares all beginnings of a question (Snell et al. 2024, section 5); diverse verifier tree
search compares only those of one tree, which keeps ideas apart (Beeching et al. 2024). In come questions; out come the
finished solutions as rows, best first, with what they cost.
"""

import math
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from minrm import loading, reward_model
from minrm.errors import InputError
from minrm.files.runs import RunFile
from minrm.rows import Row
from minrm.sampling import COT, end_tokens, model_name, request

_NEXT_HEADER = re.compile(r"\nStep: ?[0-9]+:")  # where a step has ended, unless the solution has
_WINDOW = 16  # tokens in which a header is looked for; none is longer


@dataclass(frozen=True)
class Beam:
    """A beginning of a solution. tree: the number of the tree that its first step belongs to; score: the judge's.

    tokens: generated on the way to it. state: "open" (it goes on), "done" (it has ended), or "cut" (the tokens for a
    step ran out).
    """

    tree: int
    text: str = ""
    score: float = 0.0
    tokens: int = 0
    state: str = "open"


def search(
    policy: Any, judge: Any, questions: Sequence[str], n: int = 16, *, width: int = 4, diverse: bool = False,
    max_steps: int = 12, step_tokens: int = 64, path: str | Path | None = None, tokenizer: Any = None,
    prompt: str = COT, temperature: float = 0.7, seed: int = 0, batch_size: int = 256, device: Any = None,
    dtype: Any = None, progress: bool = True, **how: Any,
) -> list[Row]:  # fmt: skip
    """Rows `problem, sample, question, solution, score, tokens, candidates, generated, scored`: sample 0 is the best.

    Each of `questions` begins with `n` first steps. After every step the judge scores all beginnings; the best
    n / width are kept, and each grows `width` next steps. width=1 keeps all of them, which is best-of-n.

    - policy, tokenizer, prompt, temperature, seed, device, dtype, path: as in `sample`; batch_size: beginnings at once.
    - judge: a reward model, or anything with `score(questions, solutions)`; `how` goes to its `score`, such as
      `aggregate="min"`. A process reward model was trained on beginnings; others judge them as if they were solutions.
    - diverse: keep the best of each of n / width trees, in place of the best of all (diverse verifier tree search).
    - max_steps, step_tokens: limits; a beginning that reaches one is given up.

    score, tokens: of the solution. candidates: how many solutions of the question were finished, each a row. generated,
    scored: tokens that the policy wrote and the judge read for the question. Where no solution was finished, the best
    beginning is the only row; its score is None if its last step was cut off. Raises InputError.
    """
    questions, settings = request(questions, n, prompt, temperature, step_tokens, seed, batch_size)
    if width < 1 or n % width or max_steps < 1:
        raise InputError(f"n is {n}, width {width}, max_steps {max_steps}; width divides n, and all are at least 1")
    device = loading.pick_device(device)
    dtype = str(dtype or loading.compute_dtype(device)).removeprefix("torch.")
    judged = model_name(judge) if hasattr(judge, "parameters") else type(judge).__name__
    settings |= {"width": width, "diverse": diverse, "max_steps": max_steps, "judge": judged, "how": how}
    settings = {"model": model_name(policy), "dtype": dtype, **settings}
    together = max(1, batch_size // n)  # questions
    with nullcontext() if path is None else RunFile(path, settings) as run:
        rows = _resume(run, together, len(questions)) if run else []
        first = rows[-1]["problem"] + 1 if rows else 0
        if first == len(questions):
            return rows
        writer = Policy(policy, tokenizer, prompt, temperature, step_tokens, device, dtype)
        with loading.progress_bar(len(questions), "searching", " questions", shown=progress, start=first) as bar:
            for start in range(first, len(questions), together):
                trees = [Trees(question, n, width, diverse) for question in questions[start : start + together]]
                for step in range(max_steps):
                    _grow(trees, writer, judge, seed + start * 1_000_003 + step, how)
                new = [row for at, own in enumerate(trees) for row in own.rows(start + at)]
                (run.append if run else rows.extend)(new)  # a run's rows are these
                bar.update(len(trees))
        return rows


class Trees:
    """The search for one question: its beams, the solutions that are finished, and what they cost."""

    def __init__(self, question: str, n: int, width: int, diverse: bool) -> None:
        self.question, self.count, self.width, self.diverse = question, n // width, width, diverse
        self.beams = [Beam(tree=number // width) for number in range(n)]
        self.finished: list[Beam] = []
        self.read: dict[str, int] = {}  # different texts that the judge has read → their tokens
        self.generated = 0

    @property
    def growing(self) -> list[Beam]:
        return [beam for beam in self.beams if beam.state == "open"]

    def replace(self, grown: list[Beam]) -> None:
        """Put the beams of `growing`, grown by a step and scored, in their places, and keep the best."""
        self.generated += sum(new.tokens - old.tokens for old, new in zip(self.growing, grown, strict=True))
        self.finished += [beam for beam in grown if beam.state == "done"]
        kept = keep([beam for beam in self.beams if beam.state == "done"] + grown, self.count, self.diverse)
        self.beams = [beam for own in kept for beam in [own] * (self.width if own.state == "open" else 1)]

    def rows(self, problem: int) -> list[Row]:
        best = sorted(self.finished, key=lambda beam: -beam.score) or keep(self.beams, 1)
        cost = {"candidates": len(best), "generated": self.generated, "scored": sum(self.read.values())}
        return [
            {"problem": problem, "sample": rank, "question": self.question, "solution": beam.text}
            | {"score": beam.score if beam.state != "cut" else None, "tokens": beam.tokens, **cost}
            for rank, beam in enumerate(best)
        ]


def _grow(trees: list[Trees], policy: Any, judge: Any, seed: int, how: Row) -> None:
    """One step more for every beam that grows, scored; the best are kept."""
    before = [(own, beam) for own in trees for beam in own.growing]
    if not before:
        return
    grown = policy.next_steps([own.question for own, _ in before], [beam for _, beam in before], seed)
    scores = judge.score([own.question for own, _ in before], [beam.text for beam in grown], **how)
    of: dict[int, list[Beam]] = {id(own): [] for own in trees}
    for (own, _), beam, score in zip(before, grown, scores, strict=True):
        of[id(own)].append(replace(beam, score=-math.inf if beam.state == "cut" else float(score)))
        if beam.text not in own.read:  # a judge reads each different text once
            own.read[beam.text] = len(judge.tokenize(own.question, beam.text)[0]) if hasattr(judge, "tokenize") else 0
    for own in trees:
        own.replace(of[id(own)])


def keep(beams: Sequence[Beam], count: int, diverse: bool = False) -> list[Beam]:
    """The `count` beams with the highest scores, or with `diverse` the best of each tree.

    Repeated texts rank behind all different ones, since a repetition is no second idea; ties go to the earlier beam.
    """
    ranked = sorted(beams, key=lambda beam: -beam.score)
    if diverse:
        return list({beam.tree: beam for beam in reversed(ranked)}.values())
    different = {beam.text: beam for beam in reversed(ranked)}
    again = [beam for beam in ranked if different[beam.text] is not beam]
    return [*(beam for beam in ranked if different[beam.text] is beam), *again][:count]


class Policy:
    """A language model that writes the next step of many beginnings at once."""

    def __init__(
        self, source: Any, tokenizer: Any, prompt: str, temperature: float, step_tokens: int, device: Any, dtype: Any
    ) -> None:
        options = {"tokenizer": tokenizer, "device": device, "dtype": dtype}
        self.model: Any
        self.model, self.tokenizer = loading.load(AutoModelForCausalLM, source, **options)
        self.ends = end_tokens(self.tokenizer, self.model, source)
        self.model.generation_config = GenerationConfig()
        self.prompt = prompt
        self.options = {"max_new_tokens": step_tokens, "pad_token_id": self.tokenizer.pad_token_id, "use_cache": True}
        heat = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
        self.options |= {"eos_token_id": self.ends or None, "do_sample": bool(heat), **heat}

    def next_steps(self, questions: list[str], beams: list[Beam], seed: int) -> list[Beam]:
        """Each beam with one more step, still with its old score."""
        texts = [self.prompt.replace("{question}", q) + beam.text for q, beam in zip(questions, beams, strict=True)]
        texts = [text + "\n" * bool(beam.text) for text, beam in zip(texts, beams, strict=True)]
        start = reward_model.start_ids(self.tokenizer)
        ids = [start + row for row in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        inputs = reward_model.pad(ids, self.tokenizer, side="left")  # generation goes on at the right
        width = inputs["input_ids"].shape[1]

        def ended(input_ids: Tensor, scores: Any) -> Tensor:
            tails = self.tokenizer.batch_decode(input_ids[:, width:][:, -_WINDOW:])
            return torch.tensor([bool(_NEXT_HEADER.search(text)) for text in tails], device=input_ids.device)

        cuda = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=cuda):
            torch.manual_seed(seed)
            inputs = {name: tensor.to(self.model.device) for name, tensor in inputs.items()}
            out = self.model.generate(**inputs, stopping_criteria=[ended], **self.options)
        return [self._grown(beam, new.tolist()) for beam, new in zip(beams, out[:, width:], strict=True)]

    def _grown(self, beam: Beam, new: list[int]) -> Beam:
        stops = {*self.ends, self.tokenizer.pad_token_id}  # a row that has stopped is filled with the pad token
        count = next((at for at, token in enumerate(new) if token in stops), len(new))
        text = self.tokenizer.decode(new[:count])
        header = _NEXT_HEADER.search(text)
        state = "open" if header else "done" if count < len(new) else "cut"
        text = text[: header.start()] if header else text
        joined = f"{beam.text}\n{text}" if beam.text else text
        return replace(beam, text=joined, tokens=beam.tokens + count + (state == "done"), state=state)


def _resume(run: RunFile, together: int, total: int) -> list[Row]:
    """The rows of a run so far, of whole chunks of questions; the rest is cut off."""
    ends, row = [0], 0  # after each question that has all its candidates, how many rows there are
    while row < len(run.rows) and row + run.rows[row]["candidates"] <= len(run.rows):
        row += run.rows[row]["candidates"]
        ends.append(row)
    done = len(ends) - 1
    run.keep(ends[done if done == total else done // together * together])
    return run.rows
