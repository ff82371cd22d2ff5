"""The recording of a public model on public data: every unit on a tiny model, with rows in the publishers' layouts."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import byte_bpe, causal

from minrm.text import final_answer, split_steps

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "real"))
import judges  # noqa: E402 (modules of the recording)
import policy  # noqa: E402
import record  # noqa: E402
import smollm2  # noqa: E402

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}>{% endif %}"
SIZES = {"orm": 48, "prm": 32, "bradley_terry": 24}
SCALE = record.Scale(4, 4, 12, 200, SIZES, SIZES, {"epochs": 12, "learning_rate": 1e-2})
PACKAGES = Path(os.environ.get("MINRM_SMOLLM2") or ROOT / "data" / "work" / "real" / "packages")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny model with a chat template, and files as the publishers write them. Bad texts say so."""
    folder, rng = tmp_path_factory.mktemp("real"), random.Random(0)
    tokenizer = byte_bpe()
    tokenizer.chat_template = CHAT
    causal("llama", max_position_embeddings=512, tie_word_embeddings=True).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    questions = [f"Tom has {n} pens and buys {n + 1}. How many?" for n in range(60)]
    solvers = [f"{size}_{way}" for size in ("6b", "175b") for way in ("finetuning", "verification")]

    def solved(n):
        right = [rng.random() < 0.5 for _ in solvers]
        texts = [f"{n} + {n + 1} = {'good' if good else 'bad'}\nA: {2 * n + good}" for good in right]
        parts = zip(solvers, right, texts, strict=True)
        return {name: {"is_correct": good, "solution": text} for name, good, text in parts}

    def rated(n):
        ratings = [1] * rng.randint(1, 3) + [rng.choice([1, -1])]
        texts = [{1: f"a good step {k}", -1: f"a bad step {k}"}[rating] for k, rating in enumerate(ratings)]
        parts = zip(texts, ratings, strict=True)
        steps = [
            {"completions": [{"text": t, "rating": r}], "chosen_completion": None if r < 0 else 0} for t, r in parts
        ]
        question = {"problem": f"Rated: {questions[n]}", "ground_truth_answer": "1"}
        return {"question": question, "label": {"steps": steps, "finish_reason": "solution"}}

    def pair(n):
        start = f"\n\nHuman: {questions[n]}\n\nAssistant:"
        return {"chosen": f"{start} good {n}, gladly", "rejected": f"{start} bad {n}"}

    rows = {
        "gsm8k": [{"question": q, "answer": f"a line\n#### {2 * n + 1}"} for n, q in enumerate(questions)],
        "orm": [{"question": q, "ground_truth": f"…\nA: {2 * n + 1}"} | solved(n) for n, q in enumerate(questions)],
        "prm": [rated(n) for n in range(60)],
        "bradley_terry": [pair(n) for n in range(60)],
    }
    for name, own in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    data = {name: str(folder / f"{name}.jsonl") for name in rows}
    return record.Place(folder / "out", folder / "work", folder / "model", data, SCALE)


@pytest.fixture(scope="module")
def recorded(place):
    """What each unit wrote, those of the first seed."""
    names = [name for name in record.UNITS if not name.endswith(("-1", "-2"))]
    for name in names:
        record.record(name, place)
    return {name: json.loads((place.out / f"{name}.json").read_text()) for name in names}


def test_every_unit_says_what_it_found_where_and_at_what_cost(recorded):
    for name, entry in recorded.items():
        assert entry["unit"] == name and entry["results"] and not entry["resumed"]
        assert entry["machine"]["cores"] and entry["versions"]["torch"] == torch.__version__
        assert entry["core minutes"] > 0 and entry["peak GB"] > 0.1
        assert str(Path.home()) not in json.dumps(entry) and "/" not in json.dumps(entry["data"])


