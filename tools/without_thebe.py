"""A Sphinx extension that keeps Thebe out of the pages: no cell runs in the browser here.

Jupyter Book always adds it, with an address elsewhere, and its script twice: "Identifier has already been declared".
"""

UNUSED = {"init_thebe_core", "update_thebe_context"}


def setup(app):
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if getattr(one.handler, "__name__", "") not in UNUSED]
    return {"parallel_read_safe": True}
