"""What takes seconds to make is made once in a run of pytest, however many workers it has."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first worker who asks makes, while the others wait for it.

    It is read by all: copy it before you change it.

    Args:
        factory: pytest's; the workers of a run have one parent folder.
        name: of the folder.
        make: makes it at a path that does not exist yet.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, stamp = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed to
            make(folder)
            stamp.touch()
    return folder
