"""Processes of their own that need not import: forks of one that has imported `tests.warm`."""

import multiprocessing
import sys

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.warm"])


def check_warm() -> None:
    """Called in a fork: a preload that fails is passed over in silence, and every fork imports."""
    assert "tests.warm" in sys.modules, "tests/warm.py names a module that cannot be imported"
