"""N solutions for each question from any causal language model, each with its log-likelihood.

The first half of best-of-N (Cobbe et al. 2021) and of self-consistency (Wang et al. 2022). Samples are drawn in
chunks, each with a seed, so that a resumed run writes what an uninterrupted one would have written.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from minrm import loading, reward_model
from minrm.errors import InputError, check_numbers
from minrm.files.runs import RunFile, name_of
from minrm.inference.prefixes import Prefixes, can_share
from minrm.rows import Row
from minrm.text import beginnings, check_text

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
    token_ids: bool = False,
    device: Any = None,
    dtype: Any = None,
    progress: bool = True,
) -> list[Row]:
    """Rows `problem, sample, question, solution, log_likelihood, tokens`: `n` solutions for each of `questions`.

    model: a folder, a hub name or a built causal language model (then with its tokenizer). prompt: what the model is
    given, with `{question}` in it. temperature: 0 decodes greedily. Of the model's generation_config.json only the end
    tokens count (a chat model stops at the end of its turn): penalties and filters would bend the distribution.
    log_likelihood: of the `tokens` tokens of the solution, its end token among them, at temperature 1, in nats.
    token_ids: adds a column `ids`, the ids of these tokens, which cannot be recovered from the text.

    path: a .jsonl file to which rows are appended (see `minrm.files.runs.RunFile`); a call that finds the file goes on
    where the file ends. Samples depend on seed and batch_size, not on interruptions. Raises InputError if the file
    holds another run (of other weights, say), another call writes there, or the model overflows.
    """
    questions, settings = request(questions, n, prompt, temperature, max_new_tokens, seed, batch_size)
    total = len(questions) * n
    device = loading.pick_device(device)
    dtype = str(dtype or loading.compute_dtype(device)).removeprefix("torch.")
    settings = {"model": model_name(model), "dtype": dtype, **settings}
    with nullcontext() if path is None else RunFile(path, settings) as run:
        rows = resume(run, total, n, batch_size) if run else []
        if len(rows) == total:
            return rows
        source = model
        model, tokenizer = loading.load(AutoModelForCausalLM, source, tokenizer=tokenizer, device=device, dtype=dtype)
        ends = end_tokens(tokenizer, model, source)  # a copy of a built model has only what its config says
        model.generation_config = GenerationConfig()  # ours: generate reads from it what it is not told
        options = {"temperature": temperature, "max_new_tokens": max_new_tokens, "ends": ends, "ids": token_ids}
        with loading.progress_bar(total, "sampling", " solutions", shown=progress, start=len(rows)) as bar:
            for first in range(len(rows), total, batch_size):
                places = [divmod(index, n) for index in range(first, min(first + batch_size, total))]
                chunk: list[Row] = [{"problem": p, "sample": s, "question": questions[p]} for p, s in places]
                prompts = [prompt.replace("{question}", row["question"]) for row in chunk]  # it may hold other braces
                solutions = _generate(model, tokenizer, prompts, seed + first // batch_size * 1_000_003, options)
                chunk = [row | solution for row, solution in zip(chunk, solutions, strict=True)]
                (run.append if run else rows.extend)(chunk)  # a run's rows are these
                bar.update(len(chunk))
        return rows


def resume(run: RunFile, total: int, n: int, batch_size: int) -> list[Row]:
    """The samples of a run so far, in whole chunks; the rest is cut off. InputError if two commands wrote the file."""
    for index, row in enumerate(run.rows):
        if (row.get("problem"), row.get("sample")) != divmod(index, n) or index >= total:
            where, problem = f"{run.path}, row {index + 1}", f"not sample {index % n} of problem {index // n}"
            raise InputError(f"{where}: {problem}; did two commands write there at once? Remove the rows from there on")
    if len(run.rows) < total:
        run.keep(len(run.rows) // batch_size * batch_size)
    return run.rows


def request(
    questions: Sequence[str], n: int, prompt: str, temperature: float, max_new_tokens: int, seed: int, batch_size: int
) -> tuple[list[str], Row]:
    """The questions as a list, and the settings of a run that samples their solutions. Raises InputError."""
    if isinstance(questions, str):
        raise InputError("questions is a single text; put it into a list")
    questions = list(questions)  # a column of a table would be read by its labels
    if "{question}" not in prompt:
        raise InputError(f"prompt {prompt!r} has no {{question}} in it; put it where the question belongs")
    check_numbers(1, n=n, batch_size=batch_size, max_new_tokens=max_new_tokens)
    check_numbers(0, seed=seed)
    check_numbers(0, whole=False, temperature=temperature)
    for row, question in enumerate(questions, start=1):
        check_text(question, f"row {row}", "question")
    return questions, {
        "prompt": prompt, "n": n, "temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed,
        "batch_size": batch_size, "problems": len(questions),
        "questions_sha256": hashlib.sha256(json.dumps(questions).encode()).hexdigest(),
    }  # fmt: skip


def token_log_probs(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """log p(token | the tokens before it) of every token but the first: float64 [B, T-1], on the CPU."""
    context = {"attention_mask": attention_mask, "position_ids": reward_model.positions(attention_mask)}
    size = max(1, _LOGITS // (input_ids.shape[1] * model.config.get_text_config().vocab_size))
    parts = []
    for row in range(0, len(input_ids), size):
        part = slice(row, row + size)
        logits = model(input_ids[part], **{key: value[part] for key, value in context.items()}, use_cache=False).logits
        logits = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))  # [b, T-1, V]
        log_p = logits.gather(2, input_ids[part, 1:, None]).squeeze(-1) - logits.logsumexp(dim=-1)  # [b, T-1]
        parts.append(log_p.cpu().double())
    return torch.cat(parts)


def log_likelihood(model: Any, input_ids: Tensor, attention_mask: Tensor, counted: Tensor) -> Tensor:
    """Σ log p(token | the tokens before it) over the `counted` tokens [B, T] bool: float64 [B], in nats, on the CPU."""
    log_p = token_log_probs(model, input_ids, attention_mask)
    return log_p.masked_fill(~counted[:, 1:].cpu(), 0).sum(dim=1)


@torch.no_grad()
def step_likelihoods(
    model: Any, tokenizer: Any, questions: Sequence[str], solutions: Sequence[str], *, batch_tokens: int | None = None
) -> list[np.ndarray]:
    """For each solution, how likely the policy finds each step: the geometric mean of p(token), float64 [steps].

    The mean is over the tokens that a step adds to the solution of `join_steps`, header and line end included.
    """

    def score(questions: Sequence[str], solutions: Sequence[str], numbers: list[int]) -> list[np.ndarray]:
        texts = [beginnings(solution) for solution in solutions]  # up to the end of each step
        ends = [reward_model.encode(tokenizer, [q] * len(own), own) for q, own in zip(questions, texts, strict=True)]
        scores, rows = [np.empty(0)] * len(ends), [own[-1][0] for own in ends]
        for batch, inputs in reward_model.batches(rows, tokenizer, model, batch_tokens, numbers=numbers):
            real = inputs["attention_mask"].bool().cpu()
            for row, values, is_token in zip(batch, token_log_probs(model, **inputs), real, strict=True):
                log_p = values[is_token[1:] & is_token[:-1]]  # of each token but the first
                cuts = [ends[row][0][1].count(False) - 1, *(len(ids) - 1 for ids, _ in ends[row])]
                scores[row] = np.exp([log_p[low:high].mean().item() for low, high in pairwise(cuts)])
        return scores

    return reward_model.score_once(questions, solutions, score, np.empty(0))


def end_tokens(tokenizer: Any, *models: Any) -> list[int]:
    """Ids that end a solution: the tokenizer's end token, and those of the models' generation configs (int or list)."""
    ends = {tokenizer.eos_token_id}
    for model in models:
        ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        ends |= set(ids) if isinstance(ids, list | tuple) else {ids}
    return sorted(ends - {None})


def _generate(model: Any, tokenizer: Any, prompts: list[str], seed: int, options: Row) -> list[Row]:
    """For each prompt a solution, its log_likelihood, and its number of tokens, the end token among them."""
    start = reward_model.start_ids(tokenizer)
    rows = [start + row for row in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
    inputs = reward_model.pad(rows, tokenizer, side="left")  # [B, P]: generation goes on at the right
    device = model.device
    ids, mask = inputs["input_ids"].to(device), inputs["attention_mask"].to(device)
    ends = torch.tensor(options["ends"], dtype=torch.long, device=device)
    heat = {"temperature": options["temperature"], "top_k": 0, "top_p": 1.0} if options["temperature"] else {}
    with torch.inference_mode(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        past, drawn = _read_once(model, ids, mask), _Drawn(model)
        torch.manual_seed(seed)
        out = model.generate(
            ids,
            attention_mask=mask,
            past_key_values=past,
            max_new_tokens=options["max_new_tokens"],
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=options["ends"] or None,
            use_cache=True,  # a model fresh from training has it switched off
            logits_processor=[drawn],  # before chance meets them
            do_sample=bool(heat),
            **heat,
        )
        drawn.count(out[:, -1])
        new = out[:, mask.shape[1] :]  # [B, S]
        is_end = torch.isin(new, ends)
        counted = is_end.long().cumsum(dim=1) - is_end.long() == 0  # up to and with the first end token
        values = torch.stack(drawn.log_p, dim=1).masked_fill(~counted, 0).cpu().double().sum(dim=1)
    parts = zip(new, counted, is_end, values.tolist(), strict=True)
    return [
        {"solution": tokenizer.decode(ids[own & ~end]), "log_likelihood": value, "tokens": int(own.sum())}
        | ({"ids": ids[own].tolist()} if options["ids"] else {})
        for ids, own, end, value in parts
    ]


def _read_once(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Any:
    """A cache of prompts [B, P] up to their last token, for which each different one is read once; else None."""
    both = torch.stack([input_ids, attention_mask], dim=1)[..., :-1]  # [B, 2, P-1]
    different, rows = torch.unique(both, dim=0, return_inverse=True)
    if not both.shape[2] or len(different) == len(rows) or not can_share(model):
        return None
    ids, mask = different.unbind(dim=1)
    return Prefixes(model, ids, mask, reward_model.positions(mask)).cache(rows)


class _Drawn:
    """A logits processor that changes nothing: it keeps log p of each token drawn, [B] a step, at temperature 1."""

    def __init__(self, model: Any) -> None:
        self.model, self.logits, self.log_p = model, torch.empty(0), list[Tensor]()

    def __call__(self, input_ids: Tensor, logits: Tensor) -> Tensor:
        if len(self.logits):
            self.count(input_ids[:, -1])
        if not logits.isfinite().all():  # float16 ends at 65,504, and a model trained in bfloat16 may pass it
            remedy = "sample with dtype='float32' (--dtype float32), into a file of its own"
            raise InputError(f"the model overflows in {self.model.dtype}: {remedy}")
        self.logits = logits
        return logits

    def count(self, tokens: Tensor) -> None:
        """Note log p of these tokens, which the last logits gave."""
        chosen = self.logits.gather(1, tokens[:, None]).squeeze(1)
        self.log_p.append(chosen - self.logits.logsumexp(dim=1))


def model_name(model: Any) -> str:
    """The name of a model; of a built one, its class and the sum of the absolute values of its weights."""
    if isinstance(model, str | Path):
        return name_of(model)
    weights = sum(p.detach().cpu().abs().sum(dtype=torch.float64).item() for p in model.parameters())
    return f"{type(model).__name__} with weights of {weights:.9g}"
