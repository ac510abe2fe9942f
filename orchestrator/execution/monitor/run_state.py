"""Keeps the state of a study in training: which trials are done, failed, in training, to do.

The state follows from the events of a run and, for estimates, from the records in the store. This
file prints nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.analysis import blinding
from orchestrator.analysis.progress.completeness import RowCompleteness
from orchestrator.analysis.row_scores import RowEstimate
from orchestrator.errors import AblateError, DamageError
from orchestrator.execution.events import (
    Differs,
    Done,
    Elsewhere,
    Epoch,
    Event,
    Failed,
    Planned,
    Retry,
    Started,
    Stopped,
    Waiting,
)
from orchestrator.execution.monitor.running_estimates import RunningEstimates
from orchestrator.execution.monitor.throughput import Throughput
from orchestrator.planning.cost.eta import TimeLeft
from orchestrator.store.files import is_refusal
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

FEWEST_GROUPS = 3
"""Held-out groups from which on an interval is shown while a study trains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProgress:
    """How many trials of one row of the table are done, with the row's mean accuracies so far."""

    name: str
    """Name of the row."""
    done: int
    """Trials with an outcome."""
    running: int
    """Trials that train now, also those of other runs."""
    failed: int
    """Trials that have failed and are not retried."""
    total: int
    """All trials of the row."""
    estimate: RowEstimate | None
    """Mean WA and UA of the finished trials; None where the store was not given, or does not have
    the study's snapshot (the resolved study, which a run writes there)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialInTraining:
    """How far a trial is that trains now."""

    trial: SnapshotTrial
    """The trial: row, fold, seed, id."""
    epoch: int
    """The last epoch that ended, from 1; 0 before the first has ended."""
    epochs: int
    """The most epochs that the trial can have; 0 where unknown."""
    dev_ua: tuple[float, ...]
    """The mean of the UAs on halves A and B after each epoch so far, 0 to 1; empty where hidden."""


class RunState:
    """The state of a study in training, which ``apply`` changes with each event.

    Args:
        ledger: the store, where the record of each finished trial is read once; None gives no
            estimates.
        clock: gives the time in seconds and never goes back.
    """

    def __init__(
        self, ledger: Ledger | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self.snapshot: Snapshot | None = None
        """The resolved study that the run wrote to the store; None where it was not found."""
        self._reset(Planned((), frozenset(), 1))

    def _reset(self, planned: Planned) -> None:
        """Forget the trials so far; from now on the state is that of the planned ones."""
        self.trials = planned.placed
        """All planned trials."""
        self.lanes = planned.lanes
        """How many trials train at the same time; 0 where unknown."""
        self.by_id: dict[str, SnapshotTrial] = {}
        """Trial id -> the trial; where it stands in several rows, in the first of them."""
        self._by_row: dict[str, list[str]] = {}
        """Row -> ids of its trials, in the order of the table."""
        for trial in planned.placed:
            self.by_id.setdefault(trial.id, trial)
            self._by_row.setdefault(trial.row, []).append(trial.id)
        self.done = set(planned.done)
        """Ids of trials with an outcome."""
        self.failed: dict[str, Failed] = {}
        """Id of each trial that has failed -> the event of its failure."""
        self.elsewhere: set[str] = set()
        """Ids of trials that another run trains."""
        self.running: dict[str, Epoch | None] = {}
        """Id of each trial in training -> its last event ``Epoch``; None before the first."""
        self.waiting = ""
        """The reason why nothing trains, as a sentence; empty while something does."""
        self.hosts: dict[str, str] = {}
        """Id of each trial in training -> host name of its machine, where that is known."""
        self._curves: dict[str, tuple[float, ...]] = {}
        """Id of each trial in training -> the mean of its UAs on A and B after each epoch, 0 to 1.
        """
        self._estimates: RunningEstimates | None = None
        self._time_left = TimeLeft()
        self._throughput = Throughput(self._clock)
        self._most_at_once = 0
        """The most trials that have trained at the same time so far."""
        self._seconds_left: tuple[float, float | None] | None = None
        """When the time left was last computed (by the clock), and the result in seconds; None
        where an event has come since."""

    # --- events ----------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Change the state as an event says."""
        self._seconds_left = None
        match event:
            case Planned():
                self._reset(event)
                self._read_records(event)
            case Waiting():
                self.waiting = event.sentence
            case Started():
                self._start(event)
            case Epoch():
                self._end_epoch(event)
            case Done():
                self._finish(event.id, event.seconds)
            case Differs():
                self._finish(event.id, 0.0)
            case Retry() | Stopped():
                self._stop(event.id)
            case Failed():
                self._stop(event.id)
                self.failed[event.id] = event
            case Elsewhere():
                self._stop(event.id)
                self.elsewhere.add(event.id)

    def _read_records(self, planned: Planned) -> None:
        """Find the snapshot of the planned trials, and read the outcomes that are in the store."""
        self.snapshot = None
        if self._ledger is None or not planned.study:
            return
        try:
            snapshots = self._ledger.studies.snapshots(planned.study)
            blinded = blinding.blinded_trials(self._ledger)
        except DamageError:  # of an older snapshot: no estimates; whoever needs it reports it
            return
        trials = set(planned.placed)
        self.snapshot = next((s for s in snapshots if trials <= set(s.trials)), None)
        if self.snapshot is not None:
            self._estimates = RunningEstimates(self.snapshot, blinded, self._clock)
        found = self._ledger.outcomes.read_all(id for id in self.by_id if id in self.done)
        for outcome in sorted(found.values(), key=lambda outcome: outcome.finished):
            if self._estimates is not None:
                self._estimates.add(outcome)
            self._time_left.add_finished(
                self.by_id[outcome.id].row,
                outcome.epochs,
                _most_epochs(outcome),
                outcome.seconds,
                outcome.resumed,
            )

    def _start(self, event: Started) -> None:
        """A trial trains from now on."""
        self.waiting = ""
        self.failed.pop(event.id, None)
        self.elsewhere.discard(event.id)
        self.running[event.id] = None
        self._curves.pop(event.id, None)
        if event.host:
            self.hosts[event.id] = event.host
        self._most_at_once = max(self._most_at_once, len(self.running))
        if trial := self.by_id.get(event.id):
            self._time_left.begin(event.id, trial.row, self._clock(), whole=event.whole)

    def _end_epoch(self, event: Epoch) -> None:
        """A trial in training has ended an epoch."""
        before, curve = self.running.get(event.id), self._curves.get(event.id, ())
        self.running[event.id] = event
        if event.dev_ua is not None:
            if event.epoch == len(curve) + 1:
                curve = (*curve, event.dev_ua)
            elif event.epoch > len(curve) and self._ledger is not None:
                # Epochs of an earlier attempt, or some whose events did not come here.
                curve = self._ledger.attempts.progress(event.id).dev_ua
            self._curves[event.id] = curve or (event.dev_ua,)
        self._throughput.add_epochs(event.epoch - before.epoch if before else 1)
        self._time_left.epoch(event.id, event.epoch, event.epochs, event.least, self._clock())

    def _finish(self, id: str, seconds: float) -> None:
        """A trial has an outcome; it took ``seconds``, or 0 where it was not trained just now."""
        last = self.running.get(id)
        outcome = self._read_record(id)
        if seconds and (trial := self.by_id.get(id)):
            self._throughput.add_trial()
            epochs, most, resumed = (
                (outcome.epochs, _most_epochs(outcome), outcome.resumed) if outcome else (0, 0, 0)
            )
            self._time_left.end(id, trial.row, epochs, most, seconds, resumed, self._clock())
            if outcome:
                counted = last.epoch if last else resumed
                self._throughput.add_epochs(max(0, epochs - counted))
        self._stop(id)
        self.failed.pop(id, None)
        self.done.add(id)

    def _stop(self, id: str) -> None:
        """A trial does not train any more, for whatever reason."""
        self._time_left.drop(id)
        self.running.pop(id, None)
        self._curves.pop(id, None)
        self.hosts.pop(id, None)
        self.elsewhere.discard(id)

    def _read_record(self, id: str) -> Outcome | None:
        """Read the outcome of a trial that has just ended; None where it cannot be read."""
        if self._ledger is None or self._estimates is None:
            return None
        try:
            outcome = self._ledger.outcomes.read(id)
        except AblateError:
            return None
        except Exception as error:
            if not is_refusal(error):
                raise
            return None
        if outcome is not None:
            self._estimates.add(outcome)
        return outcome

    # --- how far the study is --------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many trials there are; one that stands in two rows counts once."""
        return len(self.by_id)

    @property
    def finished(self) -> int:
        """How many of these trials have an outcome."""
        return len(self.by_id.keys() & self.done)

    def rows(self) -> list[RowProgress]:
        """The progress of every row, in the table's order."""
        return [
            RowProgress(
                name=name,
                done=sum(id in self.done for id in ids),
                running=sum(id in self.running or id in self.elsewhere for id in ids),
                failed=sum(id in self.failed for id in ids),
                total=len(ids),
                estimate=self.estimate(name),
            )
            for name, ids in self._by_row.items()
        ]

    def estimate(self, row: str) -> RowEstimate | None:
        """The row's mean WA and UA as the report would print them, now or some seconds ago.

        None where the study's snapshot was not found.
        """
        if self._estimates is None:
            return None
        return self._estimates.of_row(row, self._by_row[row])

    def has_interval(self, row: str) -> bool:
        """Whether so many of a row's held-out groups have trained that an interval says something.

        Of two groups it is 12.7 standard errors wide to each side. A published split has one group,
        and an interval over its test speakers.
        """
        if self.snapshot is not None and self.snapshot.is_published_split:
            return True
        groups = {self.by_id[id].fold for id in self._by_row[row] if id in self.done}
        return len(groups) >= FEWEST_GROUPS

    def open_verdict(self, row: str, estimate: RowEstimate) -> str:
        """What stands in place of a verdict on a row, such as ``open, 7 of 15``; empty in the end.

        Args:
            row: the row's name.
            estimate: its last estimate.
        """
        diverged = {id for id, failure in self.failed.items() if failure.cause == "diverged"}
        own = diverged.intersection(self._by_row[row])
        if not own and self.by_id.keys() <= self.done | diverged:
            return ""
        asked = estimate.n + estimate.missing
        return RowCompleteness(asked=asked, finished=estimate.n, diverged=len(own)).text

    def in_training(self) -> list[TrialInTraining]:
        """The trials that train now, in the order in which they began."""
        return [
            TrialInTraining(
                trial=self.by_id[id],
                epoch=epoch.epoch if epoch else 0,
                epochs=epoch.epochs if epoch else 0,
                dev_ua=self._curves.get(id, ()),
            )
            for id, epoch in self.running.items()
            if id in self.by_id
        ]

    def seconds_left(self) -> float | None:
        """Seconds until all trials are done; None before an epoch has ended.

        The number is computed anew after each event, and at most once a second between events.
        """
        now = self._clock()
        if self._seconds_left is None or now - self._seconds_left[0] >= 1.0:
            begun = self.done | self.failed.keys() | self.running.keys() | self.elsewhere
            waiting = [trial.row for id, trial in self.by_id.items() if id not in begun]
            waiting += [self.by_id[id].row for id in self.elsewhere if id in self.by_id]
            lanes = max(1, self.lanes or self._most_at_once) + len(self.elsewhere)
            self._seconds_left = now, self._time_left.seconds_left(waiting, lanes, now)
        return self._seconds_left[1]

    def throughput(self) -> tuple[float, float] | None:
        """Trials per hour and epochs per minute in the last 10 minutes; None in the first 10 s."""
        return self._throughput.rates()


def _most_epochs(outcome: Outcome) -> int:
    """The most epochs that a finished trial could have had, by its settings; 0 where unknown."""
    training = outcome.identity.get("training")
    epochs = training.get("epochs", 0) if isinstance(training, dict) else 0
    return epochs if isinstance(epochs, int) else 0
