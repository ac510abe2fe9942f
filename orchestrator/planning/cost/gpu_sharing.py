"""How many trials share a GPU: as many as fit its memory and still gain speed together.

A small network leaves most of a GPU idle, so a second trial beside it slows the first one little;
from some number on, one more trial only slows down the others. A probe measures that number. On a
CPU there is nothing to measure: a trial takes one core.
"""

from collections.abc import Callable
from dataclasses import dataclass

LEAST_GAIN = 0.10
"""The least relative gain in epochs per second (of all trials together) that one more trial must
bring."""
HEADROOM = 1.15
"""Memory counted for a trial, as a multiple of its measured peak: a later batch may be longer."""
MOST = 16
"""The most trials that share one GPU."""


@dataclass(frozen=True, slots=True)
class GpuSharing:
    """How fast trials train that share a GPU, and how many should share it."""

    throughput: tuple[float, ...]
    """Epochs per second of all trials together, with 1, 2, 3, ... trials at once. The last value
    may be one that did not gain enough."""

    @property
    def trials(self) -> int:
        """How many trials should share a GPU: the largest number that gained enough; at least 1."""
        best = 1
        for count in range(2, len(self.throughput) + 1):
            if not _is_worth(self.throughput[count - 2], self.throughput[count - 1]):
                break
            best = count
        return best


def most_by_memory(peak: float, memory: float) -> int:
    """How many trials fit the memory of a GPU: at least 1, at most ``MOST``.

    Args:
        peak: bytes that one trial takes at its peak.
        memory: bytes that the GPU has.

    >>> most_by_memory(10e9, 80e9), most_by_memory(100e9, 80e9)
    (6, 1)
    """
    return min(MOST, max(1, int(memory // (HEADROOM * peak)))) if peak > 0 else MOST


def measure_sharing(
    peak: float, memory: float, measure: Callable[[int], float | None]
) -> GpuSharing:
    """Measure 1, 2, 3, ... trials at once until one more does not fit or does not gain enough.

    Args:
        peak: bytes of GPU memory that one trial takes at its peak.
        memory: bytes that the GPU has.
        measure: number of trials -> epochs per second of all together; None when memory ran out.
    """
    found: list[float] = []
    for count in range(1, most_by_memory(peak, memory) + 1):
        speed = measure(count)
        if speed is None:
            break
        found.append(speed)
        if count > 1 and not _is_worth(found[-2], speed):
            break
    return GpuSharing(tuple(found))


def _is_worth(before: float, after: float) -> bool:
    """Whether one more trial gained enough; both are epochs per second of all trials together."""
    return after >= before * (1 + LEAST_GAIN)
