"""Policy gradients: solutions with more reward than their siblings become likelier (Williams 1992, REINFORCE).

The baseline is the mean of a group of solutions to the same question, as in GRPO (Shao et al. 2024) and, up to a factor
of G / (G - 1), in RLOO (Ahmadian et al. 2024). Each group is used for one update, so no ratio of old and new policy
appears and nothing is clipped. A penalty keeps the policy near its start.
"""

import json
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from minrm import loading, reward_model
from minrm.errors import InputError
from minrm.files.runs import name_of, whole
from minrm.sampling import Row, sample, token_log_probs
from minrm.using.rewards import Reward, digest, label


def advantages(rewards: Tensor, normalise: bool = True) -> Tensor:
    """How much better than its group each solution is: [Q, G] rewards → [Q, G], the mean of each row is 0.

    normalise: divide by the group's standard deviation (GRPO, Shao et al. 2024, section 4.1.2); without it, groups
    whose rewards differ little count for little (Dr. GRPO, Liu et al. 2025). A group of equal rewards gives 0.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    if not normalise:
        return centred
    return torch.where(centred == 0, 0, centred / (rewards.std(dim=1, keepdim=True) + 1e-6))


def kl_estimate(log_p: Tensor, reference: Tensor) -> Tensor:
    """Schulman's estimator "k3" of KL(policy || reference) at each token, [B, T] → [B, T]: r - 1 - log r, r = q / p.

    log_p, reference: log-probabilities of the sampled tokens. Never negative, unbiased in value (its gradient is not
    that of the KL: GRPO takes it nevertheless, Shao et al. 2024, eq. 4).
    """
    log_ratio = reference - log_p
    return log_ratio.exp() - 1 - log_ratio


def policy_gradient_loss(
    log_p: Tensor, advantage: Tensor, mask: Tensor, reference: Tensor | None = None, kl: float = 0.0
) -> Tensor:
    """The REINFORCE loss, -(Σ A log p) / tokens, plus `kl` times the mean of `kl_estimate` over tokens: a scalar.

    log_p, reference: [B, T] of the sampled tokens under the policy and its start. advantage: [B]. mask: [B, T] bool,
    the solution's tokens. All tokens of the batch weigh the same (Yu et al. 2025, DAPO).
    """
    losses = -advantage[:, None] * log_p
    if kl and reference is not None:
        losses = losses + kl * kl_estimate(log_p, reference)
    return losses[mask].mean()


def policy_gradient(
    policy: Any, reward: Reward, questions: Sequence[str], folder: str | Path, *, updates: int = 100, batch: int = 16,
    group: int = 8, learning_rate: float = 1e-4, kl: float = 0.02, normalise: bool = True, max_new_tokens: int = 256,
    sampler: Callable[..., list[Row]] = sample, watch: dict[str, Reward] | None = None, save_steps: int = 50,
    seed: int = 0, progress: bool = True,
) -> list[Row]:  # fmt: skip
    """One row an update: `update, reward, tokens, kl, entropy, question, best`, and each mean of `watch`.

    An update samples `group` solutions at temperature 1 for each of `batch` questions, and takes one step of AdamW.
    The trained policy is saved to `folder`; called again, the run goes on from its last save.

    - policy: a folder or hub name. reward: (questions, solutions) → rewards, such as `reward_function(model)`.
    - watch: further functions of that kind, noted and not optimised: whether the answers are right, say.
    - kl: weight of the penalty, in reward per nat and token. normalise: as in `advantages`.
    - sampler: called as `sample` is, so that an engine may stand behind it; its rows hold the tokens, `ids`.

    reward, tokens: means over solutions. kl: log p(solution) under the policy less that under its start, in nats, the
    mean. entropy: -log p of a token, in nats, the mean. best, question: the solution with the highest reward, and its
    question. Raises InputError.
    """
    if min(updates, batch, save_steps) < 1 or group < 2 or len(questions) < batch:
        counts = f"{len(questions)} questions, updates {updates}, batch {batch}, group {group}, save_steps {save_steps}"
        raise InputError(f"{counts}; all are at least 1, a batch needs as many questions, a group two solutions")
    settings = {
        "policy": name_of(policy), "questions": digest(questions), "reward": label(reward),
        "updates": updates, "batch": batch, "group": group,
        "learning_rate": learning_rate, "kl": kl, "normalise": normalise, "max_new_tokens": max_new_tokens,
        "seed": seed,
    }  # fmt: skip
    run = Run(Path(folder), settings, policy)
    with loading.progress_bar(updates, "training", " updates", shown=progress, start=len(run.history)) as bar:
        for update in range(len(run.history), updates):
            asked = random.Random(f"{seed} {update}").sample(list(questions), batch)
            options: Row = {"temperature": 1.0, "max_new_tokens": max_new_tokens, "seed": seed + update}
            rows = sampler(run.model, asked, group, tokenizer=run.tokenizer, token_ids=True, progress=False, **options)
            texts = [row["question"] for row in rows], [row["solution"] for row in rows]
            rewards = torch.tensor([float(value) for value in reward(*texts)], dtype=torch.float64)
            if not rewards.isfinite().all():
                raise InputError(
                    "a reward is not finite; reward_function(model) gives rewards that trainers can average"
                )
            advantage = advantages(rewards.view(batch, group), normalise).flatten()
            noted = run.step(rows, advantage, kl)
            noted |= {name: sum(map(float, function(*texts))) / len(rows) for name, function in (watch or {}).items()}
            question, best = (column[int(rewards.argmax())] for column in texts)
            run.history.append(
                {"update": update + 1, "reward": rewards.mean().item(), **noted, "question": question, "best": best}
            )
            if (update + 1) % save_steps == 0 or update + 1 == updates:
                run.save()
            bar.update(1)
    return run.history


class Run:
    """A policy in training, its start, its optimiser and its history; saved whole, and taken up again."""

    def __init__(self, folder: Path, settings: Row, start: Any) -> None:
        """Start a run, or take it up. Raises InputError if the folder holds a run with other settings."""
        options: Row = {"tokenizer": None, "device": None, "dtype": "float32"}
        self.folder, self.settings, self.history = folder, settings, list[Row]()
        self.reference, self.tokenizer = loading.load(AutoModelForCausalLM, start, **options)
        record = folder / "run.json"  # written last
        if record.exists():
            there = json.loads(record.read_text(encoding="utf-8"))
            if there["settings"] != settings:
                raise InputError(f"{folder} holds a run with other settings, {there['settings']}: name another folder")
            self.history = there["history"]
        source = folder / f"update-{len(self.history)}" if self.history else start
        self.model, _ = loading.load(AutoModelForCausalLM, source, **options)
        rate = settings["learning_rate"]
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
        if self.history:
            state: dict[int, Row] = {}
            for key, tensor in load_file(source / "optimiser.safetensors").items():
                number, name = key.split(".")
                state.setdefault(int(number), {})[name] = tensor
            self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})

    def step(self, rows: list[Row], advantage: Tensor, kl: float) -> Row:
        """The means of tokens, kl and entropy over sampled rows, before one step of the optimiser on these rows."""
        prompts = reward_model.encode(self.tokenizer, [row["question"] for row in rows], [""] * len(rows))
        texts = [ids + row["ids"] for (ids, _), row in zip(prompts, rows, strict=True)]
        total = sum(len(row["ids"]) for row in rows)
        noted = {"tokens": total / len(rows), "kl": 0.0, "entropy": 0.0}
        self.optimiser.zero_grad()
        for part, inputs in reward_model.batches(texts, self.tokenizer, self.model, None):
            first = torch.tensor([[len(prompts[row][0])] for row in part])
            real, places = inputs["attention_mask"].bool(), reward_model.positions(inputs["attention_mask"])
            mask = (real.cpu() & (places.cpu() >= first))[:, 1:]  # the solution's tokens; nothing predicts the first
            log_p = token_log_probs(self.model, **inputs)
            with torch.no_grad():
                reference = token_log_probs(self.reference, **inputs)
            loss = policy_gradient_loss(log_p, advantage[part], mask, reference, kl)  # a mean over its own tokens
            (loss * mask.sum() / total).backward()
            noted["kl"] += (log_p - reference).detach()[mask].sum().item() / len(rows)
            noted["entropy"] -= log_p.detach()[mask].sum().item() / total
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return noted

    def save(self) -> None:
        """Write policy, optimiser and history, and remove earlier saves."""
        place = self.folder / f"update-{len(self.history)}"
        loading.save(self.model, self.tokenizer, place)
        moments = self.optimiser.state_dict()["state"]
        tensors = {f"{number}.{name}": tensor for number, own in moments.items() for name, tensor in own.items()}
        save_file(tensors, place / "optimiser.safetensors")
        record = json.dumps({"settings": self.settings, "history": self.history}, indent=1)
        with whole(self.folder / "run.json") as part:
            part.write_text(record, encoding="utf-8")
        for old in self.folder.glob("update-*"):
            if old != place and re.fullmatch("update-[0-9]+", old.name):  # and no folder of the user's
                shutil.rmtree(old)
