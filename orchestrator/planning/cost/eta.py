"""Estimates how long a study still takes, from its trials so far. Pure: the caller gives the time.

The length of a trial is its number of epochs, times the cost of an epoch of its row, divided by the
present speed of a lane (one of the places where trials train side by side).

- *Epochs*: the mean over ended trials. A trial that still trains counts as censored: it has no
  fewer than its epochs so far (Kaplan and Meier, "Nonparametric Estimation from Incomplete
  Observations", 1958). Short trials end first, so without the others the mean would be too small.
- *Cost* of an epoch: the mean of its row, shrunk a little towards that of all rows.
- *Speed*: what all lanes did lately; other work on the machine slows all rows alike.
- *Lanes* take one trial after another; at the end of a study some are idle.
"""

import bisect
import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SHORTEST_S, LONGEST_S = 60.0, 1200.0
"""Least and greatest time over which speed is averaged, in seconds; between them it is the length
of two trials. In simulations a shorter memory followed random noise, and a longer one saw a
slow-down too late."""
EPOCHS = 10
"""Speed is an average over at least this many epochs."""
TOWARDS_ALL = 2.0
"""How many trials the mean over all rows weighs when it is combined with the mean of one row."""


@dataclass(slots=True)
class _Row:
    """What was measured of the trials of one row."""

    epochs: float = 0.0
    """Number of measured epochs."""
    work: float = 0.0
    """Cost of these epochs: the seconds that they would take at speed 1 (the speed at the
    beginning)."""
    ended: Counter[float] = field(default_factory=Counter)
    """Length of an ended trial as a share of its most epochs, in (0, 1] -> number of such
    trials."""
    most: int = 0
    """The most epochs of a trial of the row; 0 while unknown."""


@dataclass(slots=True)
class _InTraining:
    """A trial that trains now, as its events tell."""

    row: str
    """Its row."""
    last_time: float
    """When its last epoch ended, or when it began, in seconds by the caller's clock."""
    whole: bool
    """Whether its events were seen from its first epoch on."""
    epoch: int = 0
    """Number of epochs so far."""
    most: int = 0
    """The most epochs that it may train; 0 while unknown."""
    least: int = 0
    """The fewest epochs that it will train."""


