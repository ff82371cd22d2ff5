"""The model card: what `train` tells about a model, as the README.md of its folder.

In come the model, its folder, the settings and history of the run, and the rows that it used; out goes a page with
front matter for the Hub (after Mitchell et al. 2019, cut down to what a training run knows). What it cannot know, such
as the licence, is left open. A README.md that a person wrote or edited is never replaced.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
import transformers
from huggingface_hub import ModelCardData
from transformers import AutoTokenizer

from minrm import loading
from minrm.loading import installed
from minrm.metrics.estimates import Z
from minrm.orm import OutcomeRewardModel
from minrm.text import STEP_TOKEN
from minrm.training.card_template import KINDS, PAGE, QUESTION, SOLUTION, Kind
from minrm.training.rows import Prepared

log = logging.getLogger("minrm")
_MARK = "<!-- minrm card {}: a later run replaces this page only while it is as it was written -->"


def write_card(
    folder: Path, model: Any, settings: dict[str, Any], history: list[dict[str, float]], used: Prepared,
    held_out: Prepared,
) -> None:  # fmt: skip
    """Write README.md into `folder`, at once or not at all, unless a person wrote or edited the one that is there.

    Ours holds a comment with a digest of the rest of the page; one without it, or changed since, is kept, and the log
    says so. settings: what `resume.run_settings` gives; history: as in a TrainingResult; held_out: of eval_dataset.
    """
    path = folder / "README.md"
    if path.exists() and not _is_ours(path.read_text(encoding="utf-8", errors="replace")):
        log.warning("%s was written or edited by hand, so it stays; remove it to get the card of this run", path)
        return
    part = path.with_suffix(".part")
    part.write_text(_sealed(_page(folder, model, settings, history, used, held_out)), encoding="utf-8")
    part.replace(path)


def interval(accuracy: float, judged: dict[str, int]) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of an accuracy over items; judged: how many of them each question has.

    Answers to one question are not independent. How much they agree cannot be seen in the accuracy alone, so they are
    taken to agree wholly: the questions then count as (Σ c)² / Σ c² observations (Kish 1965), at most as many as there
    are questions. So the interval is rather too wide than too narrow, and Wilson's own where each has one item.
    """
    counts = np.array(list(judged.values()), dtype=np.float64)
    prior = Z**2 * (counts**2).sum() / counts.sum() ** 2
    centre = (accuracy + prior / 2) / (1 + prior)
    half = np.sqrt(prior * (accuracy * (1 - accuracy) + prior / 4)) / (1 + prior)
    return float(max(0, min(centre - half, accuracy))), float(min(1, max(centre + half, accuracy)))


def _page(folder: Path, model: Any, settings: dict, history: list, used: Prepared, held_out: Prepared) -> str:
    ours = next(cls.__name__ for cls in type(model).__mro__ if cls.__name__ in KINDS)  # a subclass is of its kind
    kind, base, hub = KINDS[ours], settings["base"], _hub_name(settings["base"])
    tags = ["reward-model", kind.tag, "minrm"]
    front = ModelCardData(library_name="transformers", pipeline_tag=kind.pipeline, base_model=hub, tags=tags)
    facts = {
        "Checkpoint": f"a stock `{kind.stock}`, {settings['parameters']:,} parameters",
        "Base": f"[{hub}](https://huggingface.co/{hub})" if hub else f"`{_last_part(base)}`, not from the Hub",
        "Trained on": _counts(kind, used),
        "Held out": _counts(kind, held_out) if held_out.rows else "nothing",
        "Loss": kind.loss,
        "Settings": _settings(model, settings),
        **({"Adapters": f"LoRA of rank `{settings['lora']}`, merged into the base"} if settings.get("lora") else {}),
        "Versions": f"minrm {installed('minrm')}, transformers {transformers.__version__}, torch {torch.__version__}",
    }
    text, read = "solution", kind.read
    if kind.judged == "steps":
        text = f'solution.replace("\\nStep: ", "{STEP_TOKEN}\\nStep: ") + "{STEP_TOKEN}"'
        read = read.format(step=model.step_id, minus=model.minus_id, plus=model.plus_id)
    tokenizer = "AutoTokenizer" if loading.tokenizer_class(folder) is AutoTokenizer else "PreTrainedTokenizerFast"
    starts = model.tokenize(QUESTION, SOLUTION)[0][:1] == [model.tokenizer.bos_token_id]
    table = "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
    return PAGE.format(
        kind=kind, front=front.to_yaml().strip(), facts=table,
        measured=_measured(kind, settings, history, held_out), ours=ours, question=_quoted(QUESTION),
        solution=_quoted(SOLUTION), tokenizer=tokenizer, text=text, read=read,
        start="[tokenizer.bos_token_id] + " * starts,
    )  # fmt: skip


