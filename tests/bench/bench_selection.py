"""How long choosing takes at the largest size that the course uses: `python tests/bench/bench_selection.py`."""

import time
from collections.abc import Callable

import numpy as np

from minrm.selection import best_of_n, majority_vote, pass_at_n, weighted_vote


def measure(name: str, run: Callable[[], object], repeats: int = 3) -> None:
    """Print the fastest of a few runs, in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{name:<62}{min(seconds):>8.2f} s")


def main() -> None:
    """Random scores and answers: about three popular answers and a tail for each problem."""
    rng = np.random.default_rng(0)
    for problems, samples in ((200, 256), (500, 512), (500, 1024)):
        numbers = np.minimum(rng.geometric(rng.uniform(0.15, 0.6, (problems, 1)), (problems, samples)), 60)
        answers, truth = numbers.astype(str).tolist(), ["1"] * problems
        correct, scores = numbers == 1, rng.random((problems, samples))
        every, few = np.arange(1, samples + 1), 2 ** np.arange(int(np.log2(samples)) + 1)
        size = f"{problems} x {samples}"
        measure(f"best_of_n      {size}, every n", lambda s=scores, c=correct, n=every: best_of_n(s, c, n))
        measure(f"pass_at_n      {size}, every n", lambda c=correct, n=every: pass_at_n(c, n))
        kind = "exact, every n" if samples <= 512 else "400 draws, powers of two"
        counts = every if samples <= 512 else few
        measure(f"majority_vote  {size}, {kind}", lambda a=answers, t=truth, n=counts: majority_vote(a, t, n), 1)
        measure(
            f"weighted_vote  {size}, 400 draws, powers of two",
            lambda a=answers, s=scores, t=truth, n=few: weighted_vote(a, s, t, n),
            1,
        )


if __name__ == "__main__":
    main()
