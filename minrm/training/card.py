"""The model card that `train` writes: what a run knows (after Mitchell et al. 2019), and code that scores.

The author adds what a run cannot know, such as the licence.
"""

import json
import logging
import re
from collections import Counter
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import PreTrainedTokenizerFast

from minrm import loading
from minrm.errors import InputError
from minrm.files.runs import whole
from minrm.inference.engines import engine_command
from minrm.metrics.estimates import Z
from minrm.reward_model import start_ids
from minrm.text import STEP_TOKEN, join_steps

Row = dict[str, Any]
Data = tuple[list[Row], int]  # prepared rows with their questions, and how many were dropped
log = logging.getLogger("minrm")
QUESTION = "Mia has 7 pens. Mia buys 5 pens. Mia loses 2 pens. How many pens does Mia have now?"
SOLUTION = join_steps(["7 + 5 = 12", "12 - 2 = 10\n\n# Answer\n\n10"])
MARK = "<!-- Written by minrm.training. Remove this line, and a later run leaves the page as it is. -->"
ELSEWHERE = {"model", "parameters", "base", "lora", "data"}  # settings that have their own line, or need none
KINDS: dict[str, Row] = {  # judged: what the accuracy is over; read: the last line with transformers
    "OutcomeRewardModel": {
        "title": "An outcome reward model (ORM)", "tag": "outcome-reward-model", "pipeline": "token-classification",
        "term": "token", "asked": "questions", "judged": "solutions", "text": "solution",
        "right": "the last token says what the label says",
        "tells": "It gives P(correct), the probability that a solution's answer is right, read at the last token.",
        "loss": "cross-entropy between each supervised token and its solution's label (after Cobbe et al. 2021)",
        "score": "score = model.score([question], [solution])[0]  # P(correct)",
        "read": "score = model(ids).logits[0, -1].softmax(-1)[1].item()  # class 1 is `correct`",
    },
    "ProcessRewardModel": {
        "title": "A process reward model (PRM)", "tag": "process-reward-model", "pipeline": "text-generation",
        "term": "step", "asked": "questions", "judged": "steps",
        "text": f'solution.replace("\\nStep: ", "{STEP_TOKEN}\\nStep: ") + "{STEP_TOKEN}"',
        "tells": "It gives P(+) after each step, the probability that the step is good; their product ranks solutions.",
        "loss": "cross-entropy between `+` and `-` after each labelled step (Lightman et al. 2023; Wang et al. 2023)",
        "right": "the likelier of `+` and `-` is what the label says",
        "score": "score = model.step_scores([question], [solution])[0]  # P(+) of each step",
        "read": "score = model(ids).logits[0, ids[0] == {m.step_id}][:, [{m.minus_id}, {m.plus_id}]].softmax(-1)"
        "[:, 1].tolist()",
    },
    "BradleyTerryRewardModel": {
        "title": "A Bradley–Terry reward model", "tag": "bradley-terry", "pipeline": "text-classification",
        "term": "pair", "asked": "prompts", "judged": "pairs", "text": "solution",
        "right": "the chosen response is rewarded more",
        "tells": "It gives a reward: the difference of two responses' rewards to one prompt is the log-odds that the "
        "first is preferred, and nothing else about them means anything.",
        "loss": "−log σ(r_chosen − r_rejected) (Bradley & Terry 1952; Ouyang et al. 2022)",
        "score": "score = model.score([question], [solution])[0]  # the reward of a response to a prompt",
        "read": "score = model(ids).logits[0, 0].item()",
    },
}  # fmt: skip


