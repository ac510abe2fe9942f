"""What a study shows while it trains: a picture in a terminal, a line a finished trial elsewhere.

One view for `ablate run`, whose events come from its workers, and for `ablate watch`, whose events
come from the store (`watch.py`). Where everything stands is `run_state.py`'s to say.
"""

import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.execution.events import (
    Differs,
    Done,
    Elsewhere,
    Event,
    Failed,
    Note,
    Planned,
    Progress,
    Retry,
    Waiting,
)
from orchestrator.execution.monitor.run_state import Flying, LiveRow, RunState
from orchestrator.planning.cost.resources import Resources, Usage
from orchestrator.planning.trial_details import SHOWN
from orchestrator.printable import clean
from orchestrator.report.console import duration
from orchestrator.report.tables.cells import plus_minus
from orchestrator.report.tables.headings import DASH, banner, protocol_line
from orchestrator.report.terminal.studies import where
from orchestrator.store.leases import LEASE_S

NARROW = 60
"""Columns below which the view shows less."""
REDRAW_S = 0.25
USAGE_S = 5.0
"""How often the machines are asked what is used of them."""
FLIGHTS = 8
"""Most trials in training that are shown one by one."""
CURVE = 20
"""Epochs that a curve shows: the last ones."""
RECALLED = 6
"""Sentences that are said again when the screen had to be cleared."""
BARS = "▁▂▃▄▅▆▇█"
GIB = 1024**3


class View:
    """Shows a study on a console; used as a context. Call ``hear`` with every event.

    Args:
        console: where to.
        board: where everything stands; by default one without running estimates.
        usage: what is used of the machines.
        watching: somebody else trains; the last picture then stays.
    """

    def __init__(
        self,
        console: Console,
        board: RunState | None = None,
        usage: Callable[[], Usage | None] = lambda: None,
        *,
        watching: bool = False,
    ) -> None:
        self._console, self._usage, self._watching = console, usage, watching
        self._board = board or RunState()
        self._lock = threading.Lock()
        """Held while the board changes, and while a picture is made of it."""
        self._live: Live | None = None
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True)
        self._said: deque[Text] = deque(maxlen=RECALLED)
        self._used: Usage | None = None
        self._step = ""
        self._left = ""
        self._last_line = self._began = 0.0
        self._plans = 0

    def __enter__(self) -> "View":
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                get_renderable=self._picture,
                transient=not self._watching,
            )
            self._live.start()
            self._over.clear()
            self._painter = threading.Thread(target=self._paint, daemon=True)
            self._painter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._over.set()
            self._painter.join()
            self._live.stop()
            self._live = None

    # --- painting --------------------------------------------------------------------------

    def _paint(self) -> None:
        """Draw anew four times a second, and over a clean screen where it has shrunk."""
        live, size, snapshot = self._live, self._console.size, -USAGE_S
        assert live is not None
        while not self._over.wait(REDRAW_S):
            if time.monotonic() - snapshot >= USAGE_S:
                self._used, snapshot = self._usage(), time.monotonic()
            now = self._console.size
            if now.width < size.width or now.height < size.height:
                # A terminal may have wrapped the old picture or not: nobody knows how far up it is.
                self._console.control(Control.clear(), Control.home())
                for sentence in tuple(self._said):
                    self._print(sentence)
            size = now
            live.refresh()

    def _picture(self) -> Group:
        size = self._console.size
        with self._lock:
            if self._board.placed and not self._step:
                return picture(self._board, self._used, size.width, size.height)
        return Group(Text(f"{self._step}{self._left} ...", style="dim")) if self._step else Group()

    # --- hearing ---------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Show one event."""
        with self._lock:
            self._board.hear(event)
            if isinstance(event, Planned):
                self._step = ""
                self._plans += 1
        if isinstance(event, Note):
            self._say(event.sentence, "bold yellow" if event.loud else "")
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Planned):
            self._say(self._plan_line())
        elif isinstance(event, Waiting):
            self._say(event.sentence, "bold yellow")
        elif isinstance(event, Retry):
            when = f" in {event.wait_s:.0f} s" if event.wait_s else ""
            self._say(
                f"Again {self._where(event.id)} ({event.cause}): {event.sentence} "
                f"Attempt {event.attempt} of {event.of}{when}."
            )
        elif isinstance(event, Failed):
            where = self._where(event.id)
            self._say(f"FAILED {where} ({event.cause}): {event.sentence}", "bold red")
            self._say(f"  log: ablate logs {event.id[:SHOWN]}, {event.record}")
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
        return f"{board.finished} of {board.total} trials are done and kept."

    def _say(self, sentence: str, style: str = "") -> None:
        text = Text(clean(sentence), style=style)
        self._said.append(text)
        self._print(text)

    def _print(self, text: Text) -> None:
        """What holds a path longer than a line is not broken, so that it can be copied."""
        longest = max(map(len, text.plain.split()), default=0)
        self._console.print(text, soft_wrap=longest > self._console.width)

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
        total, done = self._board.total, self._board.finished
        if self._watching:
            return f"{done} of {total} trials done"
        if done == total:
            nothing = ": nothing to train" if self._plans == 1 else ""  # else all was trained now
            return f"All {total} trials are done{nothing}."
        some = "1 trial" if total == 1 else f"{total} trials"
        return f"{some}: {done} done, {total - done} to train, {self._board.slots} at once."

    def _trial_line(self, event: Done) -> None:
        board = self._board
        took = f": {event.seconds:.0f} s" if event.seconds else ""
        place = board.first.get(event.id)
        known = board.estimate(place.row) if place is not None else None
        shown = f", UA {plus_minus(known.ua)}" if known is not None and known.ua else ""
        n = f" (n {known.n})" if shown and known is not None else ""
        left = duration(board.seconds_left()) if board.finished < board.total else ""
        rest = f", {left} left" if left else ""
        count = f"{board.finished}/{board.total}"
        self._say(f"{count}  done {self._where(event.id)}{took}{shown}{n}{rest}")

    def _where(self, id: str) -> str:
        """The trial's first place in the table, in words."""
        place = self._board.first.get(id)
        return where(place) if place is not None else id[:SHOWN]


