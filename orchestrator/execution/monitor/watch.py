"""``ablate watch``: derives the events of a study's run from its store alone, on any machine.

The store is polled, and a poll is cheap: the record of a finished trial is read once, and for a
trial that nobody has begun it is only checked whether its folder exists.
"""

import time
from collections.abc import Callable, Iterator

from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.errors import LackError, first_line
from orchestrator.execution.events import (
    Done,
    Epoch,
    Event,
    Failed,
    Planned,
    Started,
    Stopped,
    Waiting,
)
from orchestrator.execution.retries import FINAL, WAITS_S
from orchestrator.planning.status import lease_holder, newest_snapshots, unknown_study
from orchestrator.store import files
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import FAILURE, LEASE, OUTCOME
from orchestrator.store.snapshot import CHOSEN, Snapshot
from orchestrator.store.studies import read_snapshot

IDLE_POLLS = 2
"""Polls in a row that must see no training before ``Waiting`` is reported: between the end of one
trial and the start of the next there is none either."""

RETRIED_S = WAITS_S[-1] + 10.0
"""Seconds after a failure within which a run that is still alive has started the trial again: the
longest wait, and the start of a worker."""


def watch(
    ledger: Ledger,
    name: str | None,
    interval_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Yield the events of a study, until nothing is left to train.

    After a failure a run that is still alive is given ``RETRIED_S`` to retry. When the study file
    is changed and run meanwhile, the events are those of the changed study from then on.

    Args:
        ledger: the store.
        name: the study's name; None for the study that ran last.
        interval_s: seconds between two polls.
        sleep: waits for the given seconds.
        clock: gives the time in seconds and never goes back.

    Raises:
        RequestError: no study of that name has run here.
        LackError: no study has run here at all.
        DamageError: a snapshot, or a record that came since the last poll, is damaged.
    """
    studies = newest_snapshots(ledger)
    if not studies:
        raise LackError(f"No study has run in `{ledger.root}` yet: `ablate run STUDY` starts one.")
    if name is not None and name not in studies:
        raise unknown_study(name, studies)
    name = name or next(iter(studies))
    newest_name = ""
    while True:
        newest = ledger.studies.snapshot_files(name)[0]
        if newest.name != newest_name:
            newest_name, study = newest.name, _WatchedStudy(ledger, read_snapshot(newest), clock)
            yield from study.begin()
        yield from study.poll()
        if study.is_over:
            return
        sleep(interval_s)


class _WatchedStudy:
    """One snapshot of a study, with the state of its trials at the last poll.

    Args:
        ledger: the store.
        snapshot: the study as a run was asked for it.
        clock: gives the time in seconds and never goes back.
    """

    def __init__(self, ledger: Ledger, snapshot: Snapshot, clock: Callable[[], float]) -> None:
        self._ledger, self._full_snapshot, self._clock = ledger, snapshot, clock
        self._snapshot = with_wanted_trials(snapshot, ledger)
        self._may_retry_until = clock()
        """The time (by the clock) until which a run may still retry a trial that has failed."""
        self._open = dict.fromkeys(trial.id for trial in self._snapshot.all_trials)
        """Ids of trials without a known outcome, as keys, in the table's order."""
        self._judging = {trial.id for trial in snapshot.all_trials if trial.row == CHOSEN}
        """Ids of trials that test the winners of a search: while they train, their UA is hidden."""
        self._epochs: dict[str, int] = {}
        """Id of each trial in training -> its last epoch at the last poll; 0 before the first."""
        self._failures: dict[str, int] = {}
        """Trial id -> how many failure records it has."""
        self._failed: set[str] = set()
        """Ids of trials whose last attempt has failed."""
        self._ended: dict[str, float | None] = {}
        """Id of a trial that failed under a lease -> the time in that lease at which it was taken.
        Its file may outlive the failure for a moment, and is not taken for a new attempt."""
        self._polls = self._idle_polls = 0
        """How many polls there were, and the last how many in a row that saw no training."""

    def begin(self) -> Iterator[Event]:
        """Yield ``Planned`` with the study's trials and which of them are done."""
        ids = list(self._open)
        done = {id for id, names in self._open_files().items() if OUTCOME in names}
        self._open = {id: None for id in ids if id not in done}
        yield Planned(self._snapshot.all_trials, frozenset(done), 0, self._snapshot.study)

    def _next_stage(self) -> Iterator[Event]:
        """Yield ``Planned`` anew where an adaptive study needs further seeds after this stage."""
        snapshot = with_wanted_trials(self._full_snapshot, self._ledger)
        if len(snapshot.trials) > len(self._snapshot.trials):
            self._snapshot = snapshot
            self._open = dict.fromkeys(trial.id for trial in snapshot.trials)
            yield from self.begin()

    def poll(self) -> Iterator[Event]:
        """Read the store once, and yield an event for each change since the last poll."""
        for id, names in self._open_files().items():
            if OUTCOME in names:
                yield from self._finish(id)
            else:
                yield from self._poll_trial(id, names)
        if not self._open:
            yield from self._next_stage()
        idle = bool(self._open.keys() - self._failed) and not self._epochs
        self._idle_polls = self._idle_polls + 1 if idle else 0
        if idle and self._idle_polls == (1 if self._polls == 0 else IDLE_POLLS):
            yield Waiting(f"Nothing trains now: `ablate run` of {self._snapshot.study} goes on.")
        self._polls += 1

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to train: no trial, no retry, no configuration of a search."""
        searching = self._snapshot.search is not None and not self._snapshot.search.closed
        if searching or self._open.keys() - self._failed or self._epochs:
            return False
        return not self._failed or self._clock() >= self._may_retry_until

    def _open_files(self) -> dict[str, set[str]]:
        """Id of each trial without an outcome that has a folder -> the names of its files."""
        folders = set(files.folders_in(self._ledger.paths.trials))
        return self._ledger.files_of([id for id in self._open if id in folders])

    def _finish(self, id: str) -> Iterator[Event]:
        """Yield ``Done`` for a trial whose outcome is in the store now."""
        del self._open[id]
        self._epochs.pop(id, None)
        self._failed.discard(id)
        outcome = self._ledger.outcomes.read(id)
        yield Done(id, outcome.seconds if outcome else 0.0)

    def _poll_trial(self, id: str, names: set[str]) -> Iterator[Event]:
        """Yield what has changed of a trial without an outcome, by the names of its files."""
        holder = lease_holder(self._ledger, id) if LEASE in names else None
        if holder is not None and (holder.gone or self._ended.get(id) == holder.since):
            holder = None  # its process is gone, or has just failed and removes the lease
        failures = sum(FAILURE.fullmatch(name) is not None for name in names)
        has_failed = failures > self._failures.get(id, 0)
        self._failures[id] = failures
        if has_failed and holder is not None and id in self._epochs:
            self._ended[id], holder = holder.since, None
        if holder is None:
            if id in self._epochs or has_failed:
                yield self._ended_without_record(id, failures)
            return
        if id not in self._epochs:
            self._failed.discard(id)
            self._epochs[id] = 0
            yield Started(id, whole=False, host=holder.host)
        progress = self._ledger.attempts.progress(id)
        if progress.epoch > self._epochs[id]:
            self._epochs[id] = progress.epoch
            dev_ua = None if id in self._judging else progress.dev_ua[-1]
            yield Epoch(id, progress.epoch, progress.max_epochs, dev_ua, progress.min_epochs)

    def _ended_without_record(self, id: str, failures: int) -> Event:
        """The event for a trial that nobody trains any more and that has no outcome.

        Args:
            id: the trial's id.
            failures: how many failure records it has.

        Returns:
            ``Failed`` where it has a failure record; else ``Stopped``.
        """
        self._epochs.pop(id, None)
        if not failures:
            return Stopped(id)
        self._failed.add(id)
        path = self._ledger.attempts.failure_files(id)[-1]
        last = self._ledger.attempts.read_failure(path)
        if last.cause not in FINAL:  # a failure between two polls needs no clock of another machine
            ago = 0.0 if self._polls else max(0.0, time.time() - last.finished)
            self._may_retry_until = max(self._may_retry_until, self._clock() + RETRIED_S - ago)
        return Failed(id, last.cause, first_line(last.sentence), str(path))
