"""What comes with the package: the embedded world's model, problems and samples, by name and without a download."""

from pathlib import Path

from minrm.errors import InputError

_HERE = Path(__file__).parents[1]
_DATA = _HERE / "data" if (_HERE / "data").is_dir() else _HERE.parent / "data"  # in the wheel; in a checkout


def shipped(name: str) -> Path:
    """The path of something in `data/`: `shipped("policy")` is the folder of the small language model."""
    path = _DATA / name
    if not path.exists():
        names = ", ".join(sorted(entry.name for entry in _DATA.glob("[!_.]*"))) or "nothing yet: run make data"
        raise InputError(f"nothing is shipped under the name {name!r}; there is {names}")
    return path


def find(name: str, folder: str | Path | None) -> Path:
    """The path of something shipped, or of the same file in another folder that the recipe has filled."""
    return shipped(name) if folder is None else Path(folder) / name
