"""What this machine is, in one line: its GPU and memory, the precision to compute in, the versions, the profile.

The notebook on real models asks it first. Nothing comes in; a `Machine` goes out, to be printed and to choose by: the
profile is "gpu" where there is one, else "smoke", in which the same cells run on tiny models.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from minrm import backbone

GIB = 2**30  # the unit of PyTorch's own messages; a "16 GB" T4 has 14.7 of them


@dataclass(frozen=True)
class Machine:
    """device: its name, "CPU" without a GPU; count: how many GPUs. memory, free: of the first GPU, GiB; None without.

    precision: what the models compute in, such as "float16". versions: by package, None for one that is not installed.
    profile: "gpu" or "smoke".
    """

    device: str
    count: int
    cores: int
    memory: float | None
    free: float | None
    precision: str
    versions: dict[str, str | None]
    profile: str

    def __str__(self) -> str:
        if self.memory is None:
            device, profile = f"no GPU, {self.cores} CPU cores", "smoke: tiny models"
        else:
            several = f"{self.count} × " if self.count > 1 else ""
            device, profile = f"{several}{self.device}, {self.memory:.1f} GiB, {self.free:.1f} free", self.profile
        versions = ", ".join(f"{name} {found or 'not installed'}" for name, found in self.versions.items())
        return f"{device} · computes in {self.precision} · {versions} · profile {profile}"


def machine() -> Machine:
    """Look at the machine as it is now; memory that other programs hold is not free."""
    device = backbone.pick_device(None)
    has_gpu = device.type == "cuda"
    free, memory = (size / GIB for size in torch.cuda.mem_get_info()) if has_gpu else (None, None)
    return Machine(
        device=torch.cuda.get_device_name() if has_gpu else "CPU",
        count=torch.cuda.device_count() if has_gpu else 0,
        cores=os.cpu_count() or 1,
        memory=memory,
        free=free,
        precision=str(backbone.compute_dtype(device)).removeprefix("torch."),
        versions={"torch": torch.__version__, **{name: installed(name) for name in ("transformers", "peft")}},
        profile="gpu" if has_gpu else "smoke",
    )


def installed(package: str) -> str | None:
    """The installed version of a package, None without one; the package is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
