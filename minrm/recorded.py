"""The recorded runs of the embedded world: what each reward model said of every evaluation sample, seed by seed.

Training all of them takes an hour; reading them takes a second. `make data` made them. Out come arrays
[seeds, problems, samples] for `selection`, `metrics` and `plots`, in the order of `evaluation.parquet`. Another folder
that the recipe has filled is read by naming it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from minrm.embedded import shipped
from minrm.errors import InputError
from minrm.prm import aggregate_steps
from minrm.rows import read_rows

SEEDS = range(3)
KINDS = {"orm": "ORM", "prm": "PRM", "bradley_terry": "Bradley–Terry"}  # as files are named: as figures name them


def recorded_scores(kind: str, aggregate: str = "product", folder: str | Path | None = None) -> np.ndarray:
    """Scores [seeds, problems, samples], float64: probabilities of "orm" and "prm", rewards of "bradley_terry".

    aggregate: how a process reward model's steps become one number, as in its `score`. A sample without text has no
    step and gets 0. Raises InputError for another kind.
    """
    if kind == "prm":
        runs = [
            [aggregate_steps(np.log(p), aggregate) if len(p) else 0.0 for p in recorded_steps(s, folder)] for s in SEEDS
        ]
    else:
        runs = [[row["score"] for row in _rows(kind, seed, folder)] for seed in SEEDS]
    samples = [row["problem"] for _, row in read_rows(_found("evaluation.parquet", folder))]
    return np.array(runs, dtype=np.float64).reshape(len(SEEDS), samples[-1] + 1, -1)  # equally many of each, in order


def recorded_steps(seed: int = 0, folder: str | Path | None = None) -> list[np.ndarray]:
    """P(+) of each step of each evaluation sample by the process reward model of this seed: arrays [steps], float64."""
    return [np.asarray(row["step_scores"], dtype=np.float64) for row in _rows("prm", seed, folder)]


def recorded_curve(kind: str, folder: str | Path | None = None) -> list[dict[str, Any]]:
    """The training loss of every seed, for `plots.training_curve`: rows with step, way, seed, loss."""
    return [
        {"step": entry["step"], "way": KINDS[kind], "seed": seed, "loss": entry["loss"]}
        for seed in SEEDS
        for entry in recorded_settings(kind, seed, folder)["history"]
        if "loss" in entry
    ]


def recorded_settings(kind: str, seed: int = 0, folder: str | Path | None = None) -> dict[str, Any]:
    """How a run was made: epochs, batch size, learning rate, rows, minutes, and its history."""
    return json.loads(_run(kind, seed, "json", folder).read_text())


def _rows(kind: str, seed: int, folder: str | Path | None) -> list[dict[str, Any]]:
    return [row for _, row in read_rows(_run(kind, seed, "parquet", folder))]


def _run(kind: str, seed: int, ending: str, folder: str | Path | None) -> Path:
    if kind not in KINDS:
        raise InputError(f"no recorded run is called {kind!r}; there are {', '.join(KINDS)}")
    return _found(f"runs/{kind}-{seed}.{ending}", folder)


def _found(name: str, folder: str | Path | None) -> Path:
    return shipped(name) if folder is None else Path(folder) / name
