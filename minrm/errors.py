"""The one error that users are meant to read: input that cannot be used, with the place and the remedy.

From Python it is a `ValueError`; the command line prints its one line and exits with code 2.
"""


class InputError(ValueError):
    """Input that cannot be used. The message says where (file, row), what is there, and what should be."""
