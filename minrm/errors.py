"""The one error that users are meant to read: input that cannot be used, with the place and the remedy.

From Python it is a `ValueError`; the command line prints its one line and exits with code 2.
"""

import math
from numbers import Integral, Real
from typing import Any

ABOVE_ZERO = math.ulp(0)


class InputError(ValueError):
    """Input that cannot be used. The message says where (file, row), what is there, and what should be."""


def check_numbers(low: float, whole: bool = True, **options: Any) -> None:
    """Refuse options that are not finite (whole) numbers of at least `low`; None passes. Raises InputError."""
    for name, value in options.items():
        fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
        if value is not None and not (fits and low <= value < math.inf):
            least = "above 0" if low == ABOVE_ZERO else f"of at least {low}"
            raise InputError(f"{name} is {value!r}; it must be a {'whole ' * whole}number {least}")
