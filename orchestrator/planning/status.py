"""The status of every study in a store, read from its records, leases and checkpoints alone.

So ``ablate status`` works in another terminal, on another machine, and after every process ended.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.errors import RequestError, first_line, nearest
from orchestrator.store.files import in_parallel
from orchestrator.store.leases import LEASE_S, is_gone, read_lease
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import CHECKPOINT, FAILURE, LEASE, OUTCOME
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

TrialState = Literal["done", "failed", "in flight", "to do"]
"""``done``: has an outcome; ``in flight``: a living process holds its lease; ``failed``: has failed
attempts alone; ``to do``: none of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The process that holds the lease of a trial, that is, trains it."""

    host: str
    """Name of its machine."""
    since: float | None
    """When it took the lease, in seconds since 1970 by its own clock; None if the lease does not
    say."""
    silent: float
    """Seconds since it last renewed the lease: this machine's time minus the file's, at least 0."""
    gone: bool
    """Whether it has certainly ended: it ran on this machine, which has no such process any
    more."""

    @property
    def lost(self) -> bool:
        """Whether the next run takes the trial over: the process ended or the lease expired."""
        return self.gone or self.silent > LEASE_S


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStatus:
    """The state of one trial in the store, and who trains it."""

    trial: SnapshotTrial
    """Row, fold, seed and id: its first slot in the study."""
    state: TrialState
    """``done``, ``failed``, ``in flight`` (a process trains it now) or ``to do``."""
    epoch: int = 0
    """Number of epochs in its checkpoint; 0 without one, and when it is done."""
    holder: Holder | None = None
    """The process that holds its lease; None where none does."""
    why: str = ""
    """Of a failed trial, cause and message of its last failure, such as ``diverged: ...``; else
    empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyStatus:
    """The status of every trial of one study, as the study last ran."""

    snapshot: Snapshot
    """The newest snapshot; of an adaptive study with the trials that are needed now."""
    trials: tuple[TrialStatus, ...]
    """One for each trial id, in the order of the study."""

    def count(self, state: TrialState) -> int:
        """How many trials are in the given state."""
        return sum(trial.state == state for trial in self.trials)


def study_statuses(ledger: Ledger, name: str | None = None) -> tuple[StudyStatus, ...]:
    """The status of each study in the store, the last run first, or of the one of that name.

    Args:
        ledger: the store.
        name: name of a study; None: all studies.

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
    """An error that says that no study of this name has run here, and names a similar one."""
    hint = nearest(name, known) if known else "None has run yet."
    return RequestError(f"No study `{name}` has run in this store. {hint}")


def newest_snapshots(ledger: Ledger) -> dict[str, Snapshot]:
    """Name of a study -> its newest snapshot, for every study in the store, the last run first."""
    newest: dict[str, Snapshot] = {}
    for snapshot in ledger.studies.snapshots():
        newest.setdefault(snapshot.study, snapshot)
    return newest


def trial_status(ledger: Ledger, trial: SnapshotTrial, names: Iterable[str]) -> TrialStatus:
    """Find the status of one trial.

    Args:
        ledger: the store.
        trial: the trial and its slot.
        names: names of the files in the trial's folder, so that it is not listed again.
    """
    files = set(names)
    if OUTCOME in files:
        return TrialStatus(trial=trial, state="done")
    holder = lease_holder(ledger, trial.id) if LEASE in files else None
    epoch = ledger.attempts.progress(trial.id).epoch if CHECKPOINT in files else 0
    if holder is not None and not holder.gone:
        return TrialStatus(trial=trial, state="in flight", epoch=epoch, holder=holder)
    if any(map(FAILURE.fullmatch, files)):
        last = ledger.attempts.read_failure(ledger.attempts.failure_files(trial.id)[-1])
        why = f"{last.cause}: {first_line(last.sentence)}"
        return TrialStatus(trial=trial, state="failed", epoch=epoch, why=why, holder=holder)
    return TrialStatus(trial=trial, state="to do", epoch=epoch, holder=holder)


def lease_holder(ledger: Ledger, id: str) -> Holder | None:
    """The process that holds the lease of a trial; None where there is no lease."""
    path = ledger.paths.lease_file(id)
    lease = read_lease(path)
    if lease is None:
        return None
    try:
        silent = max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None
    since = lease.get("since")
    return Holder(
        host=str(lease.get("host", "?")),
        since=since if isinstance(since, float) else None,
        silent=silent,
        gone=is_gone(lease),
    )


def _study(ledger: Ledger, snapshot: Snapshot) -> StudyStatus:
    """The status of a study from its newest snapshot."""
    snapshot = with_wanted_trials(snapshot, ledger)
    first: dict[str, SnapshotTrial] = {}
    for trial in snapshot.all_trials:
        first.setdefault(trial.id, trial)
    names = ledger.files_of(first)
    trials = in_parallel(
        ledger.root, lambda id: trial_status(ledger, first[id], names[id]), list(first)
    )
    return StudyStatus(snapshot=snapshot, trials=tuple(trials))
