"""What a cluster is: tasks in, events out. This file knows no Ray, no network and no audio."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.execution.events import Event
from orchestrator.planning.cost.resources import Usage

LOW_MEMORY = "a machine ran low on memory and Ray ended a worker"
"""Why a scheduler ended early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """All that a worker is told: what to train and where the store lies. Plain values."""

    id: str
    identity: Mapping[str, Any]
    store: str
    device: str = "cpu"
    gpu_share: float = 1.0
    """Of a GPU's memory: no more is taken, so that those beside it keep theirs."""


OnEvent = Callable[[Event], None]
Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Applies a function to items and gives the results in their order."""

Work = Callable[[Task, OnEvent], None]
"""Trains one task, writes its record, tells. Everything it has to say goes through ``OnEvent``."""


class Cluster(Protocol):
    """Where tasks are trained. Used as a context: machines are held between enter and exit."""

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
        """Give them back."""

    def usage(self) -> Usage | None:
        """What is used of the machines now; None where they are not held."""

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        """Train every task once. Deaths of workers are not raised: the ledger shows them.

        Returns:
            Why the scheduler ended before every task had its turn; empty when it did not.
        """

    def spread(self) -> str:
        """Give each trial more room from the next ``train`` on, since memory ran out.

        Returns:
            What changes, as a sentence; empty where there is no more room to give.
        """

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to every item; results in order, as they come. What it raises rises."""
