"""How long a study still takes, from what its trials took so far. Pure: it is told the time.

A trial's length is its epochs times what an epoch of its row costs, over the speed of a lane now.

- *Epochs* end early or late: the mean of trials that ended, in which one that still trains counts
  as "no fewer than" (Kaplan and Meier 1958). The first to end are the short ones, and without those
  that are still training they would promise too much.
- *Cost* of an epoch is a row's own mean, drawn a little to that of all rows.
- *Speed* is what all lanes did of late: other work on the machine moves it for all rows alike.
- *Lanes* take trial after trial; the last ones end one by one.
"""

import bisect
import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SHORTEST_S, LONGEST_S = 60.0, 1200.0
"""Speed is that of the last two trials' length, but of no less and no more than this. In draws a
shorter memory followed every whim of the machine, a longer one took too long to see a slow-down."""
EPOCHS = 10
"""And never that of fewer epochs than this."""
TOWARDS_ALL = 2.0
"""Trials of a row weigh against this many of all rows."""


@dataclass(slots=True)
class _Row:
    """What is known of a row."""

    epochs: float = 0.0
    work: float = 0.0
    """What those epochs cost, in seconds at speed 1."""
    ended: Counter[float] = field(default_factory=Counter)
    """How long its trials were, in shares of the most epochs that they may have."""
    most: int = 0


@dataclass(slots=True)
class _Flight:
    """A trial in training."""

    row: str
    heard: float
    """When its last epoch ended, or it began."""
    whole: bool
    """It is watched from its first epoch on."""
    epoch: int = 0
    most: int = 0
    least: int = 0
    """Fewest epochs that it will have."""


