"""What a run shows while it goes on: a table of rows in a terminal, plain lines elsewhere.

A view hears events (``orchestrator.events``) and keeps nothing that the ledger does not know.
"""

import statistics
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.claims import LEASE_S
from orchestrator.events import (
    Again,
    Differs,
    Done,
    Elsewhere,
    Epoch,
    Event,
    Failed,
    Note,
    Planned,
    Progress,
    Started,
    Waiting,
)
from orchestrator.printable import clean
from orchestrator.report.text import duration
from orchestrator.snapshot import AskedTrial

NARROW = 60
"""Columns below which the view shows less."""


class Board:
    """Where every trial of the study stands, from the events so far. Knows no terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.placed: tuple[AskedTrial, ...] = ()
        self.slots = 1
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.elsewhere: set[str] = set()
        self.running: dict[str, Epoch | None] = {}
        self.dev_ua: dict[str, float] = {}
        self.waiting = ""
        """Why nothing trains; empty while something does."""
        self.ids: set[str] = set()
        """Ids of all trials; one that stands in two rows counts once."""
        self._by_row: dict[str, list[str]] = {}
        self._seconds: list[float] = []
        self._since: dict[str, float] = {}

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Planned):
            self.placed, self.slots = event.placed, max(1, event.slots)
            self.done = set(event.done)
            self.ids = {item.id for item in event.placed}
            self._by_row = {}
            for item in event.placed:
                self._by_row.setdefault(item.row, []).append(item.id)
        elif isinstance(event, Waiting):
            self.waiting = event.sentence
        elif isinstance(event, Started):
            self.waiting = ""
            self.failed.discard(event.id)
            self.running[event.id] = None
            self._since[event.id] = self._clock()
        elif isinstance(event, Epoch):
            self.running[event.id] = event
            self.dev_ua[event.id] = event.dev_ua
        elif isinstance(event, Done | Differs):
            self._leave(event.id)
            self.done.add(event.id)
            if isinstance(event, Done) and event.seconds:
                self._seconds.append(event.seconds)
        elif isinstance(event, Again):
            self._leave(event.id)
        elif isinstance(event, Failed):
            self._leave(event.id)
            self.failed.add(event.id)
        elif isinstance(event, Elsewhere):
            self._leave(event.id)
            self.elsewhere.add(event.id)

    def _leave(self, id: str) -> None:
        self.running.pop(id, None)
        self.elsewhere.discard(id)

    def rows(self) -> list[tuple[str, int, int, int, int, float | None]]:
        """Name, done, running, failed, to do, mean of the last dev UA; in the table's order."""
        table = []
        for name, ids in self._by_row.items():
            done = sum(id in self.done for id in ids)
            running = sum(id in self.running or id in self.elsewhere for id in ids)
            failed = sum(id in self.failed for id in ids)
            known = [self.dev_ua[id] for id in ids if id in self.dev_ua]
            dev = statistics.fmean(known) if known else None
            table.append((name, done, running, failed, len(ids) - done - running - failed, dev))
        return table

    def seconds_left(self) -> float | None:
        """An estimate from finished trials, or from the epochs of running ones; None before."""
        per_trial = statistics.fmean(self._seconds) if self._seconds else self._per_trial()
        if per_trial is None:
            return None
        waiting = len(self.ids - self.done - self.failed - set(self.running) - self.elsewhere)
        now = self._clock()
        running = sum(max(0.0, per_trial - (now - self._since[id])) for id in self.running)
        return (waiting * per_trial + running) / self.slots

    def _per_trial(self) -> float | None:
        now = self._clock()
        guesses = [
            (now - self._since[id]) / epoch.epoch * epoch.epochs
            for id, epoch in self.running.items()
            if epoch is not None
        ]
        return statistics.fmean(guesses) if guesses else None


