import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch

from minrm.errors import InputError
from minrm.policy import build_tokenizer, new_policy
from minrm.problems import generate
from minrm.sampling import log_likelihood, read_samples, sample

TOKENIZER = build_tokenizer()
MODEL = new_policy(TOKENIZER, layers=1, width=32).eval()
QUESTIONS = [problem.question for problem in generate(5, seed=1)]


def draw(n=4, questions=QUESTIONS, **options):
    options = {"tokenizer": TOKENIZER, "max_new_tokens": 8, "batch_size": 6, "progress": False} | options
    return sample(MODEL, questions, n, **options)


def test_each_problem_gets_its_n_solutions_in_order():
    rows = draw()
    assert [(row["problem"], row["sample"]) for row in rows] == [(p, s) for p in range(5) for s in range(4)]
    assert all(row["question"] == QUESTIONS[row["problem"]] for row in rows)


def test_the_seed_decides_the_sample():
    assert draw(seed=1) == draw(seed=1)
    assert draw(seed=1) != draw(seed=2)


def test_sampling_leaves_the_global_random_state_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    draw(n=1)
    assert torch.rand(1) == expected


def test_temperature_zero_is_greedy():
    """Against a plain loop that takes the likeliest token, one question at a time."""
    rows = draw(n=1, temperature=0)
    for row in rows:
        ids = TOKENIZER(row["question"] + "\n")["input_ids"]
        start = len(ids)
        with torch.no_grad():
            while len(ids) < start + 8 and (len(ids) == start or ids[-1] != TOKENIZER.eos_token_id):
                ids.append(int(MODEL(torch.tensor([ids])).logits[0, -1].argmax()))
        assert row["solution"] == TOKENIZER.decode([i for i in ids[start:] if i != TOKENIZER.eos_token_id])


def test_the_log_likelihood_is_that_of_a_plain_forward_pass_in_float64():
    double = new_policy(TOKENIZER, layers=1, width=32).eval().double()
    ids = torch.randint(0, 400, (3, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, :3] = 0  # padded on the left
    counted = torch.zeros_like(ids).bool()
    counted[:, 5:] = True
    found = log_likelihood(MODEL, ids, mask, counted)
    for row in range(3):
        real = ids[row][mask[row].bool()]
        with torch.no_grad():
            log_p = double(real[None]).logits[0].log_softmax(-1)
        expected = sum(log_p[t - 1, real[t]] for t in range(len(real) - 4, len(real)))
        assert found[row].item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_likely_end_token_is_counted_once():
    with torch.no_grad():
        eager = new_policy(TOKENIZER, layers=1, width=32).eval()
        eager.model.norm.weight.zero_()  # every token equally likely: greedy takes id 0, the end token
    rows = sample(eager, QUESTIONS[:2], 1, tokenizer=TOKENIZER, temperature=0, max_new_tokens=5, progress=False)
    assert [row["tokens"] for row in rows] == [1, 1] and rows[0]["solution"] == ""
    assert rows[0]["log_likelihood"] == pytest.approx(-torch.log(torch.tensor(float(len(TOKENIZER)))).item(), abs=1e-5)


def test_a_half_written_last_line_is_cut_off_and_written_again(tmp_path):
    whole = draw(path=tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_text().splitlines(keepends=True)
    for kept in (1, 6, 7, 12, 19):  # header, in a chunk, at its end
        (tmp_path / "s.jsonl").write_text("".join(lines[:kept]) + lines[kept][:15])
        assert draw(path=tmp_path / "s.jsonl") == whole == read_samples(tmp_path / "s.jsonl")[1]


def test_the_first_record_holds_what_was_asked_for_and_another_run_is_refused(tmp_path):
    draw(path=tmp_path / "s.jsonl", seed=3)
    header, rows = read_samples(tmp_path / "s.jsonl")
    assert {"model", "prompt", "temperature", "seed", "n"} <= header.keys() and header["seed"] == 3 and len(rows) == 20
    with pytest.raises(InputError, match="its seed is 3, asked for was 4.*name another file"):
        draw(path=tmp_path / "s.jsonl", seed=4)
    with pytest.raises(InputError, match="questions_sha256"):
        draw(path=tmp_path / "s.jsonl", seed=3, questions=QUESTIONS[::-1])


def test_a_run_killed_at_five_random_moments_holds_every_solution_exactly_once(tmp_path):
    MODEL.save_pretrained(tmp_path / "model")
    TOKENIZER.save_pretrained(tmp_path / "model")
    code = (
        "import sys, torch\nfrom minrm import sample\nfrom minrm.problems import generate\n"
        "torch.set_num_threads(1)\nprint('ready', flush=True)\n"
        "options = {'max_new_tokens': 12, 'batch_size': 8, 'progress': False}\n"
        "sample(sys.argv[1], [p.question for p in generate(8, 1)], 24, path=sys.argv[2], **options)"
    )
    path, rng = tmp_path / "samples.jsonl", random.Random(0)
    command = [sys.executable, "-c", code, str(tmp_path / "model"), str(path)]
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        size = path.stat().st_size if path.exists() else 0
        deadline = time.time() + 60  # let it get somewhere, then kill it at a random moment
        while process.poll() is None and time.time() < deadline and (not path.exists() or path.stat().st_size <= size):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    _, rows = read_samples(path)
    assert Counter((row["problem"], row["sample"]) for row in rows) == {(p, s): 1 for p in range(8) for s in range(24)}
    questions = [problem.question for problem in generate(8, 1)]
    whole = sample(tmp_path / "model", questions, 24, max_new_tokens=12, batch_size=8, progress=False)
    assert [row["solution"] for row in rows] == [row["solution"] for row in whole]


def test_bad_arguments_are_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no {question} in it"):
        draw(prompt="Solve:")
    with pytest.raises(InputError, match="n is 0"):
        draw(n=0)
    (tmp_path / "other.jsonl").write_text(json.dumps({"question": "?"}) + "\n")
    with pytest.raises(InputError, match="does not describe a sampling run"):
        read_samples(tmp_path / "other.jsonl")
