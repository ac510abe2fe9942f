"""The header of Apple's CAF."""

import struct

from features.decoding.containers.container import (
    MOST_CHUNKS,
    ByteReader,
    Container,
    is_name,
    sound_behind_zero,
)

TO_THE_END = (1 << 64) - 1
"""Size of the chunk `data` that reaches to the file's end (-1)."""
CODECS = {
    b"aac ": "AAC",
    b"aace": "AAC",
    b"aacl": "AAC",
    b"aacp": "AAC",
    b".mp3": "MP3",
    b"opus": "Opus",
    b"samr": "AMR",
    b"ilbc": "iLBC",
    b"QDM2": "QDesign",
}
"""Code of a codec that libsndfile does not decode in CAF -> its name."""


def read(reader: ByteReader) -> Container | None:
    """Read the header of a CAF file; None where it has no sound or no format."""
    rate, frame, codec, packed, at = 0.0, 0, "", 0.0, 8
    data = -1
    for _ in range(MOST_CHUNKS):
        if reader.size - at < 12:
            break
        name, size = struct.unpack(">4sQ", reader.bytes(at, 12))
        if not is_name(name):
            break
        if name == b"desc":
            rate = struct.unpack(">d", reader.bytes(at + 12, 8))[0]
            codec = CODECS.get(reader.bytes(at + 20, 4), "")
            frame = _frame(reader, at + 12)
        elif name == b"pakt":
            packed = float(reader.number(">Q", at + 20))
        elif name == b"data":
            data = at
            if frame or size == TO_THE_END:
                break
        at += 12 + size
    if data < 0 or not rate > 0:
        return None
    return _caf(reader, data, rate, frame, packed / rate, codec)


def _frame(reader: ByteReader, at: int) -> int:
    """Return the bytes of a frame, all channels; 0 where the codec packs frames together."""
    packet, frames = reader.numbers(">II", at + 16)
    return packet if frames == 1 else 0


def _caf(
    reader: ByteReader, at: int, rate: float, frame: int, seconds: float, codec: str
) -> Container:
    """Make the facts of a CAF file.

    Args:
        reader: the file.
        at: position of the chunk `data`.
        rate: samples a second.
        frame: bytes of a frame; 0 where the codec packs frames together.
        seconds: duration by the chunk `pakt`; 0 where it was not found.
        codec: name of the codec, where nothing here decodes it.
    """
    size, start = reader.number(">Q", at + 4), at + 16  # four bytes count the edits
    promised = None if size == TO_THE_END else max(size - 4, 0)
    there = max(reader.size - start, 0)
    present = there if promised is None else min(promised, there)
    if promised == 0:
        present = sound_behind_zero(reader, start, ">4sQ", align=1)
    bytes_per_second = rate * frame
    if not frame and seconds:
        bytes_per_second = (promised or present) / seconds
    whole = present - present % (frame or 1)
    return Container(
        format="CAF",
        data_at=start,
        promised=promised,
        present=present,
        bytes_per_second=bytes_per_second,
        patches=((at + 4, struct.pack(">Q", whole + 4)),),
        block=frame or 1,
        codec=codec,
    )
