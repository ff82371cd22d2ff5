"""Search keeps what the judge likes best, finishes what it keeps, counts what it costs, and survives kills."""

import json
import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import TOKENIZERS, causal

from minrm import ProcessRewardModel, sample, shipped
from minrm.errors import InputError
from minrm.text import final_answer, split_steps
from minrm.using import search
from minrm.using.search import Beam, Policy, Trees, _grow, keep
from minrm.world import generate, read_problem

PROBLEMS = generate(4, seed=3, split="evaluation")
QUESTIONS = [problem.question for problem in PROBLEMS]
POLICY = str(shipped("policy"))


class Checker:
    """The perfect judge: the share of the steps that are good, and in the end whether the answer is right."""

    def score(self, questions, solutions):
        return [self.one(read_problem(q), s) for q, s in zip(questions, solutions, strict=True)]

    def one(self, problem, solution):
        if "# Answer" in solution:
            return float(final_answer(solution) == problem.answer)
        return float(all(error in (None, "skip") for error in problem.errors(solution)))


def test_with_width_one_it_is_best_of_n():
    """Nothing is dropped on the way, so n solutions end, and a perfect judge solves what pass@n solves."""
    rows = search(POLICY, Checker(), QUESTIONS, 8, width=1, temperature=1.0, progress=False)
    for number, problem in enumerate(PROBLEMS):
        own = [row for row in rows if row["problem"] == number]
        right = [final_answer(row["solution"]) == problem.answer for row in own]
        assert len(own) == own[0]["candidates"] == 8 and right[0] == any(right)
        assert [row["score"] for row in own] == sorted((row["score"] for row in own), reverse=True)


def test_without_chance_it_writes_what_sampling_writes():
    """Cut at each step and taken up again, greedy decoding gives the same text."""
    whole = sample(POLICY, QUESTIONS, 1, temperature=0, progress=False)
    rows = search(POLICY, Checker(), QUESTIONS, 2, width=2, temperature=0, progress=False)
    best = [row["solution"] for row in rows if row["sample"] == 0]
    assert best == [row["solution"] for row in whole]


def test_it_scores_with_a_reward_model_and_counts_what_both_read_and_write():
    prm = ProcessRewardModel.from_pretrained(shipped("models/prm"))
    rows = search(POLICY, prm, QUESTIONS, 8, width=4, diverse=True, progress=False, aggregate="min")
    score = prm.score([row["question"] for row in rows], [row["solution"] for row in rows], aggregate="min")
    assert [row["score"] for row in rows] == pytest.approx(score, abs=1e-5)
    for row in rows:  # eight first steps at least were written and read
        assert row["generated"] >= row["tokens"] + 7 * 5 and row["scored"] > len(prm.tokenize(row["question"], "")[0])


TREES = {"": "ab", "a": "cd", "b": "ef", **{text: "" for text in ("ac", "ad", "be", "bf")}}
SCORES = {"a": 0.9, "b": 0.5, "ac": 0.2, "ad": 0.1, "be": 0.8, "bf": 0.7}


class Scripted:
    """A policy whose next steps are one letter each, taken in turn; a text of two letters has ended."""

    def next_steps(self, questions, beams, seed):
        turn, grown = {}, []
        for beam in beams:
            options = TREES[beam.text]
            place = turn[beam.text] = turn.get(beam.text, -1) + 1
            text = beam.text + options[place % len(options)]
            state = "done" if len(text) == 2 else "open"
            grown.append(Beam(beam.tree, text, beam.score, beam.tokens + 1, state))
        return grown


@pytest.mark.parametrize(
    ("n", "width", "diverse", "expected", "generated"),
    [
        (4, 1, False, "be bf ac ad", 8),  # all are kept: each of the four goes on
        (2, 2, False, "ac ad", 4),  # one beam: the best first step wins, and the best solution is lost
        (4, 2, False, "be bf ac ad", 8),  # two beams, of different texts
        (4, 2, True, "ac ac ad ad", 8),  # two trees, which begin alike here
    ],
)
def test_beams_and_trees_against_a_hand_made_search(n, width, diverse, expected, generated):
    class Judge:
        def score(self, questions, solutions):
            return [SCORES[solution] for solution in solutions]

    trees = Trees("Q", n, width, diverse)
    for step in range(3):
        _grow([trees], Scripted(), Judge(), step, {})
    rows = trees.rows(0)
    assert " ".join(row["solution"] for row in rows) == expected and rows[0]["generated"] == generated


