"""Measures how fast a study trains now, in trials per hour and epochs per minute."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 600.0
"""Rates are taken over this many seconds before now."""
EARLIEST_S = 10.0
"""Seconds after the start before which no rate is given."""


class Throughput:
    """Counts trials and epochs as they end, and gives their rates.

    Args:
        clock: gives the time in seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._trials: deque[tuple[float, int]] = deque()
        """Times (by the clock) at which trials ended, each with how many did."""
        self._epochs: deque[tuple[float, int]] = deque()
        """Times (by the clock) at which epochs were reported, each with how many."""

    def add_trial(self) -> None:
        """Count one trial that has ended now."""
        self._trials.append((self._clock(), 1))

    def add_epochs(self, count: int) -> None:
        """Count epochs that have ended since their trial was last reported."""
        self._epochs.append((self._clock(), count))

    def rates(self) -> tuple[float, float] | None:
        """Trials per hour and epochs per minute in the last 10 minutes; None in the first 10 s."""
        now = self._clock()
        span_s = min(WINDOW_S, now - self._began)
        if span_s < EARLIEST_S:
            return None
        counts = []
        for ended in (self._trials, self._epochs):
            while ended and ended[0][0] < now - span_s:
                ended.popleft()
            counts.append(sum(count for _, count in ended))
        return 3600 * counts[0] / span_s, 60 * counts[1] / span_s