def test_each_judge_learns_what_its_rows_say_and_stands_beside_what_needs_no_model(recorded):
    """Good and bad are words of the rows, so a judge that learns is better than a coin, in the right direction."""
    for kind, name in (("orm", "AUC"), ("prm", "AUC"), ("bradley_terry", "accuracy")):
        found = recorded[f"{kind}-0"]["results"]
        ways = found[name]
        assert ways["trained"]["low"] > 0.5 and ways["trained"]["mean"] > ways["untrained"]["mean"]
        assert any(way.startswith("words alone") for way in ways)
        assert all(e["low"] <= e["mean"] <= e["high"] for e in ways.values())
        less = found[f"{name}, trained less"]["untrained"]["mean"]
        assert less == pytest.approx(ways["trained"]["mean"] - ways["untrained"]["mean"], abs=2e-4)
        assert found["rows"]["training"] == SIZES[kind] and found["rows"]["held out"] >= SIZES[kind] // 3
    first = recorded["prm-0"]["results"]["first error"]
    assert first["trained"]["F1"] > (first["untrained"] or {"F1": 0})["F1"]


def test_the_best_of_n_is_that_of_the_recorded_scores(recorded):
    """By every pair of samples, from the arrays in the files."""
    correct = np.array(recorded["samples"]["results"]["arrays"]["correct"], dtype=float)
    scores = np.array(recorded["orm-0"]["results"]["own samples"]["orm"])
    pairs = [(i, j) for i in range(4) for j in range(i)]

    def better(s, c, i, j):
        return (c[i] + c[j]) / 2 if s[i] == s[j] else c[i] if s[i] > s[j] else c[j]

    expected = np.mean([better(s, c, i, j) for s, c in zip(scores, correct, strict=True) for i, j in pairs])
    found = recorded["best_of_n"]["results"]
    assert found["orm"]["2"][0] == pytest.approx(expected, abs=1e-4)
    assert found["one sample"]["mean"] == pytest.approx(correct.mean(), abs=1e-4)
    assert found["of samples"]["cut"] == np.sum(recorded["samples"]["results"]["arrays"]["cut"])
    assert set(found["seeds"].values()) == {1} and "prm, product" in found


def test_a_unit_that_was_stopped_says_so_when_it_ends(place, recorded, tmp_path, monkeypatch):
    here = replace(place, out=tmp_path)
    monkeypatch.setitem(record.UNITS, "answers", lambda place: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record.record("answers", here)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    record.record("answers", here)
    again = json.loads((tmp_path / "answers.json").read_text())
    assert again["resumed"] and again["results"] == recorded["answers"]["results"]


def test_no_question_is_trained_on_and_measured_on_and_none_is_sampled(place):
    sampled = set(policy.samples(place).questions)
    for kind in judges.MODELS:
        training, held_out, left = judges.split_rows(kind, place)
        sides = [{judges.asked(row) for row in rows} for rows in (training, held_out)]
        assert sides[0] and sides[1] and not sides[0] & sides[1] and not sampled & (sides[0] | sides[1])
        assert left["about sampled problems"] == (16 if kind == "orm" else 0)


def test_rows_that_would_be_cut_are_left_out_and_counted(place):
    encode = policy.loading.load_tokenizer(place.model)

    def length(row):
        return len(encode(row["question"] + row["solution"])["input_ids"])

    whole, held_out, _ = judges.split_rows("orm", place)
    middle = int(np.median([length(row) for row in whole + held_out]))
    short, aside, left = judges.split_rows("orm", replace(place, scale=replace(place.scale, longest=middle)))
    assert max(map(length, short + aside)) <= middle < max(map(length, whole + held_out))
    assert 0 < left["too long"] <= left["read"] - left["about sampled problems"] - len(short + aside)


def test_cut_samples_are_counted_and_left_out_of_the_second_auc():
    """Cut samples are wrong and score low here: with them the score looks good, without them it is a coin."""
    correct, cut = np.array([[1, 0, 0, 0]] * 3, bool), np.array([[0, 0, 1, 1]] * 3, bool)
    numbers = np.ones((3, 4))
    answers = np.array([["1", "2", None, None]] * 3, dtype=object)
    drawn = policy.Drawn(["q"] * 3, ["1"] * 3, answers, answers, correct, cut, numbers, numbers)
    found = policy.within(np.array([[0.5, 0.5, 0.1, 0.1]] * 3), drawn)
    assert found["all"]["mean"] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-4)
    assert found["without cut ones"]["mean"] == 0.5
    assert policy.within(numbers, drawn._replace(correct=cut & False))["all"] is None
    assert policy.lengths(drawn) | {"cut": 6, "without an answer": 6, "right": 3} == policy.lengths(drawn)


