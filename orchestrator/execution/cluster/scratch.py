"""Makes a run's scratch folder on this machine: for Ray's sockets and token and Tune's state.

It holds no result, and is removed when the run ends; a later run removes that of a killed one.
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
"""The folder in which scratch folders are made. Its path is short: that of a socket may have no
more than 107 bytes."""
PREFIX = "ablate-"
"""The names of scratch folders begin with this."""
LEASE_FILE = "lease.json"
"""The lease in a scratch folder: its run renews it every few seconds while it lives."""
GRACE_S = 3600.0
"""Seconds after the last renewal of its lease before a killed run's folder may be removed: its
workers, which may outlive it (63 s were seen), are gone by then."""


@contextmanager
def folder(home: Path = HOME) -> Iterator[Path]:
    """Make a new folder that only this user can read, and remove it on leaving.

    Before that, remove the scratch folders of this user's runs that were killed.

    Args:
        home: the folder in which to make it.
    """
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
    """Whether a lease lies in a folder that belongs to this user, and its run is gone.

    Any user of the machine can make a folder of such a name, so the owner is checked.
    """
    try:
        own = lease.parent.lstat().st_uid == os.getuid() and not lease.parent.is_symlink()
        old = time.time() - lease.lstat().st_mtime > GRACE_S
    except OSError:  # another run removes it just now
        return False
    return own and old and leases.is_gone(leases.read_lease(lease) or {})
