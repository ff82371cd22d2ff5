"""Tiny reward models, and the answers of engines that serve them, for `FakeServer`.

What vLLM answered about these models lies in cli/vllm.json (record_engine.py); the answers here are computed by the
stock transformers module, and a test holds them against that record. SGLang's are as its code says; it was not run.
"""

import json
from pathlib import Path

import torch
from learners import KINDS as MODELS
from tiny import QUESTION, SOLUTION, causal, word_level

KINDS = {"orm": MODELS["outcome"], "prm": MODELS["process"], "bradley_terry": MODELS["pair"]}
SOLUTIONS = [SOLUTION, SOLUTION.replace("3 fewer: 9 - 3 = 6", "3: 9 + 3 = 12"), "Step: 1: 6 + 5 = 11"]
RECORD = Path(__file__).parent / "cli" / "vllm.json"


def tiny(name, architecture="llama", seed=0, **changes):
    """A reward model of that kind, nothing learnt; with heads of 32, which vLLM's CPU kernels want."""
    shape = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2} | changes
    model = KINDS[name].from_base(causal(architecture, seed=seed, **shape), tokenizer=word_level(), seed=seed)
    if name != "prm":  # a new head is small, and then scores hardly differ
        with torch.no_grad():
            model.model.score.weight.mul_(20)
    return model


def recorded():
    return json.loads(RECORD.read_text())


def _numbers(model, ids, activation=True, step=None):
    """What vLLM's pooling gives for a text."""
    with torch.inference_mode():
        logits = model.model(torch.tensor([ids])).logits[0]
    if not hasattr(model, "step_id"):
        squash = torch.sigmoid if logits.ndim == 1 else lambda rows: rows.softmax(-1)
        return (squash(logits) if activation else logits).tolist()
    at = torch.tensor(ids) == (model.step_id if step is None else step)
    odds = logits[at][:, [model.plus_id]] - logits[at][:, [model.minus_id]]
    return (odds.sigmoid() if activation else odds).tolist()


def vllm(model, longest=512, change=lambda reply, body: reply, **forced):
    """answer(ask, number) of vLLM for a model; change: of a right reply. forced: activation=True, or step=an id."""
    task = "classify" if hasattr(model, "preference") else "token_classify"

    def answer(ask, number):
        body = ask["body"]
        if ask["path"] != "/pooling":
            return 404, {"detail": "Not Found"}, {}
        told = None
        if body.get("task", task) != task:
            told = f"Try switching the model's pooling_task via --pooler-config.task {body['task']}. (parameter=task)"
        if max(map(len, body["input"])) > longest:
            told = f"This model's maximum context length is {longest} tokens."
        if told:
            return 400, {"error": {"message": told, "type": "BadRequestError", "param": None, "code": 400}}, {}
        squashes = getattr(model.model.config, "problem_type", None) != "regression"  # whatever a request says
        how = {"activation": squashes and body.get("use_activation", True)} | forced
        data = [
            {"index": k, "object": "pooling", "data": _numbers(model, ids, **how)}
            for k, ids in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": sum(map(len, body["input"]))}
        reply = {"id": "pooling-1", "object": "list", "created": 0, "model": body["model"], "data": data}
        return 200, change(reply | {"usage": usage}, body), {}

    return answer


def sglang(model):
    """answer(ask, number) of SGLang 0.5.23 for a model, as its code says (serving_score.py)."""

    def answer(ask, number):
        body = ask["body"]
        if ask["path"] != "/v1/score":
            return 404, {"detail": "Not Found"}, {}
        if not hasattr(model, "step_id"):
            scores = [_numbers(model, ids, activation=False) for ids in body["items"]]
        else:
            assert body["score_extraction_token"] == "<|prm_label|>" and body["apply_softmax"] and body["query"] == []
            assert body["label_token_ids"] == [model.minus_id, model.plus_id]
            scores = [[[1 - p, p] for (p,) in _numbers(model, ids)] for ids in body["items"]]
        usage = {"prompt_tokens": sum(map(len, body["items"])), "completion_tokens": 0}
        return 200, {"object": "scoring", "scores": scores, "model": "default", "usage": usage}, {}

    return answer


def rows(count=3):
    """Rows to score: the solutions, and more that differ in a number."""
    more = [f"Step: 1: 6 + {k} = {6 + k}\nStep: 2: {k}" for k in range(count - len(SOLUTIONS))]
    return [{"question": QUESTION, "solution": solution} for solution in (SOLUTIONS + more)[:count]]
