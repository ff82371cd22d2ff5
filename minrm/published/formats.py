"""How published reward models read a solution: one small record for each family.

    family             written as                                       read
    math-shepherd      lines `Step 1: …`, each ended by the tag ` ки`   `+` against `-` at the tag
    rlhflow            chat: each step a user turn, answered by `+`     `+` against `-`, one token before that answer
    qwen-math-prm      chat: steps ended by `<extra_0>`                 two classes there, by a head of two layers
    skywork-o1-prm     the start token, then a step a line              one log-odds at each line's end
    trl                text: each step ended by a line break            two classes at the break's last token
    trl-paragraphs     text: each step ended by two line breaks         two classes at the last break's last token
    skywork-reward-v2  chat: the prompt and its response                one reward at the last token (Bradley–Terry)

Read in model cards and the publishers' code (`Format.source`); proven on tiny models, no published weights were loaded.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import transformers
from jinja2 import TemplateError
from torch import nn

from minrm.errors import InputError

Encoded = tuple[list[int], list[int]]  # ids, positions

TAG, SEPARATOR = "ки", "<extra_0>"  # Math-Shepherd's, Qwen's
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
DATE = "26 Jul 2024"  # Llama 3.2's template would write today's date, and the score would change overnight
REMEDY = "take the tokenizer published with the model"


@dataclass(frozen=True)
class Format:
    """How one family is read."""

    loads: Any  # the class that holds its tensors
    encode: Callable[[Any, str, list[str]], Encoded]  # of a tokenizer, a question and its steps
    source: str  # where the format was read
    label_tokens: bool = False  # the logits of `+` and `-` in the vocabulary are read, not a head
    reward: bool = False  # the response is read as one text, and the model returns a reward instead of a probability


class _Qwen2WithHead(transformers.Qwen2PreTrainedModel):
    add_head: Any

    def __init__(self, config: Any) -> None:
        if not isinstance(config, transformers.Qwen2Config):
            raise InputError(f"this head needs a Qwen 2 backbone, not {config.model_type}; give another like=")
        super().__init__(config)
        self.model = transformers.Qwen2Model(config)
        self.add_head(config.hidden_size)
        self.post_init()


class Qwen2WithClasses(_Qwen2WithHead):
    """The stock Qwen 2 backbone under the head of Qwen2.5-Math-PRM: tensors `score.0` and `score.2`."""

    def add_head(self, size: int) -> None:
        self.score = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 2))


class Qwen2WithValue(_Qwen2WithHead):
    """The stock Qwen 2 backbone under the head of Skywork-o1-Open-PRM: the tensors `v_head.summary`."""

    def add_head(self, size: int) -> None:
        self.v_head = nn.ModuleDict({"summary": nn.Linear(size, 1)})


def token_id(tokenizer: Any, text: str) -> int:
    """The id of `text`. Raises InputError where the tokenizer makes several of it or knows none."""
    ids = _ids(tokenizer, text, add_special_tokens=False)
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise InputError(f"{text!r} must be one known token, not {tokenizer.convert_ids_to_tokens(ids)}; {REMEDY}")
    return ids[0]


def _ids(tokenizer: Any, text: str, **options: Any) -> list[int]:
    return tokenizer(text, verbose=False, **options)["input_ids"]


def _marked(ids: list[int], mark: int) -> Encoded:
    return ids, [position for position, token in enumerate(ids) if token == mark]


def _chat(tokenizer: Any, *turns: tuple[str, str]) -> list[int]:
    """Ids of (role, content) turns. The template writes the start token itself, so the tokenizer must add none."""
    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, date_string=DATE)
    except (TemplateError, ValueError) as error:
        raise InputError(f"no chat template for these turns ({error}); {REMEDY}") from error
    missing = [role for role, content in turns if content.strip() not in text]
    if missing:
        raise InputError(f"the chat template leaves out the {missing[0]} turn; {REMEDY}")
    return _ids(tokenizer, text, add_special_tokens=False)


def _math_shepherd(tokenizer: Any, question: str, steps: list[str]) -> Encoded:
    lines = [f"Step {number}: {step} {TAG}" for number, step in enumerate(steps, start=1)]
    return _marked(_ids(tokenizer, f"{question} " + "\n".join(lines)), token_id(tokenizer, TAG))


def _rlhflow(tokenizer: Any, question: str, steps: list[str]) -> Encoded:
    """The chat is written with all `+` and with all `-`: the answers are the tokens in which the two differ."""
    users = [f"{question} {steps[0]}", *steps[1:]]
    plus, minus = (_chat(tokenizer, *(t for user in users for t in (("user", user), ("assistant", s)))) for s in "+-")
    at = [position for position, (a, b) in enumerate(zip(plus, minus, strict=False)) if a != b]
    labels = {(token_id(tokenizer, "+"), token_id(tokenizer, "-"))}
    if len(plus) != len(minus) or len(at) != len(steps) or {(plus[i], minus[i]) for i in at} != labels:
        raise InputError(f"the chat template does not answer each user turn with one token, + or -; {REMEDY}")
    return plus, [position - 1 for position in at]


def _qwen_math_prm(tokenizer: Any, question: str, steps: list[str]) -> Encoded:
    solution = "".join(step + SEPARATOR for step in steps)
    ids = _chat(tokenizer, ("system", SYSTEM), ("user", question), ("assistant", solution))
    return _marked(ids, token_id(tokenizer, SEPARATOR))


def _skywork_o1_prm(tokenizer: Any, question: str, steps: list[str]) -> Encoded:
    """Each part is tokenised apart. A line break inside a step becomes a space, since here it would end the step."""
    if tokenizer.bos_token is None:
        raise InputError(f"the tokenizer has no start token; {REMEDY}")
    end, at = token_id(tokenizer, "\n"), []
    ids = _ids(tokenizer, tokenizer.bos_token + question + "\n")
    for step in steps:
        ids = [*ids, *_ids(tokenizer, re.sub(r"\n+", " ", step)), end]
        at.append(len(ids) - 1)
    return ids, at


def _trl(tokenizer: Any, question: str, steps: list[str], separator: str) -> Encoded:
    """Each beginning of the text, up to a separator, is tokenised as if it stood alone, as in TRL's guide (its trainer
    puts no separator after the question): the published figures were measured so."""
    texts = [separator.join([question, *steps[:count]]) + separator for count in range(1, len(steps) + 1)]
    rows = [_ids(tokenizer, text) for text in texts]
    if any(rows[-1][: len(row)] != row for row in rows):
        raise InputError("the tokenizer merges a separator with the step after it; strip the steps of spaces")
    return rows[-1], [len(row) - 1 for row in rows]


def _skywork_reward(tokenizer: Any, prompt: str, response: list[str]) -> Encoded:
    ids = _chat(tokenizer, ("user", prompt), ("assistant", response[0]))
    return ids, [len(ids) - 1]


# Cards that could not be opened were read in public copies of their code. Not verified: that no template was changed
# since, and the pad token of Skywork-Reward-V2's Llama models (were it their end of turn, the stock class would read
# one token earlier than the last).
_TRL_GUIDE = "TRL's guide to PRMTrainer; huggingface/ProcessBench, code/run_eval_prm_trl.py"
FORMATS = {
    "math-shepherd": Format(transformers.AutoModelForCausalLM, _math_shepherd, "card's example (public copies of its "
        "code); card of the data; huggingface/search-and-learn (the ids)", label_tokens=True),
    "rlhflow": Format(transformers.AutoModelForCausalLM, _rlhflow, "RLHFlow/RLHF-Reward-Modeling, math-rm/"
        "prm_evaluate.py and README.md, to which the card points", label_tokens=True),
    "qwen-math-prm": Format(Qwen2WithClasses, _qwen_math_prm, "card and config.json; the head in vllm-project/vllm, "
        "model_executor/models/qwen2_rm.py"),
    "skywork-o1-prm": Format(Qwen2WithValue, _skywork_o1_prm, "SkyworkAI/skywork-o1-prm-inference (io_utils.py, "
        "prm_model.py, in huggingface/search-and-learn); config.json and special_tokens_map.json"),
    "trl": Format(transformers.AutoModelForTokenClassification, partial(_trl, separator="\n"), _TRL_GUIDE),
    "trl-paragraphs": Format(transformers.AutoModelForTokenClassification, partial(_trl, separator="\n\n"),
        _TRL_GUIDE + "; huggingface/search-and-learn, recipes/training/README.md (the separator)"),
    "skywork-reward-v2": Format(transformers.AutoModelForSequenceClassification, _skywork_reward, "card's example",
        reward=True),
}  # fmt: skip

# Hub name → family, and parameters in billions, as loaded (a head over the vocabulary only where it is read).
MODELS = {
    name: (family, billions)
    for family, names in {
        "math-shepherd": {"peiyi9979/math-shepherd-mistral-7b-prm": 7.242},
        "rlhflow": {"RLHFlow/Llama3.1-8B-PRM-Mistral-Data": 8.030, "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data": 8.030},
        "qwen-math-prm": {"Qwen/Qwen2.5-Math-PRM-7B": 7.083, "Qwen/Qwen2.5-Math-PRM-72B": 71.528,
            "Qwen/Qwen2.5-Math-7B-PRM800K": 7.083},
        "skywork-o1-prm": {"Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B": 1.544,
            "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B": 7.071},
        "trl": {"trl-lib/Qwen2-0.5B-Reward-Math-Sheperd": 0.494, "plaguss/Qwen2.5-0.5B-Math-Shepherd-PRM-0.2": 0.494},
        "trl-paragraphs": {"HuggingFaceH4/Qwen2.5-Math-1.5B-Instruct-PRM-0.2": 1.544,
            "HuggingFaceH4/Qwen2.5-Math-7B-Instruct-PRM-0.2": 7.071},
        "skywork-reward-v2": {f"Skywork/Skywork-Reward-V2-{size}": billions for size, billions in {
            "Qwen3-0.6B": 0.596, "Llama-3.2-1B": 1.236, "Qwen3-1.7B": 1.721, "Llama-3.2-3B": 3.213, "Qwen3-4B": 4.022,
            "Llama-3.1-8B": 7.505, "Llama-3.1-8B-40M": 7.505, "Qwen3-8B": 7.568}.items()},
    }.items() for name, billions in names.items()
}  # fmt: skip
