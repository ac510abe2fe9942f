"""``ablate watch``: a study while it trains, by the store alone."""

import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyte
import pytest
from rich.console import Console

from orchestrator.analysis.summary import summarise
from orchestrator.execution.events import (
    Done,
    Event,
    Failed,
    Planned,
    Started,
    Stopped,
    Waiting,
)
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.execution.monitor.watch import watch
from orchestrator.planning.status import newest_snapshots
from orchestrator.report.terminal.live_picture import picture, spark
from orchestrator.store.leases import Lease, acquire
from orchestrator.store.ledger import Ledger
from orchestrator.store.outcomes import Outcomes
from orchestrator.store.records import Failure
from orchestrator.store.snapshot import SnapshotTrial
from orchestrator.study.canonical import canonical, digest
from tests.commands import ABLATE


def ids_of(ledger: Ledger) -> list[str]:
    snapshot = newest_snapshots(ledger)["smoke"]
    return list(dict.fromkeys(trial.id for trial in snapshot.trials))


def unfinished(store: Path) -> tuple[Ledger, list[str]]:
    """Two of the four trials are done."""
    ledger = Ledger.open(str(store))
    ids = ids_of(ledger)
    for id in ids[2:]:
        (ledger.paths.trial_folder(id) / "outcome.json").unlink()
    return ledger, ids


def fail(ledger: Ledger, id: str, ago: float = 60.0) -> None:
    ledger.attempts.write_failure(
        Failure(
            id=id,
            cause="code",
            sentence="It broke.\nThere.",
            traceback="",
            epoch=1,
            attempt="attempt-1",
            host="h",
            finished=time.time() - ago,
        )
    )


class Enough(Exception):  # noqa: N818
    """Nobody looks any more."""


def first_look(ledger: Ledger, name: str | None = None) -> list[Event]:
    def stop(seconds: float) -> None:
        raise Enough

    heard = []
    try:
        for event in watch(ledger, name, 0.0, stop):
            heard.append(event)
    except Enough:
        pass
    return heard


def shown(ledger: Ledger, width: int, height: int = 24) -> str:
    board = RunState(ledger)
    for event in first_look(ledger):
        board.apply(event)
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(picture(board, None, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 34])
def test_rows_fill_with_the_estimates_of_the_report(store: Path, width: int) -> None:
    ledger, ids = unfinished(store)
    fail(ledger, ids[3])
    claim = acquire(ledger.paths.lease_file(ids[2]))
    assert claim is not None
    try:
        text = shown(ledger, width)
    finally:
        claim.release()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "1/2" in words and "± –" in words  # one group bears no interval
    assert "2 of 4 trials done; 1 in training; 1 failed" in words
    board, snapshot = RunState(ledger), newest_snapshots(ledger)["smoke"]
    board.apply(Planned(snapshot.trials, frozenset(ids[:2]), 0, "smoke"))
    whole = summarise(snapshot, ledger.outcomes.read_all(ids))
    for row, full in zip(board.rows(), whole.rows, strict=True):
        assert row.estimate is not None
        for part in ("n", "missing", "ua", "wa"):
            assert getattr(row.estimate, part) == getattr(full, part)


def test_what_an_older_version_trained_is_in_no_estimate(store: Path) -> None:
    ledger = Ledger.open(str(store))
    (first, *_) = ids_of(ledger)
    record = json.loads((ledger.paths.trial_folder(first) / "outcome.json").read_text())["outcome"]
    record["identity"]["semantics"] = 0
    stale = digest(record["identity"])
    snapshot = newest_snapshots(ledger)["smoke"]
    trials = tuple(replace(t, id=stale) if t.id == first else t for t in snapshot.trials)
    ledger.studies.write_snapshot("smoke", replace(snapshot, trials=trials).to_json())
    body = {**record, "id": stale}
    (ledger.paths.trials / stale).mkdir()
    (ledger.paths.trials / stale / "outcome.json").write_text(
        canonical({"outcome": body, "sha256": digest(body)})
    )
    board = RunState(ledger)
    for event in first_look(ledger, "smoke"):
        board.apply(event)
    assert board.finished == 4 and [row.estimate.n for row in board.rows() if row.estimate] == [
        1,
        2,
    ]


def test_without_anyone_at_work_no_time_is_promised(store: Path) -> None:
    ledger, _ = unfinished(store)
    (_, waiting) = first_look(ledger)
    assert isinstance(waiting, Waiting)
    assert "2 of 4 trials done; Nothing trains now" in " ".join(shown(ledger, 100).split())
    assert "left" not in shown(ledger, 80)


