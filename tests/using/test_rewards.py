"""The reward function is the model's own score, whatever the trainer hands over."""

import numpy as np
import pytest

from minrm import BradleyTerryRewardModel, OutcomeRewardModel, ProcessRewardModel
from minrm.errors import InputError
from minrm.using import reward_function

QUESTIONS = ["Tom has 9 pens. Tom buys 5 pens. How many pens does Tom have now?"] * 3
SOLUTIONS = ["Step: 1: 9 + 5 = 14\n\n# Answer\n\n14", "Step: 1: 9 - 5 = 4\n\n# Answer\n\n4", "Step: 1: 5"]
CHATS = [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}] for question in QUESTIONS]
REPLIES = [[{"role": "assistant", "content": solution}] for solution in SOLUTIONS]


@pytest.mark.parametrize("kind", [OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel])
def test_texts_and_messages_get_the_models_own_score(kind, base):
    model = kind.from_base(base)
    how = {"aggregate": "min"} if kind is ProcessRewardModel else {}
    rewards, expected = reward_function(model, **how), model.score(QUESTIONS, SOLUTIONS, **how)
    for prompts, completions in ((QUESTIONS, SOLUTIONS), ([q + "\n" for q in QUESTIONS], SOLUTIONS), (CHATS, REPLIES)):
        given = rewards(prompts=prompts, completions=completions, answer=["14"] * 3, completion_ids=[[1]] * 3)
        assert np.allclose(given, expected) and all(type(reward) is float for reward in given)
    assert rewards.__name__ == kind.__name__


def test_an_empty_completion_gets_the_lowest_reward_that_a_trainer_can_average(base):
    rewards = reward_function(BradleyTerryRewardModel.from_base(base))(QUESTIONS, [*SOLUTIONS[:2], ""])
    assert rewards[2] == min(rewards) > -np.inf


@pytest.mark.parametrize(
    ("prompts", "completions", "said"),
    [
        (QUESTIONS, SOLUTIONS[:2], "3 prompts but 2 completions"),
        ([[{"role": "user", "content": None}]], ["a"], "prompt 1 is .* messages with role and content"),
        ([[]], ["a"], "prompt 1 is"),
        (["a"], [[{"role": "assistant"}]], "completion 1 is"),
    ],
)
def test_what_is_no_text_is_refused(prompts, completions, said, base):
    with pytest.raises(InputError, match=said):
        reward_function(BradleyTerryRewardModel.from_base(base))(prompts, completions)
