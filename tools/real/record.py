"""A public model on public data, recorded on two CPU cores in six hours: `make real`. No part of the book's build.

Units, each at most 40 minutes on one core: greedy and direct answers, samples, log-likelihoods, a run for each kind of
reward model and seed, best of N. Each leaves OUT/UNIT.json with settings, results, machine, versions and what it took.
A unit whose result is there is not run again; one that was stopped goes on where it was. `make real QUICK=1` goes the
same way in small. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import judges
import policy
from refresh import operating_system, processor
from smollm2 import PACKAGES, model_folder

from minrm.errors import InputError
from minrm.files.runs import name_of, whole
from minrm.loading import installed

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1, 2)
VERSIONS = ("minrm", "torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "numpy")


@dataclass(frozen=True)
class Scale:
    """How much of everything. rows: to train on; held_out: to measure on; settings: of `train`, beside the usual."""

    problems: int = 60
    samples: int = 16
    new: int = 160  # tokens of the longest solution
    longest: int = 256  # tokens of the longest row
    rows: dict[str, int] = field(default_factory=lambda: {"orm": 480, "prm": 220, "bradley_terry": 320})
    held_out: dict[str, int] = field(default_factory=lambda: {"orm": 300, "prm": 120, "bradley_terry": 200})
    settings: dict[str, Any] = field(default_factory=dict)


SMALL = {"orm": 8, "prm": 8, "bradley_terry": 8}
FULL, QUICK = Scale(), Scale(4, 2, 48, 160, SMALL, SMALL, {"epochs": 1})


@dataclass(frozen=True)
class Place:
    """Where a recording reads and writes. data: a publisher's file, or a name on the hub, for each source."""

    out: Path
    work: Path
    model: Path
    data: dict[str, str]
    scale: Scale = FULL


JUDGES: dict[str, Callable[[Place], Any]] = {
    f"{kind}-{seed}": partial(judges.judge, kind, seed) for seed in SEEDS for kind in judges.MODELS
}
STAGES: list[dict[str, Callable[[Place], Any]]] = [  # units of one stage do not need each other
    {"samples": policy.record_samples, "answers": policy.record_answers, "likelihood": judges.likelihood},
    JUDGES,
    {"best_of_n": judges.best},
]
UNITS = {name: unit for stage in STAGES for name, unit in stage.items()}


def record(name: str, place: Place) -> None:
    """Run one unit, and write what it found with all that is needed to judge it."""
    place.work.mkdir(parents=True, exist_ok=True)
    place.out.mkdir(parents=True, exist_ok=True)
    begun, began = place.work / f"{name}.begun", time.monotonic()
    resumed = begun.exists()
    begun.touch()
    results = UNITS[name](place)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    versions = {"Python": platform.python_version()} | {package: installed(package) for package in VERSIONS}
    entry = {
        "unit": name, "model": name_of(place.model), "packages": PACKAGES,
        "data": {kind: Path(source).name for kind, source in place.data.items()},
        "scale": asdict(place.scale), "results": results,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": operating_system()},
        "versions": versions, "minutes": round((time.monotonic() - began) / 60, 2),
        "core minutes": round(time.process_time() / 60, 2), "peak GB": round(peak / 1e9, 2),
        "resumed": resumed,  # then the minutes are those of the last call
    }  # fmt: skip
    with whole(place.out / f"{name}.json") as part:
        part.write_text(json.dumps(entry, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    begun.unlink()


def main() -> int:
    options = _options()
    quick = options.work / "quick" if options.quick else options.work
    place = Place(
        quick / "recorded" if options.quick else options.out, quick, model_folder(options.work),
        {"gsm8k": options.gsm8k, "orm": options.solutions, "prm": options.prm800k, "bradley_terry": options.hh},
        QUICK if options.quick else FULL,
    )  # fmt: skip
    if options.alone:
        record(options.alone, place)
        return 0
    done = True
    for stage in STAGES:
        units = [name for name in stage if name in (options.unit or UNITS)]
        with ThreadPoolExecutor(options.jobs) as pool:  # a process each, whose peak memory is its own
            done = all(pool.map(partial(_apart, place), units)) and done
        if not done:
            break
    return not done


def _apart(place: Place, name: str) -> bool:
    """One unit in a process with one thread: two of them use two cores better than one with two threads. Ended well?"""
    if (place.out / f"{name}.json").exists():
        print(f"{name}: {name}.json is there; remove it to run this unit again", flush=True)
        return True
    about = getattr(UNITS[name], "func", UNITS[name]).__doc__ or ""
    print(f"{name}: {about.splitlines()[0]}", flush=True)
    command = [sys.executable, *sys.argv, "--alone", name]
    return subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode == 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gsm8k", default="openai/gsm8k", help="test.jsonl")
    parser.add_argument("--solutions", required=True, help="example_model_solutions.jsonl of grade-school-math")
    parser.add_argument("--prm800k", required=True, help="phase2_train.jsonl, or another of PRM800K")
    parser.add_argument("--hh", default="Anthropic/hh-rlhf", help="harmless-base/train.jsonl.gz")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "recorded" / "real", help="where results go")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "work" / "real", help="model, samples, runs")
    parser.add_argument("--jobs", type=int, default=2, help="units at a time, each with one thread")
    parser.add_argument("--quick", action="store_true", help="the same way in small, into the work folder")
    parser.add_argument("--unit", choices=UNITS, action="append", help="only this unit")
    parser.add_argument("--alone", choices=UNITS, help=argparse.SUPPRESS)  # the process of one unit
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"✗ {error}")