BEAMS = st.lists(st.builds(Beam, st.integers(0, 3), st.text("ab", max_size=2), st.sampled_from([0.0, 0.5, 1.0])))


@given(BEAMS, st.integers(1, 6))
def test_the_best_are_kept_each_text_once_first(beams, count):
    kept = keep(beams, count)
    assert len(kept) == min(count, len(beams))
    texts = len({beam.text for beam in beams})
    assert len({beam.text for beam in kept}) == min(count, texts)
    if count <= texts:
        best = sorted((max(b.score for b in beams if b.text == text) for text in {b.text for b in beams}), reverse=True)
        assert [beam.score for beam in kept] == best[:count]


@given(BEAMS)
def test_of_each_tree_the_best_is_kept(beams):
    kept = keep(beams, 1, diverse=True)
    assert {b.tree: b.score for b in kept} == {
        t: max(b.score for b in beams if b.tree == t) for t in {b.tree for b in beams}
    }


def test_a_step_that_never_ends_is_given_up_and_the_question_keeps_a_row():
    rows = search(POLICY, Checker(), QUESTIONS, 4, width=2, step_tokens=3, progress=False)
    assert [row["sample"] for row in rows] == [0] * 4 and all(row["score"] is None for row in rows)
    rows = search(POLICY, Checker(), QUESTIONS, 4, width=2, max_steps=1, progress=False)
    assert [len(split_steps(row["solution"])) for row in rows] == [1] * 4


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_header_of_several_tokens_ends_a_step(name):
    """Whatever the tokenizer: the model is made to write a given text, and is stopped before the next header."""
    tokenizer = TOKENIZERS[name]()
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    policy = Policy(causal(vocabulary=len(tokenizer)), tokenizer, "{question}\n", 0, 60, None, "float32")
    script = tokenizer("Step: 1: 2 + 3 = 5\nStep: 2: 5 - 1 = 4\n", add_special_tokens=False)["input_ids"]
    width = len(tokenizer("Tom?\n", add_special_tokens=False)["input_ids"]) + (tokenizer.bos_token is not None)

    def written(module, args, kwargs, output):
        at = (
            kwargs["cache_position"][-1].item()
            if kwargs.get("cache_position") is not None
            else kwargs["position_ids"].max().item()
        )
        output.logits[:, -1] = (
            torch.nn.functional.one_hot(torch.tensor(script[at - width + 1]), output.logits.shape[-1]) * 9.0
        )

    policy.model.register_forward_hook(written, with_kwargs=True)
    (beam,) = policy.next_steps(["Tom?"], [Beam(0)], seed=0)
    assert (beam.text.strip(), beam.state) == ("Step: 1: 2 + 3 = 5", "open") and beam.tokens < len(script)


def test_a_killed_search_goes_on_where_it_was(tmp_path):
    options = {"width": 2, "batch_size": 8, "temperature": 1.0, "progress": False}
    rows = search(POLICY, Checker(), QUESTIONS, 4, path=tmp_path / "whole.jsonl", **options)
    lines = (tmp_path / "whole.jsonl").read_bytes()
    for cut in random.Random(0).sample(range(len(lines)), 5):
        (tmp_path / "cut.jsonl").write_bytes(lines[:cut])
        (tmp_path / "cut.settings.json").write_bytes((tmp_path / "whole.settings.json").read_bytes())
        assert search(POLICY, Checker(), QUESTIONS, 4, path=tmp_path / "cut.jsonl", **options) == rows
        assert (tmp_path / "cut.jsonl").read_bytes() == lines
    assert json.loads(lines.splitlines()[0]) == rows[0]
    with pytest.raises(InputError, match="another run: its width is 2, you asked for 4"):
        search(POLICY, Checker(), QUESTIONS, 4, path=tmp_path / "whole.jsonl", **options | {"width": 4})


@pytest.mark.parametrize("options", [{"width": 3}, {"width": 0}, {"max_steps": 0}, {"n": 0}])
def test_widths_that_do_not_divide_are_refused(options):
    with pytest.raises(InputError):
        search(POLICY, Checker(), QUESTIONS, **{"n": 4, "width": 2} | options)


def test_no_score_is_below_all():
    assert keep([Beam(0, "a", -math.inf, 1, "cut"), Beam(1, "b", 0.1)], 1)[0].text == "b"
