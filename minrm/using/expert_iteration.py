"""Expert iteration: sample, keep the best by a reward, learn to write what was kept, and begin again.

Also called rejection sampling fine-tuning, or best-of-N distillation (Anthony et al. 2017; Dong et al. 2023, RAFT;
Zelikman et al. 2022, STaR, with the right answer for a reward). What a reward model chooses in best-of-N, the policy
learns to write at once.
"""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoModelForCausalLM

from minrm import loading
from minrm.errors import InputError
from minrm.files.runs import name_of, whole
from minrm.sampling import COT, Row, sample
from minrm.using.fine_tuning import fine_tune
from minrm.using.rewards import Reward, digest, label


def expert_iteration(
    policy: str | Path, reward: Reward | None, questions: Sequence[str], folder: str | Path, *, rounds: int = 3,
    n: int = 8, keep: int = 1, epochs: float = 1, batch_size: int = 32, learning_rate: float = 3e-4,
    temperature: float = 1.0, max_new_tokens: int = 256, prompt: str = COT, seed: int = 0, progress: bool = True,
) -> list[Row]:  # fmt: skip
    """One row a round: `round, policy` (a folder), `kept, reward` (number, mean), `mean_reward, tokens` (of all).

    Each round takes its own part of `questions`: it samples `n` solutions of each question, keeps the `keep` best, and
    fine-tunes the policy of the round before on them. reward: (questions, solutions) → rewards, such as `model.score`;
    None keeps solutions at random, the control that learns from as many texts. Ties go to chance. Called again, it
    goes on with the round, the sample or the update at which it was stopped. Raises InputError.
    """
    if rounds < 1 or not 1 <= keep <= n or len(questions) < rounds:
        counts = f"rounds is {rounds}, keep {keep}, n {n}, with {len(questions)} questions"
        raise InputError(f"{counts}; keep is from 1 to n, and each round needs a question")
    folder, history = Path(folder), list[Row]()
    settings: Row = {
        "policy": name_of(policy), "reward": label(reward), "questions": digest(questions), "rounds": rounds, "n": n,
        "keep": keep, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "prompt": prompt,
        "temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed,
    }  # fmt: skip
    _start(folder, settings)
    for number in range(1, rounds + 1):
        own, place = list(questions[number - 1 :: rounds]), folder / f"round-{number}"
        if (place / "round.json").exists():
            history.append(json.loads((place / "round.json").read_text(encoding="utf-8")))
            policy = place
            continue
        options: Row = {"temperature": temperature, "max_new_tokens": max_new_tokens, "prompt": prompt}
        options |= {"seed": seed + number, "progress": progress, "path": place / "samples.jsonl"}
        rows = sample(str(policy), own, n, **options)
        asked, written = [row["question"] for row in rows], [row["solution"] for row in rows]
        rng = random.Random(seed + number)
        chance = [rng.random() for _ in rows]
        rewards = [float(value) for value in reward(asked, written)] if reward else chance
        kept = best(rewards, chance, n, keep)
        model, tokenizer = loading.load(AutoModelForCausalLM, policy, tokenizer=None, device=None, dtype="float32")
        texts = [(prompt.replace("{question}", asked[at]), written[at]) for at in kept]
        how: Row = {"batch_size": batch_size, "learning_rate": learning_rate, "num_train_epochs": epochs}
        fine_tune(model, tokenizer, texts, place / "checkpoints", seed=seed, disable_tqdm=not progress, **how)
        loading.save(model, tokenizer, place)
        shutil.rmtree(place / "checkpoints", ignore_errors=True)  # optimiser states, of no use any more
        history.append({
            "round": number, "policy": str(place), "kept": len(kept), "mean_reward": sum(rewards) / len(rewards),
            "reward": sum(rewards[at] for at in kept) / len(kept), "tokens": sum(row["tokens"] for row in rows),
        })  # fmt: skip
        with whole(place / "round.json") as part:  # last: the round is finished
            part.write_text(json.dumps(history[-1], indent=1), encoding="utf-8")
        policy = place
    return history


def _start(folder: Path, settings: Row) -> None:
    """Note the settings of a new run. Raises InputError if the folder holds a run with others."""
    place = folder / "settings.json"
    if place.exists():
        there = json.loads(place.read_text(encoding="utf-8"))
        if changed := [name for name in settings if there.get(name) != settings[name]]:
            raise InputError(
                f"{folder} holds a run whose {changed[0]} is {there.get(changed[0])!r}: name another folder"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    with whole(place) as part:
        part.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def best(rewards: Sequence[float], chance: Sequence[float], n: int, keep: int) -> list[int]:
    """The places of the `keep` highest rewards among each `n` in a row; ties go to the lower `chance`."""
    groups = [range(start, start + n) for start in range(0, len(rewards), n)]
    return [at for own in groups for at in sorted(own, key=lambda at: (-rewards[at], chance[at]))[:keep]]
