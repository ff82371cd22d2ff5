"""Files that appear when they are complete, files to which a long run appends its rows, and how runs name models."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from minrm.errors import InputError
from minrm.files.lines import Row, dumps, loads

_FILES = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")  # that make a model what it is


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn the system's errors in writing into one line that names the file. Raises InputError."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not the system's
            raise
        raise unwritten(path, error.strerror or error) from error


def unwritten(path: str | Path, reason: object) -> InputError:
    """The error for a file or folder that cannot be written."""
    remedy = "free some space or choose another place, then call again"
    return InputError(f"{path}: cannot be written ({reason}); {remedy}")


@contextmanager
def alone(path: str | Path) -> Iterator[None]:
    """Hold a file or folder against other calls; the system releases the lock, whatever ends the process.

    Raises InputError where another call holds it. Windows and some network file systems have no such locks.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = not os.fstat(handle).st_nlink  # who held it has just removed it
        except OSError as error:
            held = isinstance(error, BlockingIOError)
        if held:
            raise InputError(f"{path}: another command writes there; wait until it ends, or name another place")
        yield
    finally:
        os.close(handle)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when the block ends without an error. Raises InputError.

    The path lies in a hidden folder, held meanwhile; the next call removes what a killed one has left there.
    """
    folder = path.parent / f".{path.name}.minrm"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            try:
                yield folder / path.name
                (folder / path.name).replace(path)
            finally:
                (folder / path.name).unlink(missing_ok=True)
                tidy(path)


def tidy(path: Path) -> None:
    """Remove the folder of `whole(path)`, if it is empty: a kill may leave it beside a file that is complete."""
    with suppress(OSError):
        (path.parent / f".{path.name}.minrm").rmdir()


class RunFile:
    """A .jsonl file to which a long run appends rows as they come; a stopped run goes on where its file ends.

    rows: what the file holds, but a line that a kill cut off. settings: kept in NAME.settings.json beside NAME.jsonl.
    The file is held until the end of a `with` block, so that no second call appends to it meanwhile.
    """

    def __init__(self, path: str | Path, settings: Row) -> None:
        """Start a run, or take it up. Raises InputError if the file holds a run with other settings, or is held."""
        self.path = Path(path)
        if self.path.suffix != ".jsonl" or self.path.is_dir():
            raise InputError(f"{path}: rows are appended as they come, which needs a file that ends in .jsonl")
        beside = self.path.with_suffix(".settings.json")
        if not self.path.exists() and beside.exists() and "model" not in loads(beside.read_bytes(), str(beside)):
            raise InputError(f"{beside}: no run wrote it, but this one would replace it; name another file")
        with writing(path), ExitStack() as held:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()  # a folder that cannot be written to shows now, not after the first chunk
            held.enter_context(alone(self.path))
            self.rows = self._take_up(beside, json.loads(dumps(settings)))
            self._held = held.pop_all()

    def __enter__(self) -> "RunFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _take_up(self, beside: Path, settings: Row) -> list[Row]:
        content = self.path.read_bytes()
        if not content:
            beside.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            return []
        remedy = "name another file, or remove this one"
        if not beside.exists():
            raise InputError(f"{self.path}: not the file of a run, since no {beside.name} lies beside it; {remedy}")
        there = loads(beside.read_bytes(), str(beside))
        if changed := [name for name in [*settings, *there] if there.get(name) != settings.get(name)]:
            difference = f"its {changed[0]} is {there.get(changed[0])!r}, you asked for {settings.get(changed[0])!r}"
            raise InputError(f"{self.path} holds another run: {difference}; {remedy}")
        lines = content.split(b"\n")[:-1]  # bytes: a kill may cut inside a character
        with open(self.path, "r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
        return [loads(line, f"{self.path}, row {number}") for number, line in enumerate(lines, start=1) if line.strip()]

    def keep(self, count: int) -> None:
        """Cut the file to its first `count` rows, such as whole chunks."""
        self.rows = self.rows[:count]
        with open(self.path, "r+b") as file:
            file.truncate(sum(len(file.readline()) for _ in self.rows))

    def append(self, rows: list[Row]) -> None:
        """Write rows after those of the file."""
        with writing(self.path), open(self.path, "ab") as file:
            file.write("".join(map(dumps, rows)).encode())
        self.rows += rows


def name_of(source: str | Path) -> str:
    """A model's name in records: of a folder its last part, without the path to it, and a digest of its files."""
    folder, total = Path(source), hashlib.sha256()
    if not folder.is_dir():
        return str(source)
    for path in sorted(path for path in folder.iterdir() if path.suffix in _FILES and path.is_file()):
        if path.name == "training.json":
            continue
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return f"{folder.resolve().name} (sha256 {total.hexdigest()[:16]})"
