"""Reads the header of a recording, whichever format it has."""

import struct
from collections.abc import Callable
from pathlib import Path

from features.decoding import aiff, caf, flat, riff
from features.decoding.container import ByteReader, Container, HeaderEndedError

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
        parse = PARSERS.get(file.read(4))
        if parse is None:
            return None
        try:
            return parse(ByteReader(file, file.seek(0, 2)))
        except (HeaderEndedError, struct.error, ArithmeticError, LookupError, ValueError):
            return None
