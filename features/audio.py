"""Checking and reading audio files: any rate and number of channels in, mono at 16 kHz out.

The only door to soundfile (decoding) and soxr (band-limited resampling); light to import.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import ShardDamageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Samples a second (Hz) that all audio is resampled to; openSMILE's configurations expect it."""

QUALITY = "VHQ"
"""soxr's name for its very high quality: pass band to 0.91 of Nyquist, linear phase."""


SHORTEST_S = 0.05
"""Seconds below which a recording counts as too short for whole frames: `check_recording` says so,
and extraction pads it with zeros."""

SILENCE = 2**-13
"""Greatest magnitude below which a recording counts as silent, with full scale 1: four steps of
16-bit audio."""

FULL_SCALE = 32766 / 32768
"""Magnitude from which on three consecutive samples count as clipped, with full scale 1."""

FORMATS = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".mp3": ("MP3",),
    ".aiff": ("AIFF",),
}
"""Ending of a file's name -> the formats that a file of that name may have, by libsndfile's
names."""

LFS = b"version https://git-lfs"
"""First bytes of a Git LFS pointer, a small text file that stands where the audio should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingCheck:
    """Rate, channels and length of a recording, and what is wrong with it.

    Attributes:
        rate: samples a second (Hz) in the file; 0 if the file cannot be decoded.
        channels: number of channels in the file; 0 if the file cannot be decoded.
        seconds: duration of the recording, or of the part that was asked for, in seconds.
        bad: why the recording cannot be used, such as ``empty``; empty text where it can.
        doubts: what looks wrong in a recording that can be used, such as ``silent``, ``clipped``.
    """

    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    bad: str = ""
    doubts: tuple[str, ...] = ()


def check_recording(
    path: Path, start: float | None = None, end: float | None = None
) -> RecordingCheck:
    """Decode a recording, or a part of it, and look for what makes it unusable or doubtful.

    Args:
        path: the audio file.
        start: seconds where the part begins; None for the file's beginning.
        end: seconds where the part ends; None for the file's end.

    Returns:
        The result of the check. A file that cannot be read raises nothing: its ``bad`` is set.
    """
    import numpy as np
    import soundfile

    bad = _no_file(path)
    if bad:
        return RecordingCheck(bad=bad)
    try:
        with soundfile.SoundFile(str(path)) as file:
            form, rate, channels = file.format, file.samplerate, file.channels
            if end is not None and file.frames < end * rate - rate * TOLERANCE_S:
                whole = file.frames / rate
                return RecordingCheck(bad=f"ends after {whole:.2f} s, but its part at {end:g} s")
            file.seek(min(round((start or 0.0) * rate), file.frames))
            stop = file.frames if end is None else min(round(end * rate), file.frames)
            samples_NC = file.read(max(stop - file.tell(), 0), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return RecordingCheck(bad="not audio, or truncated")
    seconds = len(samples_NC) / rate
    if not len(samples_NC):
        bad = "without a sample"
    elif not np.isfinite(samples_NC).all():
        bad = "holds values that are no numbers"
    doubts = () if bad else _doubts(path, form, seconds, samples_NC)
    return RecordingCheck(rate=rate, channels=channels, seconds=seconds, bad=bad, doubts=doubts)


TOLERANCE_S = 0.01
"""Seconds by which a part may end after its recording, since label files round their times."""


def _no_file(path: Path) -> str:
    """Return why a file cannot be opened for decoding, such as ``missing``; empty if it can."""
    try:
        size = path.stat().st_size
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads back to itself"
        return "a link to nothing" if path.is_symlink() else "missing"
    if path.is_dir():
        return "a folder"
    if not os.access(path, os.R_OK):
        return "no permission to read it"
    if not size:
        return "empty"
    with open(path, "rb") as file:
        if size < 1024 and file.read(len(LFS)) == LFS:
            return "a pointer of Git LFS, `git lfs pull` fetches the audio"
    return ""


def _doubts(
    path: Path, form: str, seconds: float, samples_NC: "NDArray[np.float32]"
) -> tuple[str, ...]:
    """List what looks wrong in a decoded recording, such as ``silent``.

    Args:
        path: the audio file, whose ending is compared with ``form``.
        form: format inside the file, as libsndfile calls it, such as ``WAV``.
        seconds: duration.
        samples_NC: samples by channels, full scale 1.
    """
    import numpy as np

    found = []
    peaks_N = np.abs(samples_NC).max(axis=1)
    loud_N = peaks_N >= FULL_SCALE
    suffix = path.suffix.lower()
    if peaks_N.max() < SILENCE:
        found.append("silent")
    if (loud_N[:-2] & loud_N[1:-1] & loud_N[2:]).any():
        found.append("clipped")
    if seconds < SHORTEST_S:
        found.append(f"shorter than {1000 * SHORTEST_S:.0f} ms")
    if form not in FORMATS.get(suffix, (form,)):
        found.append(f"named {suffix}, but {form} inside")
    return tuple(found)


def read_mono(
    path: Path, rate: int = RATE, *, start: float | None = None, end: float | None = None
) -> "NDArray[np.float32]":
    """Read an audio file or a part of it as one channel at a given rate.

    Channels are averaged, then the signal is resampled (band-limited) where the rates differ.

    Args:
        path: the audio file.
        rate: samples a second (Hz) of the result.
        start: seconds where the part begins; None for the file's beginning.
        end: seconds where the part ends; None for the file's end.

    Returns:
        Samples, ``(samples,)``, float32; full scale is [-1, 1), and resampling may overshoot it
        slightly.

    Raises:
        ShardDamageError: the file is missing, unreadable, empty, or holds NaN or infinity.
    """
    import numpy as np
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(str(path)) as file:
            native = file.samplerate
            file.seek(min(round((start or 0.0) * native), file.frames))
            stop = file.frames if end is None else min(round(end * native), file.frames)
            samples_NC = file.read(max(stop - file.tell(), 0), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise ShardDamageError(
            f"Audio file {path} cannot be read ({_reason(error)}): restore it from the original."
        ) from error
    if not len(samples_NC):
        raise ShardDamageError(f"Audio file {path} holds no sample: restore it from the original.")
    if not np.isfinite(samples_NC).all():
        raise ShardDamageError(
            f"Audio file {path} holds values that are no numbers: restore it from the original."
        )
    mono = samples_NC.mean(axis=1, dtype=np.float32)
    if native != rate:
        mono = soxr.resample(mono, native, rate, quality=QUALITY)
    return np.ascontiguousarray(mono, dtype=np.float32)


def _reason(error: Exception) -> str:
    """Return the library's message without the file's path in front and the full stop."""
    return str(error).split(": ", 1)[-1].strip().rstrip(".")
