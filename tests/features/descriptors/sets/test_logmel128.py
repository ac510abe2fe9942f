from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from features.descriptors.sets.logmel128 import SET, centres

Frames = NDArray[np.float32]


def test_it_is_librosas_log_mel_with_the_settings_of_zhong_et_al(speech: Frames) -> None:
    spectrum = librosa.stft(speech, n_fft=1024, hop_length=160, win_length=640, window="hamming")
    bands = librosa.filters.mel(  # type: ignore[attr-defined]
        sr=16_000, n_fft=1024, n_mels=128, fmin=0, fmax=8_000, norm="slaney"
    )
    expected = librosa.power_to_db(bands @ np.abs(spectrum) ** 2, ref=1.0, top_db=80)
    frames = SET.extract(speech)
    assert frames.shape == (len(speech) // 160 + 1, 128)
    assert np.allclose(frames, expected.T, rtol=1e-5, atol=1e-4)
    assert frames.max() - frames.min() <= 80 + 1e-4


def test_a_tone_stands_in_its_band() -> None:
    tone = 0.4 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000).astype(np.float32)

    loudest = SET.extract(tone)[50].argmax()
    assert abs(centres()[loudest] - 1_000) < 40


def test_the_bits_do_not_depend_on_the_threads_of_the_linear_algebra() -> None:
    """A worker of Ray has one, this process as many as there are cores: a shard has one key."""
    noise = np.random.default_rng(0).standard_normal(60_000).astype(np.float32) / 10
    found = []
    for threads in (1, 4):
        with threadpool_limits(threads, user_api="blas"):
            assert {pool["num_threads"] for pool in blas_pools()} == {threads}
            found.append(SET.extract(noise))
    assert np.array_equal(*found)


def blas_pools() -> list[dict[str, Any]]:
    return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
