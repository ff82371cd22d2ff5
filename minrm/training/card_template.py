"""What every model card says, and what differs by kind of model; `cards.py` fills it in.

The code blocks of a card run as they stand, in the model's folder and in this order; a test runs them.
"""

from __future__ import annotations

from typing import NamedTuple

from minrm.text import join_steps


class Kind(NamedTuple):
    title: str
    tag: str
    pipeline: str  # the Hub's name for what its stock class does
    stock: str  # the stock class of its checkpoint
    tells: str
    loss: str
    term: str  # what the loss is a mean over
    asked: str  # what the rows are about
    judged: str  # what the accuracy is over
    right: str
    score: str  # the third line with minrm
    read: str  # the last line with transformers


KINDS = {
    "OutcomeRewardModel": Kind(
        title="An outcome reward model (ORM)",
        tag="outcome-reward-model",
        pipeline="token-classification",
        stock="AutoModelForTokenClassification",
        tells="It gives P(correct), the probability that a solution's final answer is right, read at the last token.",
        loss="cross-entropy between each supervised token and its solution's label (after Cobbe et al. 2021)",
        term="token",
        asked="questions",
        judged="solutions",
        right="the last token says what the label says",
        score="score = model.score([question], [solution])[0]  # P(correct)",
        read="score = model(ids).logits[0, -1].softmax(-1)[1].item()  # class 1 is `correct`",
    ),
    "ProcessRewardModel": Kind(
        title="A process reward model (PRM)",
        tag="process-reward-model",
        pipeline="text-generation",
        stock="AutoModelForCausalLM",
        tells="It gives P(+) after each step, the probability that the step is good; their product ranks solutions.",
        loss="cross-entropy between `+` and `-` after each labelled step (Lightman et al. 2023; Wang et al. 2023)",
        term="step",
        asked="questions",
        judged="steps",
        right="the likelier of `+` and `-` is what the label says",
        score="score = model.step_scores([question], [solution])[0]  # P(+) of each step",
        read="score = model(ids).logits[0, ids[0] == {step}][:, [{minus}, {plus}]].softmax(-1)[:, 1].tolist()",
    ),
    "BradleyTerryRewardModel": Kind(
        title="A Bradley–Terry reward model",
        tag="bradley-terry",
        pipeline="text-classification",
        stock="AutoModelForSequenceClassification",
        tells="It gives a reward, a number without a unit: the difference of two responses' rewards to one prompt is "
        "the log-odds that the first is preferred, and nothing else about them means anything.",
        loss="−log σ(r_chosen − r_rejected) (Bradley & Terry 1952; Ouyang et al. 2022)",
        term="pair",
        asked="prompts",
        judged="pairs",
        right="the chosen response is rewarded more",
        score="score = model.score([question], [solution])[0]  # the reward of a response to a prompt",
        read="score = model(ids).logits[0, 0].item()",
    ),
}
QUESTION = "Mia has 7 pens. Mia buys 5 pens. Mia loses 2 pens. How many pens does Mia have now?"
SOLUTION = join_steps(["7 + 5 = 12", "12 - 2 = 10\n\n# Answer\n\n10"])
PAGE = """\
---
{front}
# license: yours to choose; it must fit the licences of the base and of the data
---
# {kind.title}

{kind.tells}

| | |
|---|---|
{facts}

## Measured

{measured}

## Score with it

What to score, a solution written as in training:
```python
question = {question}
solution = {solution}
```
With minrm:
```python
from minrm import {ours}
model = {ours}.from_pretrained(".")  # this folder, or its name on the Hub
{kind.score}
```
With transformers alone, to the same number; question and solution are tokenised apart:
```python
import torch
from transformers import {kind.stock}, {tokenizer}

tokenizer = {tokenizer}.from_pretrained(".")
model = {kind.stock}.from_pretrained(".").eval()
texts = [question + "\\n", {text}]
parts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
ids = torch.tensor([{start}parts[0] + parts[1]])
with torch.inference_mode():
    {read}
```

## Left to you

The licence (in the front matter above), where the data are from, what the model is for, and where it fails.
"""
