"""Loading, text to ids, padding and batches: the ground the three models stand on."""

import contextlib
import json
import logging
import os
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tiny import QUESTION, SOLUTION, TOKENIZERS, byte_bpe, causal, sentencepiece_like, word_level
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM

from minrm import loading, reward_model
from minrm.bradley_terry import BradleyTerryRewardModel
from minrm.errors import InputError
from minrm.orm import OutcomeRewardModel
from minrm.prm import ProcessRewardModel


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


@pytest.mark.parametrize("solution", [SOLUTION, "= 6", "6", "\nStep: 1: 6 + 5 = 11"])
def test_mask_begins_exactly_where_the_solution_begins(tokenizer, solution):
    (ids, mask), *_ = reward_model.encode(tokenizer, [QUESTION], [solution])
    first = mask.index(True)
    assert mask == [False] * first + [True] * (len(ids) - first)
    alone = tokenizer(solution, add_special_tokens=False, return_offsets_mapping=True)
    assert ids[first:] == alone["input_ids"]
    covered = {place for start, end in alone["offset_mapping"] for place in range(start, end)}
    assert covered == set(range(len(solution)))  # the offsets of the masked tokens cover the solution, and nothing else
    assert tokenizer.decode(ids[first:]).strip() == solution.strip()
    assert QUESTION in tokenizer.decode(ids[:first])


def test_start_token_comes_only_from_tokenizers_that_add_one_and_no_end_token_ever(tokenizer):
    (ids, _), *_ = reward_model.encode(tokenizer, [QUESTION], [SOLUTION])
    assert (ids[0] == tokenizer.bos_token_id) == (tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id)
    assert ids[-1] != tokenizer.eos_token_id


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), side=st.sampled_from(["left", "right"]))
def test_last_token_and_positions_follow_the_mask_on_either_side(lengths, side):
    tokenizer = byte_bpe_padded(side)
    rows = [list(range(10, 10 + length)) for length in lengths]
    batch = reward_model.pad(rows, tokenizer)
    last, where = reward_model.last_token(batch["attention_mask"]), reward_model.positions(batch["attention_mask"])
    for row, ids in enumerate(rows):
        real = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][real].tolist() == ids
        assert batch["input_ids"][row, last[row]] == ids[-1]
        assert where[row][real].tolist() == list(range(len(ids)))


def byte_bpe_padded(side, made={}):  # noqa: B006  one tokenizer for all examples
    if not made:
        made["tokenizer"] = byte_bpe()
        made["tokenizer"].pad_token = made["tokenizer"].eos_token
    made["tokenizer"].padding_side = side
    return made["tokenizer"]


def test_pad_falls_back_to_the_end_token_and_leaves_the_given_tokenizer_alone():
    given_tokenizer = byte_bpe()
    model, tokenizer = loading.load(
        AutoModelForCausalLM, causal(), tokenizer=given_tokenizer, device="cpu", dtype="float32"
    )
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == model.config.pad_token_id
    assert given_tokenizer.pad_token is None
    bare = word_level(pad=None)
    bare.eos_token = None
    with pytest.raises(InputError, match="no pad and no end token"):
        loading.load(AutoModelForCausalLM, causal(), tokenizer=bare, device="cpu", dtype="float32")


def test_dtype_is_what_was_asked_for_not_what_the_checkpoint_holds(tmp_path):
    loading.save(causal().half(), word_level(), tmp_path)
    for dtype in (torch.float32, "bfloat16"):
        model, _ = loading.load(AutoModelForCausalLM, tmp_path, tokenizer=None, device="cpu", dtype=dtype)
        assert model.dtype == (getattr(torch, dtype) if isinstance(dtype, str) else dtype)
        assert not model.training


def test_each_of_several_processes_has_its_own_gpu_unless_the_launcher_wants_the_cpu(monkeypatch):
    assert loading.pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert loading.pick_device(None) == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert loading.pick_device(None) == torch.device("cuda", 3)
    assert loading.pick_device("cuda:1") == torch.device("cuda", 1)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    assert loading.pick_device(None) == torch.device("cpu")


def test_a_built_model_is_copied_and_needs_a_tokenizer():
    base = causal()
    model, _ = loading.load(AutoModelForCausalLM, base, tokenizer=word_level(), device="cpu", dtype="float32")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    assert base.lm_head.weight.abs().sum() > 0
    with pytest.raises(InputError, match="tokenizer="):
        loading.load(AutoModelForCausalLM, base, tokenizer=None, device="cpu", dtype="float32")


