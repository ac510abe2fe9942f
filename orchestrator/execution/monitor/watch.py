"""``ablate watch``: the events of a study's run, from its store alone, on any machine.

The store is polled. A poll is cheap: the record of a finished trial is read once, and of a trial
that nobody has begun only the name of its folder is looked for.
"""

import time
from collections.abc import Callable, Iterator

from orchestrator.analysis.adaptive import with_wanted_trials
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
"""Polls without a training before that is reported: between two trials there is none either."""

RETRIED_S = WAITS_S[-1] + 10.0
"""Seconds in which a live run retries a failed trial: its wait, and a worker's start."""


def watch(
    ledger: Ledger,
    name: str | None,
    interval_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """The events of a study, until nothing is left to train.

    A failure is not the end at once: a live run is given time to retry. When the study is run in a
    changed form meanwhile, the events are those of the new form from then on.

    Args:
        ledger: the store.
        name: the study's name; None for the study that ran last.
        interval_s: seconds between two polls.
        sleep: waits for so many seconds.
        clock: seconds that only grow.

    Raises:
        RequestError: no study of that name has run here.
        LackError: no study has run here at all.
        DamageError: a snapshot, or a record that is new, is not what was written.
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
    """One snapshot of a study, and what earlier polls saw of its trials."""

    def __init__(self, ledger: Ledger, snapshot: Snapshot, clock: Callable[[], float]) -> None:
        self._ledger, self._full_snapshot, self._clock = ledger, snapshot, clock
        self._snapshot = with_wanted_trials(snapshot, ledger)
        self._may_retry_until = clock()
        """Until when a live run may retry what has failed."""
        self._open = dict.fromkeys(trial.id for trial in self._snapshot.all_trials)
        """Trials that are not known to be done, in the table's order."""
        self._judging = {trial.id for trial in snapshot.all_trials if trial.row == CHOSEN}
        """Trials that judge what a search chose: their dev scores are hidden."""
        self._epochs: dict[str, int] = {}
        """Trial in training -> the last epoch that was seen."""
        self._failures: dict[str, int] = {}
        """Trial -> how many failure records it has."""
        self._failed: set[str] = set()
        self._ended: dict[str, float | None] = {}
        """Trial that failed -> since when its lease was held: the file may outlive the failure."""
        self._polls = self._idle_polls = 0

    def begin(self) -> Iterator[Event]:
        """The study's trials, and which of them are done."""
        ids = list(self._open)
        done = {id for id, names in self._open_files().items() if OUTCOME in names}
        self._open = {id: None for id in ids if id not in done}
        yield Planned(self._snapshot.all_trials, frozenset(done), 0, self._snapshot.study)

    def _next_stage(self) -> Iterator[Event]:
        """The next trials of an adaptive study, once those of the stage before are done."""
        snapshot = with_wanted_trials(self._full_snapshot, self._ledger)
        if len(snapshot.trials) > len(self._snapshot.trials):
            self._snapshot = snapshot
            self._open = dict.fromkeys(trial.id for trial in snapshot.trials)
            yield from self.begin()

    def poll(self) -> Iterator[Event]:
        """What has changed since the last poll."""
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
        """Whether nothing is left to train, and a search proposes nothing more."""
        searching = self._snapshot.search is not None and not self._snapshot.search.closed
        if searching or self._open.keys() - self._failed or self._epochs:
            return False
        return not self._failed or self._clock() >= self._may_retry_until

    def _open_files(self) -> dict[str, set[str]]:
        """Open trial that has a folder -> the names of its files."""
        folders = set(files.folders_in(self._ledger.paths.trials))
        return self._ledger.files_of([id for id in self._open if id in folders])

    def _finish(self, id: str) -> Iterator[Event]:
        del self._open[id]
        self._epochs.pop(id, None)
        self._failed.discard(id)
        outcome = self._ledger.outcomes.read(id)
        yield Done(id, outcome.seconds if outcome else 0.0)

    def _poll_trial(self, id: str, names: set[str]) -> Iterator[Event]:
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
        """The event of a trial that nobody trains any more: failed, or stopped without a record."""
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
