"""The commands with which inference engines serve the reward models, so that their scores are ours.

vLLM's pooling runner serves all three. For a process reward model it makes a head of one row, w₊ − w₋, out of two rows
of the output head; the sigmoid of what that gives is the softmax over `-` and `+`. (The key returned_token_ids of its
documentation takes the ids for dimensions of the hidden state.) SGLang serves a process and a Bradley–Terry model.
"""

import json
import shlex
from typing import Any

from minrm.errors import InputError

ENGINES = ("vllm", "sglang")


def engine_command(model: Any, folder: str, engine: str = "vllm") -> str:
    """The line for a shell that serves `folder`, which holds the reward model `model`, one of our three kinds.

    Raises InputError where the engine would read the model differently from us.
    """
    kind = model.auto_class.__name__.removeprefix("AutoModelFor")
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}; the engines are {', '.join(ENGINES)}")
    if engine == "sglang":
        if kind == "TokenClassification":
            raise InputError(f"{folder}: SGLang has no token classification, so no outcome reward model; use vLLM")
        whole = ["--disable-radix-cache", "--chunked-prefill-size", "-1"]  # it reads all steps in one pass
        options = ["--is-embedding"] if kind == "SequenceClassification" else whole
        return shlex.join(["python", "-m", "sglang.launch_server", "--model-path", folder, *options])
    options = []
    if kind == "SequenceClassification" and getattr(model.model.config, "problem_type", None) != "regression":
        options = ["--hf-overrides", json.dumps({"problem_type": "regression"})]  # or it returns a sigmoid
    if kind == "CausalLM":
        overrides = {"method": "from_2_way_softmax", "classifier_from_token": _label_tokens(model, folder)}
        pooler = {"task": "token_classify", "tok_pooling_type": "STEP", "step_tag_id": model.step_id}
        options = ["--runner", "pooling", "--convert", "classify"]
        options += ["--hf-overrides", json.dumps(overrides), "--pooler-config", json.dumps(pooler)]
    return shlex.join(["vllm", "serve", folder, *options])


def _label_tokens(model: Any, folder: str) -> list[str]:
    """The tokens of `-` and `+` under the names by which vLLM looks for them. Raises InputError."""
    what = ""
    if not model.logits_are_linear:
        what = f"{type(model.model).__name__} caps or scales its logits, which vLLM's conversion leaves out"
    if getattr(model.model.get_output_embeddings(), "bias", None) is not None:
        what = "its output head has a bias, which vLLM's conversion leaves out"
    ids = [model.minus_id, model.plus_id]
    tokens = model.tokenizer.convert_ids_to_tokens(ids)
    if model.tokenizer.convert_tokens_to_ids(tokens) != ids:
        what = f"its tokenizer has no names of their own for + and - ({', '.join(map(str, tokens))})"
    if what:
        raise InputError(f"{folder}: {what}; score it with minrm score, without --endpoint")
    return tokens
