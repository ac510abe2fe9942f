"""Audio files to samples: any rate and channel count in, mono 16 kHz out. Light to import.

The only door to soundfile (decoding) and soxr (band-limited resampling).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import DamageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Samples a second inside: openSMILE's filters are laid out for it."""

QUALITY = "VHQ"
"""soxr's very high quality: pass band to 0.91 of Nyquist, linear phase."""


def fault(path: Path) -> str | None:
    """Why a file is no audio, or None. Reads the header only.

    A truncated file whose header is whole is found later, by `read_mono`.
    """
    import soundfile

    if not os.access(path, os.R_OK):
        return "no permission to read it"
    try:
        frames = soundfile.info(str(path)).frames
    except (soundfile.SoundFileError, OSError):
        return "not audio, or truncated" if path.stat().st_size else "empty"
    return None if frames > 0 else "without a sample"


def read_mono(path: Path, rate: int = RATE) -> "NDArray[np.float32]":
    """Read a file: channels averaged, resampled to `rate` Hz.

    Shape: (samples,), float32; full scale is [-1, 1), resampling may overshoot it slightly.

    Raises:
        DamageError: the file is missing, unreadable, empty, or holds NaN or infinity.
    """
    import numpy as np
    import soundfile
    import soxr

    try:
        samples_NC, native = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DamageError(
            f"Audio file {path} cannot be read ({_reason(error)}): restore it from the original."
        ) from error
    if not len(samples_NC):
        raise DamageError(f"Audio file {path} holds no sample: restore it from the original.")
    if not np.isfinite(samples_NC).all():
        raise DamageError(
            f"Audio file {path} holds values that are no numbers: restore it from the original."
        )
    mono = samples_NC.mean(axis=1, dtype=np.float32)
    if native != rate:
        mono = soxr.resample(mono, native, rate, quality=QUALITY)
    return np.ascontiguousarray(mono, dtype=np.float32)


def _reason(error: Exception) -> str:
    """The library's own words, without the path it repeats."""
    return str(error).split(": ", 1)[-1].strip().rstrip(".")
