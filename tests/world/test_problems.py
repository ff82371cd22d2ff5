import hashlib
import itertools
import json
import random
import subprocess
import sys
from collections import Counter

import pytest

from minrm.errors import InputError
from minrm.text import final_answer
from minrm.world import CORRUPTED, FLAWLESS, LIMIT, SPLITS, Event, Problem, generate, read_problem, write

TOM_AND_MIA = Problem("Mia", "Tom", "pens", 9, (Event("buys", 5), Event("gives", 2, 4)), "inconsistent", 3, True)


def test_a_problem_reads_as_english_and_knows_its_answer():
    assert TOM_AND_MIA.question == (
        "Tom has 9 pens. That is 3 more than Mia has. Mia buys 5 pens. "
        "Mia gives 2 pens to each of 4 friends. How many pens does Mia have now?"
    )
    assert TOM_AND_MIA.answer == str(9 - 3 + 5 - 2 * 4)
    assert TOM_AND_MIA.traps == ("inversion", "once")


@pytest.mark.parametrize(
    "more, wording, start",
    [(True, "consistent", 12), (False, "consistent", 6), (True, "inconsistent", 6), (False, "inconsistent", 12)],
)
def test_a_comparison_means_what_it_says(more, wording, start):
    assert Problem("Mia", "Tom", "pens", 9, (Event("buys", 5),), wording, 3, more).start == start


def test_generate_gives_the_same_problems_on_every_machine_and_python():
    text = json.dumps([problem.question for problem in generate(500, seed=1)])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "7acf7849066d3bc9"
    code = "from minrm.world import generate; print([p.question for p in generate(20, 5)])"
    runs = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": h}, capture_output=True, text=True).stdout
        for h in "12"
    }
    assert runs == {f"{[p.question for p in generate(20, 5)]}\n"}


def test_no_problem_is_ambiguous_or_leaves_the_range():
    for problem in generate(1000, seed=2):
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


def test_an_unknown_split_is_an_error_that_lists_the_splits():
    with pytest.raises(InputError, match="policy, train, evaluation"):
        generate(1, 0, split="test")


def test_a_question_reads_back_into_its_problem():
    for problem in generate(500, seed=6):
        again = read_problem(problem.question)
        assert (again.question, again.answer, again.traps, again.split) == (
            problem.question,
            problem.answer,
            problem.traps,
            problem.split,
        )
    with pytest.raises(InputError, match="not a question of the embedded world"):
        read_problem("What is love?")


def test_longer_problems_have_one_event_more_than_any_other_of_their_wording():
    usual, longer = generate(600, seed=7), generate(40, seed=7, longer=True)
    for wording in ("plain", "consistent", "inconsistent"):
        (length,) = {len(problem.events) for problem in longer if problem.wording == wording}
        assert length == 1 + max(len(problem.events) for problem in usual if problem.wording == wording)


def test_longer_problems_are_as_exact_as_the_others():
    """Distinct quantities in range, a question that reads back, and the checker agreeing with what was planted."""
    rng = random.Random(8)
    for problem in generate(40, seed=8, longer=True):
        assert len(set(problem.quantities)) == len(problem.quantities) and 0 <= int(problem.answer) <= LIMIT
        again = read_problem(problem.question)
        assert (again.question, again.answer, again.traps) == (problem.question, problem.answer, problem.traps)
        for habits in (FLAWLESS, CORRUPTED):
            solution, planted = write(problem, rng, habits)
            assert problem.errors(solution) == planted
        right, planted = write(problem, rng, FLAWLESS)
        assert final_answer(right) == problem.answer and not any(planted)


def test_a_solution_is_judged_as_a_row_that_outcome_and_process_models_learn_from():
    wrong = "Step: 1: 9 - 3 = 6\nStep: 2: 6 + 5 = 12\nStep: 3: 12 - 2 = 10\n\n# Answer\n\n10"
    row = TOM_AND_MIA.judge(wrong)
    assert row == {
        "question": TOM_AND_MIA.question,
        "answer": "3",
        "solution": wrong,
        "steps": ["9 - 3 = 6", "6 + 5 = 12", "12 - 2 = 10\n\n# Answer\n\n10"],
        "labels": [1, 0, 0],
        "correct": False,
    }
    assert TOM_AND_MIA.judge("# Answer\n\n3")["correct"] and TOM_AND_MIA.judge("")["steps"] == []
