"""The headers of WAV, of its 64-bit form RF64, and of Sony's W64."""

import struct

from features.decoding.containers.container import (
    MOST_CHUNKS,
    ByteReader,
    Container,
    end_of_chunks,
    is_name,
    near,
    sound_behind_zero,
)

PLACEHOLDERS = (0x7FFFF000, 0x80000000, 0xFFFFFFFF)
"""Sizes that writers leave that cannot seek: SoX the first, ALSA the second, FFmpeg the third; some
subtract the header's length."""
LONGEST = 1 << 62
"""Bytes from which on a size of 64 bits is a placeholder, too."""

PCM, EXTENSIBLE = 0x0001, 0xFFFE
PLAIN = {PCM: 0, 0x0003: 0, EXTENSIBLE: 0, 0x0006: 1, 0x0007: 1}
"""Tag of a codec whose samples have whole bytes -> how many; 0 where the header's bits say it."""
DECODED = (0x0002, 0x0011, 0x0031, 0x0038, 0x0040)
"""Tags of codecs that libsndfile decodes: ADPCM of several kinds, and GSM."""
CODECS = {
    0x0022: "TrueSpeech",
    0x0042: "G.723.1",
    0x0045: "G.726",
    0x0050: "MPEG layer 2",
    0x0055: "MP3",
    0x0057: "AMR",
    0x0058: "AMR-WB",
    0x0064: "G.726",
    0x0083: "G.729",
    0x00FF: "AAC",
    0x0160: "WMA",
    0x0161: "WMA",
    0x0162: "WMA",
    0x0163: "WMA",
    0x1600: "AAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0x704F: "Opus",
    0xA109: "Speex",
    0xF1AC: "FLAC",
}
"""Tag of a codec in WAV -> its name, of those that are met in speech."""
GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""Last twelve bytes of the names of W64's chunks."""


def read(reader: ByteReader) -> Container | None:
    """Read the header of a WAV or RF64 file; None where it has no sound or no format."""
    kind = reader.bytes(0, 4)
    if reader.bytes(8, 4) != b"WAVE":
        return None
    order = ">" if kind == b"RIFX" else "<"
    at, wide, form = 12, 0, None
    for _ in range(MOST_CHUNKS):
        name, size = struct.unpack(f"{order}4sI", reader.bytes(at, 8))
        if name == b"data":
            return _wav(reader, kind, order, at, size, wide, form)
        if name == b"ds64":
            wide = at + 8
        elif name == b"fmt ":
            form = _format(reader, order, at + 8)
        elif not is_name(name):
            return None
        at += 8 + size + size % 2
    return None


def _wav(
    reader: ByteReader,
    kind: bytes,
    order: str,
    at: int,
    size: int,
    wide: int,
    form: tuple[float, int, str] | None,
) -> Container | None:
    """Make the facts of a WAV or RF64 file whose chunk `data` begins at ``at``.

    Args:
        reader: the file.
        kind: its first four bytes.
        order: order of bytes in its numbers, as `struct` writes it.
        at: position of the chunk.
        size: size of the chunk's content, as its head says.
        wide: position of the content of the chunk `ds64`; 0 where there is none.
        form: bytes a second, bytes a block, and name of the codec.
    """
    if form is None:
        return None
    start = at + 8
    bytes_per_second, frame, codec = form
    promised: int | None = size
    if wide and size == 0xFFFFFFFF:
        size = reader.number("<Q", wide + 8)
        promised = None if size >= LONGEST else size
    elif near(size, *PLACEHOLDERS):
        promised = None
    there = reader.size - start
    present, behind = _present(reader, start, promised, f"{order}4sI")
    whole = present - present % frame
    if wide:
        counts = struct.pack("<QQQ", reader.size - 8, whole, whole // frame)
        patches = ((wide, counts), (at + 4, b"\xff\xff\xff\xff"))
    else:
        patches = (
            (4, struct.pack(f"{order}I", min(reader.size - 8, 0xFFFFFFFF))),
            (at + 4, struct.pack(f"{order}I", min(whole, 0xFFFFFFFF))),
        )
    return Container(
        format="RF64" if kind == b"RF64" else "WAV",
        data_at=start,
        promised=promised,
        present=min(present, there),
        bytes_per_second=bytes_per_second,
        patches=patches,
        block=frame,
        behind=behind,
        codec=codec,
    )


def _present(reader: ByteReader, start: int, promised: int | None, form: str) -> tuple[int, int]:
    """Count the bytes of sound that are there, and the bytes behind that are no chunks.

    Args:
        reader: the file.
        start: position of the first byte of sound.
        promised: bytes that the header promises; None: up to the file's end.
        form: how name and size stand in a chunk's head, for `struct`.
    """
    there = reader.size - start
    if promised is None or promised >= there:
        return there, 0
    if not promised:
        return sound_behind_zero(reader, start, form), 0
    return promised, reader.size - end_of_chunks(reader, start + promised + promised % 2, form)


def _format(reader: ByteReader, order: str, at: int) -> tuple[float, int, str]:
    """Read the chunk `fmt `: bytes of sound a second, bytes a block, name of the codec.

    The name is empty for plain samples.
    """
    tag, channels, rate, average, align, bits = reader.numbers(f"{order}HHIIHH", at)
    if tag == EXTENSIBLE:
        tag = int.from_bytes(reader.bytes(at + 24, 2), "little" if order == "<" else "big")
    if tag in PLAIN:
        frame = channels * (PLAIN[tag] or (bits + 7) // 8)
        return float(rate * frame), max(frame, 1), ""
    codec = "" if tag in DECODED else CODECS.get(tag, f"codec 0x{tag:04x}")
    return float(average), max(align, 1), codec


def read_w64(reader: ByteReader) -> Container | None:
    """Read the header of a W64 file; None where it has no sound or no format."""
    at, form = 40, None
    for _ in range(MOST_CHUNKS):
        name, size = reader.bytes(at, 16), reader.number("<Q", at + 16)
        if name == b"data" + GUID and form:
            return _w64(reader, at, size, form)
        if name == b"fmt " + GUID:
            form = _format(reader, "<", at + 24)
        elif size < 24:
            return None
        at += size + -size % 8
    return None


def _w64(reader: ByteReader, at: int, size: int, form: tuple[float, int, str]) -> Container:
    """Make the facts of a W64 file whose chunk `data` begins at ``at``.

    Args:
        reader: the file.
        at: position of the chunk.
        size: size of the chunk with its head, as the head says.
        form: bytes a second, bytes a block, and name of the codec.
    """
    start = at + 24
    bytes_per_second, frame, codec = form
    promised = None if size >= LONGEST else max(size - 24, 0)
    there = reader.size - start
    present = there if promised is None else min(promised, there)
    if promised == 0:
        present = 0 if _is_w64_chunk(reader, start) else there
    whole = present - present % frame
    return Container(
        format="W64",
        data_at=start,
        promised=promised,
        present=present,
        bytes_per_second=bytes_per_second,
        patches=((16, struct.pack("<Q", reader.size)), (at + 16, struct.pack("<Q", whole + 24))),
        block=frame,
        codec=codec,
    )


def _is_w64_chunk(reader: ByteReader, at: int) -> bool:
    """Whether a chunk begins at a position, or the file ends there."""
    return reader.size - at < 24 or reader.bytes(at + 4, 12) == GUID
