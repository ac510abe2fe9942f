"""The headers of AU (Sun) and of NIST SPHERE: a fixed head, then sound up to the file's end."""

import struct

from features.decoding.containers.container import ByteReader, Container

BITS = {1: 8, 2: 8, 3: 16, 4: 24, 5: 32, 6: 32, 7: 64, 23: 4, 25: 3, 26: 5, 27: 8}
"""Number of an encoding of AU -> bits of a sample."""
UNKNOWN = 0xFFFFFFFF
"""Size that AU's writers leave that do not know it."""


def read_au(reader: ByteReader) -> Container:
    """Read the header of an AU file, of either order of bytes."""
    order = ">" if reader.bytes(0, 4) == b".snd" else "<"
    start, size, encoding, rate, channels = reader.numbers(f"{order}IIIII", 4)
    there = max(reader.size - start, 0)
    promised = None if size == UNKNOWN else size
    bits = BITS.get(encoding, 0) * channels
    present = there if not promised else min(promised, there)
    whole = present - present % max(bits // 8, 1)
    return Container(
        format="AU",
        data_at=start,
        promised=promised,
        present=present,
        bytes_per_second=rate * bits / 8,
        patches=((8, struct.pack(f"{order}I", min(whole, UNKNOWN - 1))),),
        block=max(bits // 8, 1),
    )


def read_nist(reader: ByteReader) -> Container | None:
    """Read the header of a NIST SPHERE file: lines of text in ASCII.

    A header without `sample_count` leaves it to the file's size.
    """
    start = int(reader.bytes(8, 8).split()[0])
    fields: dict[bytes, bytes] = {}
    for line in reader.bytes(0, start).split(b"\n"):
        words = line.split(None, 2)
        if len(words) == 3:
            fields[words[0]] = words[2].strip()
    channels, width = int(fields.get(b"channel_count", b"1")), int(fields[b"sample_n_bytes"])
    rate, count = int(fields[b"sample_rate"]), int(fields.get(b"sample_count", b"-1"))
    coding = fields.get(b"sample_coding", b"pcm").decode("ascii", "replace")
    packed = coding.partition(",embedded-")[2].partition("-")[0]
    there = max(reader.size - start, 0)
    promised = None if count < 0 or packed else count * channels * width
    return Container(
        format="NIST",
        data_at=start,
        promised=promised,
        present=there if promised is None else min(promised, there),
        bytes_per_second=float(rate * channels * width),
        patches=(),
        codec=packed.capitalize(),
    )
