"""Who trains a trial now: a lease on it, and how it is lost.

A claim is a file created once; its owner raises the counter in it every few seconds.
Another process takes it over when the owner is provably gone (same machine, same boot, no such
process), or when the counter has stood still for a whole lease by that process's own monotonic
clock: no wall clock is compared across machines. An owner that could not renew its claim for
a lease, or finds another's in its place, must stop: ``Claim.held`` says so.

In an object store nothing is renamed, so two who break a dead claim at the same instant may both
take the trial: that costs a training, never a record.
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
"""Above the time that an orphan of a lost node or head was seen to train on (14 s, 63 s)."""
BEAT_S = 10.0

_own: set[str] = set()
"""Owners that are claims of this process, held now."""


class Lease:
    """A held lease. Renews itself in a thread until ``release``."""

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
        """Whether the lease still stands; when it does not, nothing more may be written."""
        return not self._lost and time.monotonic() - self._renewed < LEASE_S - 2 * BEAT_S

    def still_mine(self) -> bool:
        """Reads the claim itself: asked right before a commit."""
        if _owner(read_lease(self._path)) != self._record["owner"]:
            self._lost = True
        return self.held

    def release(self) -> None:
        """Stop renewing and, when it is still ours, remove the claim.

        Where the system refuses that, the claim stays and is known to be given up: to this process
        at once, to others when this process has ended.
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
    """Claim a trial; None when somebody else who may still be alive has it."""
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
    except RuntimeError:  # no memory for a thread: a claim that nobody renews must not stand
        _own.discard(str(record["owner"]))
        path.unlink(missing_ok=True)
        raise


def read_lease(path: Location) -> Mapping[str, Any] | None:
    """The claim at ``path``; None when there is none. A damaged one has no owner but stands."""
    try:
        return _record(read(path))
    except FileNotFoundError:
        return None
    except OSError:
        return {}


def is_gone(claim: Mapping[str, Any]) -> bool:
    """Whether the owner is provably gone: its process was on this machine and is no more.

    Or it is this very process, which has given the claim up and could not remove it.
    """
    if claim.get("host") != socket.gethostname():
        return False
    if claim.get("boot") != _boot():
        return True
    if claim.get("processes") != _processes():
        return False  # a container: its process numbers are not ours
    pid = claim.get("pid")
    if not isinstance(pid, int) or _started(pid) != claim.get("started"):
        return True
    return pid == os.getpid() and _owner(claim) not in _own


def break_lease(path: Location, seen: Mapping[str, Any]) -> None:
    """Remove a claim that was seen to be dead, unless it has changed since."""
    taken = take(path)
    if taken is not None and _record(taken) != dict(seen):
        create_once(path, taken)  # somebody claimed it in between: put it back


class LeaseObserver:
    """Tells dead claims of other machines from live ones by watching their counters."""

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._seen: dict[str, tuple[Any, float]] = {}

    def is_stale(self, path: Location) -> bool:
        """Whether the claim is gone or has stood still for a whole lease; then it is broken."""
        claim = read_lease(path)
        if claim is None:
            return True
        stamp = (claim.get("owner"), claim.get("beat"))
        known, since = self._seen.get(str(path), (None, 0.0))
        if known != stamp:
            self._seen[str(path)] = (stamp, time.monotonic())
            since = time.monotonic()
        if is_gone(claim) or time.monotonic() - since > self._lease_s:
            break_lease(path, claim)
            return True
        return False


def _record(blob: bytes) -> dict[str, Any]:
    try:
        record = json.loads(blob)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _owner(claim: Mapping[str, Any] | None) -> Any:
    return None if claim is None else claim.get("owner")


def _boot() -> str:
    """A name for this run of the machine, where the system gives one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _processes() -> str:
    """A name for the space in which process numbers count, where the system gives one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """When the process started, or None when there is none: a number is used again.

    In ticks since the machine started, where the system tells: a time of day, which psutil
    reckons, moves with every correction of the clock, and a living owner would seem to be gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else float(fields[19])
    except (OSError, IndexError):
        if sys.platform == "linux":
            return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return None
