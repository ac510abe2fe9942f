"""Audio files to nodes, in one process or several. Light to import."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features import lld
from features.audio import read_mono
from features.errors import DamageError, MissingError
from features.segments import pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Task = tuple[Path, float | None, float | None, int]
"""Audio file, the seconds where the utterance starts and ends in it, node step."""

FILES_A_PROCESS = 40
"""Starting a process costs about a second, as much as this many short files."""


def extract_file(task: Task) -> "NDArray[np.float32]":
    """Audio file, part of it and node step -> nodes. Shape: (N, F).

    Raises:
        DamageError: the file cannot be read, or gives values that are no numbers.
    """
    import numpy as np

    path, start, end, node_step = task
    nodes = pool(lld.extract(read_mono(path, lld.RATE, start=start, end=end)), node_step)
    if not np.isfinite(nodes).all():
        raise DamageError(
            f"The features of {path} hold values that are no numbers: check the recording, or "
            "remove it from the corpus."
        )
    return nodes


@contextmanager
def extracted(tasks: Sequence[Task], processes: int) -> Iterator[Iterator["NDArray[np.float32]"]]:
    """Nodes of every task, in the order of the tasks.

    Fresh interpreters do the work, `processes` at most; few files are done right here instead.
    Leaving the context early, interrupts included, ends the processes.

    Raises:
        DamageError: as `extract_file`.
        MissingError: a process was killed from outside.
    """
    processes = min(processes, -(-len(tasks) // FILES_A_PROCESS))
    if processes <= 1:
        yield map(extract_file, tasks)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Spawned, not forked: the caller may have threads. An interrupt is ours to handle, not theirs.
    workers = ProcessPoolExecutor(processes, get_context("spawn"), _ignore_interrupts)
    try:
        yield workers.map(extract_file, tasks, chunksize=4)
    except BrokenProcessPool as error:
        raise MissingError(
            "A process that computes features was killed from outside (memory?): what is done is "
            "kept, so run the same command again, with fewer processes if it recurs."
        ) from error
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
