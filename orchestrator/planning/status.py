"""Where every study of a store stands, by the store alone: records, claims and checkpoints.

So it answers in another terminal, on another machine, and after everything is dead.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.adaptive import with_wanted_trials
from orchestrator.errors import RequestError, first_line, nearest
from orchestrator.store.files import in_parallel
from orchestrator.store.leases import LEASE_S, is_gone, read_lease
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import CHECKPOINT, FAILURE, LEASE, OUTCOME
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

TrialState = Literal["done", "failed", "in flight", "to do"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a trial, by its claim."""

    host: str
    since: float | None
    """When it was claimed, by that machine's clock."""
    silent: float
    """Seconds since its last sign of life, as far as the clocks agree."""
    gone: bool
    """It is provably dead (same machine, no such process): the next run takes the trial over."""

    @property
    def lost(self) -> bool:
        """Whether the next run takes the trial over: at once, or after a lease of silence."""
        return self.gone or self.silent > LEASE_S


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStatus:
    """Where one trial stands."""

    place: SnapshotTrial
    state: TrialState
    epoch: int = 0
    """Epochs that its checkpoint holds."""
    holder: Holder | None = None
    why: str = ""
    """Of a failed one: cause and sentence of its last attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyStatus:
    """Where one study stands, as it was last asked for."""

    snapshot: Snapshot
    trials: tuple[TrialStatus, ...]
    """Each id once, at its first place in the table; of an adaptive study those asked for now."""

    def count(self, state: TrialState) -> int:
        """How many trials are in that state."""
        return sum(trial.state == state for trial in self.trials)


def study_statuses(ledger: Ledger, name: str | None = None) -> tuple[StudyStatus, ...]:
    """Every study of the store, or the one of that name, newest first.

    Raises:
        RequestError: no study of that name has run here.
        DamageError: a snapshot is not what was written.
    """
    newest = newest_snapshots(ledger)
    if name is None:
        return tuple(_study(ledger, snapshot) for snapshot in newest.values())
    if name not in newest:
        raise unknown_study(name, newest)
    return (_study(ledger, newest[name]),)


def unknown_study(name: str, known: Iterable[str]) -> RequestError:
    """No study of that name has run; which have."""
    hint = nearest(name, known) if known else "None has run yet."
    return RequestError(f"No study `{name}` has run in this store. {hint}")


def newest_snapshots(ledger: Ledger) -> dict[str, Snapshot]:
    """Every study as it was last asked for, newest first."""
    newest: dict[str, Snapshot] = {}
    for snapshot in ledger.studies.snapshots():
        newest.setdefault(snapshot.study, snapshot)
    return newest


def trial_status(ledger: Ledger, place: SnapshotTrial, names: Iterable[str]) -> TrialStatus:
    """One trial, by the names of the files in its folder."""
    files = set(names)
    if OUTCOME in files:
        return TrialStatus(place=place, state="done")
    holder = lease_holder(ledger, place.id) if LEASE in files else None
    epoch = ledger.attempts.progress(place.id).epoch if CHECKPOINT in files else 0
    if holder is not None and not holder.gone:
        return TrialStatus(place=place, state="in flight", epoch=epoch, holder=holder)
    if any(map(FAILURE.fullmatch, files)):
        last = ledger.attempts.read_failure(ledger.attempts.failure_files(place.id)[-1])
        why = f"{last.cause}: {first_line(last.sentence)}"
        return TrialStatus(place=place, state="failed", epoch=epoch, why=why, holder=holder)
    return TrialStatus(place=place, state="to do", epoch=epoch, holder=holder)


def lease_holder(ledger: Ledger, id: str) -> Holder | None:
    """Who holds a trial; None when nobody does."""
    path = ledger.paths.lease_file(id)
    claim = read_lease(path)
    if claim is None:
        return None
    try:
        silent = max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None
    since = claim.get("since")
    return Holder(
        host=str(claim.get("host", "?")),
        since=since if isinstance(since, float) else None,
        silent=silent,
        gone=is_gone(claim),
    )


def _study(ledger: Ledger, snapshot: Snapshot) -> StudyStatus:
    snapshot = with_wanted_trials(snapshot, ledger)
    first: dict[str, SnapshotTrial] = {}
    for trial in snapshot.all_trials:
        first.setdefault(trial.id, trial)
    names = ledger.files_of(first)
    trials = in_parallel(
        ledger.root, lambda id: trial_status(ledger, first[id], names[id]), list(first)
    )
    return StudyStatus(snapshot=snapshot, trials=tuple(trials))