def picture(board: RunState, used: Usage | None, width: int, height: int) -> Group:
    """The whole view, within the terminal as it is now: rows, curves, counts.

    Where not all of it fits, rows and curves give way, and say how many they are.
    """
    head = [Text(line, style="bold") for line in _title(board, width)]
    tail = [Text(line, style="dim") for line in _wrapped(_status(board, used), width)]
    room = max(1, height - 2 - len(head) - len(tail))  # below the heads of the columns
    rows, flights = board.rows(), board.flying()
    for_flights = min(len(flights), FLIGHTS, max(room - len(rows), room // 3))
    for_rows = _fitting(len(rows), room - for_flights)
    parts: list[Text | RichTable] = [*head, _grid(rows[:for_rows], board, width)]
    if for_rows < len(rows):
        parts.append(Text(f"and {len(rows) - for_rows} more rows", style="dim"))
    shown = _fitting(len(flights), for_flights)
    parts += [_curve(flight, width) for flight in flights[:shown]]
    if shown < len(flights) and for_flights:
        parts.append(Text(f"and {len(flights) - shown} more in training", style="dim"))
    return Group(*parts, *tail)


def _fitting(count: int, lines: int) -> int:
    """How many of so many have a line, when the rest is told in the last one."""
    return count if count <= lines else max(0, lines - 1)


def _wrapped(lines: list[str], width: int) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, max(width, 10))]


def _title(board: RunState, width: int) -> list[str]:
    if board.snapshot is None:
        return []
    title = clean(f"{board.snapshot.study}: {protocol_line(board.snapshot)}")
    return _wrapped([title, banner(board.snapshot)], width)


def _grid(rows: list[LiveRow], board: RunState, width: int) -> RichTable:
    """All columns where they fit; on a narrow terminal names, counts and UA."""
    wide = width >= NARROW
    grid = RichTable(
        box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="bold", pad_edge=False
    )
    grid.add_column("row", overflow="ellipsis", no_wrap=True)
    heads = ["done"]
    heads += ["running", "failed"] if wide else []
    heads += ["UA ± 95 %"] if board.snapshot is not None else []
    heads += ["WA ± 95 %"] if wide and board.snapshot is not None else []
    for head in heads:
        grid.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        known = row.estimate
        cells = {
            "done": f"{row.done}/{row.total}",
            "running": str(row.running or ""),
            "failed": str(row.failed or ""),
            "UA ± 95 %": plus_minus(known.ua if known else None),
            "WA ± 95 %": plus_minus(known.wa if known else None),
        }
        style = "bold red" if row.failed else ""
        grid.add_row(Text(clean(row.name)), *(Text(cells[head], style=style if head == "failed"
                     else "") for head in heads))  # fmt: skip
    return grid


def _curve(flight: Flying, width: int) -> Text:
    """The dev UA of a trial in training, epoch by epoch, the last one in percent."""
    shown = spark(flight.dev_ua[-CURVE if width >= NARROW else -CURVE // 2 :])
    last = f" {100 * flight.dev_ua[-1]:.1f}" if flight.dev_ua else ""
    of = f"/{flight.epochs}" if flight.epochs else ""
    head = "dev UA" if width >= NARROW else "dev"
    line = clean(f"{head} {shown or DASH}{last}  epoch {flight.epoch}{of}  {where(flight.place)}")
    return Text(line, no_wrap=True, overflow="ellipsis")


def spark(values: tuple[float, ...]) -> str:
    """Fractions, 0 to 1, as a line of bars from the least to the greatest.

    >>> spark((0.2, 0.4, 0.3))
    '▁█▄'
    """
    if not values:
        return ""
    low, span = min(values), max(values) - min(values)
    return "".join(BARS[int((v - low) / span * 7) if span else 0] for v in values)


def _status(board: RunState, used: Usage | None) -> list[str]:
    """Counts and time left; what is used, and how fast it goes."""
    left = duration(board.seconds_left())
    counts = [f"{board.finished} of {board.total} trials done"]
    counts += [f"{len(board.running)} in training"] if board.running else []
    counts += [f"{len(board.failed)} failed"] if board.failed else []
    counts += [f"about {left} left"] if left and board.running else []
    counts += [board.waiting] if board.waiting else []
    pace = board.throughput()
    how = [_usage(used)] if used is not None else []
    how += [f"{pace[0]:.3g} trials an hour", f"{pace[1]:.3g} epochs a minute"] if pace else []
    return ["; ".join(part) for part in (counts, how) if part]


def _usage(usage: Usage) -> str:
    """``2 of 4 CPUs, memory 3.1 of 23.5 GiB``."""

    def of(part: Callable[[Resources], float], name: str) -> str:
        return f"{part(usage.used):.3g} of {part(usage.there):.3g} {name}"

    parts = [of(lambda room: room.cpus, "CPUs")]
    parts += [of(lambda room: room.gpus, "GPUs")] if usage.there.gpus else []
    kind = "memory promised" if usage.promised else "memory"
    parts.append(f"{kind} {of(lambda room: room.memory / GIB, 'GiB')}")
    return ", ".join(parts)
