"""What kind of machine this is, and what it has. Light: it asks the system, and no engine.

What an epoch takes is kept by kind: another processor, GPU or PyTorch is measured anew.
"""

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from orchestrator.planning.cost.resources import Resources, Usage

MEMORY_PER_TRIAL = 768 * 1024**2
"""Host memory declared for a trial in bytes: 400-460 MiB private were measured, plus data."""
OBJECT_STORE = 128 * 1024**2
"""Ray's own default takes 30 % of the memory; nothing of ours travels through it."""

LIBRARIES = (
    "ablate-ser",
    "numpy",
    "opensmile",
    "pyarrow",
    "ray",
    "safetensors",
    "torch",
    "torch-geometric",
)
"""Packages whose versions are kept with every outcome, and compared by ``ablate rerun``."""

_CPUS = Path("/proc/cpuinfo")
_GPUS = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine: two of one kind take equally long for a trial."""

    device: Literal["cpu", "cuda"]
    name: str
    """Of the processor, or of the GPU."""
    torch: str

    def __str__(self) -> str:
        kind = "CPU" if self.device == "cpu" else "GPU"
        return f"{kind} {self.name}, PyTorch {self.torch}"


def this_machine(gpus: int | None = None) -> Machine:
    """What trials would train on here.

    Args:
        gpus: how many GPUs may be used; None: all there are.
    """
    torch, found = installed("torch"), gpu_names()
    if found and gpus != 0 and not torch.endswith("+cpu"):
        return Machine("cuda", found[0], torch)
    return Machine("cpu", _processor(), torch)


def gpu_names() -> list[str]:
    """NVIDIA GPUs by the driver's own word, those that `CUDA_VISIBLE_DEVICES` hides left out."""
    names = []
    for file in sorted(_GPUS.glob("*/information")):
        fields = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
        names.append(fields.get("Model", "GPU").strip())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return names
    return names[
        : len([number for number in visible.split(",") if number.strip() not in ("", "-1")])
    ]


def _processor() -> str:
    """Its model and instruction set, as Linux tells; elsewhere what Python knows."""
    try:
        lines = _CPUS.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def resources_here(cpus: int | None = None, gpus: int = 0) -> Resources:
    """What this machine has for trials: memory as Ray would count it when it starts here."""
    import psutil

    free = psutil.virtual_memory().available - OBJECT_STORE
    return Resources(cpus=cpus or cpu_count(), memory=free, gpus=gpus, name="this machine")


def usage_here(
    *, cpus: float, cpus_there: float, gpus: float = 0.0, gpus_there: float = 0.0
) -> Usage:
    """What trials use of this machine, and how much of its memory everybody uses."""
    import psutil

    memory = psutil.virtual_memory()
    return Usage(
        used=Resources(cpus=cpus, memory=memory.total - memory.available, gpus=gpus),
        there=Resources(cpus=cpus_there, memory=memory.total, gpus=gpus_there),
    )


def cpu_count() -> int:
    """CPUs this process may use."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def libraries() -> dict[str, str]:
    """The version of Python and of each of ``LIBRARIES``; none of them is imported."""
    return {"python": platform.python_version(), **{name: installed(name) for name in LIBRARIES}}


def installed(name: str) -> str:
    """The version of an installed package; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
