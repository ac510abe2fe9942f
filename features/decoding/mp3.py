"""The frames of an MP3 file: whether its header counts them, and how many seconds they hold.

Without a header that counts them libsndfile guesses the length from the first frame, and reads no
further than that; of joined files it reads as many as the first one counts.
"""

import mmap
from pathlib import Path

from features.decoding.containers.headers import bytes_of_tag

XING = (b"Xing", b"Info")
"""Names of the header in MP3's first frame that counts the frames."""
HEAD = 4096
"""Bytes behind MP3's tags in which its first frame lies."""
SYNC = b"\xff"
"""First byte of a frame."""
LAYER_3 = 1
"""Number of layer III in a frame's head."""
KILOBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
"""Kilobits a second by their number in a frame's head: of MPEG 1, and of MPEG 2 and 2.5."""
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Number of a version in a frame's head (MPEG 1, 2, 2.5) -> sample rates in Hz by their number."""


def counts_frames(path: Path) -> bool:
    """Whether an MP3 file has a header that counts its frames (Xing, LAME).

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(bytes_of_tag(file.read(10)))
        frame = file.read(HEAD)
    for name in XING:
        at = frame.find(name)
        if at >= 0 and frame[at + 7 : at + 8] and frame[at + 7] & 1:
            return True
    return False


def seconds_in_frames(path: Path) -> float:
    """Add up the lengths of all frames of an MP3 file, in seconds; other bytes are skipped.

    Raises:
        OSError: the file cannot be read.
    """
    seconds = 0.0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        at = bytes_of_tag(view[:10])
        while (at := view.find(SYNC, at)) >= 0:
            size, length = _frame(view[at : at + 4])
            follows = at + size
            # A byte of sound may look like a head: a frame counts where another one follows it.
            if size and (follows >= len(view) - 4 or _is_end(view[follows : follows + 4])):
                seconds += length
                at = follows
            else:
                at += 1
    return seconds


def _frame(head: bytes) -> tuple[int, float]:
    """Return the bytes and the seconds of the frame with these four first bytes; zeros if none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0, 0.0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, number = head[2] >> 4, head[2] >> 2 & 3
    if version not in RATES or layer != LAYER_3 or bits in (0, 15) or number == 3:
        return 0, 0.0
    rate, samples = RATES[version][number], 1152 if version == 3 else 576
    kilobits = KILOBITS[version != 3][bits]
    return samples // 8 * kilobits * 1000 // rate + (head[2] >> 1 & 1), samples / rate


def _is_end(head: bytes) -> bool:
    """Whether a frame may end before these four bytes: another one begins, or a tag."""
    return _frame(head)[0] > 0 or head[:3] in (b"TAG", b"ID3", b"APE")
