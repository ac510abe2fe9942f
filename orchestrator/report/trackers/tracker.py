"""``run --log``: finished trials to other systems, beside the training and never in its way.

What the ledger has when a run begins is written as what comes later is, by the same function. A
system that fails costs the training nothing; the next run with the same option writes the rest.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.analysis import blinding
from orchestrator.errors import AblateError, DamageError, LackError, RequestError, nearest
from orchestrator.execution.events import Differs, Done, Event, Planned
from orchestrator.report.trackers.finished import Log, read
from orchestrator.report.trackers.mlflow import MlflowLog
from orchestrator.report.trackers.optuna import OptunaLog
from orchestrator.report.trackers.tensorboard import TensorBoardLog
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

SYSTEMS = ("mlflow", "optuna", "tensorboard")


def open_log(word: str, ledger: Ledger, study: str) -> Log:
    """The system that ``--log SYSTEM`` or ``--log SYSTEM:WHERE`` names.

    Raises:
        RequestError: there is no such system, or no folder for it.
        LackError: its package is missing, or it cannot be written.
    """
    system, _, where = word.partition(":")
    if system not in SYSTEMS:
        raise RequestError(
            "`--log` must be mlflow, optuna or tensorboard, with `:WHERE` if wanted, but is "
            f"`{word}` instead. {nearest(system, SYSTEMS)}"
        )
    if system == "tensorboard" and "://" in where:
        raise RequestError(
            f"`--log tensorboard` must name a folder of this machine, but names `{where}` instead."
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
        if system == "tensorboard":
            return TensorBoardLog(Path(where))
        return MlflowLog(where, study) if system == "mlflow" else OptunaLog(where)
    except OSError as error:
        raise LackError(f"`--log {system}` cannot write `{where}`: {error.strerror}.") from None


class Export:
    """Hears the events of a run and gives its finished trials to some logs, in a thread."""

    def __init__(self, ledger: Ledger, logs: Sequence[Log]) -> None:
        self._ledger, self._logs = ledger, logs
        self._queue: queue.Queue[Planned | str | None] = queue.Queue()
        self._asked: Snapshot | None = None
        self._places: dict[str, SnapshotTrial] = {}
        """Each id at its first place in the table."""
        self._taken: set[str] = set()
        """Trials that were given to the logs: a study may be planned anew, look by look."""
        self.damage: tuple[str, ...] = ()
        """Trials whose files are not what was written."""
        self._lost: dict[str, str] = {}
        """A system, by what a person types to look at it -> what it said first."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def looks(self) -> tuple[str, ...]:
        """What a person types to look at what was logged, of each system that did not fail."""
        return tuple(log.look for log in self._logs if log.look not in self._lost)

    def hear(self, event: Event) -> None:
        """Take note of what is finished."""
        if isinstance(event, Planned):
            self._queue.put(event)
        elif isinstance(event, Done | Differs):
            self._queue.put(event.id)

    def close(self) -> tuple[str, ...]:
        """Wait until all is written; a sentence for each trial or system that failed."""
        self._queue.put(None)
        self._thread.join()
        return self.damage + tuple(
            f"Not everything was logged for `{look}` ({why}); the same command logs the rest."
            for look, why in self._lost.items()
        )

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._take(item)
            except Exception as error:  # of the store; what it means is the run's to say
                for log in self._logs:
                    self._lose(log, error)
            if self._queue.empty():
                self._flush()
        self._flush()

    def _take(self, item: Planned | str) -> None:
        if isinstance(item, str):
            self._write(item)
            return
        self._look_up(item)
        for id in self._places:
            if id in item.done and id not in self._taken:
                self._write(id)

    def _look_up(self, planned: Planned) -> None:
        forms = self._ledger.studies.snapshots(planned.study)
        placed = set(planned.placed)
        self._asked = next((form for form in forms if placed <= form.placed), None)
        sealed = blinding.sealed_trials(self._ledger)
        self._places = {t.id: t for t in reversed(planned.placed) if t.id not in sealed}
        if self._asked is not None and (search := self._asked.search) is not None:
            ended = search.closed  # of a flat one no test score is written then either
            self._places = {id: t for id, t in self._places.items() if ended or not search.seals(t)}
            self._search(self._asked)

    def _search(self, snapshot: Snapshot) -> None:
        """The configurations of a search, of which a generation has ended since the last time."""
        for log in self._logs:
            self._try(log, log.searched, snapshot)

    def _write(self, id: str) -> None:
        if self._asked is None or id not in self._places:
            return
        self._taken.add(id)
        try:
            trial = read(self._ledger, self._asked, self._places[id])
        except DamageError as error:
            self.damage += (f"A trial was not logged: {error}",)
            return
        if trial is not None:
            for log in self._logs:
                self._try(log, log.write, trial)

    def _flush(self) -> None:
        for log in self._logs:
            self._try(log, log.flush)

    def _try(self, log: Log, do: Callable[..., None], *what: Any) -> None:
        """Whatever goes wrong in another's code is said at the end, and not met again."""
        if log.look in self._lost:
            return
        try:
            do(*what)
        except Exception as error:
            self._lose(log, error)

    def _lose(self, log: Log, error: Exception) -> None:
        if log.look not in self._lost:
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            kind = "" if isinstance(error, AblateError) else f"{type(error).__name__}: "
            self._lost[log.look] = f"{kind}{reason}"
