"""Recordings that sound alike: copies at another sample rate or through a lossy codec.

The only door to scipy of this package. Each recording is a point in few dimensions, so that only
those near it are compared with it: the time grows little faster than the number of recordings.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from features.soundprint import Soundprint

SAME_S = 0.02
"""Seconds by which the durations of copies may differ."""
CORRELATION = 0.999
"""Correlation of two envelopes above which recordings are alike. Of 2,130 pairs of other speech of
the same duration the nearest had 0.966."""
FEWEST_VALUES = 8
"""Values (0.3 s) below which an envelope tells too little."""
FLAT = 0.002
"""Deviation, as a share of the mean, up to which an envelope is that of a steady tone."""
COSINES = 8
"""Slowest cosines that an envelope is described by, to find those near it."""
REACH = 0.1
"""How far the points of copies may lie from each other. Envelopes of correlation 0.999 lie within
0.045; the rest is for durations that differ."""
NEIGHBOURS = 6
"""How many points nearest to a recording's are compared with it: itself and five more."""


def alike(prints: Sequence[Soundprint]) -> Iterator[tuple[int, int]]:
    """Yield pairs of recordings that sound alike: each recording with those nearest to it.

    Args:
        prints: the recordings.

    Yields:
        Positions of an earlier and a later recording; no pair twice.
    """
    shapes = {i: shape for i, one in enumerate(prints) if (shape := _shape(one)) is not None}
    if len(shapes) < 2:
        return
    places = list(shapes)
    points_PD = np.stack([_point(prints[i], shapes[i]) for i in places])
    tree = KDTree(points_PD)
    near = tree.query(points_PD, k=NEIGHBOURS, p=np.inf, distance_upper_bound=REACH, workers=-1)
    near_PK = np.asarray(near[1])
    pairs = {
        (min(places[own], places[other]), max(places[own], places[other]))
        for own, others in enumerate(near_PK.tolist())
        for other in others
        if other < len(places) and other != own
    }
    for first, second in sorted(pairs):
        if abs(prints[first].seconds - prints[second].seconds) <= SAME_S and (
            _correlation(prints[first], prints[second]) > CORRELATION
        ):
            yield first, second


def _shape(one: Soundprint) -> "NDArray[np.float64] | None":
    """The envelope with mean 0 and length 1, shape (V,); None if it tells too little."""
    envelope_V = one.envelope_V.astype(np.float64)
    if len(envelope_V) < FEWEST_VALUES or envelope_V.std() <= FLAT * envelope_V.mean():
        return None
    centred_V = envelope_V - envelope_V.mean()
    return np.asarray(centred_V / np.linalg.norm(centred_V))


def _point(one: Soundprint, shape_V: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Describe a recording by its duration and by the share of slow cosines in its envelope."""
    values = len(shape_V)
    phase_V = np.pi * (np.arange(values) + 0.5) / values
    cosines_CV = np.cos(np.arange(1, COSINES + 1)[:, None] * phase_V) * np.sqrt(2 / values)
    return np.concatenate([[one.seconds * 0.99 * REACH / SAME_S], cosines_CV @ shape_V])


def _correlation(one: Soundprint, other: Soundprint) -> float:
    """Correlate two envelopes over the values that both have."""
    values = min(len(one.envelope_V), len(other.envelope_V))
    both_2V = np.stack([one.envelope_V[:values], other.envelope_V[:values]]).astype(np.float64)
    return float(np.asarray(np.corrcoef(both_2V))[0, 1])
