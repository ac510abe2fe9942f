"""Signs that the end of an OGG or MP3 file is missing: their headers promise no length in bytes."""

from pathlib import Path

BLOCK = 1 << 16
"""Bytes that are read at once while the last page is looked for."""
PAGE = b"OggS"
LAST_PAGE = 4
"""Bit of a page's flags that marks the end of its stream."""
XING = (b"Xing", b"Info")
"""Names of the header in MP3's first frame that counts the frames."""
HEAD = 4096
"""Bytes behind MP3's tags in which its first frame lies."""


def lacks_end_page(path: Path) -> bool:
    """Whether an OGG file does not end with a page that is marked as the last one.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        at, behind = file.seek(0, 2), b""
        while at > 0:
            count = min(BLOCK, at)
            at -= count
            file.seek(at)
            block = file.read(count) + behind
            page = block.rfind(PAGE)
            while page >= 0:
                flags = block[page + 4 : page + 6]  # the version, which is 0, and the flags
                if len(flags) == 2 and flags[0] == 0 and flags[1] < 8:
                    return not flags[1] & LAST_PAGE
                page = block.rfind(PAGE, 0, page)
            behind = block[:6]
    return True


def counts_frames(path: Path) -> bool:
    """Whether an MP3 file has a header that counts its frames (Xing, LAME).

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            size = 0
            for byte in head[6:]:
                size = size << 7 | byte & 0x7F  # the tag's size, seven bits a byte
            file.seek(10 + size)
        else:
            file.seek(0)
        frame = file.read(HEAD)
    for name in XING:
        at = frame.find(name)
        if at >= 0 and frame[at + 7 : at + 8] and frame[at + 7] & 1:
            return True
    return False
