"""`logmel128`: 128 log-Mel bands, as Zhong et al. (Interspeech 2020) take them, by librosa.

Windows of 40 ms (640 samples, Hamming, in an FFT of 1,024) every 10 ms, centred, the signal
followed by zeros at both ends; power; 128 Slaney bands over 0 to 8 kHz; decibel with reference 1,
floor 80 below the utterance's peak. S samples give S // 160 + 1 frames. The paper says 25 ms of
its descriptors only; for log-Mel it follows Zhong et al.

The only door to librosa.
"""

from functools import cache
from typing import TYPE_CHECKING

from features.descriptors.feature_set import FeatureSet, version_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Sample rate in Hz."""
BANDS = 128
FFT = 1024
"""Samples of an FFT."""
WINDOW = 640
"""Samples of a window (40 ms)."""
HOP = 160
"""Samples from frame to frame (10 ms)."""

SEMANTICS = 2
"""A number in the set's version; raised by hand when our code around librosa changes values."""

NAMES = tuple(f"logmel[{band}]" for band in range(BANDS))


def names() -> tuple[str, ...]:
    """List the names of the 128 columns, from low to high bands."""
    return NAMES


def version() -> str:
    """Return the extractor's version: package versions and a digest of the settings."""
    settings = f"{RATE}/{BANDS}/{FFT}/{WINDOW}/hamming/{HOP}/power 2/80 dB/{SEMANTICS}"
    return version_of(("librosa", "soxr"), settings)


def extract(signal: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Compute the log-Mel bands of a mono signal, padded with zeros to at least one FFT.

    Args:
        signal: samples at 16 kHz, (samples,), float32.

    Returns:
        Frames in decibels, (T, 128), float32.

    Raises:
        ValueError: the signal is not one-dimensional.
    """
    import librosa
    import numpy as np

    if signal.ndim != 1:
        raise ValueError(f"`signal` must have shape (samples,), but has {signal.shape} instead.")
    padded = np.pad(signal, (0, max(0, FFT - len(signal))))
    spectrum_KT = librosa.stft(
        padded, n_fft=FFT, win_length=WINDOW, window="hamming", hop_length=HOP
    )
    power_KT = np.abs(spectrum_KT) ** 2
    # Band by band, bin by bin: a product of matrices has other bits on other numbers of threads.
    power_FT = np.stack(
        [
            (weights_K[:, None] * power_KT[start : start + len(weights_K)]).sum(axis=0)
            for start, weights_K in _bands()
        ]
    )
    frames_FT = librosa.power_to_db(power_FT, ref=1.0)
    return np.ascontiguousarray(frames_FT.T, dtype=np.float32)


@cache
def _bands() -> "tuple[tuple[int, NDArray[np.float32]], ...]":
    """Compute the Mel filters: for each band its first FFT bin and the weights of its bins."""
    import numpy as np
    from librosa.filters import mel

    weights_FK = mel(sr=RATE, n_fft=FFT, n_mels=BANDS)
    held = [np.flatnonzero(weights_K) for weights_K in weights_FK]
    return tuple(
        (int(bins[0]), weights_K[bins[0] : bins[-1] + 1])
        for bins, weights_K in zip(held, weights_FK, strict=True)
    )


def centres() -> "NDArray[np.float64]":
    """Compute the centre frequency of each band in Hz, ``(128,)``, ascending."""
    import librosa

    return librosa.mel_frequencies(n_mels=BANDS + 2, fmin=0, fmax=RATE / 2)[1:-1]  # type: ignore[no-any-return]


SET = FeatureSet(
    name="logmel128",
    about="128 log-Mel bands, windows of 40 ms (librosa)",
    names=names,
    extract=extract,
    version=version,
    first_ms=0.0,
)
