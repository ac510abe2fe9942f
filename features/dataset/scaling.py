"""Mean and standard deviation of every feature, for the z-score.

Fitted on real frames of training speakers only (`scaling: train`, applied by the network's input
buffer), or on each speaker's own (`scaling: speaker`, applied when a batch is gathered).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONSTANT = 1e-7
"""A feature counts as constant where its standard deviation is at most this fraction of its mean:
so little is rounding of float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaler:
    """Mean and deviation of F features, to z-score them: x -> (x - mean_F) / std_F."""

    mean_F: NDArray[np.float32]
    """Mean of each feature, (F,)."""
    std_F: NDArray[np.float32]
    """Population standard deviation of each feature, (F,); 1 where a feature is constant."""
    frames: int
    """Number of rows that the two were computed from; 0 for `identity`."""

    def apply(self, values_NF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Z-score the rows: (N, F) to (N, F), float32."""
        return (values_NF - self.mean_F) / self.std_F


def identity(features: int) -> Scaler:
    """Make a scaler that changes nothing: mean 0 and deviation 1 of ``features`` features."""
    ones_F = np.ones(features, np.float32)
    return Scaler(mean_F=np.zeros(features, np.float32), std_F=ones_F, frames=0)


def fit(arrays: Iterable[NDArray[np.float32]]) -> Scaler:
    """Compute mean and standard deviation of each feature over the rows of all arrays.

    They are accumulated in float64, array by array in the given order (Chan, Golub and LeVeque
    1983), so the same arrays in the same order give the same bits, and features as small as
    openSMILE's intensity (1e-6) lose nothing.

    Args:
        arrays: nodes of utterances or segments, each (N, F), float32, unscaled.

    Raises:
        ValueError: the arrays have no row in all.
    """
    frames = 0
    mean_F = square_F = np.zeros(0)
    for array in arrays:
        if not len(array):
            continue
        values = array.astype(np.float64)
        own_F = values.mean(axis=0)
        own_square_F = ((values - own_F) ** 2).sum(axis=0)
        if not frames:
            frames, mean_F, square_F = len(values), own_F, own_square_F
            continue
        total = frames + len(values)
        delta_F = own_F - mean_F
        mean_F = mean_F + delta_F * (len(values) / total)
        square_F = square_F + own_square_F + delta_F**2 * (frames * len(values) / total)
        frames = total
    if not frames:
        raise ValueError("A scaler must be fitted on at least one frame, but got 0 instead.")
    std_F = np.sqrt(square_F / frames)
    std_F[std_F <= CONSTANT * np.abs(mean_F)] = 1.0
    return Scaler(mean_F=mean_F.astype(np.float32), std_F=std_F.astype(np.float32), frames=frames)
