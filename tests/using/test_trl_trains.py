"""Our reward models in TRL's own trainers, five updates each: `make trl`, in an environment that has TRL."""

import numpy as np
import pytest
from datasets import Dataset

from minrm import BradleyTerryRewardModel, OutcomeRewardModel, ProcessRewardModel, reward_function, shipped
from minrm.published.tiny import with_chat_template
from minrm.world import generate

trl = pytest.importorskip("trl", reason="TRL is not installed here; `make trl` makes an environment that has it")

UPDATES, QUESTIONS, GROUP = 5, 4, 4
COMMON = {
    "max_steps": UPDATES, "per_device_train_batch_size": QUESTIONS * GROUP, "num_generations": GROUP,
    "max_completion_length": 64, "learning_rate": 1e-4, "logging_steps": 1, "report_to": "none", "use_cpu": True,
    "bf16": False, "gradient_checkpointing": False, "disable_tqdm": True, "seed": 0, "save_strategy": "no",
    "beta": 0.02,
}  # fmt: skip
KINDS = {"orm": OutcomeRewardModel, "prm": ProcessRewardModel, "bradley_terry": BradleyTerryRewardModel}
TRAINERS = {"GRPO": (trl.GRPOTrainer, trl.GRPOConfig), "RLOO": (trl.RLOOTrainer, trl.RLOOConfig)}


@pytest.mark.parametrize("chat", [False, True], ids=["texts", "messages"])
@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize(("kind", "how"), [("prm", {"aggregate": "min"}), ("orm", {}), ("bradley_terry", {})])
def test_rewards_in_the_loop_are_the_scores_of_the_model(tmp_path, kind, how, trainer, chat):
    judge, questions = KINDS[kind].from_pretrained(shipped(f"models/{kind}")), generate(40, seed=60, split="train")
    ours, calls = reward_function(judge, **how), []

    def reward(prompts, completions, **columns):
        calls.append((prompts, completions, ours(prompts, completions, **columns)))
        return calls[-1][2]

    reward.__name__ = ours.__name__
    policy = shipped("policy")
    prompts = [problem.question + "\n" for problem in questions]
    if chat:
        policy = with_chat_template(policy, tmp_path / "policy")
        prompts = [[{"role": "user", "content": problem.question}] for problem in questions]
    make, config = TRAINERS[trainer]
    trained = make(
        model=str(policy), reward_funcs=reward, train_dataset=Dataset.from_dict({"prompt": prompts}),
        args=config(str(tmp_path / "runs"), **COMMON),
    )  # fmt: skip
    trained.train()

    assert len(calls) >= UPDATES and all(len(given) == QUESTIONS * GROUP for _, _, given in calls)
    for asked, written, given in calls:
        texts = [text if isinstance(text, str) else text[-1]["content"] for text in written]
        asked = [text.removesuffix("\n") if isinstance(text, str) else text[-1]["content"] for text in asked]
        scores = judge.score(asked, texts, **how)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(given, scores, atol=1e-5)
    logged = [entry[f"rewards/{ours.__name__}/mean"] for entry in trained.state.log_history if "reward" in entry]
    np.testing.assert_allclose(logged, [np.mean(given) for *_, given in calls[: len(logged)]], atol=1e-5)


def test_a_bradley_terry_folder_works_by_its_path(tmp_path):
    """TRL loads the folder itself, and reads the same rewards in it (it computes in the precision of the file)."""
    judge = BradleyTerryRewardModel.from_pretrained(shipped("models/bradley_terry"))
    judge.save_pretrained(tmp_path / "rewards")
    prompts = [problem.question + "\n" for problem in generate(40, seed=60, split="train")]
    trained = trl.GRPOTrainer(
        model=str(shipped("policy")), reward_funcs=[str(tmp_path / "rewards"), reward_function(judge)],
        train_dataset=Dataset.from_dict({"prompt": prompts}), args=trl.GRPOConfig(str(tmp_path / "runs"), **COMMON),
    )  # fmt: skip
    trained.train()
    entries = [entry for entry in trained.state.log_history if "reward" in entry]
    theirs, ours = (
        [entry[f"rewards/{name}/mean"] for entry in entries] for name in ("rewards", "BradleyTerryRewardModel")
    )
    assert len(entries) == UPDATES and max(map(abs, ours)) > 0.1
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