class View:
    """Shows a run on a console; used as a context. Call ``hear`` with every event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._board = Board()
        self._live: Live | None = None
        self._step = ""
        self._left = ""
        self._last_line = self._began = 0.0

    def __enter__(self) -> "View":
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                refresh_per_second=4,
                get_renderable=self._renderable,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def hear(self, event: Event) -> None:
        """Show one event."""
        self._board.hear(event)
        if isinstance(event, Note):
            self._say(event.sentence, "bold yellow" if event.loud else "")
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Planned):
            self._step = ""
            self._say(self._plan_line())
        elif isinstance(event, Waiting):
            self._say(event.sentence, "bold yellow")
        elif isinstance(event, Again):
            when = f" in {event.wait_s:.0f} s" if event.wait_s else ""
            self._say(
                f"Again {self._where(event.id)} ({event.cause}): {event.sentence} "
                f"Attempt {event.attempt} of {event.of}{when}."
            )
        elif isinstance(event, Failed):
            where = self._where(event.id)
            self._say(f"FAILED {where} ({event.cause}): {event.sentence}", "bold red")
            self._say(f"  {event.record}")
        elif isinstance(event, Differs):
            self._say(
                f"DIFFERS {self._where(event.id)}: finished before with other numbers, both "
                f"are kept: {event.record}",
                "bold red",
            )
        elif isinstance(event, Elsewhere):
            self._say(
                f"Waiting for {self._where(event.id)}: another run trains it. "
                f"Taken over after {LEASE_S:.0f} s without a sign of that run."
            )
        elif self._live is None and isinstance(event, Done):
            self._trial_line(event)

    @property
    def kept(self) -> str:
        """What an interrupted run has to show for itself."""
        board = self._board
        if not board.placed:
            return "Nothing had trained yet."
        return f"{len(board.ids & board.done)} of {len(board.ids)} trials are done and kept."

    def _say(self, sentence: str, style: str = "") -> None:
        self._console.print(Text(clean(sentence), style=style))

    def _progress(self, event: Progress) -> None:
        """Show a step: always in a live view, else at its end and every ten seconds."""
        count = f" {event.done}/{event.total}" if event.total else ""
        now = time.monotonic()
        if not self._step.startswith(event.what) or event.done <= 1:
            self._last_line = self._began = now
        ended = event.done == event.total and self._step != f"{event.what}{count}"
        self._step = f"{event.what}{count}"
        if self._live is None and (ended or now - self._last_line > 10):
            self._last_line = now
            self._say(self._step)
        # From the second on: the first waits for engines to start.
        pace = (now - self._began) / (event.done - 1) if event.done > 1 else 0.0
        left = duration(pace * (event.total - event.done)) if pace else ""
        self._left = f", {left} left" if left and not ended else ""

    def _plan_line(self) -> str:
        total, done = len(self._board.ids), len(self._board.ids & self._board.done)
        if done == total:
            return f"All {total} trials are done: nothing to train."
        return f"{total} trials: {done} done, {total - done} to train, {self._board.slots} at once."

    def _trial_line(self, event: Done) -> None:
        board = self._board
        dev = board.dev_ua.get(event.id)
        shown = f", dev UA {100 * dev:.1f}" if dev is not None else ""
        left = duration(board.seconds_left())
        rest = f", {left} left" if left else ""
        count = f"{len(board.ids & board.done)}/{len(board.ids)}"
        self._say(f"{count}  done {self._where(event.id)}: {event.seconds:.0f} s{shown}{rest}")

    def _where(self, id: str) -> str:
        """The trial's first place in the table, in words."""
        for item in self._board.placed:
            if item.id == id:
                return f"{item.row}, fold {item.fold + 1}, seed {item.seed}"
        return id[:12]

    def _renderable(self) -> Group:
        parts: list[Text | RichTable] = []
        if self._board.placed and not self._step:
            parts.append(self._grid())
            parts.append(Text(self._status(), style="dim"))
        elif self._step:
            parts.append(Text(f"{self._step}{self._left} ...", style="dim"))
        return Group(*parts)

    def _grid(self) -> RichTable:
        """All columns where they fit; on a narrow terminal names and counts done."""
        if self._console.width < NARROW:
            grid = RichTable.grid(padding=(0, 2, 0, 0))
            for name, done, running, failed, to_do, dev in self._board.rows():
                shown = f"{100 * dev:.1f}" if dev is not None else ""
                total = done + running + failed + to_do
                grid.add_row(f"{done}/{total}", shown, Text(clean(name), overflow="ellipsis"))
            return grid
        grid = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
        grid.add_column("row", overflow="fold")
        for head in ("done", "running", "failed", "to do", "dev UA"):
            grid.add_column(head, justify="right", no_wrap=True)
        for name, done, running, failed, to_do, dev in self._board.rows():
            shown = f"{100 * dev:.1f}" if dev is not None else "–"
            red = "bold red" if failed else ""
            grid.add_row(
                Text(clean(name)),
                str(done),
                str(running),
                Text(str(failed), style=red),
                str(to_do),
                shown,
            )
        return grid

    def _status(self) -> str:
        board = self._board
        epochs = [f"{e.epoch}/{e.epochs}" for e in board.running.values() if e is not None]
        left = duration(board.seconds_left())
        parts = [f"{len(board.ids & board.done)} of {len(board.ids)} trials done"]
        parts += [f"epochs {', '.join(epochs[:4])}"] if epochs else []
        parts += [f"{left} left"] if left and not board.waiting else []
        parts += [board.waiting] if board.waiting else []
        return "; ".join(parts)
