"""Checking and reading audio files: any rate and number of channels in, mono at 16 kHz out.

The only door to soxr (band-limited resampling); light to import. `decoding` opens the files.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.decoding.codecs import begins_with_text, undecodable
from features.decoding.containers.container import Container
from features.decoding.containers.headers import read_container
from features.errors import ShardDamageError
from features.soundprint import ENVELOPE_RATE, MOST_S, Soundprint, SoundprintBuilder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from features.decoding.decoder import DecodedRecording, DecodingError

RATE = 16_000
"""Samples a second (Hz) that all audio is resampled to; openSMILE's configurations expect it."""

QUALITY = "VHQ"
"""soxr's name for its very high quality: pass band to 0.91 of Nyquist, linear phase."""

TOLERANCE_S = 0.01
"""Seconds by which a part may end after its recording, since label files round their times."""

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
        sound: what it is compared with others by; None for a recording that is silent or bad.
        mended: whether the file's header says 0 samples, and what lies behind it was read.
    """

    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    bad: str = ""
    doubts: tuple[str, ...] = ()
    sound: Soundprint | None = None
    mended: bool = False


def check_recording(
    path: Path, start: float | None = None, end: float | None = None, *, mend: bool = False
) -> RecordingCheck:
    """Decode a recording, or a part of it, and look for what makes it unusable or doubtful.

    Args:
        path: the audio file.
        start: seconds where the part begins; None for the file's beginning.
        end: seconds where the part ends; None for the file's end.
        mend: read what lies behind a header that says 0 (`--mend-headers`).

    Returns:
        The result of the check. A file that cannot be read raises nothing: its ``bad`` is set.
    """
    from features.decoding.decoder import DecodingError, decode
    from features.decoding.doubts import SILENT, find_doubts

    bad = _no_file(path)
    if bad:
        return RecordingCheck(bad=bad)
    container = None
    try:
        container = read_container(path)
        bad = _broken_header(container, mend=mend, to_the_end=end is None)
        if bad:
            return RecordingCheck(bad=bad)
        sound = decode(path, start, end, container=container, mend=mend)
        bad = _unusable(path, sound, end)
        doubts = () if bad else find_doubts(path, container, sound, to_the_end=end is None)
    except DecodingError as error:
        return RecordingCheck(bad=_no_samples(path, container, error))
    except OSError as error:
        return RecordingCheck(bad=f"cannot be read ({error.strerror})")
    return RecordingCheck(
        rate=sound.rate,
        channels=sound.samples_NC.shape[1],
        seconds=len(sound.samples_NC) / sound.rate,
        bad=bad,
        doubts=doubts,
        sound=None if bad or SILENT in doubts else _soundprint(sound),
        mended=mend and container is not None and container.says_nothing,
    )


def _broken_header(container: Container | None, *, mend: bool, to_the_end: bool) -> str:
    """Return why the header of a file makes it unusable; empty if it does not.

    Args:
        container: what the header says; None where it is not known.
        mend: whether a header that says 0 is mended.
        to_the_end: whether the recording is read to the end of its file.
    """
    if container is None:
        return ""
    if container.says_nothing and not mend:
        return (
            f"its header says 0 samples, but {container.present_s:.2f} s lie behind it: "
            "`--mend-headers` reads them"
        )
    if container.is_cut and to_the_end:
        return f"truncated: {container.shortage}"
    return ""


def _no_samples(path: Path, container: Container | None, error: "DecodingError") -> str:
    """Return why a file could not be decoded.

    Args:
        path: the file.
        container: what its header says; None where it is not known.
        error: what decoding it raised.
    """
    if error.opened:
        return str(error)
    try:
        return undecodable(path, container) or "not audio, or truncated"
    except OSError as unread:
        return f"cannot be read ({unread.strerror})"


def _unusable(path: Path, sound: "DecodedRecording", end: float | None) -> str:
    """Return why decoded samples cannot be used; empty if they can.

    Args:
        path: the file.
        sound: the samples.
        end: seconds where the part ends; None for the file's end.

    Raises:
        OSError: the file cannot be read.
    """
    import numpy as np

    if sound.is_headerless and begins_with_text(path):
        return "text, not audio"
    last = sound.last_frame
    if end is not None and last is not None and last < (end - TOLERANCE_S) * sound.rate:
        return f"ends after {last / sound.rate:.2f} s, but its part at {end:g} s"
    if not len(sound.samples_NC):
        return "without a sample"
    if not np.isfinite(sound.samples_NC).all():
        return "holds values that are no numbers"
    if sound.is_short and sound.format != "MP3":  # whose header may be an estimate
        return f"truncated: {sound.shortage}"
    return ""


def _no_file(path: Path) -> str:
    """Return why a file cannot be opened for decoding, such as ``missing``; empty if it can."""
    try:
        found = path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads back to itself"
        return "a link to nothing" if path.is_symlink() else "missing"
    if stat.S_ISDIR(found.st_mode):
        return "a folder"
    if not stat.S_ISREG(found.st_mode):
        return "a pipe or a device, not a file"
    if not os.access(path, os.R_OK):
        return "no permission to read it"
    if not found.st_size:
        return "empty"
    with open(path, "rb") as file:
        if found.st_size < 1024 and file.read(len(LFS)) == LFS:
            return "a pointer of Git LFS, `git lfs pull` fetches the audio"
    return ""


def _soundprint(sound: "DecodedRecording") -> Soundprint:
    """Make the soundprint of a decoded recording, in blocks, which an hour of it needs."""
    import numpy as np
    import soxr

    builder = SoundprintBuilder(sound.rate)
    block = (MOST_S + 1) * sound.rate  # the first one holds all that the envelope covers
    for at in range(0, len(sound.samples_NC), block):
        block_NC = sound.samples_NC[at : at + block]
        # Of one channel a view: the mean costs as much as the digest.
        mono_N = block_NC[:, 0] if block_NC.shape[1] == 1 else block_NC.mean(1, dtype=np.float32)
        low_M = mono_N[:0] if at else mono_N
        if not at and sound.rate != ENVELOPE_RATE:
            low_M = soxr.resample(mono_N, sound.rate, ENVELOPE_RATE, quality="HQ")
        builder.add(mono_N, low_M)
    return builder.build()


def read_mono(
    path: Path,
    rate: int = RATE,
    *,
    start: float | None = None,
    end: float | None = None,
    mend: bool = False,
) -> "NDArray[np.float32]":
    """Read an audio file or a part of it as one channel at a given rate.

    Channels are averaged, then the signal is resampled (band-limited) where the rates differ.

    Args:
        path: the audio file.
        rate: samples a second (Hz) of the result.
        start: seconds where the part begins; None for the file's beginning.
        end: seconds where the part ends; None for the file's end.
        mend: read what lies behind a header that says 0 (`--mend-headers`).

    Returns:
        Samples, ``(samples,)``, float32; full scale is [-1, 1), and resampling may overshoot it
        slightly.

    Raises:
        ShardDamageError: the file is missing, unreadable, empty, or holds NaN or infinity.
    """
    import numpy as np
    import soxr

    from features.decoding.decoder import DecodingError, decode

    container = None
    try:
        container = read_container(path)
        sound = decode(path, start, end, container=container, mend=mend)
    except (DecodingError, OSError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) else _no_samples(path, container, error)
        )
        raise ShardDamageError(
            f"Audio file {path} cannot be read ({reason}): restore it from the original."
        ) from error
    if not len(sound.samples_NC):
        raise ShardDamageError(f"Audio file {path} holds no sample: restore it from the original.")
    if not np.isfinite(sound.samples_NC).all():
        raise ShardDamageError(
            f"Audio file {path} holds values that are no numbers: restore it from the original."
        )
    mono = sound.samples_NC.mean(axis=1, dtype=np.float32)
    if sound.rate != rate:
        mono = soxr.resample(mono, sound.rate, rate, quality=QUALITY)
    return np.ascontiguousarray(mono, dtype=np.float32)