class TimeLeft:
    """Estimates the seconds until all trials of a study are trained.

    Call an event method when something happens to a trial; ask an estimate at any time. All times
    are seconds by one clock of the caller.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._in_training: dict[str, _InTraining] = {}
        self._done_work = self._lane_seconds = 0.0
        self._length_s = 0.0
        self._ended = Counter[float]()
        self._count = 0

    # --- events ----------------------------------------------------------------------

    def add_finished(
        self, row: str, epochs: int, most: int, seconds: float, resumed: int = 0
    ) -> None:
        """Count a finished trial that is known by its record alone; add the oldest first.

        Args:
            row: its row.
            epochs: its number of epochs.
            most: the most epochs that it could have had.
            seconds: its training time.
            resumed: number of epochs of earlier attempts, which the time does not include.
        """
        self._worked(row, epochs - resumed, seconds)
        self._finished(row, epochs, most, seconds)

    def add_probe(self, row: str, epochs: int, seconds: float) -> None:
        """Count measured epochs that belong to no trial.

        Args:
            row: the row that they were measured for.
            epochs: their number.
            seconds: their time, in all.
        """
        self._worked(row, epochs, seconds)

    def begin(self, id: str, row: str, now: float, *, whole: bool = True) -> None:
        """Event: a trial begins.

        Args:
            id: the trial.
            row: its row.
            now: the time.
            whole: False where it has already trained for an unknown time.
        """
        self._in_training[id] = _InTraining(row, now, whole)

    def epoch(self, id: str, epoch: int, most: int, least: int, now: float) -> None:
        """Event: a trial has finished an epoch.

        Args:
            id: the trial; an unknown one is ignored.
            epoch: number of epochs that it has finished.
            most: the most epochs that it may train.
            least: the fewest epochs that it will train.
            now: the time.
        """
        trial = self._in_training.get(id)
        if trial is None:
            return
        if trial.epoch or (trial.whole and epoch == 1):
            self._worked(trial.row, epoch - trial.epoch, now - trial.last_time)
        else:
            trial.whole = False  # it goes on where another attempt ended
        trial.epoch, trial.most, trial.last_time = epoch, most, now
        trial.least = max(least, epoch)

    def end(
        self, id: str, row: str, epochs: int, most: int, seconds: float, resumed: int, now: float
    ) -> None:
        """Event: a trial has finished.

        Args:
            id: the trial.
            row: its row.
            epochs: its number of epochs; 0 where its record is not known.
            most: the most epochs that it could have had; 0 where unknown.
            seconds: its training time.
            resumed: number of epochs of earlier attempts, which the time does not include.
            now: the time.
        """
        trial = self._in_training.pop(id, None)
        if trial is None or not trial.epoch:
            self.add_finished(row, epochs or 1, most, seconds, resumed)
            return
        epochs, most = epochs or trial.epoch, most or trial.most
        self._worked(row, max(0, epochs - trial.epoch), now - trial.last_time)
        self._finished(row, epochs, most, seconds)

    def drop(self, id: str) -> None:
        """Event: a trial has stopped training without being finished."""
        self._in_training.pop(id, None)

    def _worked(self, row: str, epochs: int, seconds: float) -> None:
        """Update the speed of the lanes and the cost of the row by epochs that a lane has trained.

        Args:
            row: the row of the trial.
            epochs: number of epochs.
            seconds: their time; nothing is counted where it is 0.
        """
        if seconds <= 0:
            return
        known = self._rows.setdefault(row, _Row())
        if known.epochs:
            kept = math.exp(-seconds / self._memory_s())
            self._done_work = kept * self._done_work + epochs * self._cost(row)
            self._lane_seconds = kept * self._lane_seconds + seconds
        known.epochs += epochs
        known.work += seconds * self._speed

    def _finished(self, row: str, epochs: int, most: int, seconds: float) -> None:
        """Count an ended trial: its epochs as a share of ``most``, and its seconds."""
        known = self._rows.setdefault(row, _Row())
        if epochs:
            known.most = most or epochs
            known.ended[epochs / known.most] += 1
            self._ended[epochs / known.most] += 1
        self._count += 1
        self._length_s += (seconds - self._length_s) / self._count

    # --- estimates -------------------------------------------------------------------

    def seconds_left(self, waiting: Sequence[str], lanes: int, now: float) -> float | None:
        """Seconds from now until all trials are trained; None before anything was measured.

        Args:
            waiting: the row of each trial that has not begun, in the order in which they will.
            lanes: how many trials train at once.
            now: the time.
        """
        if not any(row.epochs for row in self._rows.values()):
            return None
        busy = [self._rest(trial, now) for trial in self._in_training.values()]
        lengths = {row: self._length(row) for row in set(waiting)}
        return makespan([lengths[row] for row in waiting], lanes, busy)

    def length(self, row: str, most: int) -> tuple[float, bool]:
        """(seconds of a trial of a row, whether they are an upper bound).

        As long as no trial has ended, the most epochs are assumed, which gives an upper bound.

        Args:
            row: the row.
            most: the most epochs of a trial.
        """
        at_most = not self._ended
        epochs = float(most) if at_most else self._epochs(row, 0, most)
        return epochs * self._cost(row) / self._speed, at_most

    def _length(self, row: str) -> float:
        """Expected seconds of a trial of a row, from its beginning."""
        return self._epochs(row, 0) * self._cost(row) / self._speed

    def _rest(self, trial: _InTraining, now: float) -> float:
        """Seconds that a trial in training still takes; its running epoch so far is subtracted.

        At most one epoch is subtracted, however long the running one takes.
        """
        each = self._cost(trial.row) / self._speed
        to_come = self._epochs(trial.row, max(trial.least, trial.epoch), trial.most)
        return max(0.0, to_come - trial.epoch) * each - min(each, max(0.0, now - trial.last_time))

    @property
    def _speed(self) -> float:
        """Work that a lane lately did in a second, relative to the beginning: 1 at first."""
        if not self._lane_seconds or not self._done_work:
            return 1.0
        return self._done_work / self._lane_seconds

    def _memory_s(self) -> float:
        """Time constant of the running average of the speed, in seconds summed over all lanes."""
        epochs = sum(row.epochs for row in self._rows.values())
        each = sum(row.work for row in self._rows.values()) / epochs / self._speed if epochs else 0
        wanted = min(max(2 * self._length_s, SHORTEST_S), LONGEST_S)
        return max(wanted, EPOCHS * each) * max(1, len(self._in_training))

    def _cost(self, row: str) -> float:
        """Seconds of an epoch of a row at speed 1; of an unmeasured row, the mean over others."""
        known = [r for r in self._rows.values() if r.epochs]
        if not known:
            return 1.0
        all_rows = sum(r.work / r.epochs for r in known) / len(known)
        own = self._rows.get(row)
        if own is None or not own.epochs:
            return all_rows
        return (own.work + all_rows) / (own.epochs + 1)  # one epoch of all: timing scatters little

    def _epochs(self, row: str, least: int, most: int = 0) -> float:
        """Expected number of epochs of a trial.

        Args:
            row: its row.
            least: the fewest epochs that it will have.
            most: the most; 0: as other trials of the row, or of all rows.
        """
        own = self._rows.get(row)
        most = most or (own.most if own else 0) or self._usual_most()
        if not most:
            return 1.0
        at_least = least / most
        training = [
            (trial.row, max(trial.least, trial.epoch) / trial.most)
            for trial in self._in_training.values()
            if trial.most
        ]
        share = mean_length(at_least, self._ended, [x for _, x in training])
        if own and own.ended:
            mine = mean_length(at_least, own.ended, [x for name, x in training if name == row])
            weight = sum(count for x, count in own.ended.items() if x >= at_least)
            share = (weight * mine + TOWARDS_ALL * share) / (weight + TOWARDS_ALL)
        return most * share

    def _usual_most(self) -> int:
        """The largest maximum of epochs among all trials known so far; 0 while none is known."""
        known = [r.most for r in self._rows.values() if r.most]
        known += [f.most for f in self._in_training.values() if f.most]
        return max(known, default=0)


def makespan(lengths: Sequence[float], lanes: int, busy: Sequence[float] = ()) -> float:
    """Seconds until the last of some trials ends, if each begins as soon as a lane is free.

    Args:
        lengths: seconds of each trial, in the order in which they begin.
        lanes: how many trials train at once.
        busy: for each lane that is in use, the seconds until it is free.

    >>> makespan([3.0, 1.0, 1.0, 2.0], 2), makespan([1.0], 1, [2.0])
    (4.0, 3.0)
    """
    ends = [0.0] * max(0, max(lanes, 1) - len(busy)) + sorted(busy)
    heapq.heapify(ends)
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def mean_length(least: float, ended: Mapping[float, int], training: Sequence[float]) -> float:
    """Expected length of a trial that reaches at least ``least``, by Kaplan and Meier.

    Lengths are shares of the most epochs, 0 to 1. Where no trial that long has ended, the result is
    half way between the longest known length and 1.

    Args:
        least: the length that the trial is known to reach.
        ended: length -> how many trials ended at it.
        training: the lengths so far of trials that still train.

    >>> round(mean_length(0.0, {0.2: 1, 0.4: 1}, []), 3)
    0.3
    >>> round(mean_length(0.0, {0.2: 1}, [0.4]), 3), mean_length(0.5, {0.2: 1}, [])
    (0.3, 0.75)
    """
    ends = sorted(length for length in ended if length >= least)
    still = sorted(length for length in training if length >= least)
    if not ends:
        return (max([least, *still]) + 1) / 2
    at_risk = sum(ended[end] for end in ends)
    surviving, reached, mean = 1.0, least, least
    for end in ends:
        mean += surviving * (end - reached)
        reached = end
        longer = len(still) - bisect.bisect_left(still, end)
        surviving *= 1 - ended[end] / (at_risk + longer)
        at_risk -= ended[end]
    return mean + surviving * (max([reached, *still]) - reached)
