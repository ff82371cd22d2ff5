"""N solutions for each question from any causal language model, each with its log-likelihood.

The first half of best-of-N (Cobbe et al. 2021) and of self-consistency (Wang et al. 2022): questions come in, rows
with one solution each go out, in memory or in an append-only file that survives being killed. Sampling is cut into
chunks with a seed of their own, so that a resumed run writes what an uninterrupted one would have written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from minrm import loading, reward_model
from minrm.errors import InputError
from minrm.run_files import append, resume
from minrm.shards import part, place
from minrm.text import check_text

COT = "{question}\n"  # the policy goes on with "Step: 1: …"
DIRECT = "{question}\n# Answer\n\n"  # it goes on with the bare answer
_LOGITS = 2**26  # so many logits at a time, a quarter of a GiB in float32: they are as wide as the vocabulary


def sample(
    model: Any,
    questions: Sequence[str],
    n: int,
    *,
    path: str | Path | None = None,
    tokenizer: Any = None,
    prompt: str = COT,
    temperature: float = 0.7,
    max_new_tokens: int = 256,
    seed: int = 0,
    batch_size: int = 256,
    shard: str | None = None,
    device: Any = None,
    dtype: Any = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """`n` solutions for each of `questions`, as rows `problem, sample, question, solution, log_likelihood, tokens`.

    model: a folder, a hub name or a built causal language model (then with its tokenizer). prompt: what the model is
    given, with `{question}` in it. temperature: 0 decodes greedily. Of the model's generation_config.json only the end
    tokens count (a chat model stops at the end of its turn): penalties and filters would bend the distribution.
    log_likelihood: of the solution and its end token under the model at temperature 1, in nats, summed over `tokens`
    tokens.

    path: a .jsonl file. Its first record holds what was asked for; rows are appended chunk by chunk, and a call that
    finds the file goes on where it ends. The sample is the same whether or not it was interrupted, and depends on
    seed and batch_size. shard: "2/4" draws the second quarter, whole chunks with the seeds that they have in the whole:
    on like machines, the shards that `minrm.shards.join` joins are the file of an unsharded run, byte for byte.
    Raises InputError if the file holds another run (a model in a folder is told apart by its name, a built one by its
    weights), and where the model overflows in its precision.
    """
    questions, asked_for = request(questions, n, prompt, temperature, max_new_tokens, seed, batch_size)
    total = len(questions) * n
    chunks = part(shard, -(-total // batch_size))
    first, last = min(chunks.start * batch_size, total), min(chunks.stop * batch_size, total)
    device = loading.pick_device(device)
    dtype = str(dtype or loading.compute_dtype(device)).removeprefix("torch.")
    header = {"model": _name(model), "dtype": dtype, **asked_for, **place(shard, first, last)} if path else {}
    rows = resume(Path(path), "samples", header, last - first, lambda k: k // batch_size * batch_size) if path else []
    if len(rows) == last - first:
        if path and not rows:  # a shard of nothing: too many for so few chunks
            append(Path(path), "samples", header, [])
        return rows
    source = model
    model, tokenizer = loading.load(AutoModelForCausalLM, source, tokenizer=tokenizer, device=device, dtype=dtype)
    ends = _end_tokens(tokenizer, model, source)
    model.generation_config = GenerationConfig()  # ours, since what generate is not told is taken from there
    options = {"temperature": temperature, "max_new_tokens": max_new_tokens, "ends": ends}
    with loading.progress_bar(last - first, "sampling", " solutions", shown=progress, start=len(rows)) as bar:
        for chunk in chunks[len(rows) // batch_size :]:
            numbers = range(chunk * batch_size, min((chunk + 1) * batch_size, total))
            asked = [questions[number // n] for number in numbers]
            prompts = [prompt.replace("{question}", question) for question in asked]  # it may hold other braces
            texts = _generate(model, tokenizer, prompts, seed + chunk * 1_000_003, options)
            new = [
                {"problem": i // n, "sample": i % n, "question": q, "solution": text, "log_likelihood": value,
                 "tokens": count}
                for i, q, (text, value, count) in zip(numbers, asked, texts, strict=True)
            ]  # fmt: skip
            if path:
                append(Path(path), "samples", header, new)
            rows += new
            bar.update(len(new))
    return rows


def request(
    questions: Sequence[str], n: int, prompt: str, temperature: float, max_new_tokens: int, seed: int, batch_size: int
) -> tuple[list[str], dict[str, Any]]:
    """The questions as a list, and what is asked for as the first record of a file tells it. Raises InputError."""
    if isinstance(questions, str):
        raise InputError("wanted a list of questions, got a single text; put it into a list")
    questions = list(questions)  # a column of a table would be read by its labels
    if "{question}" not in prompt:
        raise InputError(f"prompt {prompt!r} has no {{question}} in it; put it where the question belongs")
    if n < 1 or temperature < 0:
        raise InputError(
            f"n is {n} and temperature {temperature}; wanted n of at least 1 and a temperature of 0 or more"
        )
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; wanted at least 1 solution at a time")
    for row, question in enumerate(questions, start=1):
        check_text(question, f"row {row}", "question")
    return questions, {
        "prompt": prompt, "n": n, "temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed,
        "batch_size": batch_size, "problems": len(questions),
        "questions_sha256": hashlib.sha256(json.dumps(questions).encode()).hexdigest(),
    }  # fmt: skip


def log_likelihood(model: Any, input_ids: Tensor, attention_mask: Tensor, counted: Tensor) -> Tensor:
    """Σ log p(token | what is before it) over the `counted` tokens, in nats.

    input_ids, attention_mask: [B, T] int64. counted: [B, T] bool. Returns float64 [B], on the CPU: Apple's GPUs have
    no float64.
    """
    where = {"attention_mask": attention_mask, "position_ids": reward_model.positions(attention_mask)}
    size = max(1, _LOGITS // (input_ids.shape[1] * model.config.get_text_config().vocab_size))
    sums = []
    for row in range(0, len(input_ids), size):
        part = slice(row, row + size)
        logits = model(input_ids[part], **{key: value[part] for key, value in where.items()}, use_cache=False).logits
        logits = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))  # [b, T-1, V]
        log_p = logits.gather(2, input_ids[part, 1:, None]).squeeze(-1) - logits.logsumexp(dim=-1)  # [b, T-1]
        sums.append(log_p.masked_fill(~counted[part, 1:], 0).cpu().double().sum(dim=1))
    return torch.cat(sums)


def _end_tokens(tokenizer: Any, *models: Any) -> list[int]:
    """Ids that end a solution: the tokenizer's end token, and those of the models' generation configs (int or list).

    A built model is asked beside its copy, which has only what the config says.
    """
    ends = {tokenizer.eos_token_id}
    for model in models:
        found = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        ends |= set(found) if isinstance(found, list | tuple) else {found}
    return sorted(ends - {None})


def _generate(
    model: Any, tokenizer: Any, prompts: list[str], seed: int, options: dict[str, Any]
) -> list[tuple[str, float, int]]:
    """One solution for each prompt: its text, log-likelihood and number of tokens, the end token among them."""
    bos, pad, device = tokenizer.bos_token_id, tokenizer.pad_token_id, model.device
    start = [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []  # where it adds one itself
    ids = [start + tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts]
    longest = max(map(len, ids))
    rows = [[pad] * (longest - len(row)) + row for row in ids]
    inputs = torch.tensor(rows, device=device)  # [B, P], padded on the left: generation goes on at the right
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids], device=device)
    ends = torch.tensor(options["ends"], dtype=torch.long, device=device)
    heat: dict[str, Any] = {"do_sample": False}
    if options["temperature"]:
        heat = {"do_sample": True, "temperature": options["temperature"], "top_k": 0, "top_p": 1.0}
    with torch.inference_mode(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        out = model.generate(
            inputs,
            attention_mask=mask,
            max_new_tokens=options["max_new_tokens"],
            pad_token_id=pad,
            eos_token_id=options["ends"] or None,
            use_cache=True,  # a model fresh from training has it switched off
            logits_processor=[lambda _, scores: _check_finite(model, scores)],  # before chance meets them
            **heat,
        )
        new = out[:, longest:]  # [B, S]
        is_end = torch.isin(new, ends)
        before = is_end.long().cumsum(dim=1) - is_end.long()  # end tokens before this one
        counted = before == 0  # up to and with the first end token
        whole = torch.cat([torch.zeros_like(mask), counted], dim=1).bool()
        values = log_likelihood(model, out, torch.cat([mask, counted.long()], dim=1), whole)
        _check_finite(model, values)
    texts = [tokenizer.decode(row[keep]) for row, keep in zip(new, counted & ~is_end, strict=True)]
    return list(zip(texts, values.tolist(), counted.sum(dim=1).tolist(), strict=True))


def _check_finite(model: Any, values: Tensor) -> Tensor:
    """float16 ends at 65,504, and a model that was trained in bfloat16 may pass it: what it then writes is noise."""
    if not values.isfinite().all():
        raise InputError(f"the model overflows in {model.dtype}: sample with dtype='float32', into a file of its own")
    return values


def _name(model: Any) -> str:
    """A folder or hub name as it is; a built model by its class and the sum of its weights' sizes."""
    if isinstance(model, str | Path):
        return str(model)
    weights = sum(p.detach().cpu().abs().sum(dtype=torch.float64).item() for p in model.parameters())
    return f"{type(model).__name__} with weights of {weights:.9g}"
