"""Shows a study while it trains.

In a terminal it redraws a picture in place; elsewhere, as in a log file, it prints a line for each
finished trial. `ablate run`, whose events come from its workers, and `ablate watch`, whose events
come from the store (`watch.py`), share it. `run_state.py` keeps the state of every trial.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
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
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.planning.cost.resources import Usage
from orchestrator.planning.trial_details import SHORT_ID
from orchestrator.printable import clean, writable
from orchestrator.report.console import duration
from orchestrator.report.tables.cells import percent, plus_minus
from orchestrator.report.terminal.live_picture import picture
from orchestrator.report.terminal.studies import where
from orchestrator.store.leases import LEASE_S

REDRAW_S = 0.25
"""Seconds between two drawings of the picture."""
USAGE_S = 5.0
"""Seconds between two measurements of the CPUs, GPUs and memory in use."""
REPEATED = 6
"""How many of the last sentences are printed again after the screen was cleared."""


class View:
    """Shows a study on a console while the ``with`` block of the view runs.

    The caller passes every event of the training to `show`.

    Args:
        console: where to print.
        state: keeps the state of every trial; the default one shows no UA or WA of rows.
        usage: returns the CPUs, GPUs and memory in use, or None if that is not known.
        watching: whether another process trains; the last picture then stays on the screen.
    """

    def __init__(
        self,
        console: Console,
        state: RunState | None = None,
        usage: Callable[[], Usage | None] = lambda: None,
        *,
        watching: bool = False,
    ) -> None:
        self._console, self._usage, self._watching = console, usage, watching
        self._state = state or RunState()
        self._lock = threading.Lock()
        """Held while an event changes the state, and while a picture is made of it."""
        self._live: Live | None = None
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True)
        self._sentences: deque[Text] = deque(maxlen=REPEATED)
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
        """Redraw the picture four times a second until the view ends; runs in a thread.

        If the terminal has become smaller, clear the screen first.
        """
        live, size, asked_at = self._live, self._console.size, -USAGE_S
        assert live is not None
        while not self._over.wait(REDRAW_S):
            if time.monotonic() - asked_at >= USAGE_S:
                self._used, asked_at = self._usage(), time.monotonic()
            now = self._console.size
            if now.width < size.width or now.height < size.height:
                # The terminal may have wrapped the old picture: how far up it begins is not known.
                self._console.control(Control.clear(), Control.home())
                for sentence in tuple(self._sentences):
                    self._print(sentence)
            size = now
            live.refresh()

    def _picture(self) -> Group:
        size = self._console.size
        with self._lock:
            if self._state.trials and not self._step:
                return picture(
                    self._state, self._used, size.width, size.height, self._console.encoding
                )
        return Group(Text(f"{self._step}{self._left} ...", style="dim")) if self._step else Group()

    # --- events ----------------------------------------------------------------------------

    def show(self, event: Event) -> None:
        """Apply an event to the state, and print a sentence if this kind of event has one."""
        with self._lock:
            self._state.apply(event)
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
            self._say(f"  log: ablate logs {event.id[:SHORT_ID]}, {event.record}")
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
        """The sentence for an interrupted run, such as ``12 of 75 trials are done and kept``."""
        state = self._state
        if not state.trials:
            return "Nothing had trained yet."
        return f"{state.finished} of {state.total} trials are done and kept."

    def _say(self, sentence: str, style: str = "") -> None:
        text = Text(writable(clean(sentence), self._console.encoding), style=style)
        self._sentences.append(text)
        self._print(text)

    def _print(self, text: Text) -> None:
        """Print a sentence, wrapped to the console.

        If a word, such as a path, is longer than a line, nothing is wrapped, so that the word can
        be copied from the terminal.
        """
        longest = max(map(len, text.plain.split()), default=0)
        self._console.print(text, soft_wrap=longest > self._console.width)

    def _progress(self, event: Progress) -> None:
        """Show how far a step before the trainings is, such as ``extracting features 3/10``.

        In a terminal the picture shows it; elsewhere a line is printed at the end of the step and
        at most every ten seconds.
        """
        count = f" {event.done}/{event.total}" if event.total else ""
        now = time.monotonic()
        if not self._step.startswith(event.what) or event.done <= 1:
            self._last_line = self._began = now
        ended = event.done == event.total and self._step != f"{event.what}{count}"
        self._step = f"{event.what}{count}"
        if self._live is None and (ended or now - self._last_line > 10):
            self._last_line = now
            self._say(self._step)
        # Without the first one, which waits for engines to start.
        each_s = (now - self._began) / (event.done - 1) if event.done > 1 else 0.0
        left = duration(each_s * (event.total - event.done)) if each_s else ""
        self._left = f", {left} left" if left and not ended else ""

    def _plan_line(self) -> str:
        total, done = self._state.total, self._state.finished
        if self._watching:
            return f"{done} of {total} trials done"
        if done == total:
            nothing = ": nothing to train" if self._plans == 1 else ""  # else all was trained now
            return f"All {total} trials are done{nothing}."
        some = "1 trial" if total == 1 else f"{total} trials"
        return f"{some}: {done} done, {total - done} to train, {self._state.lanes} at once."

    def _trial_line(self, event: Done) -> None:
        state = self._state
        took = f": {event.seconds:.0f} s" if event.seconds else ""
        trial = state.by_id.get(event.id)
        estimate = state.estimate(trial.row) if trial is not None else None
        ua = ""
        if trial is not None and estimate is not None and estimate.ua is not None:
            standing = state.open_verdict(trial.row, estimate) or f"n {estimate.n}"
            interval = state.has_interval(trial.row)
            known = plus_minus(estimate.ua) if interval else percent(estimate.ua.mean)
            ua = f", UA {known} ({standing})"
        left = duration(state.seconds_left()) if state.finished < state.total else ""
        rest = f", {left} left" if left else ""
        count = f"{state.finished}/{state.total}"
        self._say(f"{count}  done {self._where(event.id)}{took}{ua}{rest}")

    def _where(self, id: str) -> str:
        """Row, fold and seed of the trial with this id; the start of the id if none is known.

        For a trial that several rows share it is the first row.
        """
        trial = self._state.by_id.get(id)
        return where(trial) if trial is not None else id[:SHORT_ID]
