"""What happens to a study, by its store alone: the events of a run, from anywhere.

Cheap to ask again: what is done is never looked at twice, and of what nobody has begun only the
name of its folder is looked for.
"""

import time
from collections.abc import Callable, Iterator

from orchestrator.analysis.adaptive import with_wanted_trials
from orchestrator.errors import LackError
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

PATIENCE = 2
"""Looks at which nobody trains until it is said: between two trials nobody does."""

RETRIED_S = WAITS_S[-1] + 10.0
"""A run that lives tries again what has just failed, after its wait and a worker's start."""


def watch(
    ledger: Ledger,
    name: str | None,
    every: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Events of a study until nothing is left to train; of the newest if no name is given.

    A failure of just now may be no end: the run that lives is given time to try again.

    Asked for in another form meanwhile, it is that form from then on.

    Args:
        ledger: the store.
        name: the study's name.
        every: seconds between two looks.
        sleep: waits so long.
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
    form = ""
    while True:
        newest = ledger.studies.snapshot_files(name)[0]
        if newest.name != form:
            form, study = newest.name, _Study(ledger, read_snapshot(newest), clock)
            yield from study.begin()
        yield from study.look()
        if study.over:
            return
        sleep(every)


class _Study:
    """One form of a study, and what was seen of it."""

    def __init__(self, ledger: Ledger, snapshot: Snapshot, clock: Callable[[], float]) -> None:
        self._ledger, self._whole, self._clock = ledger, snapshot, clock
        self._asked = with_wanted_trials(snapshot, ledger)
        self._hoped_for = clock()
        """Until when what has just failed may be tried again."""
        self._open = dict.fromkeys(trial.id for trial in self._asked.every_trial)
        """Ids that are not known to be done."""
        self._judging = {trial.id for trial in snapshot.every_trial if trial.row == CHOSEN}
        """Those of which nothing is shown before they have ended."""
        self._epochs: dict[str, int] = {}
        """Of those that are in flight, the last epoch that was seen."""
        self._failures: dict[str, int] = {}
        self._failed: set[str] = set()
        self._ended: dict[str, float | None] = {}
        """When the claims were made that ended in a failure and may stand for a moment yet."""
        self._looks = self._idle = 0

    def begin(self) -> Iterator[Event]:
        """What is asked, and what is done of it."""
        ids = list(self._open)
        done = {id for id, names in self._names().items() if OUTCOME in names}
        self._open = {id: None for id in ids if id not in done}
        yield Planned(self._asked.every_trial, frozenset(done), 0, self._asked.study)

    def _next_look(self) -> Iterator[Event]:
        """More trials of an adaptive study, when those it asked for are there."""
        snapshot = with_wanted_trials(self._whole, self._ledger)
        if len(snapshot.trials) > len(self._asked.trials):
            self._asked = snapshot
            self._open = dict.fromkeys(trial.id for trial in snapshot.trials)
            yield from self.begin()

    def look(self) -> Iterator[Event]:
        """What has changed since the last look."""
        for id, names in self._names().items():
            if OUTCOME in names:
                yield from self._finish(id)
            else:
                yield from self._look_at(id, names)
        if not self._open:
            yield from self._next_look()
        nobody = bool(self._open.keys() - self._failed) and not self._epochs
        self._idle = self._idle + 1 if nobody else 0
        if nobody and self._idle == (1 if self._looks == 0 else PATIENCE):
            yield Waiting(f"Nothing trains now: `ablate run` of {self._asked.study} goes on.")
        self._looks += 1

    @property
    def over(self) -> bool:
        """Whether nothing is left to train, and a search proposes no more."""
        grows = self._asked.search is not None and not self._asked.search.closed
        nothing = not grows and not self._open.keys() - self._failed and not self._epochs
        return nothing and (not self._failed or self._clock() >= self._hoped_for)

    def _names(self) -> dict[str, set[str]]:
        """Trial -> names of its files; of those that are not done and have a folder."""
        there = set(files.folders_in(self._ledger.paths.trials))
        return self._ledger.files_of([id for id in self._open if id in there])

    def _finish(self, id: str) -> Iterator[Event]:
        del self._open[id]
        self._epochs.pop(id, None)
        self._failed.discard(id)
        outcome = self._ledger.outcomes.read(id)
        yield Done(id, outcome.seconds if outcome else 0.0)

    def _look_at(self, id: str, names: set[str]) -> Iterator[Event]:
        holder = lease_holder(self._ledger, id) if LEASE in names else None
        if holder is not None and (holder.gone or self._ended.get(id) == holder.since):
            holder = None  # dead, or it has just failed and goes
        failures = sum(FAILURE.fullmatch(name) is not None for name in names)
        more = failures > self._failures.get(id, 0)
        self._failures[id] = failures
        if more and holder is not None and id in self._epochs:
            self._ended[id], holder = holder.since, None
        if holder is None:
            if id in self._epochs or more:
                yield self._lost(id, failures)
            return
        if id not in self._epochs:
            self._failed.discard(id)
            self._epochs[id] = 0
            yield Started(id, whole=False, host=holder.host)
        flight = self._ledger.attempts.progress(id)
        if flight.epoch > self._epochs[id]:
            self._epochs[id] = flight.epoch
            dev_ua = None if id in self._judging else flight.dev_ua[-1]
            yield Epoch(id, flight.epoch, flight.max_epochs, dev_ua, flight.min_epochs)

    def _lost(self, id: str, failures: int) -> Event:
        """Nobody trains it now: it has failed, now or before, or was left without a word."""
        self._epochs.pop(id, None)
        if not failures:
            return Stopped(id)
        self._failed.add(id)
        path = self._ledger.attempts.failure_files(id)[-1]
        last = self._ledger.attempts.read_failure(path)
        if last.cause not in FINAL:  # what it saw happen needs no clock of another machine
            ago = 0.0 if self._looks else max(0.0, time.time() - last.finished)
            self._hoped_for = max(self._hoped_for, self._clock() + RETRIED_S - ago)
        first_line = (str(last.sentence).splitlines() or [""])[0]
        return Failed(id, last.cause, first_line, str(path))
