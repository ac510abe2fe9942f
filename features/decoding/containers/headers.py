"""Reads the header of a recording, whichever format it has."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from features.decoding.containers import aiff, caf, flat, riff
from features.decoding.containers.container import ByteReader, Container, HeaderEndedError

ID3 = b"ID3"
"""First bytes of a tag that may stand in front of any audio file."""
PARSERS: dict[bytes, Callable[[ByteReader], Container | None]] = {
    b"RIFF": riff.read,
    b"RIFX": riff.read,
    b"RF64": riff.read,
    b"riff": riff.read_w64,
    b"FORM": aiff.read,
    b"caff": caf.read,
    b".snd": flat.read_au,
    b"dns.": flat.read_au,
    b"NIST": flat.read_nist,
}
"""First four bytes of a file -> the function that reads such a header."""


def read_container(path: Path) -> Container | None:
    """Read what the header of a file says about its sound.

    Returns:
        The facts; None where the format is not one of `PARSERS`, or the header is broken.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        base = bytes_of_tag(file.read(10))
        file.seek(base)
        parse = PARSERS.get(file.read(4))
        if parse is None:
            return None
        try:
            found = parse(ByteReader(file, file.seek(0, 2) - base, base))
            return _moved(found, base) if found and base else found
        except (HeaderEndedError, struct.error, ArithmeticError, LookupError, ValueError):
            return None


def bytes_of_tag(head: bytes) -> int:
    """Return the length of the ID3 tag that a file's first ten bytes begin; 0 without one."""
    if head[:3] != ID3 or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F  # seven bits a byte
    return 10 + size


def _moved(container: Container, base: int) -> Container:
    """Count the positions of a container from the file's beginning, not from behind a tag."""
    patches = tuple((base + at, new) for at, new in container.patches)
    return replace(container, data_at=base + container.data_at, patches=patches)
