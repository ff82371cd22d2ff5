"""`make fork REPOSITORY=https://github.com/ORG/NAME`: one setting, and every badge, install line and link follows.

The setting is `repository: url:` in `_config.yml`. While it is empty, pages carry the placeholder `ORG/NAME`, install
cells refuse to install from it, and the launch buttons are off. Running it again, with another address, moves on.
"""

import re
import sys
from pathlib import Path

import notebooks

PLACEHOLDER = "ORG/NAME"
ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9][\w.-]*/[\w.-]+?)(\.git)?/?")
SETTING = re.compile(r"^(repository:\n(?:  .*\n)*?  url:) *(\S*)$", re.MULTILINE)
TEXT_FILES = ["README.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml", "book/**/*.md"]


def repoint(root: Path, address: str) -> list[Path]:
    """Point the project under `root` at `address`. Returns the files that changed. Raises ValueError if it is none."""
    match = ADDRESS.fullmatch(address)
    if not match or match[1] == PLACEHOLDER:
        raise ValueError(
            f"REPOSITORY={address or '(nothing)'}: give the address of your own, https://github.com/ORG/NAME"
        )
    new = match[1]
    config = root / "_config.yml"
    text = config.read_text(encoding="utf-8")
    setting = SETTING.search(text)
    if setting is None:
        raise ValueError(f"{config}: no `url:` under `repository:`")
    old = setting[2].strip('"').removeprefix("https://github.com/") or PLACEHOLDER
    text = SETTING.sub(rf'\1 "https://github.com/{new}"', text)
    text = re.sub(r"^(  colab_url:).*$", r'\1 "https://colab.research.google.com"', text, flags=re.MULTILINE)
    text = re.sub(r"^(  use_(?:repository|issues)_button:).*$", r"\1 true", text, flags=re.MULTILINE)
    changed = [config] if _store(config, text) else []
    for path in sorted({p for pattern in TEXT_FILES for p in root.glob(pattern)}):
        if _store(path, _follow(path.read_text(encoding="utf-8"), old, new)):
            changed.append(path)
    return changed + [path for path in sorted(root.glob("book/**/*.ipynb")) if _notebook(path, old, new)]


def _follow(text: str, old: str, new: str) -> str:
    """Replace `old` behind a github.com address, Colab's included; lines that explain `make fork` stay general."""
    link = re.compile(rf"(github\.com/|colab\.research\.google\.com/github/){re.escape(old)}(?![\w-])")
    lines = text.splitlines(keepends=True)
    return "".join(line if "make fork" in line else link.sub(rf"\g<1>{new}", line) for line in lines)


def _notebook(path: Path, old: str, new: str) -> bool:
    """The same in a notebook's cells. Its seal is renewed where it held: an address changes no result."""
    notebook = notebooks.read(path)
    intact = notebooks.sealed(notebook) == [notebooks.digest(cell) for cell in notebooks.code_cells(notebook)]
    before = [notebooks.source(cell) for cell in notebook["cells"]]
    after = [_follow(text, old, new) for text in before]
    if before == after:
        return False
    for cell, text in zip(notebook["cells"], after, strict=True):
        cell["source"] = text
    if intact:
        notebooks.seal(notebook)
    notebooks.write(path, notebook)
    return True


def _store(path: Path, text: str) -> bool:
    if path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    try:
        for changed in repoint(Path(), sys.argv[1] if len(sys.argv) > 1 else ""):
            print(changed)
    except ValueError as error:
        sys.exit(str(error))
