import random
from collections import Counter
from dataclasses import replace

import pytest

from minrm.text import final_answer, split_steps
from minrm.world import CLASS, CORRUPTED, FLAWLESS, LIMIT, generate, write, write_direct, write_drill, write_sums

PROBLEMS = generate(1500, seed=11) + generate(40, seed=8, longer=True)


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
    assert {"inversion", "once", "contradiction", "slip", "skip"} <= set(seen)
    assert bool(seen["unfounded"]) == bool(habits.misread)


def test_the_careful_hand_knows_more_than_one_way_and_a_direct_answer_has_no_steps():
    problem = next(p for p in PROBLEMS if len(p.events) == 3 and any(e.times > 1 for e in p.events))
    rng = random.Random(3)
    careful = {write(problem, rng, replace(FLAWLESS, quick=0.0))[0] for _ in range(100)}
    quick = {write(problem, rng, replace(FLAWLESS, quick=1.0))[0] for _ in range(100)}
    assert len(quick) == 1 and len(careful) >= 4
    assert write_direct(problem, rng, FLAWLESS) == f"# Answer\n\n{problem.answer}"


def test_mistakes_come_at_the_rates_that_the_habits_say():
    rng = random.Random(4)
    trapped = [p for p in PROBLEMS if p.traps == ("once",)]
    for quick, rate in ((1.0, CLASS.once), (0.0, CLASS.careful_once)):
        fell = [("once" in write(p, rng, replace(CLASS, quick=quick, skip=0))[1]) for p in trapped for _ in range(20)]
        assert sum(fell) / len(fell) == pytest.approx(rate, abs=0.03)


def test_drills_tell_the_truth_about_themselves():
    rng = random.Random(7)
    lines = [line for _ in range(200) for line in write_drill(rng).splitlines()]
    for line in lines:
        claim, _, verdict = line.removeprefix("Is ").partition("? ")
        assert eval(claim.replace("=", "==")) == (verdict == "Yes")
    assert sum(line.endswith("Yes") for line in lines) / len(lines) == pytest.approx(0.5, abs=0.05)


def test_sums_are_labelled_by_what_they_say_and_wrong_by_little_or_by_anything():
    rng = random.Random(8)
    off: Counter = Counter()
    for _ in range(300):
        steps, labels = write_sums(rng)
        assert len(steps) == len(labels) == 7
        for step, label in zip(steps, labels, strict=True):
            claim, _, shown = step.partition(" = ")
            assert 0 <= int(shown) <= LIMIT and eval(claim) <= LIMIT
            off[abs(int(shown) - eval(claim))] += 1
            assert label == (int(shown) == eval(claim))
    wrong = sum(off.values()) - off[0]
    assert off[0] / (off[0] + wrong) == pytest.approx(0.51, abs=0.04)
    assert (off[1] + off[2] + off[10]) / wrong == pytest.approx(0.6, abs=0.08)
    assert sum(n > 0 for d, n in off.items() if d not in (0, 1, 2, 10)) > 15