def test_intervals_are_over_questions_not_over_items():
    """Four equal items of a question say no more than one; and alone they give the normal interval."""
    values = np.random.default_rng(0).random(200) < 0.3
    alone = judges.over(np.arange(200), np.mean, values)
    four = judges.over(np.repeat(np.arange(200), 4), np.mean, np.repeat(values, 4))
    half = 1.96 * np.sqrt(values.var() / 200)
    assert alone["mean"] == four["mean"] and four["low"] == pytest.approx(alone["low"], abs=1e-9)
    assert alone["high"] - alone["mean"] == pytest.approx(half, rel=0.15)


def test_worked_examples_end_in_their_answers_and_direct_ones_have_nothing_else():
    for question, answer in ((policy.BOXES, "17"), (policy.HAT, "30")):
        assert final_answer(policy.COT[question]) == final_answer(policy.DIRECT[question]) == answer
        assert len(split_steps(policy.COT[question])) == 2 and policy.DIRECT[question] == f"#### {answer}"


def test_a_call_runs_what_is_missing_each_unit_in_a_process_and_skips_what_is_there(place, tmp_path):
    (tmp_path / "SmolLM2-135M-Instruct").symlink_to(place.model)
    data = [f"--{name}={place.data[kind]}" for name, kind in (("gsm8k", "gsm8k"), ("solutions", "orm"))]
    data += [f"--{name}={place.data[kind]}" for name, kind in (("prm800k", "prm"), ("hh", "bradley_terry"))]
    call = [sys.executable, str(ROOT / "tools" / "real" / "record.py"), *data, f"--work={tmp_path}", "--quick"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tools'}"}
    call += ["--unit=answers"]
    first, again = (subprocess.run(call, env=environment, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == again.returncode == 0, first.stderr
    assert {path.name for path in (tmp_path / "quick" / "recorded").iterdir()} == {"answers.json"}
    assert "is there; remove it to run this unit again" in again.stdout and "is there" not in first.stdout


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """The public model as a stock folder, where its packages are."""
    if not (PACKAGES / smollm2.FILE).exists():
        pytest.skip(f"the package with the model is not here: no {smollm2.FILE} in {PACKAGES} (set MINRM_SMOLLM2)")
    folder = tmp_path_factory.mktemp("stock") / "model"
    smollm2.write_stock(PACKAGES, folder)
    return folder


def test_the_stock_folder_has_the_numbers_of_the_file(stock):
    """Read a second way, tensor by tensor; queries and keys lie in another order there, so their sums are compared."""
    from gguf import GGUFReader, dequantize
    from safetensors.torch import load_file

    names = {"token_embd": "embed_tokens", "blk.7.ffn_down": "layers.7.mlp.down_proj", "output_norm": "norm"}
    names |= {"blk.0.attn_v": "layers.0.self_attn.v_proj", "blk.29.attn_q": "layers.29.self_attn.q_proj"}
    ours, read = load_file(stock / "model.safetensors"), 0
    for tensor in GGUFReader(PACKAGES / smollm2.FILE).tensors:
        if name := names.get(tensor.name.removesuffix(".weight")):
            values = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
            own, read = ours[f"model.{name}.weight"], read + 1
            if "attn_q" in tensor.name:
                own, values = own.sum(dim=0), values.sum(dim=0)
            assert torch.allclose(own, values.reshape(own.shape), atol=1e-4)
    assert read == len(names)


def test_the_tokenizer_keeps_digits_apart_and_the_model_knows_a_capital(stock):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(stock)
    model = AutoModelForCausalLM.from_pretrained(stock, dtype=torch.float32).eval()
    assert tokenizer.tokenize("\n\n2. x  51") == ["ĊĊ", "2", ".", "Ġx", "ĠĠ", "5", "1"]
    assert len(tokenizer) == 49152 and tokenizer.pad_token == tokenizer.eos_token == "<|im_end|>"
    turn = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        out = model.generate(**ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0, ids["input_ids"].shape[1] :])
