"""The tests' hand inside a process: it logs where the process is, and strikes where it is told.

`attach(log, fault, store)` adds a hook to this process for good. In programs that a test starts
(`ablate`, Ray's workers) `site/sitecustomize.py` attaches it, from `environment(...)`.

The log has one JSON line an event, written with O_APPEND, so that it survives any kill:
`{"t": monotonic ns, "pid": 1, "event": "epoch", "id": "...", "epoch": 3}`. Events are the points of
`orchestrator/faultpoints.py`, and `fired`, written before a fault strikes. A test that drives
processes adds lines of its own with `note`: `kept` (an outcome was seen there), `killed`.

A fault is `WHERE:NTH:WHAT`:
  WHERE  a point, or `disk`: any call that changes the store (open to write, rename, link,
         unlink, mkdir, utime), before it happens; `disk=NAME` only of files with NAME in their
         path; `read=NAME`: an open to read
  NTH    counts from 1 in each process; `3+` from the third on
  WHAT   kill, stop, term, int (signals), enospc, eio, erofs, raise, slow (20 ms)
A fault without `+` strikes once, however many processes share the log.
"""

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIGNALS = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "term": signal.SIGTERM,
    "int": signal.SIGINT,
}
ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO, "erofs": errno.EROFS}
CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.utime", "os.rmdir"}


class StruckError(Exception):
    """What the fault `raise` raises: an error of the code."""


def attach(log: Path | str, fault: str = "", store: Path | str = "") -> None:
    """Hook into this process, for good.

    Args:
        log: the log, outside of the store.
        fault: `WHERE:NTH:WHAT`, or nothing: only the log is written.
        store: below it, `disk` and `read` count.
    """
    sys.addaudithook(_Hook(str(log), fault, str(store)))


def environment(log: Path, fault: str = "", store: Path | str = "") -> dict[str, str]:
    """The variables with which a program, and all that it starts, attaches itself."""
    path = os.pathsep.join(
        p for p in (str(HERE / "site"), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")) if p
    )
    return {
        "PYTHONPATH": path,
        "ABLATE_TEST_LOG": str(log),
        "ABLATE_TEST_FAULT": fault,
        "ABLATE_TEST_STORE": str(store),
    }


def note(log: Path | str, event: str, **values: Any) -> None:
    """Add a line to the log."""
    line = {"t": time.monotonic_ns(), "pid": os.getpid(), "event": event, **values}
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, json.dumps(line).encode() + b"\n")
    finally:
        os.close(handle)


def lines(log: Path | str) -> list[dict[str, Any]]:
    """All lines, in the order of their time (a machine has one monotonic clock)."""
    try:
        text = Path(log).read_text()
    except FileNotFoundError:
        return []
    return sorted(map(json.loads, text.splitlines()), key=lambda line: line["t"])


class _Hook:
    def __init__(self, log: str, fault: str, store: str) -> None:
        self._log, self._store, self._busy = log, store, False
        self._where = self._what = self._name = ""
        self._nth, self._on, self._count, self._struck = 0, False, 0, False
        if fault:
            where, nth, self._what = fault.split(":")
            self._where, _, self._name = where.partition("=")
            self._nth, self._on = int(nth.rstrip("+")), nth.endswith("+")

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy:
            return
        if event.startswith("ablate."):
            point, (id, epoch) = event.removeprefix("ablate."), arguments
            self._busy = True
            try:
                note(self._log, point, id=id, epoch=epoch)
            finally:
                self._busy = False
            if point == self._where:
                self._reached()
        elif self._where in ("disk", "read") and any(
            self._meant(path) for path in _paths(event, arguments, self._where)
        ):
            self._reached(f"{event} {arguments[0]}")

    def _meant(self, path: str) -> bool:
        return path.startswith(self._store) and self._name in path

    def _reached(self, detail: str = "") -> None:
        self._count += 1
        if self._count < self._nth or (not self._on and self._struck):
            return
        self._busy = True
        try:
            if not self._on and any(line["event"] == "fired" for line in lines(self._log)):
                return
            if not (self._what == "slow" and self._struck):
                note(self._log, "fired", what=self._what, detail=detail)
            self._struck = True
            self._strike()
        finally:
            self._busy = False

    def _strike(self) -> None:
        if self._what in SIGNALS:
            os.kill(os.getpid(), SIGNALS[self._what])
            if self._what == "kill":
                time.sleep(60)  # a signal is delivered soon, not at once
        elif self._what in ERRORS:
            raise OSError(ERRORS[self._what], os.strerror(ERRORS[self._what]))
        elif self._what == "slow":
            time.sleep(0.02)
        else:
            raise StruckError("a fault of the code")


def _paths(event: str, arguments: tuple[Any, ...], where: str) -> Iterator[str]:
    """The files that an audited call reads or changes."""
    if event != "open":
        if where == "disk" and event in CHANGES:
            yield from (os.fspath(a) for a in arguments[:2] if isinstance(a, str | os.PathLike))
        return
    path, _, flags = arguments
    if not isinstance(path, str | os.PathLike):
        return
    writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes == (where == "disk"):
        yield os.fspath(path)
