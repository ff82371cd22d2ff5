"""The command line: `minrm sample · prepare · train · score · join · evaluate`, the steps of the course for files.

Files come in, files go out (jsonl, parquet), so that big runs need no notebook. An error is one line and exit code 2;
`minrm --debug …` shows where it arose. Heavy imports wait inside the commands: `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from minrm.cli.prepare import prepare
from minrm.cli.sample import join, sample

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Out = Annotated[Path, typer.Option("--out", "-o", help="The file (jsonl, parquet) or folder to write.")]
Progress = Annotated[bool, typer.Option(help="Show a progress bar.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Reward models: sample solutions, prepare rows, train, score, evaluate.

    The whole way, on the embedded world, without a download:

    \b
      minrm sample --world 100 --n 16 -o samples.jsonl
      minrm sample --world 1000 --split train --n 4 --temperature 1 -o more.jsonl
      minrm prepare more.jsonl --source samples --schema process -o train.jsonl
      minrm train train.jsonl -o prm
      minrm prepare samples.jsonl --source samples -o test.jsonl
      minrm score prm test.jsonl -o scored.jsonl
      minrm evaluate scored.jsonl --figure curves.png
    """


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C in long work: one line that says how it goes on, and the exit code of an interrupted program."""
    try:
        yield
    except KeyboardInterrupt as stop:
        print(f"minrm: {str(stop) or 'stopped; the same command goes on from there'}", file=sys.stderr)
        raise typer.Exit(130) from None


app.command()(_stoppable()(sample))
app.command()(prepare)
app.command()(join)


@app.command()
def train(
    rows: Annotated[
        Path, typer.Argument(help="Outcome rows train an ORM, process rows a PRM, pairs a Bradley-Terry model.")
    ],
    out: Out,
    base: Annotated[str, typer.Option(help="The language model to start from: a folder or hub name.")] = "policy",
    evaluation: Annotated[Optional[Path], typer.Option("--eval", help="Rows to measure on while training.")] = None,  # noqa: UP045
    epochs: Annotated[float, typer.Option()] = 1,
    batch_size: Annotated[int, typer.Option(help="Rows in one pass.")] = 32,
    accumulate: Annotated[int, typer.Option(help="Passes in one update.")] = 1,
    learning_rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Its peak: 1e-3 suits a million parameters, 1e-5 billions.  [default: 1e-3 from policy, else 1e-4]"
        ),
    ] = None,
    max_length: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="In tokens. Longer rows are dropped and counted; of pairs, both texts are cut there."),
    ] = None,
    lora: Annotated[int, typer.Option(help="Rank of adapters (16, say) beside a frozen base; 0: train all.")] = 0,
    dtype: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="To compute in; float32 where a GPU overflows.  [default: what the hardware does best]"),
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory for a third (LoRA: a half) more time.")
    ] = False,
    save_steps: Annotated[Optional[int], typer.Option(help="Updates between saved states.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option()] = 0,
    progress: Progress = True,
) -> None:
    """Train the reward model that fits the rows. Stopped (Ctrl-C) and called again, it goes on where it was.

    \b
      minrm train outcome.jsonl -o orm --epochs 2
      minrm train process.jsonl -o prm --base Qwen/Qwen2.5-0.5B --learning-rate 1e-5
      minrm train process.jsonl -o prm --base Qwen/Qwen2.5-1.5B --lora 16 --gradient-checkpointing
      accelerate launch --num_processes 2 -m minrm.cli train process.jsonl -o prm
    """
    from minrm import loading
    from minrm.cli import files
    from minrm.training import train as run
    from minrm.training.checkpoints import first_process
    from minrm.world import shipped

    found, kind = files.read(rows)
    held_out = files.read(evaluation, kind)[0] if evaluation else None
    frozen = {"dtype": dtype or loading.compute_dtype(loading.pick_device(None))} if lora else {}
    model = files.new_model(kind, base, seed=seed, **frozen)
    name = type(model).__name__  # FSDP will change it
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "lora": lora,
        "gradient_checkpointing": gradient_checkpointing,
        "dtype": dtype,
    }
    if learning_rate is None and files.find_model(base) == str(shipped("policy")):
        learning_rate = 1e-3  # a million parameters; other models start from train's own default
    if learning_rate is not None:
        given["learning_rate"] = learning_rate
    steps: dict[str, Any] = {"max_length": max_length, "save_steps": save_steps, "seed": seed, "progress": progress}
    with _stoppable():
        result = run(model, found, out, eval_dataset=held_out, **given, **steps)
    if not first_process():
        return
    last = {
        key: value for entry in result.history for key, value in entry.items() if "loss" in key or "accuracy" in key
    }
    told = ", ".join(f"{key} {value:.3f}" for key, value in last.items())
    print(f"{out}: {name} of {len(found) - result.dropped} rows ({result.dropped} dropped): {told}")


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="A trained checkpoint; its kind is found out.")],
    rows: Annotated[Path, typer.Argument(help="Rows with question and solution (or steps), or pairs.")],
    out: Out,
    aggregate: Annotated[str, typer.Option(help="Of a PRM's steps: product, min, last or mean.")] = "product",
    dtype: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="To compute in: float32, bfloat16, float16.  [default: what the hardware does best]"),
    ] = None,
    shard: Annotated[Optional[str], typer.Option(help="K/N: the K-th of N parts, to be joined later.")] = None,  # noqa: UP045
    progress: Progress = True,
) -> None:
    """Add scores to rows. Stopped (Ctrl-C) and called again, it goes on where it was.

    \b
      minrm score prm test.jsonl -o scored.jsonl --aggregate min
      minrm score prm test.jsonl -o part-3.jsonl --shard 3/8
    """
    from minrm.cli.scoring import score_all, score_shard
    from minrm.published import load_published
    from minrm.rows import read_rows

    found = list(read_rows(rows))
    how_loaded = {"dtype": dtype} if dtype else {}
    given = (lambda: load_published(model, **how_loaded), model, found, rows, out)
    how: dict[str, Any] = {"aggregate": aggregate, "progress": progress}
    with _stoppable():
        count = score_shard(*given, shard, **how) if shard else score_all(*given, **how)
    print(f"{out}: {f'shard {shard}, {count} of {len(found)}' if shard else count} rows scored by {model}")


@app.command()
def evaluate(
    rows: Annotated[Path, typer.Argument(help="What `minrm score` wrote.")],
    figure: Annotated[Optional[Path], typer.Option(help="Write the figure there (png, svg, pdf).")] = None,  # noqa: UP045
) -> None:
    """Print how often each way of choosing is right, and draw it.

    \b
      minrm evaluate scored.jsonl --figure curves.png
    """
    from minrm.cli.evaluate import as_text
    from minrm.cli.evaluate import evaluate as measure
    from minrm.rows import read_rows

    table, notes = measure(list(read_rows(rows)), rows)
    print("\n".join([as_text(table), *notes]))
    if figure:
        from minrm.notebook.figures import bars_with_intervals, selection_curves

        curves = all(row["n"] is not None for row in table)
        bars = [{"name": row["way"], **row} for row in table]
        drawn = selection_curves(table) if curves else bars_with_intervals(bars, "share (%)")
        drawn.savefig(figure, dpi=150)
        print(f"{figure}: the figure")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what a user can mend is one line on stderr and exit code 2."""
    import logging

    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("minrm").setLevel(logging.INFO)
    try:
        code: Any = app(arguments, standalone_mode=False)
    except Exception as error:
        if "--debug" in arguments:
            raise
        told = error.format_message() if hasattr(error, "format_message") else str(error)  # typer's, or ours
        if not isinstance(error, ValueError) and not hasattr(error, "format_message"):
            told = f"{type(error).__name__}: {told}"
        print("minrm: " + " ".join(told.split()), file=sys.stderr)
        sys.exit(2)
    sys.exit(code or 0)


if __name__ == "__main__":  # accelerate launch … -m minrm.cli
    main()
