"""Leases: one process at a time trains a trial, or removes files from a store.

A lease is a file that is created once; its owner raises the counter in it every ``BEAT_S``.
Another process takes it over when the owner is provably gone (same machine, same boot, no such
process), or when the counter has stood still for ``LEASE_S`` by that other process's own monotonic
clock: no wall clock is compared across machines. An owner that could not renew its lease for so
long, or that finds another owner's lease in its place, must stop: ``Lease.held`` tells it.

In an object store nothing is renamed, so two processes that break a dead lease at the same instant
may both train the trial: that costs a training, never a record. The file of a trial's lease is
named ``claim.json``.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from orchestrator.store.files import create_once, is_refusal, read, replace_file, take
from orchestrator.store.paths import Location

LEASE_S = 120.0
"""Seconds after which a lease that nobody renews has expired.

Longer than a worker was seen to train on after its node (14 s) or its head node (63 s) was lost.
"""
BEAT_S = 10.0
"""Seconds between two renewals of a lease."""

_own: set[str] = set()
"""The random owner names of the leases that this process holds now."""


class Lease:
    """A lease that this process holds; a background thread renews it until ``release``."""

    def __init__(self, path: Location, record: dict[str, Any]) -> None:
        self._path, self._record = path, record
        self._renewed = time.monotonic()
        self._lost = False
        _own.add(record["owner"])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_stopped, daemon=True)
        self._thread.start()

    @property
    def held(self) -> bool:
        """Whether this process may still write: no other owner seen, last renewal recent."""
        return not self._lost and time.monotonic() - self._renewed < LEASE_S - 2 * BEAT_S

    def still_mine(self) -> bool:
        """Whether the file still names this owner; call it right before a commit."""
        if _owner(read_lease(self._path)) != self._record["owner"]:
            self._lost = True
        return self.held

    def release(self) -> None:
        """Stop renewing the lease and remove its file, unless the file names another owner.

        Where the system refuses the removal, the file stays. This process knows at once that the
        lease is given up, others know when this process has ended.
        """
        self._stop.set()
        self._thread.join()
        _own.discard(self._record["owner"])
        try:
            if _owner(read_lease(self._path)) == self._record["owner"]:
                self._path.unlink(missing_ok=True)
        except Exception as error:
            if not is_refusal(error):
                raise

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                if _owner(read_lease(self._path)) != self._record["owner"]:
                    self._lost = True
                    return
                self._record["beat"] += 1
                replace_file(self._path, json.dumps(self._record).encode())
                self._renewed = time.monotonic()
            except Exception as error:
                if not is_refusal(error):
                    raise
                continue  # a slow or full disk or network: ``held`` turns false when it lasts


def acquire(path: Location) -> Lease | None:
    """Take the lease at ``path``; None when another owner, who may be alive, holds it.

    A lease whose owner is provably gone is removed first; one that stands still for too long only a
    ``LeaseObserver`` removes.
    """
    found = read_lease(path)
    if found is not None and is_gone(found):
        break_lease(path, found)
    record = {
        "owner": secrets.token_hex(8),
        "host": socket.gethostname(),
        "boot": _boot(),
        "processes": _processes(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "since": time.time(),
        "beat": 0,
    }
    if not create_once(path, json.dumps(record).encode()):
        return None
    try:
        return Lease(path, record)
    except RuntimeError:  # no memory for a thread: a lease that nobody renews must not stand
        _own.discard(str(record["owner"]))
        path.unlink(missing_ok=True)
        raise


def read_lease(path: Location) -> Mapping[str, Any] | None:
    """The record of the lease at ``path``: owner, host, process, counter (``beat``).

    Returns:
        None where there is no file; an empty mapping where it is damaged. A damaged lease has no
        owner, but holds until its file has not changed for ``LEASE_S``.
    """
    try:
        return _record(read(path))
    except FileNotFoundError:
        return None
    except OSError:
        return {}


def is_gone(lease: Mapping[str, Any]) -> bool:
    """Whether the owner is provably gone: a process of this machine that has ended.

    True also for this very process, where it released the lease and could not remove its file.

    Args:
        lease: a record from ``read_lease``.
    """
    if lease.get("host") != socket.gethostname():
        return False
    if lease.get("boot") != _boot():
        return True
    if lease.get("processes") != _processes():
        return False  # a container: its process numbers are not ours
    pid = lease.get("pid")
    if not isinstance(pid, int) or _started(pid) != lease.get("started"):
        return True
    return pid == os.getpid() and _owner(lease) not in _own


def break_lease(path: Location, seen: Mapping[str, Any]) -> None:
    """Remove the lease at ``path``, unless it changed since ``seen`` was read from it."""
    taken = take(path)
    if taken is not None and _record(taken) != dict(seen):
        create_once(path, taken)  # somebody took it in between: put it back


class LeaseObserver:
    """Finds leases of dead owners on other machines: those whose counter stands still.

    Args:
        lease_s: seconds without a change of the counter after which a lease counts as dead.
    """

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._seen: dict[str, tuple[Any, float]] = {}

    def is_stale(self, path: Location) -> bool:
        """Whether nobody holds the lease; a dead one is removed by this call.

        It is dead when its owner is gone, or when its counter has not changed for ``lease_s``
        seconds since this observer first saw it: so call it repeatedly.
        """
        lease = read_lease(path)
        if lease is None:
            return True
        stamp = (lease.get("owner"), lease.get("beat"))
        known, since = self._seen.get(str(path), (None, 0.0))
        if known != stamp:
            self._seen[str(path)] = (stamp, time.monotonic())
            since = time.monotonic()
        if is_gone(lease) or time.monotonic() - since > self._lease_s:
            break_lease(path, lease)
            return True
        return False


def _record(blob: bytes) -> dict[str, Any]:
    try:
        record = json.loads(blob)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _owner(lease: Mapping[str, Any] | None) -> Any:
    return None if lease is None else lease.get("owner")


def _boot() -> str:
    """An id of the machine's present boot: after a restart it is another one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _processes() -> str:
    """The id of the PID namespace (containers number their processes apart); empty off Linux."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """When the process started: with the pid it names one process, since pids are used again.

    Returns:
        On Linux ticks since the boot, elsewhere seconds since 1970; None when there is no such
        process. On Linux no time of day, which moves with every correction of the clock, so that a
        living owner would seem to be gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else float(fields[19])
    except (OSError, IndexError):
        if sys.platform == "linux":
            return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return None
