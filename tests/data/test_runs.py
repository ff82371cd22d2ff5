"""What the recorded runs learn from, and what is kept of their scores."""

import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minrm.world import CORRUPTED, generate, write

sys.path.insert(0, str(Path(__file__).parents[2] / "data"))
from active import convincing  # noqa: E402 (modules of the recipe)
from policy_training import loss_by_text  # noqa: E402
from runs import compact, pair_rows  # noqa: E402
from variants import hurried, longer_preferred  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    """Four solutions of each of 60 problems, with many mistakes."""
    rng = random.Random(0)
    return [p.judge(write(p, rng, CORRUPTED)[0]) for p in generate(60, seed=1) for _ in range(4)]


def words(text):
    return len(text.split())


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_rounded_probabilities_keep_their_order_and_their_log_odds(values):
    kept = compact(np.array(sorted(values)), "prm", 3).astype(float)
    assert (np.diff(kept) >= 0).all() and kept.min() >= 0 and kept.max() <= 1
    plain = compact(np.array([0.2, 0.9, 0.999]), "orm", 3).astype(float)
    odds = np.log(plain / (1 - plain)) - np.log(np.array([0.2, 0.9, 0.999]) / (1 - np.array([0.2, 0.9, 0.999])))
    assert abs(odds).max() < 6e-4
    assert compact(1.23456, "bradley_terry", 3) == np.float32(1.235)
    assert compact(1.23456, "bradley_terry", 2) == np.float32(1.23)


def test_a_hurried_rater_takes_the_shorter_solution_for_right_and_works_out_the_rest(rows):
    labelled = hurried(rows, share=1.0)
    for start in range(0, len(rows), 4):
        median = np.median([words(row["solution"]) for row in rows[start : start + 4]])
        for row, new in zip(rows[start : start + 4], labelled[start : start + 4], strict=True):
            over = words(row["solution"]) - median
            assert new["correct"] == (row["correct"] if over == 0 else over < 0)
            assert new | {"correct": row["correct"]} == row
    assert hurried(rows, share=0.0) == rows


def test_raters_who_prefer_the_longer_text_replace_their_share_of_the_pairs(rows):
    def kinds(pairs):
        return sorted((pair["prompt"], pair["chosen"], pair["rejected"]) for pair in pairs)

    assert kinds(longer_preferred(rows, share=0.0)) == kinds(pair_rows(rows))
    texts = {(row["question"], row["solution"]) for row in rows}
    by_length = longer_preferred(rows, share=1.0)
    assert len(by_length) == len(pair_rows(rows))
    for pair in by_length:
        assert words(pair["chosen"]) > words(pair["rejected"])
        assert {(pair["prompt"], pair["chosen"]), (pair["prompt"], pair["rejected"])} <= texts
    half = kinds(longer_preferred(rows))
    kept = sum(pair in set(kinds(pair_rows(rows))) for pair in half)
    assert len(half) == len(by_length) and kept >= len(half) // 2


def test_the_most_convincing_wrong_solutions_are_labelled_next(rows):
    scores = np.random.default_rng(2).permutation(len(rows)) / len(rows)
    judge = SimpleNamespace(score=lambda questions, solutions: scores)
    chosen = convincing(judge, rows, 20)
    wrong = sorted((i for i in range(len(rows)) if not rows[i]["correct"]), key=lambda i: -scores[i])
    rest = sorted(set(range(len(rows))) - set(wrong[:16]), key=lambda i: -scores[i])
    assert len(set(chosen)) == 20 and set(chosen) == set(wrong[:16]) | set(rest[:4])


def test_a_text_weighs_the_root_of_its_length():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 9, 5), torch.randint(0, 5, (3, 9))
    labels[0, :7], labels[1, :4], labels[2, 0], labels[2, 6:] = -100, -100, -100, -100
    total = weight = 0.0
    for row in range(3):
        at = [t for t in range(1, 9) if labels[row, t] != -100]
        losses = [-logits[row, t - 1].double().log_softmax(-1)[labels[row, t]].item() for t in at]
        total, weight = total + len(at) ** -0.5 * sum(losses), weight + len(at) ** 0.5
    found = loss_by_text(SimpleNamespace(logits=logits), labels)
    assert found.item() == pytest.approx(total / weight, rel=1e-5)