def write_card(folder: Path, model: Any, settings: Row, history: list[Row], used: Data, held_out: Data) -> None:
    """Write README.md into `folder`. A README.md without our comment is left alone, and the log says so."""
    path = folder / "README.md"
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        log.warning("%s was not written by a run, so it stays; remove it to get the card of this run", path)
        return
    ours = next(cls.__name__ for cls in type(model).__mro__ if cls.__name__ in KINDS)  # a subclass is of its kind
    kind, lora, stock = KINDS[ours], settings["lora"], model.auto_class.__name__
    base = settings["base"].partition(" (sha256 ")[0]
    hub = base if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", base) and not Path(base).exists() else None
    measured, saved = _measured(kind, history, held_out[0]), loading.load_tokenizer(folder)
    facts = {
        "Checkpoint": f"a stock `{stock}`, {settings['parameters']:,} parameters",
        "Base": f"[{hub}](https://huggingface.co/{hub})" if hub else f"`{_last_part(base)}`, not from the Hub",
        "Trained on": _counts(kind, *used), "Held out": _counts(kind, *held_out) if held_out[0] else "nothing",
        "Loss": kind["loss"],
        "Settings": ", ".join(f"{k} `{v}`" for k, v in settings.items() if k not in ELSEWHERE and v is not None),
        "Adapters": f"LoRA of rank `{lora}`, merged into the base" if lora else "none: all weights were trained",
        "Versions": ", ".join(f"{name} {loading.installed(name)}" for name in ("minrm", "transformers", "torch")),
    }  # fmt: skip
    values = [(name, round(measured[f"eval_{name}"], 4)) for name in ("accuracy", "loss") if measured]
    results = [EvalResult(kind["pipeline"], "held-out", "held-out rows", *value) for value in values]
    front = ModelCardData(
        library_name="transformers", pipeline_tag=kind["pipeline"], base_model=hub, eval_results=results or None,
        model_name=_last_part(str(folder.resolve())), tags=["reward-model", kind["tag"], "minrm"],
    )  # fmt: skip
    card = ModelCard.from_template(
        front, template_path=str(Path(__file__).with_name("card.md")), mark=MARK, ours=ours, stock=stock, facts=facts,
        question=json.dumps(QUESTION),
        solution=json.dumps(SOLUTION), epochs=settings["epochs"],
        tokenizer="PreTrainedTokenizerFast" if type(saved) is PreTrainedTokenizerFast else "AutoTokenizer",
        start="[tokenizer.bos_token_id] + " * len(start_ids(model.tokenizer)),
        **_serving(model), **kind | measured | {"read": kind["read"].format(m=model)},
    )  # fmt: skip
    with whole(path) as part:
        card.save(part)


def interval(accuracy: float, judged: dict[str, int]) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of an accuracy over items; judged: how many of them each question has.

    Answers to one question are taken to agree wholly: there are (Σ c)² / Σ c² observations (Kish 1965).
    """
    counts = np.array(list(judged.values()), dtype=np.float64)
    prior = Z**2 * (counts**2).sum() / counts.sum() ** 2
    centre = (accuracy + prior / 2) / (1 + prior)
    half = np.sqrt(prior * (accuracy * (1 - accuracy) + prior / 4)) / (1 + prior)
    return float(max(0, min(centre - half, accuracy))), float(min(1, max(centre + half, accuracy)))


def _serving(model: Any) -> dict[str, str]:
    """The command with which vLLM serves the model, or why it cannot."""
    try:
        return {"serve": engine_command(model, ".")}
    except InputError as error:
        return {"serve": "", "unserved": str(error).removeprefix(".: ")}


def _measured(kind: Row, history: list[Row], rows: list[Row]) -> Row:
    """The last evaluation, its interval, and how often a guess is right; empty without an evaluation."""
    last = next((entry for entry in reversed(history) if "eval_accuracy" in entry), None)
    if last is None:
        return {}
    labels = [np.asarray(row.get("labels", row.get("label", 1))).ravel() for row in rows]
    judged = Counter(row["question"] for row, items in zip(rows, labels, strict=True) for _ in items)
    share = (np.concatenate(labels) >= 0.5).mean()
    commoner = f"the commoner label, always given | {max(share, 1 - share):.3f}"
    guess = "a coin | 0.500" if kind["judged"] == "pairs" else commoner
    return last | {"interval": interval(last["eval_accuracy"], judged), "items": f"{judged.total():,}", "guess": guess}


def _counts(kind: Row, rows: list[Row], dropped: int) -> str:
    more = f"{dropped:,} more dropped (too long, or without any label)" if dropped else "none dropped"
    return f"{len(rows):,} rows about {len({row['question'] for row in rows}):,} {kind['asked']}; {more}"


def _last_part(path: str) -> str:
    """A folder's name without the way to it, which is the user's own."""
    return re.sub(r"[^\w.-]", "_", PurePath(path.replace("\\", "/")).name) or "model"
