"""Settings of glibc's memory allocator: freed memory is kept during a training, returned after it.

Keeping it saves time, since a training step frees and allocates tensors of the same sizes again.
"""

import ctypes
import sys
from typing import Any

LARGEST = 1 << 25
"""Bytes (32 MiB): a block up to this size comes from the heap, which can keep it when freed."""
KEPT = 1 << 29
"""Most bytes (512 MiB) of freed memory that the heap keeps instead of returning them."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Ask glibc to keep up to 512 MiB of freed memory instead of returning it at once.

    By default every large tensor is fresh memory from the system, a page fault per 4 KiB:
    about a sixth of a training step (826 -> 703 ms at 128 segments of 120 nodes, where page faults
    are dear). Results are the same to the bit. The setting lasts as long as the process.

    Returns:
        Whether glibc accepted; False, and no change, on other systems than Linux with glibc.
    """
    mallopt = _glibc("mallopt")
    return bool(mallopt and mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, KEPT))


def return_freed_memory() -> None:
    """Return the heap's freed memory to the system; call it between two trainings of a process.

    The kept memory is fragmented, and the next training's tensors do not fit its pieces: a Ray
    worker went from 450 to 1,300 MiB within ten trainings, where each alone needs 500. The call
    takes a few ms and does nothing without glibc.
    """
    if trim := _glibc("malloc_trim"):
        trim(0)


def _glibc(name: str) -> Any:
    """Look up a function of the C library; None outside Linux or if the library lacks it."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
