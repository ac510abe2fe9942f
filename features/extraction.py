"""Audio files to nodes: in one process, in several, or where the caller maps. Light to import."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.audio import RATE, read_mono
from features.errors import DamageError, MissingError
from features.feature_set import FeatureSet
from features.segments import pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILES_A_PROCESS = 40
"""Starting a process costs about a second, as much as this many short files."""


@dataclass(frozen=True, slots=True)
class Task:
    """One file to read. Pickles."""

    path: Path
    start: float | None
    """Seconds where the utterance starts in its file; None for the file's start."""
    end: float | None
    features: FeatureSet
    node_step: int


Map = Callable[
    [Callable[[Task], "NDArray[np.float32]"], Sequence[Task]], Iterator["NDArray[np.float32]"]
]
"""Something that applies a function to items and gives the results in their order."""


def extract_file(task: Task) -> "NDArray[np.float32]":
    """Audio file, or a part of it -> nodes. Shape: (N, F).

    Raises:
        DamageError: the file cannot be read, or gives values that are no numbers.
    """
    import numpy as np

    signal = read_mono(task.path, RATE, start=task.start, end=task.end)
    nodes = pool(task.features.extract(signal), task.node_step)
    if not np.isfinite(nodes).all():
        raise DamageError(
            f"The features of {task.path} hold values that are no numbers: check the recording, or "
            "remove it from the corpus."
        )
    return nodes


@contextmanager
def extracted(
    tasks: Sequence[Task], processes: int, elsewhere: Map | None = None
) -> Iterator[Iterator["NDArray[np.float32]"]]:
    """Nodes of every task, in the order of the tasks.

    Fresh interpreters do the work, `processes` at most; few files are done right here instead;
    with `elsewhere`, it is handed all of them.
    Leaving the context early, interrupts included, ends the processes.

    Raises:
        DamageError: as `extract_file`.
        MissingError: a process was killed from outside.
    """
    if elsewhere is not None:
        yield elsewhere(extract_file, tasks)
        return
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
