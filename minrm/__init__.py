"""minrm: three reward models for language models, small enough to read. The course is in `book/`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minrm.bradley_terry import BradleyTerryRewardModel, bradley_terry_loss
    from minrm.orm import OutcomeRewardModel, every_token, orm_loss
    from minrm.prm import ProcessRewardModel, prm_loss
    from minrm.sampling import sample
    from minrm.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
    from minrm.training import train
    from minrm.world import shipped

# Imported when first asked for: torch takes seconds, and `minrm --help` should not.
_HOMES = {
    "OutcomeRewardModel": "orm", "orm_loss": "orm", "every_token": "orm",
    "ProcessRewardModel": "prm", "prm_loss": "prm",
    "BradleyTerryRewardModel": "bradley_terry", "bradley_terry_loss": "bradley_terry",
    "sample": "sampling", "train": "training", "shipped": "world",
    "majority_vote": "selection", "weighted_vote": "selection", "best_of_n": "selection", "pass_at_n": "selection",
}  # fmt: skip

__all__ = [
    "BradleyTerryRewardModel", "OutcomeRewardModel", "ProcessRewardModel", "best_of_n", "bradley_terry_loss",
    "every_token", "majority_vote", "orm_loss", "pass_at_n", "prm_loss", "sample", "shipped", "train", "weighted_vote",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"minrm.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'minrm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
