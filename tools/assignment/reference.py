"""The reference answer of the exercise "Supervise only the final token". For instructors: it shows what is to be found.

The recording (`data/supervision.py`) and the tests of the kit use it. It is in no package, no notebook and no page of
the book; a student who reads the repository can read it here, which is why the written comparison, and not the
function, tells students apart.
"""

import torch
from torch import Tensor


def final_token(solution_mask: Tensor) -> Tensor:
    """[B, T] bool, true on the solution → [B, T] bool, true at the last of its tokens; an empty row stays empty."""
    place = torch.arange(solution_mask.shape[1], device=solution_mask.device)
    last = (solution_mask * place).argmax(dim=1)  # [B]; 0 where there is none
    return solution_mask & (place == last[:, None])
