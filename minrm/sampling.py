"""N solutions for each question from any causal language model, each with its log-likelihood.

The first half of best-of-N (Cobbe et al. 2021) and of self-consistency (Wang et al. 2022): questions come in, rows
with one solution each go out, in memory or in an append-only file that survives being killed. Sampling is cut into
chunks with a seed of their own, so that a resumed run writes what an uninterrupted one would have written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from minrm import backbone
from minrm.errors import InputError
from minrm.text import check_text

COT = "{question}\n"  # the policy goes on with "Step: 1: …"
DIRECT = "{question}\n# Answer\n\n"  # it goes on with the bare answer


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
    device: Any = None,
    dtype: Any = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """`n` solutions for each of `questions`, as rows `problem, sample, question, solution, log_likelihood, tokens`.

    model: a folder, a hub name or a built causal language model (then with its tokenizer). prompt: what the model is
    given, with `{question}` in it. temperature: 0 decodes greedily. log_likelihood: of the solution and its end token
    under the model at temperature 1, in nats, summed over `tokens` tokens.

    path: a .jsonl file. Its first record holds what was asked for; rows are appended chunk by chunk, and a call that
    finds the file goes on where it ends. The sample is the same whether or not it was interrupted, and depends on
    seed and batch_size. Raises InputError if the file holds another run.
    """
    if "{question}" not in prompt:
        raise InputError(f"prompt {prompt!r} has no {{question}} in it; put it where the question belongs")
    if n < 1 or temperature < 0:
        raise InputError(
            f"n is {n} and temperature {temperature}; wanted n of at least 1 and a temperature of 0 or more"
        )
    for row, question in enumerate(questions, start=1):
        check_text(question, f"row {row}", "question")
    header = {
        "model": str(model) if isinstance(model, str | Path) else type(model).__name__,
        "prompt": prompt,
        "n": n,
        "temperature": temperature,
        "max_new_tokens": max_new_tokens,
        "seed": seed,
        "batch_size": batch_size,
        "problems": len(questions),
        "questions_sha256": hashlib.sha256(json.dumps(list(questions)).encode()).hexdigest(),
    }
    rows = _resume(Path(path), header) if path else []
    total = len(questions) * n
    if len(rows) == total:
        return rows
    device = backbone.pick_device(device)
    dtype = dtype or backbone.compute_dtype(device)
    model, tokenizer = backbone.load(AutoModelForCausalLM, model, tokenizer=tokenizer, device=device, dtype=dtype)
    options = {"temperature": temperature, "max_new_tokens": max_new_tokens}
    with backbone.progress_bar(total, "sampling", " solutions", shown=progress, start=len(rows)) as bar:
        for chunk in range(len(rows) // batch_size, -(-total // batch_size)):
            numbers = range(chunk * batch_size, min((chunk + 1) * batch_size, total))
            asked = [questions[number // n] for number in numbers]
            texts = _generate(
                model, tokenizer, [prompt.format(question=q) for q in asked], seed + chunk * 1_000_003, options
            )
            new = [
                {
                    "problem": i // n,
                    "sample": i % n,
                    "question": q,
                    "solution": text,
                    "log_likelihood": value,
                    "tokens": count,
                }
                for i, q, (text, value, count) in zip(numbers, asked, texts, strict=True)
            ]
            if path:
                _append(Path(path), new)
            rows += new
            bar.update(len(new))
    return rows


def read_samples(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the complete rows of a file that `sample` wrote. A last line cut off by a kill is left out."""
    records = [json.loads(line) for line in _whole_lines(Path(path))]
    if not records or "samples" not in records[0]:
        raise InputError(
            f"{path}: its first record does not describe a sampling run; was the file written by minrm sample?"
        )
    return records[0]["samples"], records[1:]


def log_likelihood(model: Any, input_ids: Tensor, attention_mask: Tensor, counted: Tensor) -> Tensor:
    """Σ log p(token | what is before it) over the `counted` tokens. [B, T] ids, mask, bool → float64 [B], nats."""
    where = {"attention_mask": attention_mask, "position_ids": backbone.positions(attention_mask)}
    sums = []
    for row in range(0, len(input_ids), 32):  # a slice at a time: logits are as wide as the vocabulary
        part = slice(row, row + 32)
        logits = model(input_ids[part], **{key: value[part] for key, value in where.items()}, use_cache=False).logits
        log_p = logits[:, :-1].double().log_softmax(dim=-1).gather(2, input_ids[part, 1:, None]).squeeze(-1)  # [B, T-1]
        sums.append((log_p * counted[part, 1:]).sum(dim=1))
    return torch.cat(sums)


def _generate(
    model: Any, tokenizer: Any, prompts: list[str], seed: int, options: dict[str, Any]
) -> list[tuple[str, float, int]]:
    """One solution for each prompt: its text, log-likelihood and number of tokens, the end token among them."""
    end = tokenizer.eos_token_id
    special = tokenizer("a")["input_ids"][:1] == [
        tokenizer.bos_token_id
    ]  # a start token only where the tokenizer adds one
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts]
    longest = max(map(len, ids)) + special
    rows = [[end] * (longest - len(row) - special) + [tokenizer.bos_token_id] * special + row for row in ids]
    inputs = torch.tensor(rows, device=model.device)  # [B, P], padded on the left: generation goes on at the right
    mask = torch.tensor(
        [[0] * (longest - len(row) - special) + [1] * (len(row) + special) for row in ids], device=model.device
    )
    temperature = options["temperature"]
    heat = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if temperature
        else {"do_sample": False}
    )
    with torch.inference_mode(), torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        out = model.generate(
            inputs,
            attention_mask=mask,
            max_new_tokens=options["max_new_tokens"],
            pad_token_id=end,
            eos_token_id=end,
            use_cache=True,  # a model fresh from training has it switched off
            **heat,
        )
        new = out[:, longest:]  # [B, S]
        ended = (new == end).cumsum(dim=1)
        counted = (ended == 0) | ((ended == 1) & (new == end))  # up to and with the first end token
        whole = torch.cat([torch.zeros_like(mask), counted], dim=1).bool()
        values = log_likelihood(model, out, torch.cat([mask, counted.long()], dim=1), whole)
    texts = [tokenizer.decode(row[keep & (row != end)]) for row, keep in zip(new, counted, strict=True)]
    return list(zip(texts, values.tolist(), counted.sum(dim=1).tolist(), strict=True))


# The file ----------------------------------------------------------------------------------------------------------


def _resume(path: Path, header: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of whole chunks that the file holds; everything after them is cut off. A new file gets its header."""
    lines = list(_whole_lines(path)) if path.exists() else []
    if not lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"samples": header}) + "\n", encoding="utf-8")
        return []
    found = json.loads(lines[0]).get("samples", {})
    for name, value in header.items():
        if found.get(name) != value:
            raise InputError(
                f"{path} holds another run: its {name} is {found.get(name)!r}, asked for was {value!r}; "
                "name another file, or remove this one"
            )
    rows, size = lines[1:], header["batch_size"]
    if len(rows) < header["problems"] * header["n"]:
        rows = rows[: len(rows) // size * size]
    with open(path, "r+b") as file:
        file.truncate(sum(len(line.encode()) for line in [lines[0], *rows]))
    return [json.loads(row) for row in rows]


def _append(path: Path, rows: list[dict[str, Any]]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _whole_lines(path: Path) -> Iterator[str]:
    """The lines that end in a newline; a kill in the middle of a write leaves one that does not."""
    with open(path, encoding="utf-8", newline="\n") as file:
        yield from (line for line in file if line.endswith("\n"))
