"""Extracting the nodes of audio files, in threads or on other machines. Light to import.

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
    """One utterance to extract: an audio file or a part of it. It can be pickled."""

    path: Path
    """The audio file."""
    start: float | None
    """Seconds where the utterance starts in its file; None for the file's start."""
    end: float | None
    """Seconds where the utterance ends; None for the file's end."""
    features: FeatureSet
    """The descriptor set to compute."""
    node_step: int
    """Milliseconds from node to node: a multiple of 10."""
    mend: bool = False
    """Whether what lies behind a header that says 0 is read."""


ParallelMap = Callable[
    [Callable[[ExtractionTask], "NDArray[np.float32]"], Sequence[ExtractionTask]],
    Iterator["NDArray[np.float32]"],
]
"""A function (function, tasks) -> results that applies the function to each task, for example on a
Ray cluster, and yields the results in the order of the tasks."""


def extract_file(task: ExtractionTask) -> "NDArray[np.float32]":
    """Read the audio of one task, compute its descriptors and pool the frames into nodes.

    Returns:
        Nodes, ``(N, F)``, float32.

    Raises:
        ShardDamageError: the file cannot be read, or gives values that are no numbers.
    """
    import numpy as np

    signal = read_mono(task.path, RATE, start=task.start, end=task.end, mend=task.mend)
    nodes = pool(task.features.extract(signal), task.node_step)
    if not np.isfinite(nodes).all():
        raise ShardDamageError(
            f"The features of {task.path} hold values that are no numbers: check the recording, or "
            "remove it from the corpus."
        )
    return nodes


@contextmanager
def extracted(
    tasks: Sequence[ExtractionTask], threads: int, parallel_map: ParallelMap | None = None
) -> Iterator[Iterator["NDArray[np.float32]"]]:
    """Extract all tasks in the background, within a ``with`` block.

    The bits are the same whatever the number of threads. If the block is left early, by an
    interrupt for example, each thread ends after the file that it is reading.

    Args:
        tasks: what to extract.
        threads: the most threads that run at once.
        parallel_map: does the work in place of threads, on other machines; None for threads.

    Yields:
        An iterator over the nodes of each task, ``(N, F)``, float32, in the order of the tasks.

    Raises:
        ShardDamageError: as `extract_file`.
    """
    if parallel_map is not None:
        yield parallel_map(extract_file, tasks)
        return
    from concurrent.futures import ThreadPoolExecutor

    # One thread is a thread too: the caller's own would hear an interrupt only after its file.
    workers = ThreadPoolExecutor(max(threads, 1), "extraction")
    try:
        yield workers.map(extract_file, tasks)
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
