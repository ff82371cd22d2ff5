"""`make bench`: every work measured, each in fresh processes, and put into `tests/bench/results.json`.

`python -m bench.run [P1 P3 …] [--quick]`: some works alone; what the file says of the others stays. --quick measures
at a reduced size and only prints. Machine and versions stand beside each work, since a later run may be elsewhere.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.measuring import ROUNDS, NotInstalled, Work, alternate, peak_gb, seconds

RESULTS = Path(__file__).with_name("results.json")
WORKS = {
    "P1": "scoring.p1", "P2": "scoring.p2", "P3": "training_step.p3", "P4": "trl.p4", "P5": "choosing.p5",
    "P6": "choosing.p6", "P7": "drawing.p7", "P8": "growth.p8", "P10": "imports.p10",
}  # fmt: skip


def function(name: str) -> Callable[..., Any]:
    """The function of a work; its module is imported here, so that the parent process stays small."""
    module, of = WORKS[name].split(".")
    return getattr(import_module(f"bench.{module}"), of)


def measured(name: str, size: str) -> dict[str, Any]:
    """The results of one work. Raises NotInstalled."""
    if name == "P10":
        return function(name)(size)
    if name == "P8":
        return function(name)(size, lambda task, rows, folder: _child("job", task, str(rows), folder))
    result = _child("time", name, size)
    for way in result["ways"]:
        result["ways"][way] |= _child("memory", name, size, way)
    return result


def _child(*arguments: str) -> dict[str, Any]:
    call = [sys.executable, "-m", "bench.run", "--child", *arguments]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"✗ {' '.join(arguments)} failed, see above")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "not installed" in answer:
        raise NotInstalled(answer["not installed"])
    return answer


def child(kind: str, *arguments: str) -> dict[str, Any]:
    """What a fresh process is for: the time of all ways, the memory of one, or both of a job of P8."""
    if kind == "job":
        task, rows, folder = arguments
        job = import_module("bench.growth").job
        job(task, 8, folder)()  # what is imported when it is first needed is not counted
        call = job(task, int(rows), folder)
        return {"peak_gb": peak_gb(call), "seconds": round(seconds(call), 4)}
    name, size, *way = arguments
    try:
        if kind == "memory":
            function(name)("tiny").ways[way[0]]()  # likewise
            return {"peak_gb": peak_gb(function(name)(size).ways[way[0]])}
        work: Work = function(name)(size)
    except NotInstalled as error:
        return {"not installed": str(error)}
    ways = alternate(work, ROUNDS[size])
    for other, how in work.about.items():
        ways[other] |= {"how": how} | ({"part": round(work.parts[other], 6)} if other in work.parts else {})
    return {"what": work.what, "ways": ways}


def told(name: str, result: dict[str, Any]) -> str:
    """Results of one work as a line for each way, for the terminal."""
    lines = [f"{name}  {result['what']}"]
    for way, values in result.get("ways", {}).items():
        ratio = values.get("ratio")
        beside = f"  ratio {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else ""
        lines.append(f"    {way:<9}{values['seconds']:>11.3f} s {values['peak_gb']:>8.3f} GB{beside}")
    for task, series in result.get("series", {}).items():
        lines.append(f"    {task:<9} slope {series['slope']}: {series['points']}")
    lines += [f"    {call}: {values}" for call, values in result.get("calls", {}).items()]
    return "\n".join(lines)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(*sys.argv[2:])))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", help=", ".join(WORKS))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if unknown := [name for name in asked.works if name not in WORKS]:
        parser.error(f"no work {', '.join(unknown)}; there are {', '.join(WORKS)}")
    for name in asked.works or WORKS:
        try:
            result = measured(name, "quick" if asked.quick else "full")
        except NotInstalled as error:
            print(f"{name}  {error}")
            continue
        print(told(name, result), flush=True)
        if not asked.quick:
            store(name, result)
    return 0


def store(name: str, result: dict[str, Any], path: Path = RESULTS) -> None:
    """Put the results of one work into the file, after each, so that a stopped run keeps what it has."""
    from refresh import here

    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results[name] = {**result, "date": date.today().isoformat(), **here()}
    ordered = {work: results[work] for work in WORKS if work in results}
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