def test_a_loaded_model_knows_where_it_comes_from_and_does_not_save_that(tmp_path):
    loading.save(causal(), word_level(), tmp_path)
    options = {"tokenizer": word_level(), "device": "cpu", "dtype": "float32"}
    model, _ = loading.load(AutoModelForCausalLM, tmp_path, seed=5, **options)
    assert model.origin == {"base": str(tmp_path), "head_seed": 5}
    again, _ = loading.load(AutoModelForCausalLM, model, **options)
    assert again.origin == {"base": str(tmp_path), "head_seed": 0}
    built, _ = loading.load(AutoModelForCausalLM, causal(), **options)
    assert built.origin["base"] == "LlamaForCausalLM"
    loading.save(model, word_level(), tmp_path / "saved")
    assert "head_seed" not in (tmp_path / "saved" / "config.json").read_text()


def test_the_bar_counts_what_it_is_given(capfd):
    assert list(loading.progress_bar(3, "counting", " rows", shown=True, over=iter("abc"))) == ["a", "b", "c"]
    assert "counting" in capfd.readouterr().err


def test_a_model_out_of_reach_names_the_shipped_one(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r'no-such-org/no-such-model.*minrm.shipped\("policy"\)') as caught:
        loading.load(AutoModelForCausalLM, "no-such-org/no-such-model", tokenizer=None, device="cpu", dtype="float32")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_tokenizer_or_with_broken_weights_is_refused(tmp_path):
    causal().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="holds no tokenizer"):
        loading.load(AutoModelForCausalLM, tmp_path, tokenizer=None, device="cpu", dtype="float32")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be loaded"):
        loading.load(AutoModelForCausalLM, tmp_path, tokenizer=word_level(), device="cpu", dtype="float32")


KINDS = [OutcomeRewardModel, ProcessRewardModel, BradleyTerryRewardModel]


class Gguf:
    """Stands for transformers' GgufConfig and its quantizer, which a model read from a .gguf file keeps."""

    quant_method = "gguf"

    def to_dict(self):
        return {"quant_method": "gguf", "gguf_file": "m.gguf"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_from_a_gguf_file_becomes_a_stock_checkpoint(kind, tmp_path):
    base = causal()
    base.config.quantization_config, base.hf_quantizer = Gguf(), Gguf()
    model = kind.from_base(base, tokenizer=word_level())
    for folder in (tmp_path / "a", tmp_path / "b"):
        model.save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        assert "quantization_config" not in config
        (folder / "config.json").write_text(json.dumps(config | {"quantization_config": Gguf().to_dict()}))
        again = kind.from_pretrained(folder)  # a folder that another release wrote, trained on
        np.testing.assert_array_equal(again.score([QUESTION], [SOLUTION]), model.score([QUESTION], [SOLUTION]))
        model = again


def test_quantised_weights_are_refused_as_a_base():
    base = causal()
    base.model.layers[0].mlp.up_proj.weight = torch.nn.Parameter(torch.ones(64, 4, dtype=torch.uint8), False)
    with pytest.raises(InputError, match="the weights of the LlamaForCausalLM are quantised"):
        OutcomeRewardModel.from_base(base, tokenizer=word_level())


@pytest.mark.parametrize("named_in", ["config.json", "tokenizer_config.json"])
def test_code_beside_the_weights_is_neither_run_nor_asked_about(named_in, tmp_path, monkeypatch):
    loading.save(causal(), word_level(), tmp_path)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'it ran')!r}, 'w')\nclass Evil: pass\n")
    path, asked = tmp_path / named_in, []
    automatic = {"AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    told = {"model_type": "evil", "tokenizer_class": "Evil", "auto_map": automatic}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    monkeypatch.setattr("builtins.input", lambda *_: asked.append(True) or "y")
    for load in (
        lambda: OutcomeRewardModel.from_pretrained(tmp_path),
        lambda: OutcomeRewardModel.from_base(tmp_path),
        lambda: loading.load_tokenizer(tmp_path),
    ):
        with contextlib.suppress(InputError):
            load()
    assert not asked and not (tmp_path / "it ran").exists()
    if named_in == "config.json":
        with pytest.raises(InputError, match="cannot be loaded as a model: .*custom code"):
            OutcomeRewardModel.from_pretrained(tmp_path)


def test_loading_and_saving_print_nothing_and_restore_the_verbosity(tmp_path, capfd):
    level, ours = transformers.utils.logging.get_verbosity(), logging.getLogger("minrm").level
    loading.save(causal(), sentencepiece_like(), tmp_path)
    classifier = transformers.AutoModelForTokenClassification  # a new head: transformers would report it
    loading.load(classifier, tmp_path, tokenizer=None, device="cpu", dtype="float32", base=True, num_labels=2)
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.get_verbosity() == level
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert logging.getLogger("minrm").level == ours


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_saved_tokenizer_comes_back_with_its_own_rules(tokenizer, architecture, tmp_path):
    """For Qwen 2 AutoTokenizer would split texts by that model's rules, whatever was saved."""
    loading.save(causal(architecture), tokenizer, tmp_path)
    _, again = loading.load(AutoModelForCausalLM, tmp_path, tokenizer=None, device="cpu", dtype="float32")
    texts = [QUESTION], [SOLUTION]
    assert reward_model.encode(again, *texts) == reward_model.encode(tokenizer, *texts)
    assert again.padding_side == tokenizer.padding_side


def splits_by(pattern):
    """Byte-level BPE with a Split rule of its own, as published tokenizers have, and merges that need it."""
    rules = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    rules.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    options = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(), "special_tokens": ["</s>"], "vocab_size": 400}
    rules.train_from_iterator([QUESTION, SOLUTION] * 3, trainers.BpeTrainer(show_progress=False, **options))
    rules.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=rules, eos_token="</s>")


