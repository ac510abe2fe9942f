from pathlib import Path

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray

from features.descriptors.sets.is10 import SET

Frames = NDArray[np.float32]
CONFIG = Path(opensmile.__file__).parent / "core/config/is09-13/IS10_paraling_compat.conf"


def level(name: str, signal: Frames) -> Frames:
    smile = opensmile.Smile(str(CONFIG), name, sampling_rate=16_000)
    frames: Frames = smile(signal, 16_000)[0].T.astype(np.float32)
    return frames


def test_statics_and_deltas_are_openSMILEs_own_levels_bit_for_bit(speech: Frames) -> None:
    frames, static, delta = SET.extract(speech), level("lld", speech), level("lld_de", speech)
    assert len(frames) == len(static) == (len(speech) - 960) // 160 + 1
    assert np.array_equal(frames[:, :38], static)
    for column in range(38):
        assert np.array_equal(frames[:, 38 + column], delta[: len(frames), column])


def test_a_delta_is_the_regression_over_two_frames_on_either_side(speech: Frames) -> None:
    frames = SET.extract(speech).astype(np.float64)
    v = np.pad(frames[:, :38], ((2, 2), (0, 0)), mode="edge")
    expected = (v[3:-1] - v[1:-3] + 2 * (v[4:] - v[:-4])) / 10
    inner = slice(0, -2)  # openSMILE's statics run on for a few frames that the sink cuts off
    error = np.abs(frames[inner, 38:] - expected[inner])
    assert (error <= 1e-5 * np.abs(expected).max(axis=0) + 1e-9).all()


def test_golden_values_of_one_synthesised_utterance(speech: Frames) -> None:
    """Made by `opensmile.Smile("IS10_paraling_compat.conf", "lld;lld_de")` of opensmile 2.6.0."""
    names = SET.names()
    wanted = ("mfcc_sma[0]", "F0final_sma", "jitterLocal_sma", "mfcc_sma_de[0]", "F0final_sma_de")
    frames = SET.extract(speech)[[0, 20, 40]][:, [names.index(name) for name in wanted]]
    assert frames == pytest.approx(np.array(GOLDEN), rel=1e-4, abs=1e-5)


GOLDEN = [
    [-24.30505, 0.0, 0.0, 0.5575344, 0.0],
    [-28.25729, 0.0, 0.0, 13.44707, 0.0],
    [-8.366942, 161.2695, 0.009271868, -0.5045077, -1.910571],
]
