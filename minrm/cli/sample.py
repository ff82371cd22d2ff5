"""The commands `minrm sample` and `minrm join`: their arguments and what they print.

`minrm.sampling` (a model here) or `minrm.cli.endpoint` (a server) does the work, `minrm.shards` the parts of many machines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def sample(
    out: Annotated[Path, typer.Option("--out", "-o", help="The .jsonl file to write.")],
    questions: Annotated[Optional[Path], typer.Argument(help="Rows with a field `question`.")] = None,  # noqa: UP045
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A folder or hub name, or the server's name for it.  [default: policy, the shipped one]"),
    ] = None,
    n: Annotated[int, typer.Option(help="Solutions for each question.")] = 16,
    world: Annotated[int, typer.Option(help="Instead of a file: so many problems of the embedded world.")] = 0,
    split: Annotated[str, typer.Option(help="Of the world: policy, train or evaluation.")] = "evaluation",
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option(help="Longest solution, in tokens.")] = 256,
    prompt: Annotated[str, typer.Option(help="What the model is given; \\n is a newline.")] = "{question}\\n",
    seed: Annotated[int, typer.Option()] = 0,
    batch_size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Solutions at a time; of a server, in one request.  [default: 256, of a server 16]"),
    ] = None,
    dtype: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="To compute in: float32, bfloat16, float16.  [default: what the hardware does best]"),
    ] = None,
    shard: Annotated[Optional[str], typer.Option(help="K/N: the K-th of N parts, to be joined later.")] = None,  # noqa: UP045
    endpoint: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A server that speaks OpenAI's API does it. Its key, if any, is read from OPENAI_API_KEY."),
    ] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Of a server: the prompt is a user's turn.")] = False,
    concurrent: Annotated[int, typer.Option(help="Of a server: requests at a time.")] = 8,
    field: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Of a server: a field of each request, such as top_k=-1; null leaves it out."),
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Sample N solutions for each question. Stopped and called again, it goes on where it was.

    \b
      minrm sample --world 100 --n 64 -o samples.jsonl
      minrm sample problems.jsonl --model Qwen/Qwen2.5-0.5B --n 16 -o samples.jsonl
      minrm sample problems.jsonl --n 64 --shard 3/8 -o part-3.jsonl
      minrm sample problems.jsonl --endpoint http://localhost:8000 --model Qwen/Qwen2.5-7B --n 64 -o samples.jsonl
    """
    from minrm.cli.files import find_model, with_fields
    from minrm.errors import InputError
    from minrm.world import generate

    if (questions is None) == (world == 0):
        raise InputError("give a file of questions or --world 100, one of the two")
    if (field or chat) and not endpoint:
        raise InputError(f"{'--chat' if chat else '--set'} is for a server; give its address with --endpoint")
    if dtype and endpoint:
        raise InputError("--dtype is for a model that runs here; a server has its own")
    if questions:
        texts = [row["question"] for _, row in with_fields(questions, "question")]
    else:
        texts = [problem.question for problem in generate(world, seed, split)]
    given: dict[str, Any] = {
        "path": out, "prompt": prompt.replace("\\n", "\n"), "temperature": temperature, "shard": shard, "seed": seed,
        "max_new_tokens": max_new_tokens, "progress": progress,
    } | ({} if batch_size is None else {"batch_size": batch_size})  # fmt: skip
    if endpoint:
        from minrm.cli.endpoint import sample_from

        fields = _fields(field or [])
        found = sample_from(endpoint, model or "", texts, n, chat=chat, concurrent=concurrent, fields=fields, **given)
    else:
        from minrm.sampling import sample as draw

        found = draw(find_model(model or "policy"), texts, n, dtype=dtype, **given)
    whole = f"{len(found)} of {len(texts) * n} solutions, shard {shard}," if shard else f"{len(found)} solutions"
    print(f"{out}: {whole} of {len(texts)} problems")


def join(
    shards: Annotated[list[Path], typer.Argument(help="The files of all shards of one run, in any order.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
) -> None:
    """Join the files that `sample` or `score` wrote with --shard, in the order of the whole.

    \b
      minrm join part-*.jsonl -o samples.jsonl
    """
    from minrm.shards import join as write

    print(f"{out}: {write(shards, out)} rows of {len(shards)} shards")


def _fields(given: list[str]) -> dict[str, Any]:
    """name=value as fields of a request; a value is JSON where it reads as such, else a text. Raises InputError."""
    from minrm.errors import InputError

    fields: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputError(f"--set {text}: a field is name=value, such as top_k=-1")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields
