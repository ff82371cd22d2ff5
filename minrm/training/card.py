"""The model card: the README.md that `train` writes beside a model, with front matter for the Hub.

It says what a training run knows (after Mitchell et al. 2019): settings, data, what was measured, code that scores. What
a run cannot know, such as the licence, is left to the author.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
import transformers
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoTokenizer

from minrm import loading
from minrm.metrics.estimates import Z
from minrm.orm import OutcomeRewardModel
from minrm.text import STEP_TOKEN, join_steps

log = logging.getLogger("minrm")
QUESTION = "Mia has 7 pens. Mia buys 5 pens. Mia loses 2 pens. How many pens does Mia have now?"
SOLUTION = join_steps(["7 + 5 = 12", "12 - 2 = 10\n\n# Answer\n\n10"])
MARK = "<!-- Written by minrm.training. Remove this line, and a later run leaves the page as it is. -->"
KINDS: dict[str, dict[str, str]] = {  # read: the last line with transformers alone
    "OutcomeRewardModel": {
        "title": "An outcome reward model (ORM)", "tag": "outcome-reward-model",
        "pipeline": "token-classification", "stock": "AutoModelForTokenClassification",
        "tells": "It gives P(correct), the probability that a solution's final answer is right, read at the last token.",
        "loss": "cross-entropy between each supervised token and its solution's label (after Cobbe et al. 2021)",
        "term": "token", "asked": "questions", "judged": "solutions",
        "right": "the last token says what the label says",
        "score": "score = model.score([question], [solution])[0]  # P(correct)",
        "read": "score = model(ids).logits[0, -1].softmax(-1)[1].item()  # class 1 is `correct`",
    },
    "ProcessRewardModel": {
        "title": "A process reward model (PRM)", "tag": "process-reward-model",
        "pipeline": "text-generation", "stock": "AutoModelForCausalLM",
        "tells": "It gives P(+) after each step, the probability that the step is good; their product ranks solutions.",
        "loss": "cross-entropy between `+` and `-` after each labelled step (Lightman et al. 2023; Wang et al. 2023)",
        "term": "step", "asked": "questions", "judged": "steps",
        "right": "the likelier of `+` and `-` is what the label says",
        "score": "score = model.step_scores([question], [solution])[0]  # P(+) of each step",
        "read": "score = model(ids).logits[0, ids[0] == {step}][:, [{minus}, {plus}]].softmax(-1)[:, 1].tolist()",
    },
    "BradleyTerryRewardModel": {
        "title": "A Bradley–Terry reward model", "tag": "bradley-terry",
        "pipeline": "text-classification", "stock": "AutoModelForSequenceClassification",
        "tells": "It gives a reward, a number without a unit: the difference of two responses' rewards to one prompt is "
        "the log-odds that the first is preferred, and nothing else about them means anything.",
        "loss": "−log σ(r_chosen − r_rejected) (Bradley & Terry 1952; Ouyang et al. 2022)",
        "term": "pair", "asked": "prompts", "judged": "pairs",
        "right": "the chosen response is rewarded more",
        "score": "score = model.score([question], [solution])[0]  # the reward of a response to a prompt",
        "read": "score = model(ids).logits[0, 0].item()",
    },
}  # fmt: skip
PAGE = """\
---
{{ card_data }}
# license: yours to choose; it must fit the licences of the base and of the data
---
{{ mark }}

# {{ title }}

{{ tells }}

| | |
|---|---|
{% for name, fact in facts.items() %}| {{ name }} | {{ fact }} |
{% endfor %}
## Measured

{% if eval_loss is defined %}| on the held-out rows | | 95 % interval |
|---|---|---|
| accuracy over {{ items }} {{ judged }}: {{ right }} | {{ "%.3f" % eval_accuracy }} | {{ "%.3f to %.3f" % interval }} |
| for comparison: {{ guess }} | |
| loss, mean per {{ term }} | {{ "%.4f" % eval_loss }} | |

Measured after epoch {{ "%g of %g" % (epoch, epochs) }}. The interval is Wilson's, over {{ asked }}: all {{ judged }} of one of \
them count as one observation, so it is rather too wide than too narrow.
{% else %}Nothing: the run had no held-out rows (`eval_dataset`).
{% endif %}
## Score with it

What to score, a solution written as in training:
```python
question = {{ question }}
solution = {{ solution }}
```
With minrm:
```python
from minrm import {{ ours }}
model = {{ ours }}.from_pretrained(".")  # this folder, or its name on the Hub
{{ score }}
```
With transformers alone, to the same number; question and solution are tokenised apart:
```python
import torch
from transformers import {{ stock }}, {{ tokenizer }}

tokenizer = {{ tokenizer }}.from_pretrained(".")
model = {{ stock }}.from_pretrained(".").eval()
texts = [question + "\\n", {{ text }}]
parts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
ids = torch.tensor([{{ start }}parts[0] + parts[1]])
with torch.inference_mode():
    {{ read }}
```

## Left to you

