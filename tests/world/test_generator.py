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
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "e90254ef416ef1d2"
    code = "from minrm.world import generate; print([p.question for p in generate(20, 5)])"
    for seed in "12":
        run = subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True)
        assert run.stdout == f"{[p.question for p in generate(20, 5)]}\n"


@pytest.mark.parametrize("far", [False, True])
def test_no_problem_is_ambiguous_or_leaves_the_range(far):
    for problem in generate(200 if far else 1000, seed=2, far=far):
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
    assert counts["inversion"] / 1600 == pytest.approx(0.20, abs=0.04)
    assert counts["once"] / 1600 == pytest.approx(0.30, abs=0.04)


def test_a_question_reads_back_into_its_problem():
    for problem in generate(500, seed=6) + generate(200, seed=8, far=True):
        again = read_problem(problem.question)
        for name in ("question", "answer", "traps", "split"):
            assert getattr(again, name) == getattr(problem, name)


def test_an_unknown_split_and_another_question_are_refused():
    with pytest.raises(InputError, match="policy, train, development, evaluation"):
        generate(1, 0, split="test")
    with pytest.raises(InputError, match="not a question of the embedded world"):
        read_problem("What is love?")


def test_far_problems_have_other_names_things_and_verbs_and_larger_numbers():
    near, far = generate(500, seed=7), generate(500, seed=7, far=True)
    words = [{word for p in some for word in (p.name, p.other, p.item)} for some in (near, far)]
    assert not words[0] & words[1] - {""}
    verbs = [{event.kind for p in some for event in p.events} for some in (near, far)]
    assert verbs[0] & verbs[1] == {"boxes", "gives"}
    amounts = [[e.amount for p in some for e in p.events if e.times == 1] for some in (near, far)]
    assert sum(amounts[1]) / len(amounts[1]) > sum(amounts[0]) / len(amounts[0]) + 1
