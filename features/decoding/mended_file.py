"""A file that reads as if some of its bytes were others: a header that says what is there."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self


class MendedFile:
    """A file to read, with some bytes replaced; the file itself is not changed.

    Args:
        path: the file.
        patches: positions, and the bytes that are read there.
    """

    def __init__(self, path: Path, patches: Sequence[tuple[int, bytes]]) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by __exit__
        self._patches = patches

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read into a buffer, and return how many bytes were read."""
        at = self._file.tell()
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view)
        for place, new in self._patches:
            low, high = max(place, at), min(place + len(new), at + count)
            if low < high:
                view[low - at : high - at] = new[low - place : high - place]
        return count

    def read(self, count: int = -1) -> bytes:
        """Read bytes."""
        buffer = bytearray(self._size() - self.tell() if count < 0 else count)
        return bytes(buffer[: self.readinto(buffer)])

    def _size(self) -> int:
        """Return the size of the file in bytes."""
        return os.fstat(self._file.fileno()).st_size
