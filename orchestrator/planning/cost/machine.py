"""This machine: its kind, its resources and its library versions. Imports no large library.

The measured length of an epoch is kept by kind of machine: with another processor, GPU or version
of PyTorch it is measured again.
"""

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from orchestrator.planning.cost.resources import Resources, Usage

MEMORY_PER_TRIAL = 768 * 1024**2
"""Bytes of host memory reserved for a trial (768 MiB): 400-460 MiB were measured, plus the data."""
OBJECT_STORE = 128 * 1024**2
"""Bytes for Ray's object store (128 MiB). Ray's default is 30 % of the memory, and trials do not
use it."""

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
"""The file in which Linux describes the processors."""
_GPUS = Path("/proc/driver/nvidia/gpus")
"""The folder in which NVIDIA's driver describes the GPUs, one folder a GPU."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine (processor or GPU, and PyTorch): on one kind a trial takes equally long."""

    device: Literal["cpu", "cuda"]
    """Where trials train: on CPUs, or on NVIDIA GPUs."""
    name: str
    """Model of the processor, or of the first GPU."""
    torch: str
    """Version of PyTorch, such as ``2.9.0+cpu``; empty where it is not installed."""

    def __str__(self) -> str:
        kind = "CPU" if self.device == "cpu" else "GPU"
        return f"{kind} {self.name}, PyTorch {self.torch}"


def this_machine(gpus: int | None = None) -> Machine:
    """The kind of machine on which trials would train here: GPUs where there are any, else CPUs.

    Args:
        gpus: how many GPUs may be used; None: all there are; 0: train on CPUs.
    """
    torch, found = installed("torch"), gpu_names()
    if found and gpus != 0 and not torch.endswith("+cpu"):
        return Machine("cuda", found[0], torch)
    return Machine("cpu", _processor(), torch)


def gpu_names() -> list[str]:
    """Model names of this machine's NVIDIA GPUs, from the driver's files.

    With `CUDA_VISIBLE_DEVICES`, only as many as it lists.
    """
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
    """Model name of the processor, from Linux or else from Python's ``platform``."""
    try:
        lines = _CPUS.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def resources_here(cpus: int | None = None, gpus: int = 0) -> Resources:
    """The CPUs, GPUs and free memory of this machine; memory as Ray counts it at its start.

    Args:
        cpus: how many CPUs may be used; None: all there are.
        gpus: how many GPUs may be used.
    """
    import psutil

    free = psutil.virtual_memory().available - OBJECT_STORE
    return Resources(cpus=cpus or cpu_count(), memory=free, gpus=gpus, name="this machine")


def usage_here(
    *, cpus: float, cpus_there: float, gpus: float = 0.0, gpus_there: float = 0.0
) -> Usage:
    """How many CPUs and GPUs of this machine trials use, and how much memory all processes use.

    Args:
        cpus: number of CPUs that trials use.
        cpus_there: number of CPUs that trials may use.
        gpus: number of GPUs that trials use.
        gpus_there: number of GPUs that trials may use.
    """
    import psutil

    memory = psutil.virtual_memory()
    return Usage(
        used=Resources(cpus=cpus, memory=memory.total - memory.available, gpus=gpus),
        there=Resources(cpus=cpus_there, memory=memory.total, gpus=gpus_there),
    )


def cpu_count() -> int:
    """Number of CPUs that this process may use (its affinity, on Linux)."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def libraries() -> dict[str, str]:
    """Name -> version of Python and of each of ``LIBRARIES``; none of them is imported."""
    return {"python": platform.python_version(), **{name: installed(name) for name in LIBRARIES}}


@cache
def installed(name: str) -> str:
    """Version of a package, without importing it; empty where it is not installed.

    A process asks once: the answer is parsed from the package's metadata, and every outcome keeps
    eight of them.
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
