"""Signs in the pages of an OGG file that its end is missing: no header promises its length."""

import mmap
import re
from itertools import pairwise
from pathlib import Path

PAGE = re.compile(rb"OggS\x00([\x00-\x07])")
"""The head of a page, with its flags."""
FIRST_PAGE, LAST_PAGE = 2, 4
"""Bits of a page's flags that mark the beginning and the end of a stream."""


def ogg_doubts(path: Path) -> list[str]:
    """List what looks wrong in the pages of an OGG file.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        flags = [page[1][0] for page in PAGE.finditer(view)]
    found = []
    if not flags or not flags[-1] & LAST_PAGE:
        found.append("no end page: is the end lost?")
    begun = [bool(flag & FIRST_PAGE) for flag in flags]
    later = sum(is_first and not before for before, is_first in pairwise(begun))
    if later:
        found.append(f"streams one after the other: {later + 1}, of which the first is read")
    return found
