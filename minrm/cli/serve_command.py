"""`minrm serve-command`: the line with which vLLM or SGLang serves a checkpoint, for `minrm score --endpoint`."""

from typing import Annotated

import typer


def serve_command(
    model: Annotated[str, typer.Argument(help="A checkpoint that minrm trained: a folder or hub name.")],
    engine: Annotated[str, typer.Option(help="vllm or sglang.")] = "vllm",
) -> None:
    """Print the command with which an engine serves a reward model, without running the command.

    \b
      minrm serve-command prm
      minrm score prm test.jsonl -o scored.jsonl --endpoint http://localhost:8000

    The model is loaded to check that the engine can read its head as we do; if it cannot, an error says why.
    """
    from minrm.inference.engines import engine_command
    from minrm.published import our_kind

    print(engine_command(our_kind(model).from_pretrained(model, device="cpu"), model, engine))
