"""Samples are drawn chunk by chunk, survive kills, and have the likelihood that the model gives them."""

import copy
import json
import math
import random
import time
from collections import Counter
from multiprocessing import get_context

import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from minrm import sampling
from minrm.errors import InputError
from minrm.rows import read_rows
from minrm.sampling import log_likelihood, sample, step_likelihoods
from minrm.text import join_steps, split_steps
from minrm.world import generate
from minrm.world.policy import build_tokenizer, new_policy

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


def test_the_seed_alone_decides_the_sample_and_the_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    first = draw(seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert draw(seed=1) == first != draw(seed=2)


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


def test_the_log_likelihood_of_a_sample_is_that_of_its_tokens_in_a_pass_of_their_own():
    for row in draw(token_ids=True, temperature=1):
        prompt = TOKENIZER(row["question"] + "\n")["input_ids"]
        ids = torch.tensor([prompt + row["ids"]])
        counted = torch.arange(ids.shape[1])[None] >= len(prompt)
        with torch.no_grad():
            expected = log_likelihood(MODEL, ids, torch.ones_like(ids), counted).item()
        assert row["log_likelihood"] == pytest.approx(expected, abs=1e-4) and row["tokens"] == len(row["ids"])


def test_a_prompt_is_read_once_for_all_its_samples_and_the_samples_are_the_same(monkeypatch):
    sizes, forward = [], type(MODEL.model).forward

    def counted(self, input_ids, **options):
        sizes.append(input_ids.numel())
        return forward(self, input_ids, **options)

    monkeypatch.setattr(type(MODEL.model), "forward", counted)
    once = draw(n=4, questions=QUESTIONS[:2], batch_size=8)
    longest = max(len(TOKENIZER(question + "\n")["input_ids"]) for question in QUESTIONS[:2])
    assert 2 * (longest - 1) in sizes and 8 * longest not in sizes
    monkeypatch.setattr(sampling, "can_share", lambda model: False)
    sizes.clear()
    each = draw(n=4, questions=QUESTIONS[:2], batch_size=8)
    assert 8 * longest in sizes
    for one, other in zip(once, each, strict=True):
        assert one["solution"] == other["solution"]
        assert one["log_likelihood"] == pytest.approx(other["log_likelihood"], abs=1e-4)


def test_a_likely_end_token_is_counted_once():
    with torch.no_grad():
        eager = new_policy(TOKENIZER, layers=1, width=32).eval()
        eager.model.norm.weight.zero_()  # every token equally likely: greedy takes id 0, the end token
    rows = sample(eager, QUESTIONS[:2], 1, tokenizer=TOKENIZER, temperature=0, max_new_tokens=5, progress=False)
    assert [row["tokens"] for row in rows] == [1, 1] and rows[0]["solution"] == ""
    assert rows[0]["log_likelihood"] == pytest.approx(-torch.log(torch.tensor(float(len(TOKENIZER)))).item(), abs=1e-5)


def saved(folder, **generation):
    """The tiny model in a folder, with a generation_config.json of its own."""
    MODEL.save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.mark.parametrize("temperature", [0, 1])
def test_what_a_model_asks_for_in_its_generation_config_does_not_bend_the_sample(tmp_path, temperature):
    filters = {"top_k": 1, "min_p": 0.9, "typical_p": 0.2, "suppress_tokens": list(range(1, 90))}
    bent = saved(tmp_path, repetition_penalty=3.0, no_repeat_ngram_size=1, num_beams=2, do_sample=True, **filters)
    options = {"temperature": temperature, "max_new_tokens": 8, "batch_size": 6, "progress": False}
    assert sample(bent, QUESTIONS, 2, **options) == draw(n=2, temperature=temperature)


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("as_list", [False, True])
def test_a_solution_ends_at_any_end_token_of_the_generation_config_and_counts_it(tmp_path, built, as_list):
    """Chat models end their turn with a token that is not the tokenizer's end token."""
    ids = torch.tensor([TOKENIZER(QUESTIONS[0] + "\n")["input_ids"]])
    with torch.no_grad():
        log_p = MODEL(ids).logits[0, -1].log_softmax(-1)
    turn = int(log_p.argmax())
    assert turn != TOKENIZER.eos_token_id
    model = saved(tmp_path, eos_token_id=[TOKENIZER.eos_token_id, turn] if as_list else turn)
    model = type(MODEL).from_pretrained(model) if built else model
    found = sample(model, QUESTIONS[:1], 1, tokenizer=TOKENIZER, temperature=0, max_new_tokens=5, progress=False)[0]
    assert (found["solution"], found["tokens"]) == ("", 1)
    assert found["log_likelihood"] == pytest.approx(log_p[turn].item(), abs=1e-5)


def test_braces_in_a_prompt_are_left_alone():
    braces = "Put it into \\boxed{} as {this}.\n{question}\n"
    written = [braces.replace("{question}", question) for question in QUESTIONS]
    found, expected = draw(prompt=braces), draw(questions=written, prompt="{question}")
    assert [row["solution"] for row in found] == [row["solution"] for row in expected]


def test_questions_may_be_a_column_of_a_table_in_any_order():
    column = pd.Series(QUESTIONS, index=[4, 3, 2, 1, 0])
    assert draw(questions=column) == draw()
    assert draw(questions=column[column.index > 2]) == draw(questions=QUESTIONS[:2])
    with pytest.raises(InputError, match="questions is a single text; put it into a list"):
        draw(questions=QUESTIONS[0])


def test_the_log_likelihood_is_computed_in_slices_that_fit_and_never_in_float64_over_the_vocabulary(monkeypatch):
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            out = operation(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.ndim == 3 and out.shape[-1] == MODEL.config.vocab_size:
                assert out.dtype == torch.float32
                sizes.append(out.numel())
            return out

    ids = torch.randint(0, 400, (5, 9), generator=torch.Generator().manual_seed(0))
    whole = log_likelihood(MODEL, ids, torch.ones_like(ids), torch.ones_like(ids).bool())
    for rows in (0.5, 1, 2, 3.9):
        monkeypatch.setattr(sampling, "_LOGITS", int(rows * 9 * MODEL.config.vocab_size))
        sizes.clear()
        with torch.no_grad(), Watch():
            found = log_likelihood(MODEL, ids, torch.ones_like(ids), torch.ones_like(ids).bool())
        assert found.dtype == torch.float64 and torch.allclose(found, whole, atol=1e-4)
        assert max(sizes) == max(1, int(rows)) * 9 * MODEL.config.vocab_size


@pytest.mark.parametrize("kept", [0, 1, 6, 7, 12, 19])
def test_a_half_written_last_line_is_cut_off_and_written_again(tmp_path, kept):
    expected, path = draw(path=tmp_path / "s.jsonl"), tmp_path / "s.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:kept]) + lines[kept][:15])
    assert draw(path=path) == expected == list(read_rows(path)) and path.read_bytes() == whole
    assert draw(path=path) == expected  # finished: nothing is drawn again


def test_the_settings_lie_beside_the_file_and_another_run_is_refused(tmp_path):
    rows = draw(path=tmp_path / "s.jsonl", seed=3, dtype="bfloat16")
    settings = json.loads((tmp_path / "s.settings.json").read_text())
    assert {"model", "prompt", "temperature", "seed", "n"} <= settings.keys() and settings["seed"] == 3
    same = {"path": tmp_path / "s.jsonl", "seed": 3, "dtype": torch.bfloat16}
    assert draw(**same) == rows
    for change, message in (
        ({"seed": 4}, "its seed is 3, you asked for 4.*name another file"),
        ({"questions": QUESTIONS[::-1]}, "questions_sha256"),
        ({"dtype": None}, "its dtype is 'bfloat16', you asked for 'float32'"),
    ):
        with pytest.raises(InputError, match=message):
            draw(**same | change)


def test_two_commands_that_write_one_file_are_noticed(tmp_path):
    draw(path=tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_text().splitlines(keepends=True)
    for wrong in (lines[:6] + lines[:6], lines + lines[:1]):
        (tmp_path / "s.jsonl").write_text("".join(wrong))
        with pytest.raises(InputError, match=r"s\.jsonl, row (7|21): not sample \d of problem \d; did two commands"):
            draw(path=tmp_path / "s.jsonl")


def test_a_folder_that_holds_other_weights_now_is_another_model(tmp_path):
    options = {"path": tmp_path / "s.jsonl", "max_new_tokens": 4, "progress": False}
    rows = sample(saved(tmp_path / "way" / "model"), QUESTIONS[:2], 1, **options)
    assert sample(str(tmp_path / "way" / ".." / "way" / "model"), QUESTIONS[:2], 1, **options) == rows
    assert "way" not in (tmp_path / "s.settings.json").read_text()
    new_policy(TOKENIZER, layers=1, width=32, seed=5).save_pretrained(tmp_path / "way" / "model")
    with pytest.raises(InputError, match=r"its model is 'model \(sha256 \w+\)', you asked for 'model \(sha256"):
        sample(tmp_path / "way" / "model", QUESTIONS[:2], 1, **options)


def test_an_empty_path_is_not_taken_for_none():
    with pytest.raises(InputError, match="needs a file that ends in .jsonl"):
        draw(path="")


def test_another_built_model_of_the_same_class_is_another_run(tmp_path):
    assert draw(path=tmp_path / "s.jsonl") == draw(path=tmp_path / "s.jsonl")
    other = new_policy(TOKENIZER, layers=1, width=32)
    with torch.no_grad():
        other.model.layers[0].mlp.up_proj.weight[0, 0] += 0.01
    with pytest.raises(InputError, match=r"its model is 'LlamaForCausalLM with weights of [\d.]+', you asked for"):
        sample(other, QUESTIONS, 4, path=tmp_path / "s.jsonl", tokenizer=TOKENIZER, max_new_tokens=8, batch_size=6)


def test_a_run_killed_at_five_random_moments_holds_every_solution_exactly_once(tmp_path, monkeypatch):
    MODEL.save_pretrained(tmp_path / "model")
    TOKENIZER.save_pretrained(tmp_path / "model")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    processes = get_context("forkserver")  # which imports torch once
    processes.set_forkserver_preload(["minrm.sampling", "transformers.models.llama.modeling_llama"])
    call = tmp_path / "model", [problem.question for problem in generate(8, 1)], 24
    options = {"max_new_tokens": 12, "batch_size": 8, "progress": False}
    path, rng = tmp_path / "samples.jsonl", random.Random(0)
    for _ in range(5):
        size = path.stat().st_size if path.exists() else 0
        process = processes.Process(target=sample, args=call, kwargs=options | {"path": path})
        process.start()
        while process.is_alive() and (not path.exists() or path.stat().st_size <= size):
            time.sleep(0.005)  # let it get somewhere, then kill it at a random moment
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.join()
    rows = sample(*call, path=path, **options)
    assert rows == list(read_rows(path))
    assert Counter((row["problem"], row["sample"]) for row in rows) == {(p, s): 1 for p in range(8) for s in range(24)}
    assert [row["solution"] for row in rows] == [row["solution"] for row in sample(*call, **options)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "Solve:"}, "no {question} in it"),
        ({"n": 0}, "n is 0; it must be a whole number of at least 1"),
        ({"n": 2.0}, "n is 2.0; it must be a whole number"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
        ({"temperature": -0.1}, "temperature is -0.1; it must be a number of at least 0"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"dtype": "half a byte"}, "dtype is 'half a byte'; it can be float32, bfloat16 or float16"),
    ],
)
def test_bad_arguments_are_one_clear_error(options, message):
    with pytest.raises(InputError, match=message):
        draw(**options)


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_a_model_that_overflows_is_told_before_it_writes_noise(temperature, tmp_path):
    model, path = copy.deepcopy(MODEL), tmp_path / "s.jsonl"
    with torch.no_grad():
        model.model.norm.weight.mul_(1e9)
    options = {"tokenizer": TOKENIZER, "max_new_tokens": 4, "progress": False, "temperature": temperature}
    with pytest.raises(
        InputError, match=r"overflows in torch\.float16: sample with dtype='float32' .*, into a file of"
    ):
        sample(model, ["1 + 1"], 2, dtype="float16", path=path, **options)
    assert path.read_bytes() == b""


