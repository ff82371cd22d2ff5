"""Sphinx extension: a link to a term of the glossary, `[samples](#sampling)`, is found whatever the term's capitals.

MyST looks for the target among the terms in lower case, and Sphinx keeps the terms as they are written, so `#pass@n`
would lead nowhere. Plain links are used, and not the role `term`, since the chapters are read as notebooks, too.
"""

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    app.connect("env-updated", add_lower_case)
    return {"parallel_read_safe": True}


def add_lower_case(app: Any, env: Any) -> None:
    """Let each term be found in lower case as well."""
    objects = env.get_domain("std").objects
    for (kind, name), place in list(objects.items()):
        if kind == "term":
            objects.setdefault((kind, name.lower()), place)
