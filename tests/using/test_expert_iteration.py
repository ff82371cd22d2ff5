"""Expert iteration keeps the best of each question, learns from it, and goes on where it was stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minrm.errors import InputError
from minrm.rows import read_rows
from minrm.using import expert_iteration
from minrm.using.expert_iteration import best

QUESTIONS = [f"Tom has {number} pens. How many pens does Tom have now?" for number in range(1, 9)]
OPTIONS = {"rounds": 2, "n": 4, "learning_rate": 3e-3, "max_new_tokens": 12, "batch_size": 2, "progress": False}


def short(questions, solutions):
    return [-float(len(solution)) for solution in solutions]


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=12, max_size=12), st.integers(1, 4), st.permutations(range(12))
)
def test_the_best_of_each_question_are_kept_and_chance_breaks_ties(rewards, keep, chance):
    kept = best(rewards, chance, 4, keep)
    assert len(kept) == 3 * keep
    for start in (0, 4, 8):
        own = [at for at in kept if start <= at < start + 4]
        rest = [at for at in range(start, start + 4) if at not in own]
        assert all((rewards[a], -chance[a]) > (rewards[b], -chance[b]) for a in own for b in rest)


def test_rounds_follow_one_another_and_are_not_run_again(base, tmp_path):
    history = expert_iteration(base, short, QUESTIONS, tmp_path, **OPTIONS)
    assert [row["round"] for row in history] == [1, 2] and all(row["kept"] == 4 for row in history)
    assert all(row["reward"] > row["mean_reward"] for row in history)
    first, second = ([row["question"] for row in read_rows(tmp_path / f"round-{k}/samples.jsonl")] for k in (1, 2))
    assert not set(first) & set(second) and set(first) | set(second) == set(QUESTIONS)
    assert expert_iteration(base, short, QUESTIONS, tmp_path, **OPTIONS) == history  # both rounds are there
    assert not list(tmp_path.rglob("optimizer.pt"))
    for reward, options in ((None, {}), (short, {"n": 3})):
        with pytest.raises(InputError, match="holds a run whose (reward is 'short'|n is 4)"):
            expert_iteration(base, reward, QUESTIONS, tmp_path, **OPTIONS | options)


def test_without_a_reward_chance_keeps_as_many(base, tmp_path):
    history = expert_iteration(base, None, QUESTIONS, tmp_path, **OPTIONS | {"rounds": 1})
    assert history[0]["kept"] == 8


@pytest.mark.parametrize("options", [{"keep": 5}, {"keep": 0}, {"rounds": 0}, {"rounds": 9}])
def test_counts_that_cannot_be_are_refused(options, base, tmp_path):
    with pytest.raises(InputError):
        expert_iteration(base, short, QUESTIONS, tmp_path, **OPTIONS | options)
