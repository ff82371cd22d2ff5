import json
import sys

import pytest
import torch

from minrm import loading
from minrm.cli import train as command
from minrm.cli.train import train

PAIRS = [{"prompt": "1 + 1", "chosen": f"Yes, {k}", "rejected": f"No, {k}"} for k in range(12)]


@pytest.mark.parametrize(
    "options, rate",
    [
        ({"base": "policy"}, 1e-3),
        ({"base": "other"}, 1e-4),
        ({"base": "other", "learning_rate": 3e-5}, 3e-5),
        ({"base": "policy", "learning_rate": 3e-5}, 3e-5),
    ],
)
def test_only_the_shipped_policy_learns_at_its_own_rate(options, rate, written, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(command, "new_model", lambda *args, **options: None)
    monkeypatch.setattr("minrm.training.train", lambda *args, **options: seen.update(options) or sys.exit(0))
    with pytest.raises(SystemExit):
        train(written(*PAIRS), tmp_path / "m", **options)
    assert seen["learning_rate"] == rate


def test_lora_reads_the_base_in_what_the_device_computes_in(written, base, tmp_path, monkeypatch, capsys):
    """On a GPU the frozen weights may stay in half precision; without lora they are float32, the default."""
    seen, new_model = [], command.new_model
    monkeypatch.setattr(command, "new_model", lambda *a, **options: seen.append(options) or new_model(*a, **options))
    common = {"rows": written(*PAIRS), "base": base, "batch_size": 4, "progress": False}
    train(out=tmp_path / "all", **common)
    monkeypatch.setattr(loading, "compute_dtype", lambda device: torch.bfloat16)
    train(out=tmp_path / "lora", lora=2, gradient_checkpointing=True, **common)
    train(out=tmp_path / "single", lora=2, dtype="float32", **common)
    assert [options.get("dtype") for options in seen] == [None, torch.bfloat16, "float32"]
    assert capsys.readouterr().out.count("BradleyTerryRewardModel of 12 rows") == 3


def test_rows_that_fit_two_schemas_train_either_model(written, base, tmp_path, capsys):
    both = {"question": "?", "answer": "2", "solution": "Step: 1: 2", "steps": ["2"], "labels": [1], "correct": True}
    rows = written(*[both] * 4)
    for schema, name in (("outcome", "OutcomeRewardModel"), ("process", "ProcessRewardModel")):
        train(rows, tmp_path / schema, schema=schema, base=base, progress=False)
        assert f"{name} of 4 rows" in capsys.readouterr().out
        assert json.loads((tmp_path / schema / "config.json").read_text())
