"""A folder of this machine for one run: Ray's sockets and token, Tune's state. No result is in it.

It goes with its run. What a killed run left behind goes with a later one.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.store import leases

HOME = Path("/tmp")
"""Short, since socket paths end at 107 bytes, and outside of any store."""
PREFIX = "ablate-"
CLAIM = "claim.json"
GRACE_S = 3600.0
"""So long after a run's last sign of life its orphans are gone for sure (63 s were seen)."""


@contextmanager
def folder(home: Path = HOME) -> Iterator[Path]:
    """A new, private folder; first, those of runs that are long gone are removed."""
    for left in home.glob(f"{PREFIX}*/{CLAIM}"):
        if _is_left(left):
            shutil.rmtree(left.parent, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    claim = leases.acquire(path / CLAIM)
    try:
        yield path
    finally:
        if claim is not None:
            claim.release()
        shutil.rmtree(path, ignore_errors=True)


def _is_left(claim: Path) -> bool:
    """Whether it lies in a folder of ours whose run is gone. Anybody may put things beside it."""
    try:
        own = claim.parent.lstat().st_uid == os.getuid() and not claim.parent.is_symlink()
        old = time.time() - claim.lstat().st_mtime > GRACE_S
    except OSError:  # it goes just now
        return False
    return own and old and leases.is_gone(leases.read_lease(claim) or {})
