"""Random seeds, derived and never stored; and torch's global settings that a training pins.

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
        epoch: number of the epoch that draws, from 1; 0 for draws before the first epoch.
        purpose: what is drawn: ``init`` (weights), ``order`` (of segments), ``training`` (dropout).

    Returns:
        A seed from 0 to 2**63 - 1, the same on every machine.

    Example:
        >>> derive(0, 1, "order") == derive(0, 1, "order") != derive(0, 2, "order")
        True
    """
    digest = blake2b(f"{seed}/{epoch}/{purpose}".encode(), digest_size=8, person=b"ablate")
    return int.from_bytes(digest.digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class PinnedSetting:
    """A process-wide setting of torch that can change a training's bits, with the value it needs.

    Attributes:
        name: the setting's name in torch, such as ``num_threads``, for errors.
        wanted: the value that it must have in every trial.
        read: returns the present value.
        write: sets the value.
    """

    name: str
    wanted: object
    read: Callable[[], object]
    write: Callable[[Any], object]


def _attribute(holder: Any, path: str, wanted: object) -> PinnedSetting:
    """Make a `PinnedSetting` of an attribute of one of torch's modules.

    Args:
        holder: the module, such as ``torch.backends.cudnn``.
        path: dotted name for errors; its last part is the attribute.
        wanted: the value that the attribute must have.
    """
    name = path.rpartition(".")[2]
    return PinnedSetting(
        path, wanted, lambda: getattr(holder, name), lambda value: setattr(holder, name, value)
    )


def _flushes() -> bool:
    """Whether denormals (floats below 1.2e-38) become 0 now; found by multiplying one."""
    return bool(torch.tensor([1e-40]).mul(1).eq(0).item())


def _can_flush() -> bool:
    """Whether this processor can turn denormals into 0; the present setting is restored."""
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
    """Give every setting of ``SETTINGS`` its wanted value, at the start of a trial.

    The environment variable ``CUBLAS_WORKSPACE_CONFIG`` is set too; it has an effect only if CUDA
    has not started in this process.
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
