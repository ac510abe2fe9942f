"""Decodes recordings, whole or in part. The only door to soundfile (libsndfile).

Headers may lie about the length, by mistake or after a crash. So samples are read in blocks, as
many as come: memory is never asked for that the file cannot fill.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from features.decoding.c_output import silent_libraries
from features.decoding.containers.container import Container, is_short
from features.decoding.mended_file import MendedFile

BLOCK = 1 << 20
"""Numbers (samples times channels) that are read at once where the header's length is not
believed."""
BELIEVED_PER_BYTE = 128
"""Most numbers a byte of the file up to which a header's length is believed: MP3 has at most 48."""
MOST_PER_BYTE = 1 << 14
"""Most numbers a byte of the file that are decoded: as many as FLAC's silence may have."""
LONGEST_S = 24 * 3600
"""Most seconds that are decoded where the header's length is not believed: some kilobytes may hold
weeks of silence."""
LOWEST_RATE = 1_000
"""Lowest sample rate in Hz: below it a header is broken."""
HIGHEST_RATE = 1_000_000
"""Highest sample rate in Hz."""
UNKNOWN = 1 << 62
"""Number of samples from which on libsndfile does not know how many there are."""


class DecodingError(Exception):
    """A file cannot be decoded.

    Args:
        reason: why, in libsndfile's words where it did not know the file.
        opened: whether libsndfile knew format and codec.
    """

    def __init__(self, reason: str, *, opened: bool) -> None:
        super().__init__(reason)
        self.opened = opened


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DecodedRecording:
    """The samples of a recording, or of a part of it."""

    samples_NC: NDArray[np.float32]
    """Samples by channels, full scale 1."""
    rate: int
    """Samples a second (Hz)."""
    format: str
    """Format of the file, as libsndfile calls it, such as ``WAV``."""
    subtype: str
    """Codec of the file, as libsndfile calls it, such as ``PCM_16``."""
    frames: int | None
    """Samples a channel of the whole file, as its header counts them; None where it does not."""
    first: int
    """Index of the first of them in the file."""
    wanted: int | None
    """Samples a channel that were asked for: the part's, within the file; None where the header
    does not say where the file ends."""

    @property
    def is_headerless(self) -> bool:
        """Whether libsndfile took the file for audio by its name alone (`.au`, `.vox`, `.gsm`)."""
        return self.format == "RAW"

    @property
    def last_frame(self) -> int | None:
        """Samples a channel after which the file ends; None where nothing tells it."""
        if self.wanted is None or len(self.samples_NC) < self.wanted:
            return self.first + len(self.samples_NC)
        return self.frames

    @property
    def is_short(self) -> bool:
        """Whether clearly fewer samples came than the header counts, see `container.is_short`."""
        return is_short(self.wanted or 0, len(self.samples_NC), self.rate)

    @property
    def shortage(self) -> str:
        """How much came of what the header counts, for a sentence."""
        promised = (self.wanted or 0) / self.rate
        return f"{len(self.samples_NC) / self.rate:.2f} s of {promised:.2f} s are there"


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file that is read onward without a seek after each read.

    Some codecs (GSM, ADPCM of telephones, DWVW) cannot seek, and MP3 gives slightly other samples
    after a seek in its midst.
    """

    def seekable(self) -> bool:
        """Say no, so that `read` does not seek."""
        return False


def decode(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    *,
    container: Container | None = None,
    mend: bool = False,
) -> DecodedRecording:
    """Decode a recording, or a part of it.

    Args:
        path: the audio file.
        start: seconds where the part begins; None for the file's beginning.
        end: seconds where the part ends; None for the file's end.
        container: what the file's header says, where `headers.read_container` knows it.
        mend: read what lies behind a header that says 0.

    Raises:
        DecodingError: the file is damaged, or nothing decodes it.
        OSError: the file cannot be read.
    """
    patches = container.patches_to_read(mend=mend) if container else ()
    size = path.stat().st_size
    with silent_libraries():
        try:
            return _decode(path, patches, size, start or 0.0, end)
        except soundfile.SoundFileError as error:
            raise DecodingError(_reason(error), opened=False) from error


def _decode(
    path: Path, patches: Sequence[tuple[int, bytes]], size: int, start: float, end: float | None
) -> DecodedRecording:
    """Decode a part of a file of ``size`` bytes, with some of its bytes replaced."""
    # soundfile asks for the rate of whatever is named `.raw`, and refuses names that are no UTF-8.
    with MendedFile(path, patches) as mended:
        source = mended if patches or path.suffix.lower() == ".raw" else os.fsencode(path)
        with _ForwardFile(source) as file:
            return _decode_part(file, size, start, end)


def _decode_part(
    file: soundfile.SoundFile, size: int, start: float, end: float | None
) -> DecodedRecording:
    """Decode a part of an open file of ``size`` bytes."""
    rate = file.samplerate
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise DecodingError(f"its header is broken: {rate:,} samples a second", opened=True)
    known = file.frames < UNKNOWN
    first = min(round(start * rate), file.frames)
    stop = file.frames if end is None else min(round(end * rate), file.frames)
    skip = _seek(file, first)
    try:
        blocks = _read(file, stop - first + skip, size)
    except soundfile.SoundFileError:
        raise DecodingError(
            "damaged or truncated: it cannot be decoded to its end", opened=True
        ) from None
    samples_NC = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    return DecodedRecording(
        samples_NC=samples_NC[skip:],
        rate=rate,
        format=file.format,
        subtype=file.subtype,
        frames=file.frames if known else None,
        first=first,
        wanted=max(stop - first, 0) if known or end is not None else None,
    )


def _seek(file: soundfile.SoundFile, first: int) -> int:
    """Go to a sample of a file that was just opened, the first one too.

    MP3 gives samples that differ by rounding where it was not sought, and all were sought before.

    Returns:
        How many samples are still to be skipped: all of them where the codec cannot seek.
    """
    try:
        file.seek(first)
    except soundfile.SoundFileError:
        return first
    return 0


def _read(file: soundfile.SoundFile, count: int, size: int) -> list[NDArray[np.float32]]:
    """Read up to ``count`` samples a channel from a file of ``size`` bytes, at least one block.

    Raises:
        DecodingError: more comes than so few bytes can hold, or than a day of it.
    """
    channels = file.channels
    at_once = count if count * channels <= BELIEVED_PER_BYTE * size else BLOCK // channels
    at_once = max(at_once, 1)
    blocks, left = list[NDArray[np.float32]](), max(count, 0)
    most = min(MOST_PER_BYTE * size // channels, LONGEST_S * file.samplerate)
    while True:
        ask = min(at_once, left)
        block = file.read(ask, dtype="float32", always_2d=True)
        blocks.append(block)
        left -= len(block)
        most -= len(block)
        if len(block) < ask or not left:
            return blocks
        if most < 0:
            raise DecodingError(
                f"longer than {LONGEST_S // 3600} hours, or its header is broken", opened=True
            )


def _reason(error: Exception) -> str:
    """Return libsndfile's message without the file's path in front and the full stop."""
    return str(error).split(": ", 1)[-1].strip().rstrip(".")
