"""Why an attempt failed: an exception -> the cause that decides whether the trial is retried."""

import torch

from features.errors import FeatureError
from model.errors import DivergedError
from orchestrator.errors import DamageError, LackError
from orchestrator.store.files import is_refusal
from orchestrator.store.records import Cause


def cause_of(error: Exception) -> Cause:
    """The cause of a failure; `retries.py` says what follows from each."""
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, FeatureError | DamageError):
        return "data"
    if isinstance(error, LackError) or is_refusal(error) or is_out_of_memory(error):
        return "infrastructure"
    return "code"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the machine or on its GPU.

    PyTorch's CPU allocator and a thread that cannot start raise a plain RuntimeError, so the
    message decides.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    messages = ("DefaultCPUAllocator", "can't start new thread")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in messages)
