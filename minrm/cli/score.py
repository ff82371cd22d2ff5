"""`minrm score`: the rows of a file with the scores of a reward model; a stopped run goes on."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from minrm.errors import InputError

log = logging.getLogger("minrm")
Row = dict[str, Any]
CHECKED = 8  # rows that are compared with the model's own scores before a server is trusted


def score(
    model: Annotated[str, typer.Argument(help="A trained checkpoint of any kind, or the name of a published model.")],
    rows: Annotated[Path, typer.Argument(help="Rows with question and solution (or steps), or pairs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (jsonl, parquet) to write.")],
    aggregate: Annotated[str, typer.Option(help="Of a PRM's step scores: product, min, last or mean.")] = "product",
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16.  [default: the device's best]")] = None,
    endpoint: Annotated[str | None, typer.Option(help="The address of an engine that serves this model.")] = None,
    concurrent: Annotated[int, typer.Option(min=1, help="With --endpoint: requests at a time, of 32 rows each.")] = 8,
    check: Annotated[bool, typer.Option(help="With --endpoint: compare some scores with our own first.")] = True,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Add scores to rows. Stopped (Ctrl-C) and called again, it goes on where it was.

    \b
      minrm score prm test.jsonl -o scored.jsonl --aggregate min
      minrm score Qwen/Qwen2.5-Math-PRM-7B test.jsonl -o scored.parquet
      minrm score prm test.jsonl -o scored.jsonl --endpoint http://localhost:8000

    Until the last row is scored, the scores lie in a .jsonl file beside --out. An empty solution gets the worst score.
    """
    from minrm.cli.scoring import score_file
    from minrm.published import load_published

    if endpoint and dtype:
        raise InputError("--dtype is for a model that runs here; the server at --endpoint has its own dtype")

    def load(dataset: list[Row], precision: Any) -> Any:
        if endpoint:
            return _served(endpoint, model, dataset if check else [], rows)
        return load_published(model, dtype=precision)

    requests = concurrent if endpoint else 0
    score_file(model, rows, out, load, aggregate=aggregate, dtype=dtype, concurrent=requests, progress=progress)


def _served(url: str, folder: str, rows: Sequence[Row], path: Path) -> Any:
    """The model of `folder` as the engine at `url` serves it, compared on some of `rows` with the folder's weights.

    They are spread over the rows: candidates of one question are often alike, and then two models are, too.
    """
    from minrm.cli.engine import served
    from minrm.cli.scoring import columns_of, placed
    from minrm.published import our_kind
    from minrm.published.formats import MODELS

    if folder in MODELS:
        raise InputError(f"{folder} has a format of its own; --endpoint is for checkpoints that minrm trained")
    model = served(url, folder, kind := our_kind(folder))
    questions, *columns = columns_of(rows) if rows else [[]]
    numbers: dict[tuple[str, str], int] = {}
    for column in columns:
        for number, pair in enumerate(zip(questions, column, strict=True), start=1):
            if pair[1].strip():
                numbers.setdefault(pair, number)
    every, count = list(numbers), min(len(numbers), CHECKED)
    if some := [every[len(every) * k // count] for k in range(count)]:
        # on the CPU, since the engine may have all of a GPU's memory
        local = kind.from_pretrained(folder, device="cpu", dtype="float32")
        try:
            gap = model.check(local, *map(list, zip(*some, strict=True)))
        except InputError as error:
            raise placed(error, path, [numbers[pair] for pair in some]) from error
        log.info("%s: %d solutions score as with the weights of %s, to %.1g", model.engine, len(some), folder, gap)
    else:
        log.warning("nothing is compared with the weights of %s: the scores are whatever is served there", folder)
    return model
