"""How many trials share a GPU: as many as fit, and as long as one more is worth it.

On a CPU there is nothing to measure: a trial takes one core. A small network leaves most of a GPU
idle, so a second trial beside it may cost the first one little; at some number each further trial
only slows the others down. That number is measured (``probe.py``), not guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass

LEAST_GAIN = 0.10
"""By so much of what was must one more trial raise the epochs a second of all together."""
HEADROOM = 1.15
"""Memory asked for over the measured peak: a later epoch may meet a longer batch."""
MOST = 16
"""Trials on one GPU."""


@dataclass(frozen=True, slots=True)
class GpuSharing:
    """What was measured on a GPU."""

    throughput: tuple[float, ...]
    """Epochs a second of all together, with 1, 2, 3, ... trials at once; the last may be one that
    was not worth it."""

    @property
    def trials(self) -> int:
        """How many share a GPU: the last number that was worth its trial; 1 at the least."""
        best = 1
        for count in range(2, len(self.throughput) + 1):
            if not _is_worth(self.throughput[count - 2], self.throughput[count - 1]):
                break
            best = count
        return best


def most_by_memory(peak: float, memory: float) -> int:
    """How many trials of such a peak a GPU's memory holds; 1 at the least.

    >>> most_by_memory(10e9, 80e9), most_by_memory(100e9, 80e9)
    (6, 1)
    """
    return min(MOST, max(1, int(memory // (HEADROOM * peak)))) if peak > 0 else MOST


def measure_sharing(
    peak: float, memory: float, measure: Callable[[int], float | None]
) -> GpuSharing:
    """Measure with 1, 2, 3, ... trials at once until one more does not fit or is not worth it.

    Args:
        peak: bytes of GPU memory that one trial takes at the most.
        memory: bytes that the GPU has.
        measure: epochs a second of so many together; None when memory ran out.
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
    return after >= before * (1 + LEAST_GAIN)
