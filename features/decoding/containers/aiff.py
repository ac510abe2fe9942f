"""The header of AIFF and AIFF-C."""

import math
import struct

from features.decoding.containers.container import (
    MOST_CHUNKS,
    ByteReader,
    Container,
    is_name,
    near,
    sound_behind_zero,
)

PLACEHOLDERS = (0x7F000000, 0x7F000040, 0x80000000, 0xFFFFFFFF)
"""Sizes that writers leave that cannot seek; SoX the first, with the header's length the second."""
WIDTHS = {b"NONE": 0, b"sowt": 0, b"twos": 0, b"in24": 3, b"in32": 4, b"fl32": 4, b"FL32": 4}
WIDTHS |= {b"fl64": 8, b"FL64": 8, b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1, b"raw ": 1}
"""Compression -> bytes of a sample; 0 where the header's bits say it. Others pack their samples."""
PACKED = {b"ima4": 34 / 64, b"GSM ": 33 / 160, b"agsm": 33 / 160}
"""Compression -> bytes of a sample, of those that pack samples, and whose writers do not agree on
what the header counts."""
CODECS = {b"MAC3": "MACE", b"MAC6": "MACE", b"QDM2": "QDesign", b"Qclp": "QCELP", b"mp4a": "AAC"}
"""Compression that nothing here decodes -> its name."""


def read(reader: ByteReader) -> Container | None:
    """Read the header of an AIFF file; None where it has no sound or no format."""
    kind = reader.bytes(8, 4)
    if kind not in (b"AIFF", b"AIFC"):
        return None
    common, sound, at = 0, 0, 12
    for _ in range(MOST_CHUNKS):
        if reader.size - at < 8:
            break
        name, size = struct.unpack(">4sI", reader.bytes(at, 8))
        if not is_name(name):
            break
        if name == b"COMM":
            common = at
        elif name == b"SSND":
            sound = at
            if common:
                break
        at += 8 + size + size % 2
    if not common or not sound:
        return None
    return _aiff(reader, compressed=kind == b"AIFC", common=common, sound=sound)


def _aiff(reader: ByteReader, *, compressed: bool, common: int, sound: int) -> Container:
    """Make the facts of an AIFF file.

    Args:
        reader: the file.
        compressed: whether it is AIFF-C, which names a compression.
        common: position of the chunk `COMM`.
        sound: position of the chunk `SSND`.
    """
    channels, frames, bits = reader.numbers(">HIH", common + 8)
    rate = _rate(reader.bytes(common + 16, 10))
    compression = reader.bytes(common + 26, 4) if compressed else b"NONE"
    size, offset = reader.numbers(">II", sound + 4)
    start = sound + 16 + offset
    there = max(reader.size - start, 0)
    width = WIDTHS.get(compression)
    frame = channels * ((width or (bits + 7) // 8) if width is not None else 0)
    promised: int | None = max(size - 8 - offset, 0)
    counted = frames * frame
    unknown = near(size, *PLACEHOLDERS) or near(counted, *PLACEHOLDERS)
    if not promised and counted:
        promised = counted
    if unknown:
        promised = counted if 0 < counted <= there else None
    present = there if promised is None else min(promised, there)
    if promised == 0:
        present = sound_behind_zero(reader, start, ">4sI")
    bytes_per_second = rate * (frame or channels * PACKED.get(compression, 0))
    if not bytes_per_second and frames:
        bytes_per_second = (promised or 0) * rate / frames
    whole = present - present % (frame or 1)
    return Container(
        format="AIFF",
        data_at=start,
        promised=promised,
        present=present,
        bytes_per_second=bytes_per_second,
        patches=_patches(reader, common, sound, whole, frame, offset) if frame else (),
        block=frame or 1,
        codec=CODECS.get(compression, ""),
    )


def _patches(
    reader: ByteReader, common: int, sound: int, size: int, frame: int, offset: int
) -> tuple[tuple[int, bytes], ...]:
    """Return the bytes that make the header say how much sound there is.

    Args:
        reader: the file.
        common: position of the chunk `COMM`.
        sound: position of the chunk `SSND`.
        size: bytes of sound.
        frame: bytes of a frame.
        offset: bytes between the head of `SSND` and the sound.
    """
    return (
        (4, struct.pack(">I", min(reader.size - 8, 0xFFFFFFFF))),
        (common + 10, struct.pack(">I", size // frame)),
        (sound + 4, struct.pack(">I", min(size + 8 + offset, 0xFFFFFFFF))),
    )


def _rate(extended: bytes) -> float:
    """Convert a number of 80 bits, as AIFF writes its rate, to samples a second."""
    exponent, mantissa = struct.unpack(">HQ", extended)
    return math.ldexp(mantissa, (exponent & 0x7FFF) - 16383 - 63)
