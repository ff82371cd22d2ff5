"""The Pythons that the course promises: one range everywhere, and pins that fit each of them.

A machine has one Python and one torch; what others would get is read from the pinned packages' own metadata, and, of
those that are compiled, asked of the index. Running the course under each is the workflow's part.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import make_env
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
REQUIRES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
OLDEST, NEWEST = make_env.SUPPORTED
PYTHONS = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
UNPINNED = {"torch", "wheel"}  # the reader's own; what one theme asks for in any version
HERE = f"3.{sys.version_info.minor}"


def environment(python):
    """What markers see on that Python, on a machine like this one."""
    return default_environment() | {"python_version": python, "python_full_version": f"{python}.5", "extra": ""}


def pins(python):
    """requirements.txt on that Python: normal name → requirement."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(text) for line in lines if (text := line.split("#")[0].strip())]
    return {
        canonicalize_name(pin.name): pin for pin in found if not pin.marker or pin.marker.evaluate(environment(python))
    }


@pytest.fixture(scope="module")
def there():
    """The installed packages in their pinned versions: normal name → distribution."""
    installed = {canonicalize_name(one.metadata["Name"]): one for one in metadata.distributions()}
    found = {name: installed[name] for name, pin in pins(HERE).items() if name in installed
             and installed[name].version in pin.specifier}  # fmt: skip
    if len(found) < len(pins(HERE)):
        pytest.skip(f"{len(pins(HERE)) - len(found)} pinned packages are here in another version: not make env's place")
    return found


def test_every_place_that_names_pythons_names_the_same():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert re.findall(r'"(3\.\d+)"', re.search(r"python: (\[.*\])", workflow)[1]) == PYTHONS
    pages = (ROOT / ".github/workflows/pages.yml").read_text(encoding="utf-8")
    assert re.search(r'python-version: "(3\.\d+)"', pages)[1] in PYTHONS
    assert f">={PYTHONS[0]}" == REQUIRES and HERE in PYTHONS
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("python", PYTHONS)
def test_every_pinned_package_admits_the_python_and_finds_what_it_needs_among_the_pins(python, there):
    found, problems = pins(python), []
    for name, package in there.items():
        needed = package.metadata["Requires-Python"]
        if needed and f"{python}.5" not in SpecifierSet(needed):
            problems.append(f"{name} wants Python {needed}")
        for requirement in map(Requirement, package.requires or []):
            if requirement.marker and not requirement.marker.evaluate(environment(python)):
                continue
            other = canonicalize_name(requirement.name)
            versions = [next(iter(found[other].specifier)).version] if other in found else []
            if other not in UNPINNED and not any(version in requirement.specifier for version in versions):
                problems.append(f"{name} needs {requirement}, pinned is {found.get(other)}")
    assert problems == [] and len(found) > 100


@pytest.mark.skipif("ASK_INDEX" not in os.environ, reason="downloads wheels, for minutes: ASK_INDEX=1 make test")
@pytest.mark.parametrize("python", [python for python in PYTHONS if python != HERE])
def test_every_compiled_package_has_a_wheel_for_the_python(python, there, tmp_path):
    """Of a package whose wheel here is for one Python, the index must have one for the other; pure and abi3 fit."""
    tags = {
        name: re.findall(r"^Tag: (\S+)", package.read_text("WHEEL") or "", re.MULTILINE)
        for name, package in there.items()
    }
    compiled = [
        name
        for name, of_one in tags.items()
        if of_one and not any(tag.startswith("py") or "-abi3-" in tag for tag in of_one)
    ]
    assert {"numpy", "pandas", "pyarrow"} <= set(compiled)
    asked = [f"{name}=={there[name].version}" for name in compiled]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-deps"]
    command += ["--python-version", python, "--only-binary=:all:", "--target", str(tmp_path / "there")]
    command += ["--report", str(tmp_path / "report.json"), "--retries", "2", "--timeout", "30", *asked]
    done = subprocess.run([*command, "--disable-pip-version-check"], capture_output=True, text=True, check=False)
    if re.search("connection|timed out|from versions: none", done.stderr, re.IGNORECASE):
        pytest.skip(f"no package index within reach: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["install"]
    assert {canonicalize_name(one["metadata"]["name"]) for one in report} == set(compiled)