QUESTION = "Tom has 9 pens. Tom buys 5 pens. Tom loses 4 pens. How many pens does Tom have now?"
SOLUTIONS = [
    "Step: 1: 9 + 5 = 14\nStep: 2: 14 - 4 = 10\n\n# Answer\n\n10",
    "Step: 1: 9 + 5 = 13\nStep: 2: 13 - 4 = 9\n\n# Answer\n\n9",
    "Step: 1: 9 + 5 = 14\n\n# Answer\n\n14",
]


def test_the_likelihood_of_a_step_is_the_geometric_mean_over_its_tokens():
    """A second way: each solution alone, its log-likelihood up to the end of each step."""
    likelihoods = step_likelihoods(MODEL, TOKENIZER, [QUESTION] * 3, SOLUTIONS, batch_tokens=120)
    for solution, of_steps in zip(SOLUTIONS, likelihoods, strict=True):
        steps, before, total = split_steps(solution), 0, 0.0
        start = TOKENIZER(QUESTION + "\n")["input_ids"]
        for number, value in enumerate(of_steps, start=1):
            ids = torch.tensor([start + TOKENIZER(join_steps(steps[:number]))["input_ids"]])
            counted = torch.arange(ids.shape[1])[None] >= len(start)
            with torch.no_grad():
                up_to = log_likelihood(MODEL, ids, torch.ones_like(ids), counted).item()
            count = int(counted.sum())
            assert value == pytest.approx(math.exp((up_to - total) / (count - before)), rel=1e-5)
            before, total = count, up_to
        assert len(of_steps) == len(steps)
