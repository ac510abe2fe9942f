from pathlib import Path

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray

from features.descriptors.sets.lld35 import CONFIG, SET

Frames = NDArray[np.float32]
EMOBASE = Path(opensmile.__file__).parent / "core/config/emobase/emobase.conf"


def level(config: Path, name: str, signal: Frames) -> Frames:
    smile = opensmile.Smile(str(config), name, sampling_rate=16_000)
    frames: Frames = smile(signal, 16_000)[0].T.astype(np.float32)
    return frames


def test_there_are_16_statics_and_17_deltas_and_no_metadata() -> None:
    names = SET.names()
    assert names[13:16] == ("pcm_zcr", "voiceProb", "F0")
    assert len(names[:16]) == 16 and not any(name.endswith("_de") for name in names[:16])
    assert len([name for name in names if "_sma_de" in name]) == 17
    assert names[32] == "pcm_LOGenergy_sma_de"


def test_mfcc_and_zero_crossings_are_emobases_before_smoothing(speech: Frames) -> None:
    frames = SET.extract(speech)
    stock = level(EMOBASE, "mfcc1", speech)
    n = min(len(frames), len(stock))
    assert n >= 90 and np.array_equal(frames[:n, :12], stock[:n])  # HTK's order: c0 last
    assert np.array_equal(frames[:n, 13], level(EMOBASE, "mzcr", speech)[:n, 0])


def test_each_delta_is_openSMILEs_own_delta_level_and_its_regression(speech: Frames) -> None:
    frames = SET.extract(speech)
    assert len(frames) == (len(speech) - 400) // 160 + 1
    delta, smoothed = level(CONFIG, "lld_de", speech), level(CONFIG, "lld", speech)
    v = np.pad(smoothed.astype(np.float64), ((2, 2), (0, 0)), mode="edge")
    expected = (v[3:-1] - v[1:-3] + 2 * (v[4:] - v[:-4])) / 10
    inner = slice(0, len(frames) - 2)
    for column in range(17):
        own = frames[:, 16 + column]
        assert np.array_equal(own, delta[: len(frames), column])
        allowed = 1e-5 * np.abs(expected[:, column]).max() + 1e-9
        assert np.abs(own[inner] - expected[inner, column]).max() <= allowed


def test_golden_values_of_one_synthesised_utterance(speech: Frames) -> None:
    """Made by `opensmile.Smile("lld35.conf", "mfcc;zcr;pitch;lld_de")` of opensmile 2.6.0."""
    frames = SET.extract(speech)[[0, 20, 40]][:, [0, 13, 14, 15, 16, 32]]
    assert frames == pytest.approx(np.array(GOLDEN), rel=1e-4, abs=1e-5)


GOLDEN = [
    [-47.20945, 0.6025, 0.2832856, 0.0, -0.367284, 0.097857],
    [-33.2879, 0.515, 0.1946824, 0.0, -5.866916, 2.721187],
    [8.430589, 0.1275, 0.6596389, 163.2823, 1.446774, -0.06830702],
]
