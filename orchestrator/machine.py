"""What kind of machine this is. Light: it asks the system, and no engine.

What an epoch takes is kept by kind: another processor, GPU or PyTorch is measured anew.
"""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.libraries import installed

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
