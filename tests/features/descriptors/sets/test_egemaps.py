import numpy as np
import opensmile
from numpy.typing import NDArray

from features.dataset.segments import cut
from features.descriptors.nodes import pool
from features.descriptors.sets.egemaps import SET


def test_the_88_functionals_are_those_of_the_engine_s_own_set(speech: NDArray[np.float32]) -> None:
    own = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    clipped = np.clip(speech, -1.0, 32767 / 32768)
    assert np.array_equal(SET.extract(speech), own.process_signal(clipped, 16_000).to_numpy())
    assert SET.names() == tuple(own.feature_names)


def test_one_row_stays_one_node_and_one_segment(speech: NDArray[np.float32]) -> None:
    row = SET.extract(speech)
    assert row.shape == (1, 88)
    assert np.array_equal(pool(row, 50), row)
    assert cut(1, 120) == ((0, 1),)
