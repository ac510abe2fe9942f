"""Where every trial of a study stands now, by the events so far and the records they tell of.

Knows no terminal. Running estimates are those of ``summary``: nothing is counted a second way.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis import blinding
from orchestrator.analysis.row_scores import RowEstimate, estimate_row
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
from orchestrator.planning.cost.eta import TimeLeft
from orchestrator.store.files import is_refusal
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

WINDOW_S = 600.0
"""Throughput is that of the last ten minutes."""
SOONEST_S = 10.0
"""And nothing is said of it before that."""
EASE = 20.0
"""A row is counted anew when so many times as long has passed as the last count took."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRow:
    """A row of the table while it fills."""

    name: str
    done: int
    running: int
    failed: int
    total: int
    estimate: RowEstimate | None
    """None where no records are at hand, or nothing is finished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flying:
    """A trial in training."""

    place: SnapshotTrial
    epoch: int
    epochs: int
    """Most that it may have; 0 where unknown."""
    dev_ua: tuple[float, ...]
    """UA of every epoch, the mean of both directions, 0 to 1."""


class RunState:
    """Hears events; ``rows``, ``flying``, ``seconds_left`` and ``throughput`` answer.

    Args:
        ledger: where the records of finished trials are read, each once; None: no estimates.
        clock: seconds that only grow.
    """

    def __init__(
        self, ledger: Ledger | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self.snapshot: Snapshot | None = None
        self._reset(Planned((), frozenset(), 1))

    def _reset(self, planned: Planned) -> None:
        self.placed, self.slots = planned.placed, planned.slots
        self.first: dict[str, SnapshotTrial] = {}
        """Each id once, at its first place in the table."""
        self._by_row: dict[str, list[str]] = {}
        for item in planned.placed:
            self.first.setdefault(item.id, item)
            self._by_row.setdefault(item.row, []).append(item.id)
        self.done = set(planned.done)
        self.failed: dict[str, Failed] = {}
        self.elsewhere: set[str] = set()
        self.running: dict[str, Epoch | None] = {}
        self.waiting = ""
        """Why nothing trains; empty while something does."""
        self.hosts: dict[str, str] = {}
        """Trial in training -> the machine that trains it, where that is known."""
        self._curves: dict[str, tuple[float, ...]] = {}
        self._sealed: Mapping[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._counted: dict[str, tuple[RowEstimate, float, float]] = {}
        """Row -> its estimate, when it was counted, how long that took."""
        self._pace = TimeLeft()
        self._since = self._clock()
        self._most_at_once = 0
        self._left: tuple[float, float | None] = (-1.0, None)
        self._trials: deque[tuple[float, int]] = deque()
        self._epochs: deque[tuple[float, int]] = deque()
        """When, and how many."""

    # --- hearing ---------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Take in one event."""
        self._left = (-1.0, None)
        match event:
            case Planned():
                self._reset(event)
                self._look_up(event)
            case Waiting():
                self.waiting = event.sentence
            case Started():
                self._start(event)
            case Epoch():
                self._epoch(event)
            case Done():
                self._finish(event.id, event.seconds)
            case Differs():
                self._finish(event.id, 0.0)
            case Retry() | Stopped():
                self._leave(event.id)
            case Failed():
                self._leave(event.id)
                self.failed[event.id] = event
            case Elsewhere():
                self._leave(event.id)
                self.elsewhere.add(event.id)

    def _look_up(self, planned: Planned) -> None:
        """What was asked, and the records that are there already."""
        self.snapshot = None
        if self._ledger is None or not planned.study:
            return
        try:
            forms = self._ledger.studies.snapshots(planned.study)
            self._sealed = blinding.sealed_trials(self._ledger)
        except DamageError:  # of an older form: no estimates, and whoever needs it tells
            return
        self.snapshot = next((f for f in forms if set(planned.placed) <= set(f.trials)), None)
        found = self._ledger.outcomes.read_all(id for id in self.first if id in self.done)
        for outcome in sorted(found.values(), key=lambda outcome: outcome.finished):
            self._keep(outcome)
            self._pace.past(self.first[outcome.id].row, outcome.epochs, _most(outcome),
                            outcome.seconds, outcome.resumed)  # fmt: skip

    def _start(self, event: Started) -> None:
        self.waiting = ""
        self.failed.pop(event.id, None)
        self.elsewhere.discard(event.id)
        self.running[event.id] = None
        self._curves.pop(event.id, None)
        if event.host:
            self.hosts[event.id] = event.host
        self._most_at_once = max(self._most_at_once, len(self.running))
        if place := self.first.get(event.id):
            self._pace.begin(event.id, place.row, self._clock(), whole=event.whole)

    def _epoch(self, event: Epoch) -> None:
        before, curve = self.running.get(event.id), self._curves.get(event.id, ())
        self.running[event.id] = event
        if event.dev_ua is not None:
            if event.epoch == len(curve) + 1:
                curve = (*curve, event.dev_ua)
            elif event.epoch > len(curve) and self._ledger is not None:
                # epochs of an earlier attempt, or unheard
                curve = self._ledger.attempts.progress(event.id).dev_ua
            self._curves[event.id] = curve or (event.dev_ua,)
        self._epochs.append((self._clock(), event.epoch - before.epoch if before else 1))
        self._pace.epoch(event.id, event.epoch, event.epochs, event.least, self._clock())

    def _finish(self, id: str, seconds: float) -> None:
        last = self.running.get(id)
        outcome = self._record(id)
        now = self._clock()
        if seconds and (place := self.first.get(id)):  # 0: it had been done before
            self._trials.append((now, 1))
            known = (outcome.epochs, _most(outcome), outcome.resumed) if outcome else (0, 0, 0)
            self._pace.end(id, place.row, known[0], known[1], seconds, known[2], now)
            if outcome:
                heard = last.epoch if last else outcome.resumed
                self._epochs.append((now, max(0, outcome.epochs - heard)))
        self._leave(id)
        self.failed.pop(id, None)
        self.done.add(id)

    def _leave(self, id: str) -> None:
        self._pace.leave(id)
        self.running.pop(id, None)
        self._curves.pop(id, None)
        self.hosts.pop(id, None)
        self.elsewhere.discard(id)

    def _record(self, id: str) -> Outcome | None:
        """A record that has just been written. One that cannot be read is told by its reader."""
        if self._ledger is None or self.snapshot is None:
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
            self._keep(outcome)
        return outcome

    def _keep(self, outcome: Outcome) -> None:
        """What an estimate needs, and no more: there may be ten thousand; nothing sealed."""
        if outcome.id in self._sealed:
            return
        scores = tuple(s for s in outcome.scores if (s.choice, s.unit) == ("chosen", "utterance"))
        named = {key: outcome.identity[key] for key in ("semantics",) if key in outcome.identity}
        self._outcomes[outcome.id] = replace(
            outcome, scores=scores, identity=named, digests={}, files={}, libraries={}
        )

    # --- answers ---------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many trials there are; one that stands in two rows counts once."""
        return len(self.first)

    @property
    def finished(self) -> int:
        """How many of them are done."""
        return len(self.first.keys() & self.done)

    def rows(self) -> list[LiveRow]:
        """Every row, in the table's order."""
        return [
            LiveRow(
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
        """What the report would print of the row now.

        With thousands of trials it is counted less often than they come in.
        """
        if self.snapshot is None:
            return None
        n = sum(id in self._outcomes for id in self._by_row[row])
        known = self._counted.get(row)
        if known is not None:
            counted, when, took = known
            if counted.n == n or self._clock() - when < EASE * took:
                return counted
        began = time.perf_counter()
        counted = estimate_row(self.snapshot, row, self._outcomes)
        self._counted[row] = counted, self._clock(), time.perf_counter() - began
        return counted

    def flying(self) -> list[Flying]:
        """Trials in training, the longest first."""
        return [
            Flying(
                place=self.first[id],
                epoch=epoch.epoch if epoch else 0,
                epochs=epoch.epochs if epoch else 0,
                dev_ua=self._curves.get(id, ()),
            )
            for id, epoch in self.running.items()
            if id in self.first
        ]

    def seconds_left(self) -> float | None:
        """How long the rest takes; None before an epoch has ended. Reckoned once a second."""
        now = self._clock()
        if now - self._left[0] >= 1.0 or self._left[0] < 0:
            gone = self.done | self.failed.keys() | self.running.keys() | self.elsewhere
            waiting = [place.row for id, place in self.first.items() if id not in gone]
            waiting += [self.first[id].row for id in self.elsewhere if id in self.first]
            lanes = max(1, self.slots or self._most_at_once) + len(self.elsewhere)
            self._left = now, self._pace.left(waiting, lanes, now)
        return self._left[1]

    def throughput(self) -> tuple[float, float] | None:
        """Trials an hour and epochs a minute, of late; None at first."""
        now = self._clock()
        span = min(WINDOW_S, now - self._since)
        if span < SOONEST_S:
            return None
        counts = []
        for times in (self._trials, self._epochs):
            while times and times[0][0] < now - span:
                times.popleft()
            counts.append(sum(count for _, count in times))
        return 3600 * counts[0] / span, 60 * counts[1] / span


def _most(outcome: Outcome) -> int:
    """The most epochs that the trial might have had."""
    training = outcome.identity.get("training")
    epochs = training.get("epochs", 0) if isinstance(training, dict) else 0
    return epochs if isinstance(epochs, int) else 0
