"""A study on one store, run again and again in processes that a test may kill, until it is done.

Without Ray: each round is a fork of a warm process (`driver.py`).
"""

import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from tests.faults import checker, probe
from tests.faults.checker import Judgement
from tests.faults.driver import Settings, drive
from tests.faults.matrix import Matrix
from tests.forks import FORKS

PLAIN = Settings()
LIMIT_S = 120.0
"""A round that takes longer hangs."""


@dataclass(frozen=True)
class Ended:
    """How a round ended: exit code (negative: the signal) and what a person saw."""

    code: int
    said: str


class Round:
    """One process. `pid` may be sent signals; `ended()` waits for it."""

    def __init__(self, process: ForkServerProcess, said: Path) -> None:
        self._process, self._said = process, said

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self, limit_s: float = LIMIT_S) -> Ended:
        self._process.join(limit_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            raise AssertionError(f"it hangs: {self._said.read_text()[-2000:]}")
        code = self._process.exitcode
        assert code is not None
        self._process.close()
        return Ended(code, self._said.read_text() if self._said.exists() else "")


class Rounds:
    """All that happens to one store."""

    def __init__(self, folder: Path, study: Path, store: Path, reference: Path) -> None:
        self.study, self.store, self.reference = study, store, reference
        self.log = folder / "events.jsonl"
        self._folder, self._count = folder, 0
        self._kept: Mapping[str, bytes] = {}

    def start(
        self,
        fault: str = "",
        settings: Settings = PLAIN,
        *,
        study: Path | None = None,
        words: Sequence[str] = (),
    ) -> Round:
        """Begin a round of ``run STUDY --inline``, or of other words; its fault may strike it."""
        self._kept = checker.keep(self.log, self.store, dict(self._kept))
        self._count += 1
        said = self._folder / f"said-{self._count}.txt"
        words = words or ("run", str(study or self.study), "--inline")
        process = FORKS.Process(
            target=drive,
            args=(words, str(self.store), str(self.log), fault, str(said), settings),
        )
        process.start()
        return Round(process, said)

    def once(
        self, fault: str = "", settings: Settings = PLAIN, *, words: Sequence[str] = ()
    ) -> Ended:
        """A whole round."""
        return self.start(fault, settings, words=words).ended()

    def wait_for(self, event: str, count: int = 1, limit_s: float = LIMIT_S) -> None:
        """Until the log holds so many of an event."""
        end = time.monotonic() + limit_s
        while sum(line["event"] == event for line in probe.lines(self.log)) < count:
            assert time.monotonic() < end, f"no {event}"
            time.sleep(0.01)

    def killed_after(self, seconds: float, fault: str = "") -> Ended:
        """A round that is sent SIGKILL after so long, unless it ends before."""
        began = time.monotonic()
        round = self.start(fault)
        while round.alive and time.monotonic() - began < seconds:
            time.sleep(0.005)
        if round.alive:
            probe.note(self.log, "killed", target=round.pid)
            round.send(signal.SIGKILL)
        return round.ended()

    def to_the_end(self) -> Ended:
        """`ablate run` again: it must do."""
        ended = self.once()
        assert ended.code == 0, ended
        return ended

    def judged(self, *, overlaps: bool = False, restarts: bool = False) -> Judgement:
        """Nothing may be missing now: every promise, the bits and the printed table."""
        self._kept = checker.keep(self.log, self.store, dict(self._kept))
        judgement = checker.judge(self.log, overlaps=overlaps, restarts=restarts)
        assert judgement.broken == (), judgement
        assert checker.differing(self.store, self.reference) == []
        table = checker.printed(self.store, "tiny")
        assert table == checker.printed(self.reference, "tiny"), table
        return judgement


class Begin(Protocol):
    """The fixture `begin`: gives a new store as often as it is called."""

    def __call__(self, store: Path | None = None) -> Rounds:
        """A copy of that store; of one with features and no trial if None."""


def said(ended: Ended, *words: str) -> str:
    """What a person saw: the first line with one of these words, and where it was broken, the next.

    Paths and ids are cut.
    """
    lines = ended.said.splitlines()
    found = [n for n, line in enumerate(lines) if any(word in line for word in words)]
    assert found, f"nothing was said of {words}: {ended.said}"
    first = lines[found[0]]
    whole = first if first.endswith(".") else " ".join(lines[found[0] : found[0] + 2])
    return re.sub(r"[0-9a-f]{32,}", "…", re.sub(r"/[^ `]*/", "…/", whole))


def tell(matrix: Matrix, row: str, judgement: Judgement, said: str = "") -> None:
    """A row of the matrix from a judgement that held."""
    matrix.tell(
        row,
        struck=judgement.fired,
        lost=judgement.lost,
        retrained=judgement.retrained,
        differing=0,
        epochs=judgement.repeated,
        overlaps=judgement.overlaps,
        said=said,
    )
