"""Audio files to nodes: in threads, or where the caller maps. Light to import.

Threads, since what computes (openSMILE, librosa's FFT, soxr, libsndfile) does so without Python's
lock. Processes of their own were tried: each takes 0.9 s of a core before its first file, as much
as eighty utterances of a second, so two of them lost to one core below some 200 files.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.audio import RATE, read_mono
from features.descriptors.feature_set import FeatureSet
from features.descriptors.nodes import pool
from features.errors import ShardDamageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ExtractionTask:
    """One file to read. Pickles, for other machines."""

    path: Path
    start: float | None
    """Seconds where the utterance starts in its file; None for the file's start."""
    end: float | None
    features: FeatureSet
    node_step: int


ParallelMap = Callable[
    [Callable[[ExtractionTask], "NDArray[np.float32]"], Sequence[ExtractionTask]],
    Iterator["NDArray[np.float32]"],
]
"""Something that applies a function to items and gives the results in their order."""


def extract_file(task: ExtractionTask) -> "NDArray[np.float32]":
    """Audio file, or a part of it -> nodes. Shape: (N, F).

    Raises:
        ShardDamageError: the file cannot be read, or gives values that are no numbers.
    """
    import numpy as np

    signal = read_mono(task.path, RATE, start=task.start, end=task.end)
    nodes = pool(task.features.extract(signal), task.node_step)
    if not np.isfinite(nodes).all():
        raise ShardDamageError(
            f"The features of {task.path} hold values that are no numbers: check the recording, or "
            "remove it from the corpus."
        )
    return nodes


@contextmanager
def extracted(
    tasks: Sequence[ExtractionTask], threads: int, elsewhere: ParallelMap | None = None
) -> Iterator[Iterator["NDArray[np.float32]"]]:
    """Nodes of every task, in the order of the tasks; the same bits whatever the number of threads.

    `threads` at most run at once; with `elsewhere`, it is handed all of them instead.
    Leaving the context early, interrupts included, ends each thread after its file.

    Raises:
        ShardDamageError: as `extract_file`.
    """
    if elsewhere is not None:
        yield elsewhere(extract_file, tasks)
        return
    from concurrent.futures import ThreadPoolExecutor

    # One thread is a thread too: the caller's own would hear an interrupt only after its file.
    workers = ThreadPoolExecutor(max(threads, 1), "extraction")
    try:
        yield workers.map(extract_file, tasks)
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
