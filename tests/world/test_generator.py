"""Drawn problems: the same everywhere, unambiguous, split by content, and read back from their questions."""

import hashlib
import itertools
import json
import subprocess
import sys
from collections import Counter

import pytest

from minrm.errors import InputError
from minrm.world import LIMIT, SPLITS, generate, read_problem


def test_generate_gives_the_same_problems_on_every_machine_and_python():
    text = json.dumps([problem.question for problem in generate(500, seed=1)])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "7acf7849066d3bc9"
    code = "from minrm.world import generate; print([p.question for p in generate(20, 5)])"
    for seed in "12":
        run = subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True)
        assert run.stdout == f"{[p.question for p in generate(20, 5)]}\n"


@pytest.mark.parametrize("longer", [False, True])
def test_no_problem_is_ambiguous_or_leaves_the_range(longer):
    for problem in generate(40 if longer else 1000, seed=2, longer=longer):
        assert len(set(problem.quantities)) == len(problem.quantities)
        assert all(0 < quantity <= LIMIT for quantity in problem.quantities)
        assert 0 <= int(problem.answer) <= LIMIT


def test_every_expression_over_the_quantities_of_a_problem_is_read_in_one_way_only():
    """Brute force: whatever step is written first, at most one event explains it."""
    for problem in generate(60, seed=3):
        for b, sign in itertools.product(problem.quantities, "+-"):
            explained = [e for e in problem.events if e.sign == sign and b in (e.total, e.amount)]
            assert len(explained) <= 1


def test_the_splits_share_no_problem_even_up_to_the_names():
    def numbers(split):
        return {(p.base, p.wording, p.difference, p.more, p.events) for p in generate(500, seed=4, split=split)}

    parts = [numbers(split) for split in SPLITS]
    assert not any(a & b for a, b in itertools.combinations(parts, 2))


def test_the_traps_are_as_frequent_as_the_story_says():
    counts = Counter(trap for problem in generate(1600, seed=5) for trap in problem.traps)
    assert counts["inversion"] / 1600 == pytest.approx(0.25, abs=0.04)
    assert counts["once"] / 1600 == pytest.approx(0.30, abs=0.04)


def test_a_question_reads_back_into_its_problem():
    for problem in generate(500, seed=6) + generate(40, seed=8, longer=True):
        again = read_problem(problem.question)
        for name in ("question", "answer", "traps", "split"):
            assert getattr(again, name) == getattr(problem, name)


def test_an_unknown_split_and_another_question_are_refused():
    with pytest.raises(InputError, match="policy, train, evaluation"):
        generate(1, 0, split="test")
    with pytest.raises(InputError, match="not a question of the embedded world"):
        read_problem("What is love?")


def test_longer_problems_have_one_event_more_than_any_other_of_their_wording():
    usual, longer = generate(600, seed=7), generate(40, seed=7, longer=True)
    for wording in ("plain", "consistent", "inconsistent"):
        (length,) = {len(problem.events) for problem in longer if problem.wording == wording}
        assert length == 1 + max(len(problem.events) for problem in usual if problem.wording == wording)
