"""What the tests of training share: rows that a tiny model learns, and the three models."""

from tiny import QUESTION, STEPS, causal, word_level

from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel
from minrm.text import join_steps

KINDS = {"outcome": OutcomeRewardModel, "process": ProcessRewardModel, "pair": BradleyTerryRewardModel}
TEXTS = [QUESTION] * 2, [join_steps(STEPS), "Step: 1: 3"]


def rows(kind, count=40):
    """Sums that a tiny model learns: good ones end in "True", bad ones in "False"; their lengths differ."""
    made = []
    for n in range(count):
        good, steps = n % 3 != 0, [f"{n} + {k} = {n + k}" for k in range(1 + n % 4)]
        steps[-1] += f" {good}\n\n# Answer\n\n{n}"
        question, solution = f"What is {n} + {n % 4}?", join_steps(steps)
        made.append(
            {
                "outcome": {"question": question, "solution": solution, "answer": str(n), "correct": good},
                "process": {"question": question, "steps": steps, "labels": [None] * (len(steps) - 1) + [int(good)]},
                "pair": {"prompt": question, "chosen": f"{solution} True", "rejected": f"{n} False"},
            }[kind]
        )
    return made


OUTCOMES = rows("outcome")


def orm():
    return OutcomeRewardModel.from_base(causal(seed=3), tokenizer=word_level(), seed=1)


def breaking(model, count):
    """The same model, whose collate works `count` times."""
    collate, calls = model.collate, iter(range(count))

    def collated(batch, **options):
        if next(calls, None) is None:
            raise RuntimeError("power cut")
        return collate(batch, **options)

    model.collate = collated
    return model
