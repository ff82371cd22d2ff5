"""Published models behind our `score`: batches do not matter, what does not fit is refused, no code of theirs runs."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import processors
from transformers import AutoModel, LlamaConfig, Qwen2Config, Qwen3Config

from minrm import ProcessRewardModel, shipped
from minrm.errors import InputError
from minrm.published import load_published, sizes
from minrm.published.formats import FORMATS, MODELS
from minrm.published.models import T4_WEIGHTS, PublishedProcessModel
from minrm.published.tiny import write_tiny_checkpoint

QUESTION = "Tom has 9 pens. That is 3 more than Mia has. Mia buys 5 pens. How many pens does Mia have now?"
SOLUTION = "Step: 1: Mia has 3 fewer: 9 - 3 = 6.\nStep: 2: 6 + 5 = 11\n\n# Answer\n\n11"
PROCESS = [family for family, form in FORMATS.items() if not form.reward]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: write_tiny_checkpoint(family, tmp_path_factory.mktemp(family)) for family in FORMATS}


@pytest.fixture(scope="module")
def models(folders):
    return {family: load_published(folder, like=family, device="cpu") for family, folder in folders.items()}


@pytest.mark.parametrize(("dtype", "error"), [("bfloat16", 0.1), ("float16", 0.02)])
@pytest.mark.parametrize("family", FORMATS)
def test_half_precision_keeps_a_score_to_its_own_precision(folders, models, family, dtype, error):
    half, row = load_published(folders[family], like=family, dtype=dtype, device="cpu"), ([QUESTION], [SOLUTION])
    assert half.model.dtype == getattr(torch, dtype)
    np.testing.assert_allclose(half.score(*row), models[family].score(*row), atol=error)


@pytest.mark.parametrize("family", PROCESS)
def test_a_score_is_made_of_step_scores_and_a_list_of_steps_is_read_as_its_text(models, family):
    model = models[family]
    (steps,) = model.step_scores([QUESTION], [SOLUTION])
    assert steps.dtype == np.float64 and steps.shape == (2,) and ((steps > 0) & (steps < 1)).all()
    for how, value in {"product": steps.prod(), "min": steps.min(), "last": steps[-1], "mean": steps.mean()}.items():
        assert model.score([QUESTION], [SOLUTION], how) == pytest.approx(value)
    as_list = model.step_scores([QUESTION], [["Mia has 3 fewer: 9 - 3 = 6.", "6 + 5 = 11\n\n# Answer\n\n11"]])
    np.testing.assert_allclose(as_list[0], steps, atol=1e-6)
    with pytest.raises(InputError, match="product, min, last, mean"):
        model.score([QUESTION], [SOLUTION], "median")


def test_a_checkpoint_of_ours_loads_as_its_kind(folders, monkeypatch):
    assert isinstance(load_published(shipped("models/prm"), device="cpu"), ProcessRewardModel)
    monkeypatch.setitem(MODELS, str(folders["trl"]), ("trl", 0.0))  # a known name needs no like=
    assert isinstance(load_published(str(folders["trl"]), device="cpu"), PublishedProcessModel)


def test_an_unknown_name_or_family_says_what_is_possible(folders, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=r"^no-such/model is neither a folder .*published\.sizes\(\)\) needs like="):
        load_published("no-such/model")
    with pytest.raises(InputError, match="no family 'qwen'; the families are math-shepherd, "):
        load_published(folders["trl"], like="qwen")
    with pytest.raises(InputError, match="needs like=, one of math-shepherd, "):
        load_published(folders["qwen-math-prm"])
    with pytest.raises(InputError, match="is a language model without a step token.*needs like="):
        load_published(folders["rlhflow"])


WRONG = [
    ("math-shepherd", "trl", "no score.bias"), ("trl", "skywork-o1-prm", "no v_head.summary"),
    ("skywork-o1-prm", "qwen-math-prm", "no score.0.bias"), ("trl", "math-shepherd", "no lm_head.weight"),
    ("rlhflow", "qwen-math-prm", "needs a Qwen 2 backbone"), ("trl", "skywork-reward-v2", "score.bias is left over"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "like", "message"), WRONG)
def test_a_checkpoint_with_another_head_is_refused(folders, family, like, message):
    with pytest.raises(InputError, match=f"({message}).*give another like="):
        load_published(folders[family], like=like)


def test_a_single_missing_tensor_is_seen(tmp_path):
    folder = write_tiny_checkpoint("qwen-math-prm", tmp_path / "qwen")
    tensors = load_file(folder / "model.safetensors")
    del tensors["score.2.bias"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="no score.2.bias"):
        load_published(folder, like="qwen-math-prm")


@pytest.mark.parametrize("family", ["qwen-math-prm", "skywork-o1-prm"])
def test_code_beside_the_weights_or_in_their_pickle_is_never_run(tmp_path, family):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    folder = write_tiny_checkpoint(family, tmp_path / "model")
    code = json.loads((folder / "config.json").read_text())["auto_map"]
    for name in {value.split(".")[0] for value in code.values()}:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit\n")
    load_published(folder, like=family, device="cpu").score([QUESTION], [SOLUTION])
    if family == "skywork-o1-prm":  # its weights are a pickle
        torch.save({"model.embed_tokens.weight": Trap()}, folder / "pytorch_model.bin")
        with pytest.raises(InputError, match="cannot be loaded as a model: Weights only load failed"):
            load_published(folder, like=family, device="cpu")
    assert not (tmp_path / "ran").exists()


def test_a_doubled_start_token_is_refused(folders):
    chat = load_published(folders["rlhflow"], like="rlhflow", device="cpu")
    ids, _ = chat.tokenize(QUESTION, SOLUTION)
    assert ids.count(chat.tokenizer.bos_token_id) == 1  # though template and tokenizer would both write it
    chat.tokenizer.chat_template = "{{ bos_token }}" + chat.tokenizer.chat_template
    lines = load_published(folders["skywork-o1-prm"], like="skywork-o1-prm", device="cpu")
    start = lines.tokenizer.bos_token
    lines.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", special_tokens=[(start, lines.tokenizer.bos_token_id)]
    )
    text = load_published(folders["math-shepherd"], like="math-shepherd", device="cpu")
    for model, question in (chat, QUESTION), (lines, QUESTION), (text, "<s>" + QUESTION):
        with pytest.raises(InputError, match="row 1: the text begins with .* twice"):
            model.score([question], [SOLUTION])


@pytest.mark.parametrize(("family", "mark"), [("math-shepherd", "ки"), ("qwen-math-prm", "<extra_0>")])
def test_a_mark_in_the_text_is_refused_with_its_row(models, family, mark):
    with pytest.raises(InputError, match="row 2: 1 steps but 2 marks; take the mark out"):
        models[family].score([QUESTION, QUESTION], ["9", f"9 {mark} 3"])


def test_an_empty_solution_has_the_worst_score_and_each_text_is_read_once(models, monkeypatch):
    judge, prm = models["skywork-reward-v2"], models["trl"]
    a, b, empty = judge.score([QUESTION] * 3, ["11", "14", " "])
    assert judge.preference(QUESTION, "11", "14") == pytest.approx(1 / (1 + np.exp(b - a))) and empty == -np.inf
    assert prm.score([QUESTION] * 2, [[], SOLUTION])[0] == 0 and len(prm.step_scores([QUESTION], [[]])[0]) == 0
    read = []
    monkeypatch.setattr(prm, "tokenize", lambda *row: read.append(row) or type(prm).tokenize(prm, *row))
    first, second = prm.step_scores([QUESTION] * 2, [["a", "b"]] * 2)
    assert len(read) == 1 and first.tolist() == second.tolist()
    with pytest.raises(InputError, match="2 questions but 1 solutions"):
        prm.score([QUESTION, QUESTION], [SOLUTION])


LLAMA8 = (LlamaConfig, 128256, 4096, 14336, 32, 32, 8)  # vocabulary, width, inner width, layers, heads, groups
SHAPES = {
    "math-shepherd-mistral": (LlamaConfig, 32000, 4096, 14336, 32, 32, 8),
    "Llama3.1-8B-PRM": LLAMA8, "V2-Llama-3.1-8B": LLAMA8,
    "V2-Llama-3.2-1B": (LlamaConfig, 128256, 2048, 8192, 16, 32, 8),
    "V2-Llama-3.2-3B": (LlamaConfig, 128256, 3072, 8192, 28, 24, 8),
    "-72B": (Qwen2Config, 152064, 8192, 29568, 80, 64, 8),
    "0.5B": (Qwen2Config, 151936, 896, 4864, 24, 14, 2),
    "1.5B": (Qwen2Config, 151936, 1536, 8960, 28, 12, 2),
    "Qwen3-0.6B": (Qwen3Config, 151936, 1024, 3072, 28, 16, 8),
    "Qwen3-1.7B": (Qwen3Config, 151936, 2048, 6144, 28, 16, 8),
    "Qwen3-4B": (Qwen3Config, 151936, 2560, 9728, 36, 32, 8),
    "Qwen3-8B": (Qwen3Config, 151936, 4096, 12288, 36, 32, 8),
    "7B": (Qwen2Config, 152064, 3584, 18944, 28, 28, 4),
}  # fmt: skip


def count(config, vocabulary, width, inner, layers, heads, groups):
    """Parameters of a backbone, from the configs' shape: of one layer and of two, the rest is a straight line."""
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    shape = dict(zip(names, (vocabulary, width, inner, heads, groups), strict=True))
    shape |= {"head_dim": 128} if config is Qwen3Config else {}
    with torch.device("meta"):
        built = [AutoModel.from_config(config(**shape, num_hidden_layers=n)) for n in (1, 2)]
    one, two = (sum(parameter.numel() for parameter in model.parameters()) for model in built)
    return one + (layers - 1) * (two - one)


@pytest.mark.parametrize("row", sizes(), ids=lambda row: row["model"])
def test_parameters_are_those_of_the_shape_and_decide_what_fits(row):
    shape = next(shape for part, shape in SHAPES.items() if part in row["model"])
    _, vocabulary, width, *_ = shape
    words = vocabulary * width
    head = {"math-shepherd": words, "rlhflow": words, "qwen-math-prm": (width + 1) * (width + 2)}
    total = count(*shape) + head.get(row["family"], 2 * width)
    assert row["billions"] == pytest.approx(total / 1e9, abs=6e-4)
    assert row["fits a T4"] == (total * 2 / 1e9 <= T4_WEIGHTS)
