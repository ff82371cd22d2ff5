"""`minrm sample`: N solutions for each question, from `minrm.sampling` or from a server (`minrm.cli.server`)."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.cli.inputs import find_model, read_fields
from minrm.errors import InputError


def sample(
    out: Annotated[Path, typer.Option("--out", "-o", help="The .jsonl file to write.")],
    questions: Annotated[Path | None, typer.Argument(help="Rows with a field `question`.")] = None,
    model: Annotated[str | None, typer.Option(help="A folder, hub name or server's name.  [default: policy]")] = None,
    n: Annotated[int, typer.Option(help="Solutions for each question.")] = 16,
    world: Annotated[int, typer.Option(min=0, help="Instead of a file: this many problems of the embedded world.")] = 0,
    split: Annotated[str, typer.Option(help="With --world: policy, train, development or evaluation.")] = "evaluation",
    temperature: Annotated[float, typer.Option(help="0 decodes greedily.")] = 0.7,
    max_new_tokens: Annotated[int, typer.Option(help="Longest solution, in tokens.")] = 256,
    prompt: Annotated[str, typer.Option(help="What the model reads; \\n is a newline.")] = "{question}\\n",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Solutions at a time: 256; from a server, 16.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.  [default: the device's best]")] = None,
    endpoint: Annotated[str | None, typer.Option(help="A server's address; set its key in OPENAI_API_KEY.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="With --endpoint: send the prompt as a user's turn.")] = False,
    concurrent: Annotated[int, typer.Option(min=1, help="With --endpoint: requests at a time.")] = 8,
    field: Annotated[list[str] | None, typer.Option("--set", help="For --endpoint: a field, such as top_k=-1.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Sample N solutions for each question. Stopped and called again, it goes on where it was.

    \b
      minrm sample --world 100 --n 64 -o samples.jsonl
      minrm sample problems.jsonl --model Qwen/Qwen2.5-0.5B --n 16 -o samples.jsonl
      minrm sample problems.jsonl --endpoint http://localhost:8000 --model Qwen/Qwen2.5-7B --n 64 -o samples.jsonl
    """
    if (questions is None) == (world == 0):
        raise InputError("give either a file of questions or --world 100")
    if (endpoint and dtype) or ((field or chat) and not endpoint):
        raise InputError("--chat and --set need --endpoint, a server; --dtype is for a model that runs here")
    from minrm.world import generate

    if questions:
        texts = [row["question"] for row in read_fields(questions, "question")]
    else:
        texts = [problem.question for problem in generate(world, seed, split)]
    if not texts:
        raise InputError(f"{questions}: no rows, so there is nothing to solve; each row needs a question")
    options: dict[str, Any] = {
        "path": out, "prompt": prompt.replace("\\n", "\n"), "temperature": temperature, "seed": seed,
        "max_new_tokens": max_new_tokens, "progress": progress,
    } | ({"batch_size": batch_size} if batch_size else {})  # fmt: skip
    if endpoint:
        from minrm.cli.server import sample_from

        options |= {"chat": chat, "concurrent": concurrent, "fields": dict(map(_field, field or []))}
        rows = sample_from(endpoint, model or "", texts, n, **options)
    else:
        import minrm

        rows = minrm.sample(find_model(model or "policy"), texts, n, dtype=dtype, **options)
    print(f"{out}: {len(rows)} solutions of {len(texts)} problems")


def _field(text: str) -> tuple[str, Any]:
    """name=value as a field of a request; a value is JSON where it reads as such, else a text. Raises InputError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"--set {text}: a field is name=value, such as top_k=-1")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