def test_what_happens_is_told_once_and_in_its_order(store: Path) -> None:
    ledger = Ledger.open(str(store))
    record = ledger.paths.trial_folder(id := ids_of(ledger)[3]) / "outcome.json"
    blob = record.read_bytes()
    record.unlink()
    (ledger.paths.trial_folder(ids_of(ledger)[2]) / "outcome.json").unlink()  # nobody ever takes it
    held: list[Lease] = []

    def take() -> None:
        claim = acquire(ledger.paths.lease_file(id))
        assert claim is not None
        held.append(claim)

    def give() -> None:
        held.pop().release()

    def nothing() -> None:
        pass

    steps = iter(
        [
            take,
            give,  # a machine dies
            take,
            lambda: fail(ledger, id),
            nothing,
            give,  # it fails, and holds on for a moment
            take,
            lambda: record.write_bytes(blob),
        ]
    )
    heard = list[Event]()

    def sleep(seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise Enough
        step()

    with pytest.raises(Enough):
        for event in watch(ledger, "smoke", 0.0, sleep):
            heard.append(event)
    give()
    kinds = [type(event).__name__ for event in heard if not isinstance(event, Waiting)]
    assert kinds == ["Planned", "Started", "Stopped", "Started", "Failed", "Started", "Done"]
    (failed,) = [event for event in heard if isinstance(event, Failed)]
    assert failed.sentence == "It broke." and failed.record.endswith("failure-1.json")
    assert isinstance(heard[-1], Done) and heard[-1].seconds > 0


def test_what_failed_before_is_told_and_a_study_of_failures_is_over(store: Path) -> None:
    ledger, ids = unfinished(store)
    for id in ids[2:]:
        fail(ledger, id)
    heard = list(watch(ledger, "smoke", 0.0, lambda seconds: pytest.fail("it waited")))
    assert [type(event) for event in heard] == [Planned, Failed, Failed]


def test_a_watch_that_begins_within_a_retrys_wait_waits_with_it(store: Path) -> None:
    ledger, ids = unfinished(store)
    fail(ledger, ids[2])
    fail(ledger, ids[3], ago=5.0)
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    heard = list(watch(ledger, "smoke", 1.0, sleep, lambda: now))
    assert [type(event) for event in heard] == [Planned, Failed, Failed]
    assert now in (15.0, 16.0)  # 20 s after the failure; reading took some of the last second


@pytest.mark.parametrize("again", [True, False])
def test_the_last_trial_that_fails_is_waited_for_as_a_run_tries_it_again(
    store: Path, again: bool
) -> None:
    ledger = Ledger.open(str(store))
    record = ledger.paths.trial_folder(id := ids_of(ledger)[3]) / "outcome.json"
    blob = record.read_bytes()
    record.unlink()
    held = [acquire(ledger.paths.lease_file(id))]
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now == 2.0:
            fail(ledger, id)
            claim = held.pop()
            assert claim is not None
            claim.release()
        if now == 14.0 and again:  # the wait before a third attempt is 10 s
            record.write_bytes(blob)

    kinds = [type(e).__name__ for e in watch(ledger, "smoke", 2.0, sleep, lambda: now)]
    assert kinds == ["Planned", "Started", "Failed", *(["Done"] if again else [])]
    assert now == (14.0 if again else 22.0)


def test_a_claim_that_goes_is_no_failure(store: Path) -> None:
    ledger, ids = unfinished(store)
    board = RunState(ledger)
    for event in (Planned((), frozenset(), 0), Started(ids[2]), Stopped(ids[2])):
        board.apply(event)
    assert not board.running and not board.failed


def test_what_is_done_is_read_once_and_what_nobody_began_never(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand trials: a look that finds nothing new lists one folder and reads no record."""
    ledger, ids = unfinished(store)
    snapshot = newest_snapshots(ledger)["smoke"]
    more = tuple(SnapshotTrial(snapshot.rows[0].name, 0, n, f"{n:064x}") for n in range(10_000))
    ledger.studies.write_snapshot(
        "smoke", replace(snapshot, trials=snapshot.trials + more).to_json()
    )
    read: list[str] = []
    whole = Outcomes.read
    monkeypatch.setattr(Outcomes, "read", lambda self, id: read.append(id) or whole(self, id))
    looks: list[float] = []
    board = RunState(ledger)

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 12:
            raise Enough

    with pytest.raises(Enough):
        for event in watch(ledger, "smoke", 0.0, sleep):
            board.apply(event)
    assert sorted(read) == sorted(ids[:2]) and board.total == 10_004


def test_an_object_store_is_followed_as_a_folder_is(store: Path, s3: str) -> None:
    here, ids = unfinished(store)
    fail(here, ids[3])
    there = Ledger.open(s3)
    for kind in ("studies", "trials"):
        for path in (p for p in (store / kind).rglob("*") if p.suffix == ".json"):
            (there.root / path.relative_to(store).as_posix()).write_bytes(path.read_bytes())

    def told(ledger: Ledger) -> list[tuple[str, str]]:
        return [(type(e).__name__, getattr(e, "sentence", "")) for e in first_look(ledger, "smoke")]

    assert told(there) == told(here) and len(told(here)) == 3
    board = RunState(there)
    for event in first_look(there):
        board.apply(event)
    assert [row.estimate.n for row in board.rows() if row.estimate] == [1, 1]


def test_a_curve_runs_from_its_least_to_its_greatest() -> None:
    assert (spark((0.2, 0.4, 0.3)), spark((0.5, 0.5)), spark(())) == ("▁█▄", "▁▁", "")


def test_a_pipe_gets_plain_lines_and_the_command_ends(trained_store: Path) -> None:
    done = subprocess.run(
        [str(ABLATE), "watch", "--store", str(trained_store)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "4 of 4 trials done\n"


def test_json_has_one_line_a_change_and_the_exit_code_tells_of_failures(store: Path) -> None:
    ledger, ids = unfinished(store)
    for id in ids[2:]:
        fail(ledger, id)
    done = subprocess.run(
        [str(ABLATE), "watch", "smoke", "--json", "--store", str(store)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["Planned", "Failed", "Failed"]
    assert sorted(lines[0]["values"]["done"]) == sorted(ids[:2])
    assert done.returncode == 1 and done.stderr == ""


# --- in a real terminal ----------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal, and what a person would see in it."""

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=500)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self.theirs = pty.openpty()
        self.raw = b""
        self._set(columns, lines)

    def _set(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        self._set(columns, lines)
        self.screen.resize(lines=lines, columns=columns)

    def see(self, seconds: float, until: str = "") -> list[str]:
        """Look on for so long, or until something is seen; the lines that are not empty."""
        end, quiet = time.monotonic() + seconds, False
        while time.monotonic() < end or not quiet:  # not amid a picture
            quiet = not select.select([self._ours], [], [], 0.05)[0]
            if not quiet:
                try:
                    chunk = os.read(self._ours, 65536)
                except OSError:  # the other end is closed
                    break
                self.raw += chunk
                self._stream.feed(chunk)
            if until and quiet and any(until in line for line in self.screen.display):
                break
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def close(self) -> None:
        os.close(self._ours)


@contextmanager
def watched(store: Path, terminal: Terminal, **extra: str) -> Iterator["subprocess.Popen[bytes]"]:
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [str(ABLATE), "watch", "smoke", "--every", "0.2", "--store", str(store)],
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        env={**env, "TERM": "xterm", **extra},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        os.close(terminal.theirs)
        terminal.close()


@pytest.mark.parametrize("extra", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_of_40_columns_is_kept_to(trained_store: Path, extra: dict[str, str]) -> None:
    terminal = Terminal(40, 24)
    with watched(trained_store, terminal, **extra) as process:
        lines = terminal.see(30, until="4 of 4 trials done")
        assert process.wait(timeout=60) == 0
        lines = terminal.see(0.5)
    assert sum("4 of 4 trials done" in line for line in lines) == (1 if "TERM" in extra else 2)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.raw.decode())
    assert max(map(len, plain.splitlines())) <= 40
    if "NO_COLOR" in extra:  # bold and dim are no colours
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.raw)
    if "TERM" in extra:
        assert b"\x1b[" not in terminal.raw


def test_the_picture_survives_every_size_of_the_window(store: Path) -> None:
    """Each row stands on the screen once, whatever it was before, and the failure is not lost."""
    ledger, ids = unfinished(store)
    fail(ledger, ids[3])
    claim = acquire(ledger.paths.lease_file(ids[2]))
    assert claim is not None
    terminal = Terminal(100, 30)
    try:
        with watched(store, terminal):
            terminal.see(30, until="in training")
            for columns, lines in ((100, 30), (40, 30), (120, 30), (60, 12), (40, 12), (80, 24)):
                terminal.resize(columns, lines)
                seen = terminal.see(1.0)
                size = f"{columns} x {lines}: {seen}"
                rows = [line for line in seen if line.startswith(("No FA ", "FA in layer 2 "))]
                assert len(rows) == 2, size
                assert sum("1/2" in line for line in seen) == 2, size
                assert sum("in training" in line for line in seen) == 1, size
                if lines == 30:
                    assert any("FAILED" in line for line in seen), size
            fail(ledger, ids[3])  # at once
            assert any("FAILED" in line for line in terminal.see(3, until="failure-2.json"))
    finally:
        claim.release()
