"""The recorded runs of the embedded world: what each reward model said of every evaluation sample, seed by seed.

Training all of them takes hours; reading one takes seconds. `make data` made them. Out come arrays [seeds, problems,
samples] for `selection`, `metrics` and `plots`, in the order of `evaluation.parquet`. The three models have several
seeds each; the variants, smaller runs on other labels or other rows, have three. Another folder that the recipe has
filled is read by naming it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minrm.errors import InputError
from minrm.rows import check_file
from minrm.world.shipped import shipped

SEEDS = range(5)
KINDS = {"orm": "ORM", "prm": "PRM", "bradley_terry": "Bradley–Terry"}  # as files are named: as figures name them
VARIANT_SEEDS = range(3)
VARIANTS = {
    "prm_checker": "PRM, exact checker",
    "prm_first_error": "PRM, until the first error",
    "prm_rollouts_hard": "PRM, rollouts (hard)",
    "prm_rollouts_soft": "PRM, rollouts (soft)",
    "orm_equal_labels": "ORM, as many labels",
    "orm_few": "ORM, few labels",
    "prm_few": "PRM, few labels",
    "orm_length": "ORM, hurried labels",
    "prm_sampled_only": "PRM, sampled only",
    "prm_corrupted": "PRM, half corrupted",
}


def seeds_of(kind: str) -> range:
    """The seeds from which a model or a variant was trained. Raises InputError for another kind."""
    if kind not in KINDS | VARIANTS:
        raise InputError(f"no recorded run is called {kind!r}; there are {', '.join(KINDS | VARIANTS)}")
    return SEEDS if kind in KINDS else VARIANT_SEEDS


def recorded_scores(kind: str, aggregate: str = "product", folder: str | Path | None = None) -> np.ndarray:
    """Scores [seeds, problems, samples], float64: probabilities of "orm" and "prm", rewards of "bradley_terry".

    kind: a name in KINDS or VARIANTS. aggregate: how a process reward model's steps become one number, as in its
    `score`. A sample without text has no step and gets 0. Raises InputError for another kind or aggregate.
    """
    from minrm.prm import AGGREGATES  # here: it takes torch along, which the rest of the world does without

    if aggregate not in AGGREGATES:
        raise InputError(f"aggregate is {aggregate!r}; it can be {', '.join(AGGREGATES)}")
    problems = _read(_found("evaluation.parquet", folder), "problem")[-1].as_py() + 1  # equally many of each, in order
    runs = []
    for seed in seeds_of(kind):
        column = _column(kind, seed, folder)
        runs.append(_aggregated(*_flat(column), aggregate) if kind.startswith("prm") else column.to_numpy())
    return np.array(runs, dtype=np.float64).reshape(len(runs), problems, -1)


def recorded_steps(seed: int = 0, folder: str | Path | None = None, kind: str = "prm") -> list[np.ndarray]:
    """P(+) of each step of each evaluation sample by the process reward model of this seed: arrays [steps], float64.

    kind: "prm", or one of the VARIANTS that are process reward models.
    """
    steps, ends = _flat(_column(kind, seed, folder))
    return np.split(steps, ends[:-1])


def recorded_curve(kind: str, folder: str | Path | None = None) -> list[dict[str, Any]]:
    """The training loss of every seed, for `plots.training_curve`: rows with step, way, seed, loss."""
    return [
        {"step": entry["step"], "way": (KINDS | VARIANTS)[kind], "seed": seed, "loss": entry["loss"]}
        for seed in seeds_of(kind)
        for entry in recorded_settings(kind, seed, folder)["history"]
        if "loss" in entry
    ]


def recorded_settings(kind: str, seed: int = 0, folder: str | Path | None = None) -> dict[str, Any]:
    """How a run was made: epochs, batch size, learning rate, rows, minutes, and its history."""
    return json.loads(_run(kind, seed, "json", folder).read_text())


def _aggregated(steps: np.ndarray, ends: np.ndarray, how: str) -> np.ndarray:
    """What `prm.aggregate_steps` gives for each sample, of all samples at once: [samples]."""
    starts = np.concatenate([[0], ends[:-1]])
    scores, has = np.zeros(len(ends)), ends > starts
    if how == "last":
        scores[has] = steps[ends[has] - 1]
        return scores
    of = {"product": np.multiply, "min": np.minimum, "mean": np.add}[how]
    scores[has] = of.reduceat(steps, starts[has])  # float64: a product of a dozen probabilities stays far from 0
    if how == "mean":
        scores[has] /= (ends - starts)[has]
    return scores


def _flat(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists as its values, float64, and where each list ends."""
    ends = np.cumsum(pc.list_value_length(column).to_numpy())
    return pc.list_flatten(column).to_numpy().astype(np.float64), ends


def _column(kind: str, seed: int, folder: str | Path | None) -> Any:
    return _read(_run(kind, seed, "parquet", folder), "step_scores" if kind.startswith("prm") else "score")


def _read(path: Path, column: str) -> Any:
    check_file(path)
    return pq.read_table(path, columns=[column]).column(column)


def _run(kind: str, seed: int, ending: str, folder: str | Path | None) -> Path:
    seeds_of(kind)  # refuses an unknown kind
    return _found(f"runs/{kind}-{seed}.{ending}", folder)


def _found(name: str, folder: str | Path | None) -> Path:
    return shipped(name) if folder is None else Path(folder) / name
