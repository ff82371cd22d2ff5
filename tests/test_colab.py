"""Colab as it is: installing the package there changes nothing that is there, for the package and its extras."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import colab_constraints
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "tests" / "colab-constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("gpu",)  # those that Colab is asked for
PYTHON = "3.13"
# Not to be had from an index as it is there: torch is Colab's own build, with other requirements than the index's build
# of the same version. An empty wheel stands in for it.
STANDINS = {"torch": "+cu128"}
NO_INDEX = re.compile(r"connection|timed out|from versions: none", re.IGNORECASE)


def listed():
    """Colab's packages: normal name → version."""
    lines = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def required():
    extras = PROJECT["optional-dependencies"]
    return [Requirement(text) for text in PROJECT["dependencies"] + [text for name in EXTRAS for text in extras[name]]]


def refusing(requirements, versions):
    """The requirements that do not admit the version that is there."""
    there = [(requirement, versions.get(canonicalize_name(requirement.name))) for requirement in requirements]
    return [requirement.name for requirement, version in there if version and version not in requirement.specifier]


def test_every_bound_admits_what_colab_has():
    versions, names = listed(), {canonicalize_name(requirement.name) for requirement in required()}
    assert refusing(required(), versions) == []
    assert names - set(versions) == set(), "everything is there already"
    assert {"torch", "numpy", "transformers", "datasets", "accelerate", "matplotlib", "peft"} <= names
    assert PYTHON in SpecifierSet(PROJECT["requires-python"])
    assert refusing([Requirement("numpy>=2.2")], versions) == ["numpy"], "and a wrong bound shows"


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    """pip(requirement, …): what pip would install under Colab's versions, name → version, or why it cannot."""
    folder = tmp_path_factory.mktemp("pip")
    for name, label in STANDINS.items():
        _empty_wheel(folder, name, listed()[name] + label)

    def resolve(*requirements, under=("--constraint", str(CONSTRAINTS))):
        report = folder / "report.json"
        where = ["--python-version", PYTHON, "--only-binary=:all:", "--target", str(folder / "target")]
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", *where]
        command += ["--find-links", str(folder), *under, "--report", str(report)]
        command += ["--retries", "2", "--timeout", "30", "--disable-pip-version-check", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
        return {canonicalize_name(one["metadata"]["name"]): one["metadata"]["version"] for one in found}

    if isinstance(reason := resolve("numpy", under=()), str) and NO_INDEX.search(reason):
        pytest.skip(f"no package index within reach: {reason.strip().splitlines()[-1]}")
    return resolve


def _empty_wheel(folder, name, version):
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        info = f"{stem}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_pip_changes_no_package_that_colab_has(pip):
    """One resolution with the extra: what it finds without them is a part of it."""
    found, versions = pip(*map(str, required())), listed()
    assert isinstance(found, dict), found
    changed = {name: version for name, version in found.items() if versions.get(name, version) != version.split("+")[0]}
    assert changed == {}
    assert set(found) - set(versions) == set()
    assert found["torch"] == versions["torch"] + "+cu128" and len(found) > 40
    assert isinstance(pip("numpy>=2.2"), str), "what cannot be had under the list shows"


def test_constraints_are_made_from_pips_own_list():
    frozen = "# generated\nnumpy==2.1.3\ntorch==2.11.0+cu128\ngoogle-colab @ file:///colabtools/x.tar.gz\n"
    head, *rest = colab_constraints.constraints(frozen, "2026-08-19").rsplit("#", 1)
    assert rest == [" (google-colab).\nnumpy==2.1.3\ntorch==2.11.0\n"]
    assert "(2026-08-19)" in head and "(+cu128)" in head
    assert len(listed()) > 600
