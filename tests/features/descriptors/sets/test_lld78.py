import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray

from features.audio import read_mono
from features.corpora.corpus import Corpus
from features.descriptors import opensmile_engine
from features.descriptors.catalogue import extractor_version
from features.descriptors.sets import lld78
from features.descriptors.sets.lld78 import NAMES, SET

Frames = NDArray[np.float32]
extract = SET.extract
STATIC, DELTA, DELTA_DELTA = slice(0, 26), slice(26, 52), slice(52, 78)


@pytest.fixture(scope="module")
def spoken(demo: Corpus) -> Frames:
    """One synthesised utterance of about a second."""
    (utterance,) = (u for u in demo.utterances if u.id == "female-1-neutral-1")
    return read_mono(Path(demo.root) / utterance.path)


def noise(samples: int, seed: int = 0) -> Frames:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def stock(signal: Frames, level: opensmile.FeatureLevel) -> Frames:
    smile = opensmile.Smile(opensmile.FeatureSet.emobase, level, sampling_rate=16_000)
    frames: Frames = smile(signal, 16_000)[0].T.astype(np.float32)
    return frames


def regression(values_TF: Frames) -> NDArray[np.float64]:
    """HTK's delta of window 2 where both neighbours exist. Shape: (T, F) -> (T - 4, F)."""
    v = values_TF.astype(np.float64)
    result: NDArray[np.float64] = (v[3:-1] - v[1:-3] + 2 * (v[4:] - v[:-4])) / 10
    return result


def test_there_are_26_descriptors_three_times() -> None:
    assert len(set(NAMES)) == len(NAMES) == 78
    assert NAMES[0] == "pcm_intensity_sma"
    assert NAMES[28] == "mfcc_sma_de[1]"
    assert NAMES[77] == "F0env_sma_de_de"
    assert opensmile_engine.names(lld78.RECIPE) == NAMES == SET.names()


@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0])
def test_statics_and_deltas_are_the_stock_emobase_bit_for_bit(seconds: float) -> None:
    signal = noise(int(16_000 * seconds))
    ours = extract(signal)
    static = stock(signal, opensmile.FeatureLevel.LowLevelDescriptors)
    delta = stock(signal, opensmile.FeatureLevel.LowLevelDescriptors_Deltas)
    assert np.array_equal(ours[:, STATIC], static)
    assert np.array_equal(ours[:, DELTA], delta[: len(static)])


def test_deltas_are_the_regression_of_the_statics_with_the_ends_repeated(spoken: Frames) -> None:
    frames = extract(spoken)
    expected = regression(np.pad(frames[:, STATIC], ((2, 2), (0, 0)), mode="edge"))
    assert (np.abs(frames[:, DELTA] - expected) <= 1e-5 * np.abs(expected).max(axis=0)).all()


def test_delta_deltas_are_the_same_regression_of_all_rows_of_the_stock_deltas(
    spoken: Frames,
) -> None:
    """The stock level has two rows more than there are frames; see the module."""
    frames = extract(spoken)
    delta = stock(spoken, opensmile.FeatureLevel.LowLevelDescriptors_Deltas)
    assert len(delta) == len(frames) + 2
    expected = regression(np.pad(delta, ((2, 0), (0, 0)), mode="edge"))
    assert (np.abs(frames[:, DELTA_DELTA] - expected) <= 1e-5 * np.abs(expected).max(axis=0)).all()


def test_golden_values_of_one_synthesised_utterance(spoken: Frames) -> None:
    """Made by `opensmile.Smile("lld78.conf", "lld;lld_de;lld_de_de")` of opensmile 2.6.0."""
    frames = extract(spoken)
    columns = [NAMES.index(n) for n in ("mfcc_sma[1]", "F0_sma", "mfcc_sma_de[1]", "F0_sma_de_de")]
    assert frames.shape == GOLDEN_SHAPE
    assert np.allclose(frames[[0, 20, 40]][:, columns], GOLDEN, rtol=1e-4, atol=1e-5)


GOLDEN_SHAPE = (91, 78)
GOLDEN = [
    [-48.01594, 0.0, -0.367284, 0.0],
    [-31.80162, 0.0, -5.866916, 2.37037],
    [8.540465, 162.7213, 1.446774, -0.1089998],
]


@pytest.mark.parametrize("samples", [0, 1, 400, 639, 799, 800])
def test_short_signals_are_padded_to_fifty_milliseconds(samples: int) -> None:
    signal = noise(samples)
    frames = extract(signal)
    assert frames.shape == (3, 78)
    assert np.isfinite(frames).all()
    assert np.array_equal(frames, extract(np.pad(signal, (0, 800 - samples))))


@pytest.mark.parametrize("samples", [801, 959, 960, 16_000, 16_159, 16_160])
def test_there_is_a_frame_every_ten_milliseconds(samples: int) -> None:
    assert len(extract(noise(samples))) == (samples - 640) // 160 + 2


def test_full_scale_is_clipped_and_does_not_wrap_round() -> None:
    tone = np.sin(np.arange(8_000) * 0.1).astype(np.float32)
    assert np.array_equal(extract(1.2 * tone), extract(np.clip(1.2 * tone, -1, 32767 / 32768)))
    assert np.abs(extract(tone) - extract(tone * 0.999))[:, 0].max() < 1e-3 * extract(tone).max()


def test_silence_gives_numbers() -> None:
    assert np.isfinite(extract(np.zeros(16_000, np.float32))).all()


def test_calls_do_not_disturb_each_other(spoken: Frames) -> None:
    first = extract(spoken)
    extract(noise(5_000))
    assert np.array_equal(extract(spoken), first)


def test_another_process_gives_the_same_bits() -> None:
    code = (
        "import hashlib, numpy as np; from features.descriptors.sets.lld78 import SET; "
        "extract = SET.extract; "
        "x = (0.1 * np.random.default_rng(0).standard_normal(9000)).astype(np.float32); "
        "print(hashlib.sha256(extract(x).tobytes()).hexdigest())"
    )
    root = Path(lld78.__file__).resolve().parents[3]
    out = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert out.strip() == hashlib.sha256(extract(noise(9_000)).tobytes()).hexdigest()


def test_stereo_is_refused() -> None:
    expected = r"^`signal` must have shape \(samples,\), but has \(2, 100\) instead\.$"
    with pytest.raises(ValueError, match=expected):
        extract(np.zeros((2, 100), np.float32))


def test_the_version_names_engines_and_config() -> None:
    smile, soxr, rules = extractor_version("lld78").split("+")
    assert smile == f"opensmile-{opensmile.__version__}"
    assert soxr.startswith("soxr-")
    assert rules == "cc27d6896ebf"  # when it changes, every outcome trained on lld78 is stale


def test_the_version_changes_with_the_config(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before: Any = extractor_version("lld78")
    other = tmp_path / "lld78.conf"
    other.write_text(lld78.CONFIG.read_text() + ";;; changed")
    monkeypatch.setattr(lld78, "CONFIG", other)
    extractor_version.cache_clear()
    try:
        assert extractor_version("lld78") != before
    finally:
        extractor_version.cache_clear()
