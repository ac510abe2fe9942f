"""What looks wrong in a recording that can be used: silence, clipping, an end that is missing."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.decoding.codecs import text_at_the_start
from features.decoding.containers.container import Container
from features.decoding.decoder import DecodedRecording
from features.decoding.mp3 import counts_frames, seconds_in_frames
from features.decoding.ogg import ogg_doubts

SHORTEST_S = 0.05
"""Seconds below which a recording counts as too short for whole frames; extraction pads it with
zeros."""
SILENCE = 2**-13
"""Greatest magnitude below which a recording counts as silent, with full scale 1: four steps of
16-bit audio."""
SILENT = "silent"
"""The doubt about a recording below ``SILENCE``."""
FULL_SCALE = 32766 / 32768
"""Magnitude from which on three consecutive samples count as clipped, with full scale 1."""
FAR_ABOVE = 16
"""Magnitude from which on samples in floating point look like whole numbers of 16 bits."""
SCALES = (1 << 15, 1 << 23, 1 << 31)
"""Full scale of 16, 24 and 32 bits."""
LONGEST_TAIL_S = 0.5
"""Seconds of one value at the end above which the end looks lost."""
MOST_BEHIND_S = 0.5
"""Seconds of sound that a header may leave out without a word."""
FORMATS = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".opus": ("OGG",),
    ".mp3": ("MP3",),
    ".aiff": ("AIFF",),
    ".aif": ("AIFF",),
    ".caf": ("CAF",),
    ".w64": ("W64",),
    ".au": ("AU", "RAW"),
}
"""Ending of a file's name -> the formats that a file of that name may have, by libsndfile's
names."""


def find_doubts(
    path: Path, container: Container | None, sound: DecodedRecording, *, to_the_end: bool
) -> tuple[str, ...]:
    """List what looks wrong in a decoded recording, such as ``silent``.

    Args:
        path: the audio file, whose ending is compared with the format inside.
        container: what its header says; None where it is not known.
        sound: its samples, at least one.
        to_the_end: whether it is read to the end of its file.

    Raises:
        OSError: the file cannot be read.
    """
    found = [
        *_level(sound),
        *_tail(sound),
        *_length(path, container, sound, to_the_end=to_the_end),
    ]
    suffix = path.suffix.lower()
    if len(sound.samples_NC) < SHORTEST_S * sound.rate:
        found.append(f"shorter than {1000 * SHORTEST_S:.0f} ms")
    if sound.format not in FORMATS.get(suffix, (sound.format,)):
        found.append(f"named {suffix}, but {sound.format} inside")
    if sound.is_headerless:
        if text := text_at_the_start(path):
            found.append(f"text before its header: {text} bytes, and so all of it reads as noise")
        elif suffix in (".au", ".snd"):
            found.append("no header: read as mu-law at 8,000 Hz")
    return tuple(found)


def _level(sound: DecodedRecording) -> list[str]:
    """List doubts about loudness: silent, clipped, or far above full scale."""
    peaks_N = np.abs(sound.samples_NC).max(axis=1)
    peak = float(peaks_N.max())
    if peak < SILENCE:
        return [SILENT]
    if peak >= FAR_ABOVE and sound.subtype in ("FLOAT", "DOUBLE"):
        scale = next((scale for scale in SCALES if peak <= scale), 0)
        hint = f", divide by {scale:,}?" if scale else ""
        return [f"far above full scale: its peak is {peak:,.0f} instead of 1{hint}"]
    loud_N = peaks_N >= FULL_SCALE
    return ["clipped"] if (loud_N[:-2] & loud_N[1:-1] & loud_N[2:]).any() else []


def _tail(sound: DecodedRecording) -> list[str]:
    """Doubt a recording that ends in one value: a copy that broke off, and was filled up."""
    samples_NC: NDArray[np.float32] = sound.samples_NC
    other_K = np.flatnonzero((samples_NC != samples_NC[-1]).any(axis=1))
    tail = len(samples_NC) - (int(other_K[-1]) + 1 if len(other_K) else 0)
    value = float(np.abs(samples_NC[-1]).max())
    if tail <= LONGEST_TAIL_S * sound.rate or (not len(other_K) and value < SILENCE):
        return []
    what = "zeros" if not value else "one value"
    return [f"ends in {what}: its last {tail / sound.rate:.2f} s, is the end lost?"]


def _length(
    path: Path, container: Container | None, sound: DecodedRecording, *, to_the_end: bool
) -> list[str]:
    """List doubts about an end that seems to be missing, as `find_doubts` does."""
    if container is not None:
        if container.is_cut and not to_the_end:
            return [f"its file is truncated: {container.shortage}"]
        behind = container.behind / (container.bytes_per_second or 1)
        if container.bytes_per_second and behind > MOST_BEHIND_S:
            return [f"its header counts {container.promised_s:.2f} s, but {behind:.2f} s follow"]
    if not to_the_end:
        return []
    if sound.format == "OGG":
        return ogg_doubts(path)
    if sound.format != "MP3":
        return []
    if sound.is_short and counts_frames(path):
        return [f"fewer frames than its header counts: {sound.shortage}"]
    there, read = seconds_in_frames(path), len(sound.samples_NC) / sound.rate
    if there - read > MOST_BEHIND_S:
        return [f"read in part: {read:.2f} s of {there:.2f} s, its header counts no more"]
    return []
