"""What a cluster is: tasks in, events out. This file knows no Ray, no network and no audio."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.execution.events import Event
from orchestrator.planning.cost.resources import Usage

LOW_MEMORY = "a machine ran low on memory and Ray ended a worker"
"""What ``Cluster.train`` returns when memory ended it early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a worker gets: the trial to train and the store to write to. Plain values."""

    id: str
    """The trial's id."""
    identity: Mapping[str, Any]
    """The trial's settings; the id is their digest."""
    store: str
    """A folder, or `s3://BUCKET/PATH`."""
    device: str = "cpu"
    """``cpu`` or ``cuda``."""
    gpu_share: float = 1.0
    """The fraction of a GPU's memory that the trial may take."""


OnEvent = Callable[[Event], None]
"""Is called with every event."""

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Applies a function to items; yields the results in the order of the items."""

Work = Callable[[Task, OnEvent], None]
"""Trains one task, writes its record to the store, and reports only through ``OnEvent``."""


class Cluster(Protocol):
    """Where tasks are trained. A context manager: machines are held between enter and exit."""

    @property
    def slots(self) -> int:
        """How many trials train at once."""

    @property
    def device(self) -> str:
        """The device of every trial, ``cpu`` or ``cuda``."""

    @property
    def note(self) -> str:
        """What a person should know of these machines; empty where there is nothing."""

    def __enter__(self) -> "Cluster":
        """Take the machines."""

    def __exit__(self, *error: object) -> None:
        """Release the machines."""

    def usage(self) -> Usage | None:
        """What is used of the machines now; None while they are not held."""

    def train(self, tasks: Sequence[Task], work: Work, on_event: OnEvent) -> str:
        """Train every task once. The death of a worker is not raised: the ledger shows it.

        Returns:
            Why the cluster ended before every task had its turn; empty when it did not.
        """

    def give_more_memory(self) -> str:
        """Give each trial more memory from the next ``train`` on, so that fewer train at once.

        Returns:
            What changes, as a sentence; empty where a trial cannot have more.
        """

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to every item; yields results in order. Its exceptions rise."""
