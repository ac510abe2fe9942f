"""`ablate run` under a real Ray in processes of its own, which a test kills by their ids."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.faults import checker, probe
from tests.faults.driver import Settings
from tests.faults.rounds import PLAIN, Ended, Rounds

LIMIT_S = 400.0
"""A round that takes longer hangs: the machine may be a busy one."""
BIN = Path(sys.executable).parent


@dataclass
class RayRound:
    """One `ablate run`, with all that it started."""

    process: subprocess.Popen[bytes]
    log: Path
    said_in: Path
    began: int = field(default_factory=time.monotonic_ns)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """What a person saw."""
        return self.said_in.read_text() if self.said_in.exists() else ""

    def says(self, sentence: str) -> bool:
        """Whether a person saw it, however the lines are broken."""
        return sentence in flat(self.said)

    def tree(self) -> list[psutil.Process]:
        """The driver, its Ray and its workers."""
        try:
            driver = psutil.Process(self.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def lines(self) -> list[dict[str, Any]]:
        """What happened in this round."""
        return [line for line in probe.lines(self.log) if line["t"] > self.began]

    def busy(self) -> list[int]:
        """Ids of the workers that are training a trial now."""
        now: dict[int, str] = {}
        for line in self.lines():
            if line["event"] == "claimed":
                now[line["pid"]] = line["id"]
            elif line["event"] == "released":
                now.pop(line["pid"], None)
        return [pid for pid in now if psutil.pid_exists(pid)]

    def workers(self) -> list[int]:
        """Of those the ones that are surely this run's: numbers are used again."""
        own = {process.pid for process in self.tree()}
        return [pid for pid in self.busy() if pid in own]

    def until(self, what: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Wait until it is true; not longer than the round lives."""
        end = time.monotonic() + limit_s
        while not what():
            assert self.alive, f"it ended before: {self.said}"
            assert time.monotonic() < end, f"it never came: {self.said}"
            time.sleep(0.02)

    def until_event(self, event: str, count: int = 1) -> None:
        """Until so many of an event have happened in this round."""
        self.until(lambda: sum(line["event"] == event for line in self.lines()) >= count)

    def kill(self, *pids: int) -> None:
        """SIGKILL, all at once, noted as one fault."""
        probe.note(self.log, "killed", target=list(pids))
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def kill_driver(self) -> float:
        """The driver alone; then wait for what it started, which may outlive it.

        Returns:
            Seconds that the last of them lived on.
        """
        others = self.tree()[1:]
        self.kill(self.pid)
        return outlived(others)

    def kill_everything(self) -> None:
        """As when a machine loses its power."""
        tree = self.tree()
        self.kill(*(process.pid for process in tree))
        outlived(tree[1:])

    def ended(self, limit_s: float = LIMIT_S) -> Ended:
        """Wait for the end of the driver."""
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill_everything()
            raise AssertionError(f"it hangs: {self.said}") from None
        return Ended(code, self.said)


def flat(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def outlived(processes: Sequence[psutil.Process], limit_s: float = 90.0) -> float:
    """Seconds until the last of them is gone; each must go."""
    began = time.monotonic()
    _, alive = psutil.wait_procs(processes, timeout=limit_s)
    for process in alive:
        process.kill()
    assert alive == [], f"left over: {alive}"
    return time.monotonic() - began


class RayRounds(Rounds):
    """All that happens to one store, by `ablate run` with these options."""

    options: tuple[str, ...] = ("--cpus", "2", "--gpus", "0")

    def start(  # type: ignore[override]
        self,
        fault: str = "",
        settings: Settings = PLAIN,
        *,
        study: Path | None = None,
        words: Sequence[str] = (),
        **environment: str,
    ) -> RayRound:
        """Begin a round, of `run STUDY` or of other words; its fault may strike a worker."""
        assert settings is PLAIN, "a program of its own takes no settings"
        self._kept = checker.keep(self.log, self.store, dict(self._kept))
        self._count += 1
        said = self._folder / f"said-{self._count}.txt"
        words = words or ("run", str(study or self.study), *self.options)
        line = [BIN / "ablate", *words, "--store", self.store]
        with said.open("wb") as out:
            process = subprocess.Popen(
                line,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,
                env={
                    **os.environ,
                    **probe.environment(self.log, fault, self.store),
                    "PYTHONUNBUFFERED": "1",
                    **environment,
                },
            )
        return RayRound(process, self.log, said)


def _heed_ctrl_c() -> None:
    """Also where the tests themselves run in the background, with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def strike(round: RayRound, draw: random.Random) -> str:
    """A kill at a seeded instant: of one worker, of the driver, or of everything.

    Returns:
        Whom it struck.
    """
    round.until_event("claimed")
    time.sleep(draw.uniform(0.0, 3.0))
    whom = draw.choices(["worker", "driver", "everything"], [8, 1, 1])[0]
    if not round.alive:
        return "nobody"
    if whom == "driver":
        round.kill_driver()
    elif whom == "everything":
        round.kill_everything()
    elif workers := round.workers():
        round.kill(draw.choice(workers))
    else:
        return "nobody"
    return whom


@dataclass(frozen=True)
class TwoNodes:
    """A running cluster of two nodes on this machine, one CPU each."""

    address: str
    gcs: int
    raylets: tuple[int, int]
    """Of the head and of the other node."""
    environment: dict[str, str]
    """With which a driver joins."""

    def kill(self, log: Path, pid: int) -> None:
        probe.note(log, "killed", target=pid)
        os.kill(pid, signal.SIGKILL)

    @contextmanager
    def third(self, log: Path, *before: str) -> Iterator[None]:
        """Another node joins, from a command line with something before it."""
        line = [
            *before,
            str(BIN / "ray"),
            "start",
            "--address",
            self.address,
            "--block",
            "--num-cpus=1",
            "--num-gpus=0",
            f"--memory={2 * 1024**3}",
            f"--object-store-memory={100 * 1024**2}",
        ]
        with subprocess.Popen(
            line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **probe.environment(log), **self.environment},
        ) as process:
            try:
                yield
            finally:
                _end(psutil.Process(process.pid))


