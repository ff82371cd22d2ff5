"""Recorded runs: read in the order of the samples, aggregated as the model aggregates, refused by name."""

import json

import numpy as np
import pytest

from minrm.errors import InputError
from minrm.prm import AGGREGATES, aggregate_steps
from minrm.rows import read_rows, write_rows
from minrm.world import evaluation, recorded_curve, recorded_scores, recorded_settings, recorded_steps
from minrm.world.recorded_runs import KINDS, SEEDS, VARIANTS, seeds_of

WORLD = evaluation()
HISTORY = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.5}, {"step": 2, "eval_loss": 0.6}]


@pytest.fixture
def folder(tmp_path):
    """Three problems with two samples each; a sample without a step in the middle and at the end."""
    rng = np.random.default_rng(0)
    write_rows([{"problem": p, "solution": "x"} for p in range(3) for _ in range(2)], tmp_path / "evaluation.parquet")
    for kind in KINDS | VARIANTS:
        for seed in seeds_of(kind):
            steps = [{"step_scores": rng.random(n).tolist()} for n in (1, 3, 0, 5, 2, 0)]
            single = [{"score": value} for value in rng.random(6)]
            write_rows(steps if kind.startswith("prm") else single, tmp_path / f"runs/{kind}-{seed}.parquet")
            (tmp_path / f"runs/{kind}-{seed}.json").write_text(json.dumps({"rows": 6, "history": HISTORY}))
    return tmp_path


@pytest.mark.parametrize("kind", ["prm", "prm_rollouts_soft"])
@pytest.mark.parametrize("how", AGGREGATES)
def test_recorded_steps_are_aggregated_as_the_model_does(folder, kind, how):
    scores = recorded_scores(kind, how, folder)
    assert scores.shape == (len(seeds_of(kind)), 3, 2) and scores.dtype == np.float64
    for seed in seeds_of(kind):
        steps = recorded_steps(seed, folder, kind)
        assert [len(of_one) for of_one in steps] == [1, 3, 0, 5, 2, 0]
        assert scores[seed].ravel() == pytest.approx(aggregate_steps(steps, how), rel=1e-12)


def test_single_scores_keep_their_order(folder):
    assert recorded_scores("bradley_terry", folder=folder).shape == (len(SEEDS), 3, 2)
    assert recorded_scores("orm_equal_labels", folder=folder).shape == (len(seeds_of("orm_equal_labels")), 3, 2)
    rows = [row["score"] for row in read_rows(folder / "runs/orm-1.parquet")]
    assert recorded_scores("orm", folder=folder)[1].ravel().tolist() == rows


def test_a_curve_has_the_training_loss_of_every_seed(folder):
    rows = recorded_curve("prm_checker", folder)
    assert [row["seed"] for row in rows] == [seed for seed in SEEDS for _ in range(2)]
    assert {row["way"] for row in rows} == {"PRM, exact checker"}
    assert recorded_settings("prm", 2, folder)["rows"] == 6


def test_an_unknown_run_is_refused_with_those_that_there_are(folder):
    for call in (recorded_scores, recorded_curve, recorded_settings, seeds_of):
        with pytest.raises(InputError, match="no recorded run is called 'prn'; there are orm, prm"):
            call("prn")
    with pytest.raises(InputError, match="aggregate is 'max'"):
        recorded_scores("prm", "max", folder)


@pytest.mark.parametrize("kind", KINDS | VARIANTS)
def test_the_shipped_runs_fit_the_shipped_samples(kind):
    scores = recorded_scores(kind)
    assert scores.shape == (len(seeds_of(kind)), *WORLD.correct.shape) and np.isfinite(scores).all()
    if not kind.startswith("bradley_terry"):
        assert ((scores >= 0) & (scores <= 1)).all()
    assert len({run.tobytes() for run in scores}) == len(scores)  # seeds differ
    if kind.startswith("prm"):  # a score for every step that the checker judged
        assert [len(steps) for steps in recorded_steps(kind=kind)] == [len(labels) for labels in WORLD.labels.ravel()]
