"""The interface of a cluster, which trains tasks and reports events. Knows neither Ray nor torch.

`ray_cluster.py` and `inline.py` implement it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.execution.events import Event
from orchestrator.planning.cost.resources import Usage

LOW_MEMORY = "a machine ran low on memory and Ray ended a worker"
"""What ``Cluster.train`` returns when it ended early for lack of memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One trial for a worker to train, in plain values that travel between processes."""

    id: str
    """The trial's id, 64 hex digits."""
    identity: Mapping[str, Any]
    """All that decides the trial's numbers (settings, speech, seed, ...); the id is its digest."""
    store: str
    """The store to read from and write to: a folder, or `s3://BUCKET/PATH`."""
    device: str = "cpu"
    """The device to train on, ``cpu`` or ``cuda``."""
    gpu_share: float = 1.0
    """The fraction of one GPU's memory that the trial may take, above 0 and at most 1."""


OnEvent = Callable[[Event], None]
"""A listener: a function that is called with each event."""

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Applies a function to each item, and yields the results in the order of the items."""

Work = Callable[[Task, OnEvent], None]
"""Trains one task, writes its outcome or failure to the store, and reports events to a listener."""


class Cluster(Protocol):
    """The machines on which tasks are trained. A context manager: `with` takes and releases them.

    ``lanes``, ``device`` and ``note`` are final once the machines are taken.
    """

    @property
    def lanes(self) -> int:
        """How many trials train at the same time."""

    @property
    def device(self) -> str:
        """The device of every trial, ``cpu`` or ``cuda``."""

    @property
    def note(self) -> str:
        """A sentence that a person should know of these machines; empty where there is none."""

    def __enter__(self) -> "Cluster":
        """Take the machines.

        Raises:
            LackError: the machines cannot be had, or cannot train.
        """

    def __exit__(self, *error: object) -> None:
        """Release the machines."""

    def usage(self) -> Usage | None:
        """CPUs, memory and GPUs in use now, of all that there are; None while none are held."""

    def train(self, tasks: Sequence[Task], work: Work, on_event: OnEvent) -> str:
        """Call ``work`` once for every task, in workers, ``lanes`` at a time; return at the end.

        The death of a worker raises nothing: its trial then has no outcome in the store.

        Args:
            tasks: the tasks.
            work: trains one task, in a worker.
            on_event: is called with every event, in this process.

        Returns:
            Why the cluster ended before each task had its turn; empty where each had it.
        """

    def give_more_memory(self) -> str:
        """Give each trial more memory from the next ``train`` on, so that fewer train at once.

        Returns:
            What has changed, as a sentence; empty where a trial cannot have more.
        """

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to each item in workers; yield the results in the order of the items.

        An exception of the function is raised here.
        """
