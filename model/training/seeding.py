"""Seeds, which are derived and never stored; and the settings of torch that a training needs.

Every random draw of a training comes from `derive(seed, epoch, purpose)`. So no generator's state
has to be saved: a training resumed at any epoch draws what the uninterrupted one draws.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch

from model.errors import ModelError


def derive(seed: int, epoch: int, purpose: str) -> int:
    """Derive the seed of one kind of random draw from the seed of the trial.

    Args:
        seed: seed of the trial.
        epoch: epoch that draws; 0 for what is drawn before the first.
        purpose: what is drawn, such as ``order``.

    Returns:
        A number below 2**63, the same on every machine.

    Example:
        >>> derive(0, 1, "order") == derive(0, 1, "order") != derive(0, 2, "order")
        True
    """
    digest = blake2b(f"{seed}/{epoch}/{purpose}".encode(), digest_size=8, person=b"ablate")
    return int.from_bytes(digest.digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class PinnedSetting:
    """One setting of the process that may change a result.

    Attributes:
        name: its name in torch, for errors.
        wanted: the value that every trial needs.
        read: returns the value of now.
        write: sets a value.
    """

    name: str
    wanted: object
    read: Callable[[], object]
    write: Callable[[Any], object]


def _attribute(holder: Any, path: str, wanted: object) -> PinnedSetting:
    """Describe a setting that is an attribute of one of torch's modules."""
    name = path.rpartition(".")[2]
    return PinnedSetting(
        path, wanted, lambda: getattr(holder, name), lambda value: setattr(holder, name, value)
    )


def _flushes() -> bool:
    """Whether denormals become zero; torch has no function that tells, so one is multiplied."""
    return bool(torch.tensor([1e-40]).mul(1).eq(0).item())


def _can_flush() -> bool:
    """Whether this processor can turn denormals into zero; the setting stays what it was."""
    before = _flushes()
    can = torch.set_flush_denormal(True)
    torch.set_flush_denormal(before)
    return can


SETTINGS = (
    # One thread: two give other bits, and deterministic algorithms do not change that.
    PinnedSetting("num_threads", 1, torch.get_num_threads, torch.set_num_threads),
    PinnedSetting("default_dtype", torch.float32, torch.get_default_dtype, torch.set_default_dtype),
    PinnedSetting(
        "default_device",
        torch.device("cpu"),
        torch.get_default_device,
        lambda device: torch.set_default_device(None if device.type == "cpu" else device),
    ),
    PinnedSetting(
        "float32_matmul_precision",
        "highest",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    PinnedSetting(
        "deterministic_algorithms",
        True,
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    PinnedSetting("grad_enabled", True, torch.is_grad_enabled, torch.set_grad_enabled),
    PinnedSetting(
        "anomaly_detection",
        False,
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    # Saturated gates and sharp attention are full of denormals, which Intel's processors compute by
    # microcode: 46 trainings of a search took 57.6 min, more with every epoch, and take 41.8.
    # Weights, history and scores of all 46 kept their bits; probabilities below 1.2e-38 became 0.
    PinnedSetting("flush_denormal", _can_flush(), _flushes, torch.set_flush_denormal),
    # We read no memory before writing it: filling it first would only cost time.
    _attribute(torch.utils.deterministic, "utils.deterministic.fill_uninitialized_memory", False),
    _attribute(torch.backends.mkldnn, "backends.mkldnn.enabled", True),
    _attribute(torch.backends.cudnn, "backends.cudnn.deterministic", True),
    _attribute(torch.backends.cudnn, "backends.cudnn.benchmark", False),
    _attribute(torch.backends.cudnn, "backends.cudnn.allow_tf32", False),
    _attribute(torch.backends.cuda.matmul, "backends.cuda.matmul.allow_tf32", False),
)


def pin() -> None:
    """Give every setting of ``SETTINGS`` its wanted value, whatever an earlier trial left.

    ``CUBLAS_WORKSPACE_CONFIG`` is set too; it only counts if CUDA has not started yet.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    for setting in SETTINGS:
        setting.write(setting.wanted)


def verify() -> None:
    """Check, at the end of a trial, that every setting still has its wanted value.

    Raises:
        ModelError: a setting changed while the trial ran, so its numbers are not to be trusted.
    """
    for setting in SETTINGS:
        if (found := setting.read()) != setting.wanted:
            raise ModelError(
                f"torch's `{setting.name}` must be {setting.wanted} throughout a trial, "
                f"but is {found} instead."
            )