RULES = TOKENIZERS | {"a Split rule": lambda: splits_by(r"[0-9] [-+*] [0-9]|\w+|\s|[^\w\s]+")}


@pytest.mark.parametrize("named", [None, "GPT2Tokenizer", "Qwen2Tokenizer", "LlamaTokenizerFast", "BertTokenizer"])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("rules", RULES)
def test_a_folder_and_a_hub_name_are_read_by_the_rules_of_tokenizer_json(
    rules, architecture, named, tmp_path, monkeypatch
):
    repository, tokenizer = tmp_path / "models--some--model", RULES[rules]()
    folder = repository / "snapshots" / "0123"
    BradleyTerryRewardModel.from_base(causal(architecture), tokenizer=tokenizer).save_pretrained(folder)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if named:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": named}))
    texts = [QUESTION, "9 + 5"], [SOLUTION, "Naïve: 12345 =\n\n 中文"]
    expected = reward_model.encode(tokenizer, *texts)
    models = [BradleyTerryRewardModel.from_pretrained(name, dtype="float32") for name in (folder, "some/model")]
    assert [model.encode(*texts) for model in models] == [expected] * 2
    assert models[0].score(*texts).tolist() == models[1].score(*texts).tolist()


def test_a_tokenizer_that_reads_otherwise_than_its_file_is_refused(tmp_path, monkeypatch):
    loading.save(causal(), word_level(), tmp_path)
    other = byte_bpe()
    monkeypatch.setattr(loading.AutoTokenizer, "from_pretrained", lambda *_, **__: other)
    monkeypatch.setattr(loading.PreTrainedTokenizerFast, "from_pretrained", lambda *_, **__: other)
    with pytest.raises(InputError, match=f"^{tmp_path}: .*tokenizer.json"):
        loading.load_tokenizer(tmp_path)


def test_evaluating_leaves_the_module_as_it_was():
    module = torch.nn.Linear(1, 1).train()
    with reward_model.evaluating(module):
        assert not module.training
        assert not module(torch.ones(1)).requires_grad
    assert module.training


T4 = (15_400_000_000, 15_828_320_256)  # free, total bytes, as torch.cuda.mem_get_info gives them


@pytest.mark.parametrize(
    ("name", "native", "count", "start"),
    [
        ("Tesla T4", False, 1, "Tesla T4, 14.7 GiB, 14.3 free · computes in float16 · torch "),
        ("NVIDIA L4", True, 2, "2 × NVIDIA L4, 14.7 GiB, 14.3 free · computes in bfloat16 · torch "),
    ],
)
def test_a_machine_with_gpus_is_one_line(name, native, count, start, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: name)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: T4)
    # a T4 emulates bfloat16, and says so if asked
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    here = loading.machine()
    assert here.profile == "gpu" and str(here).startswith(start) and str(here).endswith(" · profile gpu")


def test_without_a_gpu_the_profile_is_smoke_and_peft_may_be_missing(monkeypatch):
    def without_peft(package):
        if package == "peft":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert f"transformers {transformers.__version__}, " in str(loading.machine())
    monkeypatch.setattr(loading, "version", without_peft)
    here, packages = loading.machine(), f"torch {torch.__version__}, transformers 1.0, peft not installed"
    expected = f"no GPU, {os.cpu_count()} CPU cores · computes in float32 · {packages} · profile smoke: tiny models"
    assert (here.profile, str(here)) == ("smoke", expected)
