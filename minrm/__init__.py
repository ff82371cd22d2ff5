"""minrm: three reward models for language models, small enough to read. The course is in `book/`."""

from importlib import import_module
from typing import Any

_HOMES = {  # imported when first asked for: torch takes seconds, and `minrm --help` should not
    "OutcomeRewardModel": "orm", "orm_loss": "orm", "every_token": "orm",
    "ProcessRewardModel": "prm", "prm_loss": "prm",
    "BradleyTerryRewardModel": "bradley_terry", "bradley_terry_loss": "bradley_terry",
    "sample": "sampling", "train": "training", "shipped": "world", "search": "using", "reward_function": "using",
    "majority_vote": "selection", "weighted_vote": "selection", "best_of_n": "selection", "pass_at_n": "selection",
}  # fmt: skip
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"minrm.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'minrm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