class TimeLeft:
    """Told when trials begin, finish epochs and end; ``left`` says how long the rest takes."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._flights: dict[str, _Flight] = {}
        self._done_work = self._lane_seconds = 0.0
        self._length_s = 0.0
        self._ended = Counter[float]()
        self._count = 0

    # --- what happens ----------------------------------------------------------------------

    def past(self, row: str, epochs: int, most: int, seconds: float, resumed: int = 0) -> None:
        """A finished trial whose epochs nobody watched. Tell the oldest first."""
        self._worked(row, epochs - resumed, seconds)
        self._finished(row, epochs, most, seconds)

    def measured(self, row: str, epochs: int, seconds: float) -> None:
        """Epochs of a row that were measured and belong to no trial of it: a probe's."""
        self._worked(row, epochs, seconds)

    def begin(self, id: str, row: str, now: float, *, whole: bool = True) -> None:
        """A trial trains; not ``whole`` when it has done so for a time that nobody measured."""
        self._flights[id] = _Flight(row, now, whole)

    def epoch(self, id: str, epoch: int, most: int, least: int, now: float) -> None:
        """A trial has finished so many epochs of so many, and will have no fewer than ``least``."""
        flight = self._flights.get(id)
        if flight is None:
            return
        if flight.epoch or (flight.whole and epoch == 1):
            self._worked(flight.row, epoch - flight.epoch, now - flight.heard)
        else:
            flight.whole = False  # it goes on where another attempt ended
        flight.epoch, flight.most, flight.heard = epoch, most, now
        flight.least = max(least, epoch)

    def end(self, id: str, row: str, epochs: int, most: int, seconds: float, resumed: int,
            now: float) -> None:  # fmt: skip
        """A trial has finished; ``epochs`` 0 where its record is not at hand."""
        flight = self._flights.pop(id, None)
        if flight is None or not flight.epoch:
            self.past(row, epochs or 1, most, seconds, resumed)
            return
        epochs, most = epochs or flight.epoch, most or flight.most
        self._worked(row, max(0, epochs - flight.epoch), now - flight.heard)
        self._finished(row, epochs, most, seconds)

    def leave(self, id: str) -> None:
        """A trial trains no more, and has not finished."""
        self._flights.pop(id, None)

    def _worked(self, row: str, epochs: int, seconds: float) -> None:
        """A lane did epochs of a row: that moves the speed of all, and the row's cost."""
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
        known = self._rows.setdefault(row, _Row())
        if epochs:
            known.most = most or epochs
            known.ended[epochs / known.most] += 1
            self._ended[epochs / known.most] += 1
        self._count += 1
        self._length_s += (seconds - self._length_s) / self._count

    # --- what is to come -------------------------------------------------------------------

    def left(self, waiting: Sequence[str], lanes: int, now: float) -> float | None:
        """Seconds until all is trained; None before anything has been measured.

        Args:
            waiting: the rows of the trials to come, in the order in which they will begin.
            lanes: how many train at once.
            now: the time, by the clock of ``begin``.
        """
        if not any(row.epochs for row in self._rows.values()):
            return None
        busy = [self._rest(flight, now) for flight in self._flights.values()]
        lengths = {row: self._length(row) for row in set(waiting)}
        return makespan([lengths[row] for row in waiting], lanes, busy)

    def length(self, row: str, most: int) -> tuple[float, bool]:
        """Seconds of a trial of a row that may have so many epochs, and whether it is a bound.

        It is one as long as no trial has ended: then it may have all its epochs.
        """
        at_most = not self._ended
        epochs = float(most) if at_most else self._epochs(row, 0, most)
        return epochs * self._cost(row) / self._speed, at_most

    def _length(self, row: str) -> float:
        return self._epochs(row, 0) * self._cost(row) / self._speed

    def _rest(self, flight: _Flight, now: float) -> float:
        """What a trial in training still takes; an epoch that lasts longer promises nothing."""
        each = self._cost(flight.row) / self._speed
        to_come = self._epochs(flight.row, max(flight.least, flight.epoch), flight.most)
        return max(0.0, to_come - flight.epoch) * each - min(each, max(0.0, now - flight.heard))

    @property
    def _speed(self) -> float:
        """Work a lane does in a second, of late; 1 at first."""
        if not self._lane_seconds or not self._done_work:
            return 1.0
        return self._done_work / self._lane_seconds

    def _memory_s(self) -> float:
        """Lane seconds after which a measurement counts for a third."""
        epochs = sum(row.epochs for row in self._rows.values())
        each = sum(row.work for row in self._rows.values()) / epochs / self._speed if epochs else 0
        wanted = min(max(2 * self._length_s, SHORTEST_S), LONGEST_S)
        return max(wanted, EPOCHS * each) * max(1, len(self._flights))

    def _cost(self, row: str) -> float:
        """What an epoch of a row costs; of one that has not been seen, what one of all costs."""
        known = [r for r in self._rows.values() if r.epochs]
        if not known:
            return 1.0
        all_rows = sum(r.work / r.epochs for r in known) / len(known)
        own = self._rows.get(row)
        if own is None or not own.epochs:
            return all_rows
        return (own.work + all_rows) / (own.epochs + 1)  # one epoch of all: timing scatters little

    def _epochs(self, row: str, least: int, most: int = 0) -> float:
        """How many epochs a trial of a row will have that has no fewer than ``least``."""
        own = self._rows.get(row)
        most = most or (own.most if own else 0) or self._usual_most()
        if not most:
            return 1.0
        at_least = least / most
        training = [(f.row, max(f.least, f.epoch) / f.most) for f in self._flights.values()
                    if f.most]  # fmt: skip
        share = mean_length(at_least, self._ended, [x for _, x in training])
        if own and own.ended:
            mine = mean_length(at_least, own.ended, [x for name, x in training if name == row])
            weight = sum(count for x, count in own.ended.items() if x >= at_least)
            share = (weight * mine + TOWARDS_ALL * share) / (weight + TOWARDS_ALL)
        return most * share

    def _usual_most(self) -> int:
        known = [r.most for r in self._rows.values() if r.most]
        known += [f.most for f in self._flights.values() if f.most]
        return max(known, default=0)


def makespan(lengths: Sequence[float], lanes: int, busy: Sequence[float] = ()) -> float:
    """Seconds until all trials have ended that begin in this order, each as soon as it can.

    Args:
        lengths: seconds of each.
        lanes: how many train at once.
        busy: seconds for which lanes are still taken.

    >>> makespan([3.0, 1.0, 1.0, 2.0], 2), makespan([1.0], 1, [2.0])
    (4.0, 3.0)
    """
    ends = [0.0] * max(0, max(lanes, 1) - len(busy)) + sorted(busy)
    heapq.heapify(ends)
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def mean_length(least: float, ended: Mapping[float, int], training: Sequence[float]) -> float:
    """The mean length of trials that are no shorter than ``least``; shares of the most epochs.

    By the product limit. When nothing as long has ended: half way to the most.

    Args:
        least: what the trials are known to reach.
        ended: how many trials ended at which length.
        training: lengths that trials in training will have at the least.

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
