"""The events of a run (a trial started, an epoch ended, ...), as frozen values, and their JSON.

Workers, the scheduler and `ablate watch` make events; the terminal's display and trackers consume
them. Between a worker and the driver (the process of `ablate run`) an event is a plain mapping
(``pack``); in the output of ``ablate run --json`` it is one line of JSON (``to_line``).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.store.records import Cause
from orchestrator.store.snapshot import SnapshotTrial


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the person at the terminal."""

    sentence: str
    """The text, such as `Search: its budget (3 hours) is used; ...`."""
    loud: bool = False
    """Whether the sentence must not be overlooked, as a warning must not."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step of preparation is, before any trial trains."""

    what: str
    """The step, such as ``extracting features``."""
    done: int
    """How many parts of the step (such as recordings) are done."""
    total: int
    """How many parts the step has; 0 where it is not counted."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The trials that are trained from now on: of a study, a stage or a search's generation.

    Replaces the list of trials of an earlier such event.
    """

    placed: tuple[SnapshotTrial, ...]
    """All these trials, finished or not, each with its row, fold and seed."""
    done: frozenset[str]
    """Ids of those that have an outcome in the store already."""
    lanes: int
    """How many trials train at the same time; 0 where unknown. Its key in JSON is ``slots``."""
    study: str = ""
    """The study's name."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """No trial trains now, and none can start."""

    sentence: str
    """The reason, such as `Others use this cluster: ...`."""


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt at a trial began: the first one or a retry."""

    id: str
    """The trial's id."""
    whole: bool = True
    """True where the attempt began just now; False where it may have trained for some time already,
    as `ablate watch` finds it."""
    host: str = ""
    """Host name of the machine that trains the trial; empty where unknown."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A trial finished an epoch."""

    id: str
    """The trial's id."""
    epoch: int
    """The number of the epoch that ended, counted from 1."""
    epochs: int
    """The most epochs that the trial can have; 0 where unknown."""
    dev_ua: float | None
    """The mean of the UAs on halves A and B of the held-out group after this epoch, 0 to 1.

    None for a training that tests a winner of a search: while the search lasts, nobody may see
    these scores.
    """
    least: int = 0
    """The fewest epochs that the trial can still end with: the patience (epochs without improvement
    before a half chooses no more) after the later one of the two epochs chosen so far, at most
    ``epochs``."""


@dataclass(frozen=True, slots=True)
class Done:
    """A trial's outcome is in the store."""

    id: str
    """The trial's id."""
    seconds: float
    """Seconds that this attempt took; 0 where the outcome was in the store already."""


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt failed, and the run will start the trial once more."""

    id: str
    """The trial's id."""
    cause: Cause
    """The kind of failure, such as ``infrastructure``."""
    sentence: str
    """What went wrong in the attempt that failed."""
    attempt: int
    """The number of the next attempt, counted from 1."""
    of: int
    """The most attempts that the run makes at one trial."""
    wait_s: float
    """Seconds from now before the next attempt may start."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed. A worker sends this event after each failed attempt.

    The listener of a run gets it only when the run makes no further attempt (else: ``Retry``).
    """

    id: str
    """The trial's id."""
    cause: Cause
    """The kind of failure: ``infrastructure``, ``data``, ``code`` or ``diverged``."""
    sentence: str
    """What went wrong, in one line."""
    record: str
    """Path of the failure record, which holds the traceback."""
    memory: bool = False
    """Whether the machine or its GPU ran out of memory: a trial given more may succeed."""


@dataclass(frozen=True, slots=True)
class Differs:
    """A trial was finished twice with different numbers: an alarm. The first outcome counts."""

    id: str
    """The trial's id."""
    record: str
    """Path of the second outcome."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """An attempt ended without an outcome or failure record: interrupted, or its machine died."""

    id: str
    """The trial's id."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another run trains this trial (it holds the trial's lease), so this run does not."""

    id: str
    """The trial's id."""


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
"""Event type -> the name that stands for it in JSON: that of the type, but `Again` for `Retry`."""
_KINDS = {name: kind for kind, name in _NAMES.items()}


def pack(event: Event) -> dict[str, Any]:
    """An event as ``{"kind": NAME, "values": {FIELD: value}}``, for ``unpack``."""
    values = asdict(event)
    if isinstance(event, Planned):
        values = {"slots" if key == "lanes" else key: value for key, value in values.items()}
    return {"kind": _NAMES[type(event)], "values": values}


def unpack(packed: Mapping[str, Any]) -> Event:
    """The event from a mapping that ``pack`` made, also after a way through JSON.

    Raises:
        KeyError, TypeError: the mapping does not describe an event.
    """
    values = dict(packed["values"])
    if packed["kind"] == "Planned":
        values["placed"] = tuple(SnapshotTrial(**item) for item in values["placed"])
        values["done"] = frozenset(values["done"])
        values["lanes"] = values.pop("slots")
    return _KINDS[packed["kind"]](**values)


def to_line(event: Event) -> str:
    """An event as one line of JSON, without a line end."""
    return json.dumps(pack(event), default=sorted)


def print_line(event: Event) -> None:
    """Print an event to stdout as one line of JSON, and flush."""
    print(to_line(event), flush=True)


def from_line(line: str) -> Event | None:
    """The event in a line that ``to_line`` made; None for any other line of a log."""
    try:
        return unpack(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None
