"""The recorded runs of the embedded world: each reward model's scores of every evaluation sample, seed by seed.

The variants learnt from other labels or other rows. folder: another one that the recipe has filled.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minrm.errors import InputError
from minrm.rows import check_file
from minrm.world.shipped import find

SEEDS = range(5)
KINDS = {"orm": "ORM", "prm": "PRM", "bradley_terry": "Bradley–Terry"}  # as files are named: as figures name them
LABEL_SOURCES = {  # from five seeds, like KINDS
    "prm_checker": "PRM, exact checker", "prm_first_error": "PRM, until the first error",
    "prm_rollouts_hard": "PRM, rollouts (hard)", "prm_rollouts_soft": "PRM, rollouts (soft)",
    "orm_equal_labels": "ORM, as many labels",
}  # fmt: skip
PROXIES = {  # from three
    "orm_few": "ORM, few labels", "prm_few": "PRM, few labels", "orm_length": "ORM, hurried labels",
    "orm_no_traps": "ORM, no traps seen", "bradley_terry_longer": "Bradley–Terry, longer preferred",
    "prm_sampled_only": "PRM, sampled only", "prm_corrupted": "PRM, half corrupted",
    "prm_active": "PRM, chosen labels", "prm_random": "PRM, random labels",
}  # fmt: skip
VARIANTS = LABEL_SOURCES | PROXIES


def seeds_of(kind: str) -> range:
    """The seeds from which a model or a variant was trained. Raises InputError for another kind."""
    if kind not in KINDS | VARIANTS:
        raise InputError(f"no recorded run is called {kind!r}; there are {', '.join(KINDS | VARIANTS)}")
    return range(3) if kind in PROXIES else SEEDS


def recorded_scores(kind: str, aggregate: str = "product", folder: str | Path | None = None) -> np.ndarray:
    """Scores [seeds, problems, samples], float64: probabilities of "orm" and "prm", rewards of "bradley_terry".

    kind: a name in KINDS or VARIANTS. aggregate: how a process reward model's steps become one number (no step: 0).
    """
    problems = _column(find("evaluation.parquet", folder), "problem")[-1].as_py() + 1  # equally many of each, in order
    if kind.startswith("prm"):
        from minrm.prm import aggregate_steps  # here: it takes torch along, which the rest of the world does without

        runs = [aggregate_steps(recorded_steps(seed, folder, kind), aggregate) for seed in seeds_of(kind)]
    else:
        runs = [_column(_run(kind, seed, "parquet", folder), "score").to_numpy() for seed in seeds_of(kind)]
    return np.array(runs, dtype=np.float64).reshape(len(runs), problems, -1)


def recorded_steps(seed: int = 0, folder: str | Path | None = None, kind: str = "prm") -> list[np.ndarray]:
    """P(+) of each step of each evaluation sample by one seed of a process reward model: arrays [steps], float64."""
    column = _column(_run(kind, seed, "parquet", folder), "step_scores")
    ends = np.cumsum(pc.list_value_length(column).to_numpy())
    return np.split(pc.list_flatten(column).to_numpy().astype(np.float64), ends[:-1])


def recorded_curve(kind: str, folder: str | Path | None = None) -> list[dict[str, Any]]:
    """The training loss of every seed, for `figures.training_curve`: rows with step, way, seed, loss."""
    return [
        {"step": entry["step"], "way": (KINDS | VARIANTS)[kind], "seed": seed, "loss": entry["loss"]}
        for seed in seeds_of(kind)
        for entry in recorded_settings(kind, seed, folder)["history"]
        if "loss" in entry
    ]


def recorded_settings(kind: str, seed: int = 0, folder: str | Path | None = None) -> dict[str, Any]:
    """The settings of a recorded run: epochs, batch size, learning rate, rows, minutes; and its history."""
    return json.loads(_run(kind, seed, "json", folder).read_text())


def _column(path: Path, name: str) -> Any:
    check_file(path)
    return pq.read_table(path, columns=[name]).column(name)


def _run(kind: str, seed: int, ending: str, folder: str | Path | None) -> Path:
    seeds_of(kind)  # refuses an unknown kind
    return find(f"runs/{kind}-{seed}.{ending}", folder)
