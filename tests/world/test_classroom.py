import random
from collections import Counter
from dataclasses import replace

import pytest

from minrm.text import final_answer, split_steps
from minrm.world import CLASS, CORRUPTED, FLAWLESS, Event, Problem, generate, write, write_direct

PROBLEMS = generate(1500, seed=11) + generate(200, seed=8, far=True)


@pytest.mark.parametrize("quick", [0.0, 1.0])
def test_a_solution_without_mistakes_is_wholly_valid_in_every_order_and_way(quick):
    rng = random.Random(1)
    for problem in PROBLEMS:
        for _ in range(4):
            text, planted = write(problem, rng, replace(FLAWLESS, quick=quick))
            assert problem.errors(text) == planted == [None] * len(split_steps(text))
            assert final_answer(text) == problem.answer


@pytest.mark.parametrize("habits", [CLASS, CORRUPTED], ids=["class", "corrupted"])
def test_every_planted_mistake_is_caught_at_its_own_step_and_nothing_else_is(habits):
    rng = random.Random(2)
    seen: Counter = Counter()
    for problem in PROBLEMS:
        for _ in range(6):
            text, planted = write(problem, rng, habits)
            assert problem.errors(text) == planted, (problem.question, text)
            seen.update(planted)
    planted_by_all = {"inversion", "once", "turned", "twice", "contradiction", "misnamed", "skip"}
    assert set(seen) == {None, *planted_by_all} | ({"unfounded", "slip"} if habits is CORRUPTED else set())


def test_the_careful_hand_knows_more_orders_and_a_direct_answer_is_the_number_alone():
    problem = Problem("Mia", "", "pens", 14, (Event("buys", 5), Event("loses", 3), Event("boxes", 4, 2)))
    rng = random.Random(3)
    plain = replace(FLAWLESS, opening=0.0)
    careful = {write(problem, rng, replace(plain, quick=0.0))[0] for _ in range(100)}
    quick = {write(problem, rng, replace(plain, quick=1.0))[0] for _ in range(100)}
    assert len(quick) == 1 and len(careful) >= 4
    assert len({write(problem, rng, FLAWLESS)[0] for _ in range(100)}) > 80  # the openings
    assert write_direct(problem, rng, FLAWLESS) == problem.answer


def test_mistakes_come_at_the_rates_that_the_habits_say():
    rng = random.Random(4)
    trapped = [p for p in PROBLEMS if p.traps == ("once",) and all(e.kind != "boxes" for e in p.events)]
    for quick, rate in ((1.0, CLASS.once), (0.0, CLASS.careful_once)):
        fell = [("once" in write(p, rng, replace(CLASS, quick=quick, skip=0))[1]) for p in trapped for _ in range(20)]
        assert sum(fell) / len(fell) == pytest.approx(rate, abs=0.03)


def test_a_mistake_neither_saves_nor_costs_words():
    """Right and wrong solutions of a problem are as long: counting words would choose no better than chance."""
    rng, gaps = random.Random(9), []
    for problem in PROBLEMS[:400]:
        lengths: dict[bool, list[int]] = {True: [], False: []}
        for _ in range(40):
            text, _ = write(problem, rng, CLASS)
            lengths[final_answer(text) == problem.answer].append(len(text.split()))
        if all(lengths.values()):
            right, wrong = lengths[True], lengths[False]
            above = sum((r > w) + (r == w) / 2 for r in right for w in wrong)
            gaps.append(above / (len(right) * len(wrong)))
    assert 0.45 < sum(gaps) / len(gaps) < 0.6
