"""The machine in one line: a T4, a GPU that has bfloat16, several, none; with and without peft."""

from importlib import metadata

import pytest
import torch
import transformers

from minrm import loading as module
from minrm.loading import machine

T4 = (15_400_000_000, 15_828_320_256)  # free, total bytes, as torch.cuda.mem_get_info gives them


@pytest.fixture
def gpu(monkeypatch):
    """gpu(name, native bfloat16, count): a machine that has such GPUs. A T4 emulates bfloat16, and says so if asked."""

    def fake(name, native, count=1):
        def supported(including_emulation=True):
            return native or including_emulation

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: name)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: T4)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)

    return fake


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_t4_computes_in_float16(gpu):
    gpu("Tesla T4", native=False)
    found = machine()
    assert (found.device, found.count, found.precision, found.profile) == ("Tesla T4", 1, "float16", "gpu")
    assert found.memory == pytest.approx(14.74, abs=0.01)
    assert found.free == pytest.approx(14.34, abs=0.01)
    assert str(found).startswith("Tesla T4, 14.7 GiB, 14.3 free · computes in float16 · torch ")
    assert str(found).endswith(" · profile gpu")


def test_newer_gpus_compute_in_bfloat16_and_several_are_counted(gpu):
    gpu("NVIDIA L4", native=True, count=2)
    assert machine().precision == "bfloat16"
    assert str(machine()).startswith("2 × NVIDIA L4, ")


def test_without_a_gpu_the_profile_is_smoke(no_gpu):
    found = machine()
    assert (found.device, found.count, found.memory, found.free) == ("CPU", 0, None, None)
    assert (found.precision, found.profile) == ("float32", "smoke")
    assert str(found).startswith(f"no GPU, {found.cores} CPU cores · computes in float32 · ")
    assert "profile smoke: tiny models" in str(found)


def test_versions_are_those_that_are_imported(no_gpu):
    versions = machine().versions
    assert versions["torch"].split("+")[0] == metadata.version("torch").split("+")[0]  # +cu128: the build
    assert versions["transformers"] == transformers.__version__


def test_peft_may_be_missing(no_gpu, monkeypatch):
    def without_peft(package):
        if package == "peft":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(module, "version", without_peft)
    assert machine().versions == {"torch": torch.__version__, "transformers": "1.0", "peft": None}
    assert "transformers 1.0, peft not installed" in str(machine())
