"""Recorded runs: read in the order of the samples, aggregated as the model aggregates, refused by name."""

import json

import numpy as np
import pytest

from minrm import shipped
from minrm.errors import InputError
from minrm.recorded import KINDS, SEEDS, recorded_curve, recorded_scores, recorded_settings, recorded_steps
from minrm.rows import read_rows, write_rows


@pytest.fixture
def folder(tmp_path):
    """Two problems of three samples; the last sample has no text."""
    write_rows([{"problem": p, "solution": "x"} for p in (0, 0, 0, 1, 1, 1)], tmp_path / "evaluation.parquet")
    for seed in SEEDS:
        steps = [[0.5, 0.8], [0.25], [1.0, 0.5, 0.5], [0.9], [0.1 * (seed + 1)], []]
        write_rows([{"step_scores": s} for s in steps], tmp_path / f"runs/prm-{seed}.parquet")
        write_rows([{"score": float(i + seed)} for i in range(6)], tmp_path / f"runs/bradley_terry-{seed}.parquet")
        history = [{"step": 10, "loss": 0.5 + seed}, {"step": 10, "eval_loss": 0.7}]
        (tmp_path / f"runs/prm-{seed}.json").write_text(json.dumps({"epochs": 2, "history": history}))
    return tmp_path


def test_scores_stand_by_seed_problem_and_sample(folder):
    rewards = recorded_scores("bradley_terry", folder=folder)
    assert rewards.shape == (len(SEEDS), 2, 3) and rewards[2].tolist() == [[2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize(("aggregate", "first"), [("product", 0.4), ("min", 0.5), ("last", 0.8), ("mean", 0.65)])
def test_steps_become_one_number_and_a_sample_without_steps_gets_nought(folder, aggregate, first):
    scores = recorded_scores("prm", aggregate, folder)
    assert scores[0, 0, 0] == pytest.approx(first)
    assert scores[2, 1, 1] == pytest.approx(0.3) and scores[0, 1, 2] == 0


def test_curves_hold_training_losses_only(folder):
    rows = recorded_curve("prm", folder)
    assert [row["loss"] for row in rows] == [0.5 + seed for seed in SEEDS] and {row["way"] for row in rows} == {"PRM"}
    assert recorded_settings("prm", 1, folder)["epochs"] == 2


def test_another_kind_is_refused_with_those_that_are_there():
    with pytest.raises(InputError, match="orm, prm, bradley_terry"):
        recorded_scores("dpo")


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_runs_fit_the_shipped_samples(kind):
    samples = [row for _, row in read_rows(shipped("evaluation.parquet"))]
    scores = recorded_scores(kind)
    assert scores.shape[0] == len(SEEDS) and scores[0].size == len(samples) and np.isfinite(scores).all()
    if kind != "bradley_terry":
        assert ((scores >= 0) & (scores <= 1)).all()
    assert len({run.tobytes() for run in scores}) == len(SEEDS)  # seeds differ


def test_there_is_a_score_for_every_step_that_the_checker_judged():
    samples = [row for _, row in read_rows(shipped("evaluation.parquet"))]
    for row, steps in zip(samples, recorded_steps(), strict=True):
        assert len(steps) in (len(row["labels"]), 0)
