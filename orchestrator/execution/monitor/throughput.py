"""How fast a study trains now: trials an hour and epochs a minute."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 600.0
"""Seconds over which the rates are taken."""
EARLIEST_S = 10.0
"""Seconds before which there is no rate."""


class Throughput:
    """Counts trials and epochs as they end.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._trials: deque[tuple[float, int]] = deque()
        """When trials ended, and how many."""
        self._epochs: deque[tuple[float, int]] = deque()
        """When epochs ended, and how many."""

    def add_trial(self) -> None:
        """A trial has ended now."""
        self._trials.append((self._clock(), 1))

    def add_epochs(self, count: int) -> None:
        """So many epochs have ended since the last event of their trial."""
        self._epochs.append((self._clock(), count))

    def rates(self) -> tuple[float, float] | None:
        """Trials an hour and epochs a minute, of the last ten minutes; None at first."""
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
