"""The wheel is whole: every package of the tree is in it, every module imports from it, and it carries data/."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMPORT_ALL = """
import importlib, pkgutil, sys, minrm
names = [info.name for info in pkgutil.walk_packages(minrm.__path__, "minrm.")]
for name in names:
    importlib.import_module(name)
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = minrm.shipped("policy")
print(minrm.__file__, folder, AutoModelForCausalLM.from_pretrained(folder).num_parameters(), len(names), sep="\\n")
"""


def test_every_folder_of_the_package_is_listed_for_the_wheel():
    folders = {path.parent for path in (ROOT / "minrm").rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(names | {"minrm.data"})
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_every_module_imports_from_the_wheel_elsewhere(tmp_path):
    """Built without a network and without build isolation, unpacked in another folder."""
    source, wheels, there = tmp_path / "source", tmp_path / "wheels", tmp_path / "there"
    for name in ("minrm", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "work")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", wheels, source], check=True, cwd=tmp_path)
    (wheel,) = wheels.glob("minrm-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(there)
    environment = os.environ | {"PYTHONPATH": str(there), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=tmp_path, env=environment, check=True, text=True, stdout=subprocess.PIPE
    )
    package, folder, parameters, modules = done.stdout.splitlines()[-4:]
    assert Path(package).is_relative_to(there) and Path(folder).is_relative_to(there)
    assert int(parameters) > 500_000
    files = [path for path in (ROOT / "minrm").rglob("*.py") if path != ROOT / "minrm" / "__init__.py"]
    assert int(modules) == len(files)
