"""`minrm score` knows every kind of checkpoint, and adds its scores in order."""

import pytest

from minrm.cli.inputs import new_model
from minrm.cli.score import score
from minrm.cli.scoring import scores_of
from minrm.rows import read_rows
from minrm.world import generate


@pytest.mark.parametrize("kind, schema", [("orm", "outcome"), ("prm", "process"), ("bradley_terry", "pair")])
def test_a_checkpoint_is_recognised_and_its_scores_are_added_in_order(kind, schema, base, right, written, tmp_path):
    model, out = new_model(schema, base), tmp_path / "s.jsonl"
    model.save_pretrained(tmp_path / "m")
    solutions = [{"question": p.question, "solution": right(p)} for p in generate(3, seed=1, split="evaluation")]
    score(str(tmp_path / "m"), written(*solutions, {"question": "?", "solution": ""}), out, progress=False)
    scored = list(read_rows(out))
    expected = [float(model.score([row["question"]], [row["solution"]])[0]) for row in scored]
    assert [row["score"] for row in scored[:3]] == pytest.approx(expected[:3], abs=1e-4)
    assert scored[3]["score"] == (None if kind == "bradley_terry" else 0)  # the empty one, of which a reward is -inf
    assert {row["scored_by"] for row in scored} == {kind} and ("step_scores" in scored[0]) == (schema == "process")
    (pair,) = scores_of(model, [{"prompt": "?", "chosen": "a b", "rejected": "c"}])
    assert pair["rejected_score"] == pytest.approx(float(model.score(["?"], ["c"])[0]), abs=1e-4)