def _counts(kind: Kind, data: Prepared) -> str:
    dropped = f"{data.dropped:,} more dropped (too long, or without any label)" if data.dropped else "none dropped"
    return f"{len(data.rows):,} rows about {len(set(data.questions)):,} {kind.asked}; {dropped}"


def _settings(model: Any, settings: dict[str, Any]) -> str:
    named = ["epochs", "batch_size", "accumulate", "processes", "learning_rate", "seed", "head_seed", "max_length"]
    named += ["supervised"] * isinstance(model, OutcomeRewardModel)
    shown = {name: settings[name] for name in named if settings.get(name) is not None}
    computed_in = settings.get("dtype") or loading.compute_dtype(model.model.device)
    shown["computed in"] = str(computed_in).removeprefix("torch.")
    return ", ".join(f"{name} `{value}`" for name, value in shown.items())


def _measured(kind: Kind, settings: dict, history: list, held_out: Prepared) -> str:
    entries = [entry for entry in history if "eval_accuracy" in entry]
    if not entries:
        return "Nothing: the run had no held-out rows (`eval_dataset`)."
    last, judged = entries[-1], Counter[str]()
    for question, row in zip(held_out.questions, held_out.rows, strict=True):
        judged[question] += len(row["labels"]) if kind.judged == "steps" else 1
    low, high = interval(last["eval_accuracy"], judged)
    return f"""\
| on the held-out rows | | 95 % interval |
|---|---|---|
| accuracy over {judged.total():,} {kind.judged}: {kind.right} | {last["eval_accuracy"]:.3f} | {low:.3f} to {high:.3f} |
| for comparison: {_guess(kind, held_out.rows)} | |
| loss, mean per {kind.term} | {last["eval_loss"]:.4f} | |

Measured after epoch {last["epoch"]:g} of {settings["epochs"]:g}. The interval is Wilson's, over {kind.asked}: all \
{kind.judged} of one of them count as one observation, so it is rather too wide than too narrow."""


def _guess(kind: Kind, rows: list[dict[str, Any]]) -> str:
    """Who has learnt nothing, and how often that is right."""
    if kind.judged == "pairs":
        return "a coin | 0.500"
    labels = torch.cat([torch.as_tensor(row["labels" if kind.judged == "steps" else "label"]).view(-1) for row in rows])
    share = (labels >= 0.5).double().mean().item()
    return f"the commoner label, always given | {max(share, 1 - share):.3f}"


def _hub_name(base: str) -> str | None:
    """The base's name if it is one on the Hub: ORG/NAME, and no folder here."""
    return base if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", base) and not Path(base).exists() else None


def _last_part(base: str) -> str:
    """What a folder is called, without the way to it, which is the user's own."""
    return re.sub(r"[^\w.-]", "_", PurePath(base.replace("\\", "/")).name) or "model"


def _quoted(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'


def _sealed(page: str) -> str:
    """The page with our comment under its front matter."""
    front, body = page.split("\n---\n", 1)
    return f"{front}\n---\n{_MARK.format(_digest(page))}\n\n{body}"


def _is_ours(text: str) -> bool:
    found = re.search(_MARK.replace("{}", "([0-9a-f]{16})") + "\n\n", text)
    return found is not None and _digest(text.replace(found[0], "", 1)) == found[1]


def _digest(page: str) -> str:
    return hashlib.sha256(page.encode()).hexdigest()[:16]
