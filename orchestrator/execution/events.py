"""What a run tells while it goes on: plain frozen values that a view shows or a log keeps.

They travel as plain mappings from a worker to its driver, and as lines of JSON in a job's log.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.store.records import Cause
from orchestrator.store.snapshot import SnapshotTrial


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

    placed: tuple[SnapshotTrial, ...]
    done: frozenset[str]
    slots: int
    """How many trials train at once; 0 where nobody has said so."""
    study: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """No trial has a place on the cluster now; the sentence says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Started:
    """A trial began (or began again)."""

    id: str
    whole: bool = True
    """Seen from its beginning; a watcher of the store may have come later."""
    host: str = ""
    """Which machine trains it, where that is known."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A trial finished an epoch."""

    id: str
    epoch: int
    epochs: int
    """Most that it may have; 0 where nobody has said so."""
    dev_ua: float | None
    """The mean of its two directions, 0 to 1; None of a training that judges what a search chose:
    dev of one direction is test of the other."""
    least: int = 0
    """Fewest that it will have, as its patience runs from the best so far."""


@dataclass(frozen=True, slots=True)
class Done:
    """A trial's outcome is in the ledger."""

    id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
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
    memory: bool = False
    """It lacked memory, of the machine or of its GPU: more room may help."""


@dataclass(frozen=True, slots=True)
class Differs:
    """A trial was finished twice with different numbers: an alarm."""

    id: str
    record: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nobody trains it any more, and no word was left: interrupted, or its machine died."""

    id: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another run trains this trial."""

    id: str


Event = (
    Note | Progress | Planned | Waiting
    | Started | Epoch | Done | Retry | Failed | Differs | Stopped | Elsewhere
)  # fmt: skip

_NAMES: dict[type[Event], str] = {
    kind: "Again" if kind is Retry else kind.__name__ for kind in Event.__args__
}
"""What a line of JSON calls each kind: its type, but `Again` for `Retry`, as it was once called."""
_KINDS = {name: kind for kind, name in _NAMES.items()}


def pack(event: Event) -> dict[str, Any]:
    """An event as plain values."""
    return {"kind": _NAMES[type(event)], "values": asdict(event)}


def unpack(packed: Mapping[str, Any]) -> Event:
    """The event that was packed.

    Raises:
        KeyError, TypeError: it is none.
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
    """The event of a line; None for any other line that a log may hold."""
    try:
        return unpack(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None
