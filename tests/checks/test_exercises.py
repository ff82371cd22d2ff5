"""The exercises in the book: each folded solution passes its check, and the page of all exercises is in step."""

import copy
import re
from functools import cache
from itertools import combinations, islice
from pathlib import Path
from types import SimpleNamespace

import notebooks
import numpy as np
import pandas as pd
import pytest
import torch
from rubric import ASSIGNMENTS
from transformers import PreTrainedTokenizerFast

import minrm.checks
from minrm import metrics
from minrm.metrics import kl_of_best_of_n, over_seeds, paired_difference, pooled_auc, within_problem_auc
from minrm.rows import read_rows
from minrm.selection import best_of_n, majority_vote
from minrm.text import final_answer, join_steps, split_steps
from minrm.using import search
from minrm.world import read_problem, recorded_scores, recorded_steps, shipped

BOOK = Path(__file__).parents[2] / "book"
TITLE = re.compile(r"^\*\*(\d+)\. (.+?)\*\* \((\d+ minutes), (★{1,3})\)", re.MULTILINE)
TIME = re.compile(r"\((\d+ minutes), (★{1,3})\)")
HAND_IN = re.compile(r"^(check_\w+)\((\w+)[,)]", re.MULTILINE)
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def exercises(chapter):
    """Title, time and difficulty as written, the text and the solution of each exercise; code cells as fenced code."""
    part = "\n\n".join(
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```" for cell, text in section(chapter)
    )
    marks = list(TITLE.finditer(part))
    ends = [mark.start() for mark in marks[1:]] + [len(part)]
    for mark, end in zip(marks, ends, strict=True):
        asked, solution = part[mark.end() : end].split("<details><summary>Solution</summary>")
        yield f"{mark[1]}. {mark[2].rstrip('.')}", mark[3], mark[4], asked, solution


def section(chapter):
    """The cells of the section "Exercises", each with its text; of those at its ends what belongs to it."""
    inside = False
    for cell in notebooks.read(chapter)["cells"]:
        text = notebooks.source(cell)
        if "## Exercises" in text:
            inside, text = True, text.split("## Exercises")[1]
        if inside:
            yield cell, text.split("## Summary")[0]
            inside = "## Summary" not in text


CHAPTERS = sorted(path for path in BOOK.glob("*.ipynb") if "minrm.checks" in path.read_text(encoding="utf-8"))
ALL = [(chapter, *exercise) for chapter in CHAPTERS for exercise in exercises(chapter)]


@cache
def samples():
    """The samples of the evaluation set, with their final answers."""
    rows = pd.read_parquet(shipped("evaluation.parquet"))
    return rows.assign(answer=rows.solution.map(final_answer))


def arrays(column, problems):
    """[problems, N] of a column of the samples, for the first so many problems."""
    values = samples()[column].to_numpy(dtype=bool if column == "correct" else object)
    return values.reshape(len(recorded()), -1)[:problems]


@cache
def recorded():
    problems = pd.read_parquet(shipped("problems.parquet"))
    traps = [" ".join(read_problem(question).traps) or "no trap" for question in problems.question]
    return problems.assign(trap=traps)


def chapter_1():
    problems = recorded()
    direct, greedy = problems.direct.str.strip(), problems.greedy.map(final_answer)
    return {
        "problems": problems,
        "right": pd.DataFrame({"direct": direct == problems.answer, "greedy": greedy == problems.answer}).astype(float),
        "found_in": {"cut off before its end": "Step: 1: 9 * 2 = 18\n\n# Answer"},
        "final_answer": final_answer, "read_problem": read_problem,
        "Estimate": metrics.Estimate, "paired_difference": paired_difference,
    }  # fmt: skip


def chapter_2():
    """The chapter's arrays, of the first 16 problems only."""
    problems, answers = recorded()[:16], arrays("answer", 16)
    return {
        "problems": problems, "samples": samples()[samples().problem < 16], "shape": answers.shape, "answers": answers,
        "correct": arrays("correct", 16),
        "vote64": majority_vote(answers, problems.answer, 64).per_problem,
        "np": np, "pd": pd, "combinations": combinations,
        "majority_vote": majority_vote, "paired_difference": paired_difference,
    }  # fmt: skip


def chapter_3():
    """The first shipped solutions, and the policy's tokenizer in place of a model."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(shipped("policy"))
    return {
        "training": list(islice(read_rows(shipped("training.parquet")), 2000)),
        "model": SimpleNamespace(tokenizer=tokenizer), "join_steps": join_steps, "split_steps": split_steps,
    }  # fmt: skip


def chapter_4():
    """The recorded scores of the outcome reward model's first seed, and the samples, of the first 16 problems only."""
    questions = recorded().question.to_numpy()[:16, None]
    return {
        "scores": recorded_scores("orm")[:1, :16], "correct": arrays("correct", 16),
        "world": SimpleNamespace(questions=questions, solutions=arrays("solution", 16)),
        "np": np, "best_of_n": best_of_n, "pooled_auc": pooled_auc,
    }  # fmt: skip


@cache
def chapter_7():
    """The chapter's arrays of the first 40 problems, two seeds, and curves in few points."""
    problems, counts = recorded()[:40], [1, 4, 16, 64]
    correct, answers = arrays("correct", 40), arrays("answer", 40)
    scores = {name: recorded_scores(kind)[:2, :40] for kind, name in (("orm", "ORM"), ("prm", "PRM"))}
    runs = {name: [best_of_n(one, correct, counts) for one in both] for name, both in scores.items()}
    runs["vote"] = [majority_vote(answers, problems.answer, counts)] * 2
    rows = metrics.curves({way: e for way, (e, _) in runs.items()}, [100 * n for n in counts])
    return {
        "np": np, "pd": pd, "combinations": combinations, "best_of_n": best_of_n, "counts": counts, "few": slice(0, 8),
        "one": problems.iloc[0], "correct": correct, "scores": scores, "runs": runs, "paid": pd.DataFrame(rows),
        "paired_difference": paired_difference, "over_seeds": over_seeds,
    }  # fmt: skip


WRONG = "Step: 1: 3 more than Mia: 9 + 3 = 12\nStep: 2: buys 5: 12 + 5 = 17\n\n# Answer\n\n17"


class Judge:
    """In place of a model: it likes every solution, and of the steps all but one."""

    def score(self, questions, solutions):
        return np.full(len(solutions), 0.9)

    def step_scores(self, questions, solutions):
        return [np.array([0.1 if "9 + 3" in step else 0.9 for step in split_steps(text)]) for text in solutions]


MORE = {  # what a check takes beside the answer
    "check_labels_needed": (lambda count: count / 10_000, [500, 1000, 2000], 0.1),
    "check_fooling": (Judge(), "", "none"),  # the answer of no solution
    "check_padded": (Judge(), "", "11", WRONG),
}


def chapter_6():
    """Drawn rewards in place of the recorded ones: five judges of a few problems."""
    return {"recorded": np.random.default_rng(0).normal(size=(5, 4, 8)), "np": np}


def chapter_5():
    """The chapter's arrays, and logits of a made row in place of a model's."""
    return {
        "np": np, "shape": (len(recorded()), -1), "correct": arrays("correct", None), "ids": [4, 1, 5, 1],
        "logits": torch.arange(24.0).reshape(4, 6), "signs": {"step_id": 1, "plus_id": 2, "minus_id": 3},
        "recorded_steps": recorded_steps, "within_problem_auc": within_problem_auc,
    }  # fmt: skip


def chapter_8():
    """Made scores of a few problems in place of recorded ones, and a fit to them."""
    rng, shape, counts = np.random.default_rng(0), (6, 32), [1, 2, 4, 8, 16, 32]
    few, correct = rng.uniform(size=(3, *shape)), rng.uniform(size=shape) < 0.5
    gold = np.stack([best_of_n(own, correct, counts).per_problem for own in few])
    return {
        "np": np, "best_of_n": best_of_n, "kl_of_best_of_n": kl_of_best_of_n, "shape": shape, "counts": counts,
        "few": few, "correct": correct, "fits": {"ORM, few labels": metrics.fit_gao(gold, counts, draws=20)},
        "prm": Judge(), "question": "", "wrong": WRONG,
    }  # fmt: skip


def chapter_9():
    """Two questions, few short steps, and no right answer."""
    options = {"temperature": 0.5, "step_tokens": 16, "max_steps": 2, "progress": False}
    return {
        "np": np, "search": search, "folder": shipped("policy"), "asked": recorded().question.tolist()[:2],
        "options": options, "few": recorded()[:2], "handed_in": lambda found, truth: np.zeros(len(truth)),
    }  # fmt: skip


def chapter_10():
    """Stand-ins for what trains and samples: the solutions only call it."""
    names = {"start": None, "tokenizer": None, "fresh": []}
    names |= {"train_against": lambda *_, **__: [0.0], "solved": lambda policy: np.zeros(1)}
    return names | {"np": np, "copy": copy, "sample": lambda *_, **__: []}


def what_a_label_means():
    """The shipped labels of a few solutions, from rollouts and from the checker."""
    training, rolled = (islice(read_rows(shipped(f"{name}.parquet")), 2000) for name in ("training", "rollouts"))
    training = list(training)
    few = [row for row in rolled if row["row"] < len(training)]
    return {"soft": [row["soft"] for row in few], "exact": [training[row["row"]]["labels"] for row in few]}


@pytest.mark.parametrize(("chapter", "title", "time", "difficulty", "asked", "solution"), ALL)
def test_a_folded_solution_passes_the_check_that_its_exercise_names(
    chapter, title, time, difficulty, asked, solution, capsys
):
    ((check, function),) = HAND_IN.findall(asked)
    assert set(HAND_IN.findall(solution)) <= {(check, function)}
    page = f"chapter_{int(chapter.name[:2])}" if chapter.name[:2].isdigit() else chapter.stem
    names = dict(globals()[page]())
    exec(compile("\n".join(FENCED.findall(solution)), title, "exec"), names)
    getattr(minrm.checks, check)(names[function], *MORE.get(check, ()))
    assert re.search(f"^✓ {function}\\b", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_cells_of_an_exercise_are_empty_and_its_check_asks_for_them(chapter):
    cells = [cell for cell, _ in section(chapter)]
    checks = [
        k for k, cell in enumerate(cells) if cell["cell_type"] == "code" and "minrm.checks" in "".join(cell["source"])
    ]
    for k in checks:
        answer, check = map(notebooks.source, cells[k - 1 : k + 1])
        ((_, name),) = HAND_IN.findall(check)
        assert re.search(rf"^{name} = \.\.\.|^def {name}\((.|\n)*^    \.\.\.\Z", answer, re.MULTILINE)
        ((kind, said),) = notebooks.output_texts(cells[k])
        assert kind == "stdout" and said.startswith(f"✎ {name} is still empty: ")
    assert len(checks) in (0, len(list(exercises(chapter))))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_two_to_five_exercises_each_folded(chapter):
    found = list(exercises(chapter))
    assert 2 <= len(found) <= 5
    assert [title.split(".")[0] for title, *_ in found] == [str(n) for n in range(1, len(found) + 1)]


def assigned():
    """Title, time, difficulty and check of the notebooks to hand in: pages of their own, without a folded solution."""
    for path in (assignment.notebook for assignment in ASSIGNMENTS.values()):
        texts = {cell["id"]: notebooks.source(cell) for cell in notebooks.read(path)["cells"]}
        head = next(iter(texts.values()))
        ((time, difficulty),), ((check, _),) = TIME.findall(head), HAND_IN.findall(texts["check"])
        yield path.name, head.splitlines()[0].removeprefix("# "), time, difficulty, check


def test_each_check_belongs_to_one_exercise():
    named = [check for *_, asked, _ in ALL for check, _ in HAND_IN.findall(asked)]
    named += [check for *_, check in assigned()]
    assert sorted(named) == sorted(minrm.checks.__all__)


def test_the_page_of_exercises_is_in_step_with_the_chapters():
    page = (BOOK / "exercises.md").read_text(encoding="utf-8")
    listed = re.findall(r"^## \[.+\]\((.+)\)$|^\| (\d.+?) \| (.+?) \| (★+) \| `(\w+)` \|$", page, re.MULTILINE)
    expected = []
    for chapter in CHAPTERS:
        expected.append((chapter.name, "", "", "", ""))
        expected += [("", *marks, HAND_IN.findall(asked)[0][0]) for *marks, asked, _ in exercises(chapter)]
    for name, title, time, difficulty, check in assigned():
        expected += [(f"exercises/{name}", "", "", "", ""), ("", f"1. {title}", time, difficulty, check)]
    assert listed == expected
