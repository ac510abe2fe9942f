"""A run's private folder on this machine: Ray's sockets and token, Tune's state, and no result.

It is removed with its run; a later run removes what a killed one left behind.
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
"""Outside of any store, and short: the path of a socket may have 107 bytes."""
PREFIX = "ablate-"
LEASE_FILE = "lease.json"
GRACE_S = 3600.0
"""Seconds after a run's last sign of life when its orphans are surely gone (63 s were seen)."""


@contextmanager
def folder(home: Path = HOME) -> Iterator[Path]:
    """Make a new, private folder; before that, remove those of runs that are long gone."""
    for lease in home.glob(f"{PREFIX}*/{LEASE_FILE}"):
        if _is_abandoned(lease):
            shutil.rmtree(lease.parent, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    held = leases.acquire(path / LEASE_FILE)
    try:
        yield path
    finally:
        if held is not None:
            held.release()
        shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(lease: Path) -> bool:
    """Whether a lease lies in a folder of ours whose run is gone.

    Any user of the machine can make a folder of such a name: only our own are removed.
    """
    try:
        own = lease.parent.lstat().st_uid == os.getuid() and not lease.parent.is_symlink()
        old = time.time() - lease.lstat().st_mtime > GRACE_S
    except OSError:  # another run removes it just now
        return False
    return own and old and leases.is_gone(leases.read_lease(lease) or {})