def _end(process: psutil.Process) -> None:
    """A process and all that it started."""
    every = [*process.children(recursive=True), process]
    for one in every:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(every, timeout=30)


@contextmanager
def two_nodes(log: Path, *nodes: str, alert: bool = False) -> Iterator[TwoNodes]:
    """A cluster in a process of its own (`two_nodes.py`), ended by the ids of what it started.

    Args:
        log: the log that workers write.
        nodes: options of `two_nodes.py`.
        alert: whether the head sees within two seconds that a node is gone.
    """
    scratch = Path("/tmp") / f"ablate-two-{secrets.token_hex(3)}"
    scratch.mkdir(mode=0o700)
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_TMPDIR": str(scratch),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    if alert:
        environment |= {
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_timeout_ms": "500",
            "RAY_health_check_failure_threshold": "3",
        }
    program = Path(__file__).with_name("two_nodes.py")
    errors = scratch / "errors"
    with errors.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, program, *nodes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**os.environ, **probe.environment(log), **environment},
            start_new_session=True,
        )
    assert process.stdin is not None and process.stdout is not None
    started: list[psutil.Process] = []
    try:
        line = process.stdout.readline().decode().split()
        assert len(line) == 4, errors.read_text()[-2000:]
        started = psutil.Process(process.pid).children(recursive=True)
        yield TwoNodes(line[0], int(line[1]), (int(line[2]), int(line[3])), environment)
    finally:
        if process.poll() is None:
            started = psutil.Process(process.pid).children(recursive=True) + started
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        for child in started:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(started, timeout=30)
        subprocess.run(["rm", "-rf", scratch], check=True)
