"""Classifies the exception that ended an attempt; the class decides whether there is a retry."""

import torch

from features.errors import FeatureError
from model.errors import DivergedError
from orchestrator.errors import DamageError, LackError
from orchestrator.store.files import is_refusal
from orchestrator.store.records import Cause


def cause_of(error: Exception) -> Cause:
    """The kind of failure that an exception stands for; `retries.py` says which is retried.

    Returns:
        ``diverged`` (the loss is not a number), ``data`` (features or a file of the store),
        ``infrastructure`` (disk, memory, network, a missing package), else ``code``.
    """
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, FeatureError | DamageError):
        return "data"
    if isinstance(error, LackError) or is_refusal(error) or is_out_of_memory(error):
        return "infrastructure"
    return "code"


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that the machine or its GPU ran out of memory.

    PyTorch's CPU allocator and a thread that cannot start raise a plain RuntimeError, which is
    recognised by its text.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    messages = ("DefaultCPUAllocator", "can't start new thread")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in messages)
