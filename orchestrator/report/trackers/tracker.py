"""``run --log``: writes finished trials to TensorBoard, MLflow or Optuna while others still train.

Trials that had finished before the run are written in the same way. A tracker that fails does not
stop the training; the next run with the same option writes the rest.
"""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.analysis import blinding
from orchestrator.errors import (
    AblateError,
    DamageError,
    LackError,
    RequestError,
    first_line,
    nearest,
)
from orchestrator.execution.events import Differs, Done, Event, Planned
from orchestrator.report.trackers.finished import FinishedTrial, read
from orchestrator.report.trackers.mlflow import MlflowTracker
from orchestrator.report.trackers.optuna import OptunaTracker
from orchestrator.report.trackers.tensorboard import TensorBoardTracker
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot, SnapshotTrial


class Tracker(Protocol):
    """What an experiment tracker (TensorBoard, MLflow, Optuna) must be able to do.

    It skips what it has already, so writing a trial twice is harmless.
    """

    view_command: str
    """The shell command or the address that shows what was written, such as ``mlflow ui ...``."""

    def write(self, finished: FinishedTrial) -> None:
        """Write one finished trial, or keep it until ``flush``."""

    def write_search(self, snapshot: Snapshot) -> None:
        """Write the configurations of the study's search that have ended so far."""

    def flush(self) -> None:
        """Write what ``write`` has kept; called when no further trial waits to be written."""


@dataclass(frozen=True, slots=True)
class TrackerKind:
    """How a tracker of one kind is opened."""

    open: Callable[[str, str], Tracker]
    """Makes the tracker from WHERE (the path of a folder, or a URL) and the name of the study."""
    takes_url: bool = True
    """Whether WHERE may be a URL; else it must be a folder of this machine."""


TRACKERS: Mapping[str, TrackerKind] = {
    "mlflow": TrackerKind(MlflowTracker),
    "optuna": TrackerKind(lambda where, study: OptunaTracker(where)),
    "tensorboard": TrackerKind(
        lambda where, study: TensorBoardTracker(Path(where)), takes_url=False
    ),
}
"""The trackers by the names that ``--log`` takes."""


def open_tracker(word: str, ledger: Ledger, study: str) -> Tracker:
    """Open the tracker that ``--log SYSTEM`` or ``--log SYSTEM:WHERE`` names.

    Args:
        word: the value of the option, such as ``mlflow`` or ``tensorboard:/tmp/logs``. WHERE is a
            folder or a URL; without it the tracker writes to a folder of the store.
        ledger: the store.
        study: the name of the study.

    Raises:
        RequestError: there is no such tracker; WHERE is a URL but must be a folder; or WHERE is
            missing, and the store is an object store (`s3://`).
        LackError: the tracker's package is missing, or WHERE cannot be written to.
    """
    system, _, where = word.partition(":")
    if system not in TRACKERS:
        *others, last = TRACKERS
        raise RequestError(
            f"`--log` must be {', '.join(others)} or {last}, with `:WHERE` if wanted, but is "
            f"`{word}` instead. {nearest(system, TRACKERS)}"
        )
    kind = TRACKERS[system]
    if "://" in where and not kind.takes_url:
        raise RequestError(
            f"`--log {system}` must name a folder of this machine, but names `{where}` instead."
        )
    home = ledger.paths.log_folder(system)
    if not where and not isinstance(home, Path):
        raise RequestError(
            f"`--log {system}` must name a folder of this machine, since this store is an object "
            f"store: `--log {system}:FOLDER`."
        )
    if "://" not in where and where != "databricks":
        where = str(Path(where or str(home)).expanduser().absolute())
    try:
        return kind.open(where, study)
    except OSError as error:
        raise LackError(f"`--log {system}` cannot write `{where}`: {error.strerror}.") from None


