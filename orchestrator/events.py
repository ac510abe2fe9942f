"""What a run tells while it goes on: plain frozen values that a view shows or a log keeps."""

from dataclasses import dataclass

from orchestrator.ledger import Cause
from orchestrator.trials import Placed


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the person; ``loud`` when it must not be overlooked."""

    sentence: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A step before training: so many of so many."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The trials of the study: ``placed`` all of them, ``done`` the ids already finished."""

    placed: tuple[Placed, ...]
    done: frozenset[str]
    slots: int
    """How many trials train at once."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """No trial has a place on the cluster now; the sentence says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Started:
    """A trial began (or began again)."""

    id: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """A trial finished an epoch. ``dev_ua`` is the mean of its two directions, 0 to 1."""

    id: str
    epoch: int
    epochs: int
    dev_ua: float


@dataclass(frozen=True, slots=True)
class Done:
    """A trial's outcome is in the ledger."""

    id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Again:
    """An attempt ended without a record; the trial is trained again, after a wait."""

    id: str
    cause: Cause
    sentence: str
    attempt: int
    """Which attempt comes next, counted from 1."""
    of: int
    """How many there are at the most."""
    wait_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed; where its traceback lies. Of a run's listener: its last attempt."""

    id: str
    cause: Cause
    sentence: str
    record: str


@dataclass(frozen=True, slots=True)
class Differs:
    """A trial was finished twice with different numbers: an alarm."""

    id: str
    record: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another run trains this trial."""

    id: str


Event = (
    Note | Progress | Planned | Waiting
    | Started | Epoch | Done | Again | Failed | Differs | Elsewhere
)  # fmt: skip
