"""The events of a run: frozen values that a view shows, a tracker logs, a test reads.

They travel as plain mappings from a worker to its driver, and as lines of JSON in a job's log
(``ablate run --json``).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.store.records import Cause
from orchestrator.store.snapshot import SnapshotTrial


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the person at the terminal; ``loud`` where it must not be overlooked."""

    sentence: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step before the trainings is."""

    what: str
    """The step, such as ``extracting features``."""
    done: int
    total: int
    """0 where the step is not counted."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan was made: these trials are to be done."""

    placed: tuple[SnapshotTrial, ...]
    """All trials of the plan, each at its place in the table: row, fold, seed."""
    done: frozenset[str]
    """Ids of the trials that are done already."""
    slots: int
    """How many trials train at once; 0 where unknown."""
    study: str = ""
    """The study's name."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """No trial can train now; the sentence says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Started:
    """A trial started to train, for the first time or once more."""

    id: str
    whole: bool = True
    """Whether this event came as it started; a watcher of the store may have come later."""
    host: str = ""
    """The machine that trains it; empty where unknown."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A trial finished an epoch."""

    id: str
    epoch: int
    """Counted from 1."""
    epochs: int
    """The most epochs that the trial can have; 0 where unknown."""
    dev_ua: float | None
    """The UA on dev speech, 0 to 1: the mean of the two test directions. None for a training that
    judges what a search chose, since dev speech of one direction is test speech of the other."""
    least: int = 0
    """The fewest epochs that the trial can have: its patience runs from the best one so far."""


@dataclass(frozen=True, slots=True)
class Done:
    """A trial's outcome is in the store."""

    id: str
    seconds: float
    """How long this attempt trained; 0 where the trial had been done before."""


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt failed; the trial is retried, after a wait."""

    id: str
    cause: Cause
    sentence: str
    attempt: int
    """The number of the next attempt, counted from 1."""
    of: int
    """The most attempts that the run makes."""
    wait_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed. A run's listener gets this event for the last attempt only."""

    id: str
    cause: Cause
    sentence: str
    record: str
    """Where the failure record with the traceback lies."""
    memory: bool = False
    """Whether memory ran out, on the machine or its GPU: a trial given more may succeed."""


@dataclass(frozen=True, slots=True)
class Differs:
    """A trial was finished twice with different numbers: an alarm."""

    id: str
    record: str
    """Where the second outcome lies."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A trial does not train any more and left no record: interrupted, or its machine died."""

    id: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another run trains this trial."""

    id: str


Event = (
    Note
    | Progress
    | Planned
    | Waiting
    | Started
    | Epoch
    | Done
    | Retry
    | Failed
    | Differs
    | Stopped
    | Elsewhere
)

_NAMES: dict[type[Event], str] = {
    kind: "Again" if kind is Retry else kind.__name__ for kind in Event.__args__
}
"""Event type -> its name in JSON: the type's own, except `Again`, the older name of `Retry`."""
_KINDS = {name: kind for kind, name in _NAMES.items()}


def pack(event: Event) -> dict[str, Any]:
    """An event as a mapping of plain values."""
    return {"kind": _NAMES[type(event)], "values": asdict(event)}


def unpack(packed: Mapping[str, Any]) -> Event:
    """The event of a mapping that ``pack`` made.

    Raises:
        KeyError, TypeError: the mapping is no event.
    """
    values = dict(packed["values"])
    if packed["kind"] == "Planned":
        values["placed"] = tuple(SnapshotTrial(**item) for item in values["placed"])
        values["done"] = frozenset(values["done"])
    return _KINDS[packed["kind"]](**values)


def to_line(event: Event) -> str:
    """An event as one line of JSON."""
    return json.dumps(pack(event), default=sorted)


def print_line(event: Event) -> None:
    """Print an event as one line of JSON, at once."""
    print(to_line(event), flush=True)


def from_line(line: str) -> Event | None:
    """The event of a line; None where the line is none, as a log may hold any."""
    try:
        return unpack(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None