class TrackerThread:
    """Writes the finished trials of a run to trackers, in a thread of its own.

    The caller passes every event of the run to `on_event`, and calls `close` at the end.
    """

    def __init__(self, ledger: Ledger, trackers: Sequence[Tracker]) -> None:
        self._ledger, self._trackers = ledger, trackers
        self._queue: queue.Queue[Planned | str | None] = queue.Queue()
        """What the thread has to do: a new plan, the id of a finished trial, or None to end."""
        self._snapshot: Snapshot | None = None
        self._trials: dict[str, SnapshotTrial] = {}
        """Trial id -> row, fold and seed (of the first row that has it), for trials of the plan.

        Trials whose test scores a search hides are left out."""
        self._written: set[str] = set()
        """Ids of the trials that were written, since a study may be planned several times."""
        self.damaged: list[str] = []
        """A sentence for each trial whose record or files do not match their digests."""
        self._failed: dict[str, str] = {}
        """View command of a tracker that failed -> the text of its first error."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def view_commands(self) -> tuple[str, ...]:
        """For each tracker that has not failed, the command or address that shows what it got."""
        commands = (tracker.view_command for tracker in self._trackers)
        return tuple(command for command in commands if command not in self._failed)

    def on_event(self, event: Event) -> None:
        """Queue a plan or a finished trial for the thread; all other events are ignored."""
        if isinstance(event, Planned):
            self._queue.put(event)
        elif isinstance(event, Done | Differs):
            self._queue.put(event.id)

    def close(self) -> tuple[str, ...]:
        """Wait until everything is written, and end the thread.

        Returns:
            A sentence for each trial that is damaged, and for each tracker that failed.
        """
        self._queue.put(None)
        self._thread.join()
        failed = (
            f"Not everything was logged for `{command}` ({why}); the same command logs the rest."
            for command, why in self._failed.items()
        )
        return (*self.damaged, *failed)

    def _work(self) -> None:
        """Write what is queued until None comes; runs in the thread."""
        while (item := self._queue.get()) is not None:
            try:
                self._take(item)
            except Exception as error:  # of the store: the run meets it too, and reports it
                for tracker in self._trackers:
                    self._fail(tracker, error)
            if self._queue.empty():
                self._flush()
        self._flush()

    def _take(self, item: Planned | str) -> None:
        """Write one finished trial, by its id, or all trials that a new plan found finished."""
        if isinstance(item, str):
            self._write(item)
            return
        self._replan(item)
        for id in self._trials:
            if id in item.done and id not in self._written:
                self._write(id)

    def _replan(self, planned: Planned) -> None:
        """Keep the snapshot and the trials of a new plan, and write the state of its search.

        Trials whose test scores a search hides are left out.
        """
        snapshots = self._ledger.studies.snapshots(planned.study)
        placed = set(planned.placed)
        self._snapshot = next((one for one in snapshots if placed <= {*one.all_trials}), None)
        blinded = blinding.blinded_trials(self._ledger)
        self._trials = {t.id: t for t in reversed(planned.placed) if t.id not in blinded}
        if self._snapshot is not None and (search := self._snapshot.search) is not None:
            if not search.closed:
                self._trials = {id: t for id, t in self._trials.items() if not search.blinds(t)}
            self._write_search(self._snapshot)

    def _write_search(self, snapshot: Snapshot) -> None:
        """Write the configurations of a search that have ended.

        A new plan, and so this call, comes after each set of configurations proposed at once.
        """
        for tracker in self._trackers:
            self._try(tracker, tracker.write_search, snapshot)

    def _write(self, id: str) -> None:
        if self._snapshot is None or id not in self._trials:
            return
        self._written.add(id)
        try:
            finished = read(self._ledger, self._snapshot, self._trials[id])
        except DamageError as error:
            self.damaged.append(f"A trial was not logged: {error}")
            return
        if finished is not None:
            for tracker in self._trackers:
                self._try(tracker, tracker.write, finished)

    def _flush(self) -> None:
        for tracker in self._trackers:
            self._try(tracker, tracker.flush)

    def _try(self, tracker: Tracker, write: Callable[..., None], *what: Any) -> None:
        """Call a method of a tracker that has not failed yet; an error of any kind is kept.

        So the run goes on, whatever the tracker's library raises.
        """
        if tracker.view_command in self._failed:
            return
        try:
            write(*what)
        except Exception as error:
            self._fail(tracker, error)

    def _fail(self, tracker: Tracker, error: Exception) -> None:
        """Keep the first error of a tracker as text; from then on nothing is written to it."""
        if tracker.view_command not in self._failed:
            reason = first_line(error)[:200]
            kind = "" if isinstance(error, AblateError) else f"{type(error).__name__}: "
            self._failed[tracker.view_command] = f"{kind}{reason}"
