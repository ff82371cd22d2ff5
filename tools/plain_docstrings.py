"""A Sphinx extension: docstrings are plain prose (Markdown's backticks, no reStructuredText) and stay readable as such.

Paragraphs become paragraphs, `code` becomes code, an indented or aligned block is kept as it is laid out. Every sign
that reStructuredText would read as markup is taken literally, so that nobody writes docstrings for a tool.
"""

import re

CODE = re.compile(r"``[^`]+``|`[^`]+`")
MARKUP = re.compile(r"([\\*|_`<>])")


def as_rst(lines: list[str]) -> list[str]:
    """The docstring's lines as reStructuredText that renders them literally."""
    out: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            out += _block(block)
            block = []
    return out


def _block(block: list[str]) -> list[str]:
    """A paragraph; each item of a list as a paragraph of its own list; or, where a line is indented, as laid out."""
    if all(line.startswith(("- ", "  ")) for line in block) and block[0].startswith("- "):
        items = re.split(r"^- ", "\n".join(block), flags=re.MULTILINE)[1:]
        return [f"- {_inline(' '.join(item.split()))}" for item in items] + [""]
    if any(line.startswith(" ") for line in block):
        head = _leading(block)
        above = [_inline(" ".join(head)), ""] if head else []
        return [*above, "::", "", *(f"    {line}" for line in block[len(head) :]), ""]
    # as one line: code may break over two, which reStructuredText would read as an opening without an end
    return [_inline(" ".join(block)), ""]


def _leading(block: list[str]) -> list[str]:
    """The lines before the first indented one."""
    return block[: next(i for i, line in enumerate(block) if line.startswith(" "))]


def _inline(text: str) -> str:
    out, end = "", 0
    for code in CODE.finditer(text):
        inside = code[0].strip("`")
        # RST ends inline code only before punctuation or a space; "\ " is that space, without a width
        out += MARKUP.sub(r"\\\1", text[end : code.start()]) + rf"\ ``{inside}``\ "
        end = code.end()
    out += MARKUP.sub(r"\\\1", text[end:])
    # a first word such as "1." or "-" would open a list
    return re.sub(r"^(\d+[.)]|[-+*])(?= )", r"\\\1", out)


def setup(app):
    app.connect("autodoc-process-docstring", lambda app, what, name, obj, options, lines: _replace(lines))
    return {"parallel_read_safe": True}


def _replace(lines: list[str]) -> None:
    lines[:] = as_rst(lines)
