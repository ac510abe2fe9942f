"""Keeps C libraries from writing to the terminal, while what Python writes still gets there.

libsndfile's decoders print about damaged files, without a name: libmpg123 warnings on stderr, the
one of MIDI dumps on stdout, in the midst of JSON. C libraries print by the variables `stdout` and
`stderr` of the C library, Python by the numbers of the open files: only the variables are changed
here, so no line of another thread is lost.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

_lock = Lock()
_inside = 0
"""Number of blocks that are open now, in all threads."""
_before: list[int | None] = []
"""Values of the variables outside of all blocks."""


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Silence C libraries within a ``with`` block; blocks of several threads may overlap.

    Where the C library's variables cannot be changed (neither glibc nor macOS), nothing is
    silenced.
    """
    global _inside
    with _lock:
        if not _inside:
            _before[:] = [variable.value for variable in _variables()]
            for variable in _variables():
                variable.value = _nowhere()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                for variable, value in zip(_variables(), _before, strict=True):
                    variable.value = value


@cache
def _variables() -> tuple[ctypes.c_void_p, ...]:
    """Return the C library's `stdout` and `stderr`; none where they cannot be changed safely."""
    names = ("__stdoutp", "__stderrp") if sys.platform == "darwin" else ("stdout", "stderr")
    try:
        if sys.platform != "darwin":
            os.confstr("CS_GNU_LIBC_VERSION")  # in other libraries the variables are constant
        return tuple(ctypes.c_void_p.in_dll(ctypes.CDLL(None), name) for name in names)
    except (OSError, ValueError, AttributeError):
        return ()


@cache
def _nowhere() -> int:
    """Open the C library's stream to /dev/null; it stays open, since a thread may still use it."""
    fopen = ctypes.CDLL(None).fopen
    fopen.restype = ctypes.c_void_p
    return int(fopen(os.devnull.encode(), b"w"))
