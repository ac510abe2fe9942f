"""What the container of a recording says about its length, beside what the file holds.

libsndfile reads a file that broke off as if it were whole, since it trusts the file's size more
than the header. So the header is read here, too: WAV, RF64, W64, AIFF, CAF, AU and NIST SPHERE. All
other formats say nothing here; `decoder` notices where they give fewer samples than they count.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

ALLOWED_S = 0.1
"""Seconds that may be missing without a word, unless `ALLOWED_SHARE` is more."""
ALLOWED_SHARE = 0.005
"""Share of the promised length that may be missing without a word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """Where the sound of a file lies, and how much of it the header promises."""

    format: str
    """Name of the format, such as ``WAV``."""
    data_at: int
    """Position of the first byte of sound in the file."""
    promised: int | None
    """Bytes of sound that the header promises; None where a writer that could not seek left a
    placeholder, so that the sound ends where the file does."""
    present: int
    """Bytes of sound in the file, at most as many as promised; where the header says 0, those that
    lie behind it and are no other part of the file."""
    bytes_per_second: float
    """Bytes of sound in a second; 0 where the header does not tell."""
    patches: tuple[tuple[int, bytes], ...]
    """Positions and bytes that make the header say what is present."""
    block: int = 1
    """Bytes that are decoded together: those of a frame, or of a packet of frames."""
    behind: int = 0
    """Bytes after the promised sound that belong to no part of the file."""
    codec: str = ""
    """Name of the codec where the container names one by a tag, such as ``G.729``; else empty."""

    @property
    def present_s(self) -> float:
        """Seconds of sound in the file; 0 where the header does not tell."""
        return self.present / self.bytes_per_second if self.bytes_per_second else 0.0

    @property
    def promised_s(self) -> float:
        """Seconds that the header promises; 0 where it does not tell."""
        return (self.promised or 0) / self.bytes_per_second if self.bytes_per_second else 0.0

    @property
    def is_cut(self) -> bool:
        """Whether more is missing than the larger of `ALLOWED_S` and `ALLOWED_SHARE`."""
        return is_short(self.promised or 0, self.present, self.bytes_per_second)

    @property
    def shortage(self) -> str:
        """How much is there of what the header promises, for a sentence."""
        if self.promised_s:
            return f"{self.present_s:.2f} s of {self.promised_s:.2f} s are there"
        return f"{self.present:,} of {self.promised or 0:,} bytes are there"

    @property
    def says_nothing(self) -> bool:
        """Whether the header says that there is no sound, though some lies behind it."""
        enough = 0 < ALLOWED_S * self.bytes_per_second < self.present
        return self.promised == 0 and enough and bool(self.patches)

    def patches_to_read(self, *, mend: bool) -> tuple[tuple[int, bytes], ...]:
        """Return the patches without which libsndfile reads badly; none where it needs none.

        libsndfile opens neither a CAF nor an RF64 file with a placeholder, nor a CAF file that is
        a few bytes short. It fills up a block of which the end is missing.

        Args:
            mend: read what lies behind a header that says 0.
        """
        if self.promised == 0:
            return self.patches if mend and self.says_nothing else ()
        if self.promised == self.present:
            return ()
        strict = self.format in ("CAF", "RF64") or self.present % self.block
        return self.patches if strict else ()


def is_short(promised: int, present: int, per_second: float) -> bool:
    """Whether more is missing than the larger of `ALLOWED_S` and `ALLOWED_SHARE`.

    Args:
        promised: bytes or samples that a header promises.
        present: how many are there.
        per_second: how many make a second.
    """
    return promised - present > max(ALLOWED_S * per_second, ALLOWED_SHARE * promised)


class HeaderEndedError(Exception):
    """The file ends inside of its header."""


class ByteReader:
    """Reads numbers at positions of a file.

    Args:
        file: the open file.
        size: its size in bytes, from ``base`` on.
        base: where position 0 lies in the file, behind a tag.
    """

    def __init__(self, file: BinaryIO, size: int, base: int = 0) -> None:
        self._file = file
        self.size = size
        self._base = base

    def bytes(self, at: int, count: int) -> bytes:
        """Read ``count`` bytes from position ``at``.

        Raises:
            HeaderEndedError: the file is shorter.
        """
        if at < 0 or at + count > self.size:
            raise HeaderEndedError
        self._file.seek(self._base + at)
        return self._file.read(count)

    def numbers(self, form: str, at: int) -> tuple[int, ...]:
        """Read numbers in the notation of `struct`, such as ``<HHI``.

        Raises:
            HeaderEndedError: the file is shorter.
        """
        return struct.unpack(form, self.bytes(at, struct.calcsize(form)))

    def number(self, form: str, at: int) -> int:
        """Read one number in the notation of `struct`."""
        return self.numbers(form, at)[0]


MOST_CHUNKS = 10_000
"""Most parts of a file that are walked through."""


def is_name(chunk: bytes) -> bool:
    """Whether four bytes may be the name of a chunk: printable ASCII."""
    return all(0x20 <= byte < 0x7F for byte in chunk)


def end_of_chunks(reader: ByteReader, at: int, form: str, align: int = 2) -> int:
    """Walk through chunks, and return where the last one ends; ``at`` where none begins there.

    Args:
        reader: the file.
        at: where the next chunk should begin.
        form: how name and size stand in a chunk's head, such as ``<4sI``.
        align: chunks begin at multiples of this many bytes.
    """
    head = struct.calcsize(form)
    for _ in range(MOST_CHUNKS):
        if reader.size - at < head:
            return reader.size
        name, size = struct.unpack(form, reader.bytes(at, head))
        if not is_name(name) or size > reader.size - at:
            return at
        at += head + size + -size % align
    return at


def sound_behind_zero(reader: ByteReader, start: int, form: str, align: int = 2) -> int:
    """Count the bytes behind a header that says 0; none where another chunk begins there.

    Args:
        reader: the file.
        start: position of the first byte of sound, if there were any.
        form: how name and size stand in a chunk's head, such as ``<4sI``.
        align: chunks begin at multiples of this many bytes.
    """
    return reader.size - start if end_of_chunks(reader, start, form, align) == start else 0


def near(value: int, *places: int) -> bool:
    """Whether a number lies at most 64 KiB below one of these, or is it."""
    return any(place - 0x10000 <= value <= place for place in places)