The licence (in the front matter above), where the data are from, what the model is for, and where it fails.
"""


def write_card(
    folder: Path, model: Any, settings: dict[str, Any], history: list[dict[str, float]], used: Any, held_out: Any
) -> None:
    """Write README.md into `folder`. One without our comment is left alone, and the log says so.

    settings, history: of the run; used, held_out: its rows, as `train` prepares them.
    """
    path = folder / "README.md"
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        log.warning("%s was not written by a run, so it stays; remove it to get the card of this run", path)
        return
    ours = next(cls.__name__ for cls in type(model).__mro__ if cls.__name__ in KINDS)  # a subclass is of its kind
    kind, base = KINDS[ours], settings["base"]
    hub = base if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", base) and not Path(base).exists() else None
    facts = {
        "Checkpoint": f"a stock `{kind['stock']}`, {settings['parameters']:,} parameters",
        "Base": f"[{hub}](https://huggingface.co/{hub})" if hub else f"`{_last_part(base)}`, not from the Hub",
        "Trained on": _counts(kind, used),
        "Held out": _counts(kind, held_out) if held_out.rows else "nothing",
        "Loss": kind["loss"],
        "Settings": _settings(model, settings),
        **({"Adapters": f"LoRA of rank `{settings['lora']}`, merged into the base"} if settings["lora"] else {}),
        "Versions": f"minrm {loading.installed('minrm')}, transformers {transformers.__version__}, torch {torch.__version__}",
    }
    measured = _measured(kind, history, held_out)
    results = [
        EvalResult(kind["pipeline"], "held-out", "held-out rows", name, round(measured[f"eval_{name}"], 4))
        for name in ("accuracy", "loss")
        if measured
    ]
    front = ModelCardData(
        library_name="transformers", pipeline_tag=kind["pipeline"], base_model=hub, eval_results=results or None,
        model_name=_last_part(str(folder.resolve())), tags=["reward-model", kind["tag"], "minrm"],
    )  # fmt: skip
    card = ModelCard.from_template(
        front, template_str=PAGE, mark=MARK, ours=ours, facts=facts, epochs=settings["epochs"],
        question=_quoted(QUESTION), solution=_quoted(SOLUTION), **kind | _code(kind, model, folder) | measured,
    )  # fmt: skip
    card.save(path)


def interval(accuracy: float, judged: dict[str, int]) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of an accuracy over items; judged: how many of them each question has.

    Answers to one question are not independent. They are taken to agree wholly: the questions count as (Σ c)² / Σ c²
    observations (Kish 1965), at most as many as there are questions, so the interval is rather too wide than too narrow.
    """
    counts = np.array(list(judged.values()), dtype=np.float64)
    prior = Z**2 * (counts**2).sum() / counts.sum() ** 2
    centre = (accuracy + prior / 2) / (1 + prior)
    half = np.sqrt(prior * (accuracy * (1 - accuracy) + prior / 4)) / (1 + prior)
    return float(max(0, min(centre - half, accuracy))), float(min(1, max(centre + half, accuracy)))


def _measured(kind: dict[str, str], history: list, held_out: Any) -> dict[str, Any]:
    """What the last evaluation measured, and how often a guess is right; nothing without one."""
    entries = [entry for entry in history if "eval_accuracy" in entry]
    if not entries:
        return {}
    labels = [torch.as_tensor(row.get("labels", row.get("label", 1.0))).view(-1) for row in held_out.rows]
    judged = Counter[str]()
    for question, row in zip(held_out.questions, labels, strict=True):
        judged[question] += len(row)
    share = (torch.cat(labels) >= 0.5).double().mean().item()
    guess = f"the commoner label, always given | {max(share, 1 - share):.3f}"
    found = {"interval": interval(entries[-1]["eval_accuracy"], judged), "items": f"{judged.total():,}"}
    return entries[-1] | found | {"guess": "a coin | 0.500" if kind["judged"] == "pairs" else guess}


def _code(kind: dict[str, str], model: Any, folder: Path) -> dict[str, str]:
    """The parts of the code blocks that depend on the model and its tokenizer."""
    text, read = "solution", kind["read"]
    if kind["judged"] == "steps":
        text = f'solution.replace("\\nStep: ", "{STEP_TOKEN}\\nStep: ") + "{STEP_TOKEN}"'
        read = read.format(step=model.step_id, minus=model.minus_id, plus=model.plus_id)
    tokenizer = "AutoTokenizer" if loading.tokenizer_class(folder) is AutoTokenizer else "PreTrainedTokenizerFast"
    starts = model.tokenize(QUESTION, SOLUTION)[0][:1] == [model.tokenizer.bos_token_id]
    return {"text": text, "read": read, "tokenizer": tokenizer, "start": "[tokenizer.bos_token_id] + " * starts}


def _counts(kind: dict[str, str], data: Any) -> str:
    dropped = f"{data.dropped:,} more dropped (too long, or without any label)" if data.dropped else "none dropped"
    return f"{len(data.rows):,} rows about {len(set(data.questions)):,} {kind['asked']}; {dropped}"


def _settings(model: Any, settings: dict[str, Any]) -> str:
    named = ["epochs", "batch_size", "accumulate", "processes", "learning_rate", "seed", "head_seed", "max_length"]
    named += ["supervised"] * isinstance(model, OutcomeRewardModel)
    shown = {name: settings[name] for name in named if settings.get(name) is not None}
    shown["computed in"] = settings["dtype"] or str(loading.compute_dtype(model.model.device)).removeprefix("torch.")
    return ", ".join(f"{name} `{value}`" for name, value in shown.items())


def _last_part(path: str) -> str:
    """A folder's name without the way to it, which is the user's own."""
    return re.sub(r"[^\w.-]", "_", PurePath(path.replace("\\", "/")).name) or "model"


def _quoted(text: str) -> str:
    return '"' + text.replace("\n", "\\n") + '"'
