"""P7: solutions of many problems from the shipped policy, against `generate`, problem by problem."""

from typing import Any

import torch
from bench.measuring import Work
from transformers import AutoModelForCausalLM

from minrm import loading, sample, shipped
from minrm.world import generate

SIZES = {"full": (100, 64), "quick": (2, 64), "tiny": (2, 3)}  # problems, solutions of each
LONGEST = 256


def p7(size: str) -> Work:
    problems, count = SIZES[size]
    device = loading.pick_device(None)
    where: dict[str, Any] = {"tokenizer": None, "device": device, "dtype": loading.compute_dtype(device)}
    model, tokenizer = loading.load(AutoModelForCausalLM, shipped("policy"), **where)
    questions = [problem.question for problem in generate(problems, seed=1)]
    temperature = 0.0 if size == "tiny" else 1.0  # the same draws come out of neither: the tests compare without chance

    def ours() -> list[tuple[str, int]]:
        options = {"tokenizer": tokenizer, "temperature": temperature, "max_new_tokens": LONGEST, "progress": False}
        rows = sample(model, questions, count, **options)
        return [(row["solution"], row["tokens"]) for row in rows]

    @torch.inference_mode()
    def usual() -> list[tuple[str, int]]:
        rows = []
        torch.manual_seed(0)
        heat = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
        several = count if temperature else 1  # greedy decoding gives but one
        for question in questions:
            ids = tokenizer(question + "\n", return_tensors="pt", add_special_tokens=False)["input_ids"].to(device)
            out = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=LONGEST, num_return_sequences=several,
                pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, use_cache=True, **heat,
            )  # fmt: skip
            for new in out[:, ids.shape[1] :].repeat(count // several, 1):
                ended = (new == tokenizer.eos_token_id).nonzero().flatten().tolist()
                end = ended[0] if ended else len(new)
                rows.append((tokenizer.decode(new[:end]), end + bool(ended)))
        return rows

    def close(results: dict[str, Any]) -> None:
        """Without chance the same texts; with chance, as many tokens to a few percent."""
        ours, theirs = results["minrm"], results["usual"]
        if not temperature:
            assert ours == theirs
        mean, other = (sum(tokens for _, tokens in rows) / len(rows) for rows in (ours, theirs))
        assert abs(mean / other - 1) < 0.25

    return Work(
        f"{count} solutions each of {problems} problems from the shipped policy, and their likelihoods",
        {"usual": "generate, problem by problem, without likelihoods"},
        {"minrm": ours, "usual": usual},
        close,
    )
