"""Trains trials in rounds on a cluster, until each is done or has used its attempts.

In a round each trial is attempted once. A trial that ends without an outcome is retried if the
cause of its failure may pass (`retries.py`): together with others or, where its worker died, last
and alone. A trial that another run trains is waited for.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.errors import LackError
from orchestrator.execution import retries
from orchestrator.execution.cluster.protocol import LOW_MEMORY, Cluster, OnEvent, Task, Work
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
from orchestrator.execution.retries import ATTEMPTS, Retries
from orchestrator.store.leases import LeaseObserver
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import new_attempt
from orchestrator.store.records import Failure
from orchestrator.study.trials import PlannedTrial

POLL_S = 1.0
"""Seconds between two polls of the lease files of trials that another run trains."""


class Scheduler:
    """Trains trials on a cluster, in rounds, and retries those that end without an outcome.

    Args:
        ledger: the store.
        cluster: where to train; its machines must be held (inside its `with`).
        work: the function that trains one task in a worker.
        on_event: is called with every event, in this process; of a trial that is retried with
            ``Retry``, and with ``Failed`` only after the last attempt.
    """

    def __init__(self, ledger: Ledger, cluster: Cluster, work: Work, on_event: OnEvent) -> None:
        self._ledger, self._cluster = ledger, cluster
        self._work, self._on_event = work, on_event
        self._last: dict[str, Event] = {}
        """Trial id -> its last event in this run."""
        self._retries = Retries(ledger)
        self._observer = LeaseObserver()
        self._idle_rounds = 0
        """How many rounds in a row no worker has started."""
        self._gave_memory = False
        """Whether trials were given more memory in this round."""
        self.trained = 0
        """How many trials this run has trained to the end."""
        self.failed: list[str] = []
        """Ids of the trials whose last attempt has failed."""

    @property
    def done(self) -> tuple[str, ...]:
        """Ids of the trials that have an outcome in the store, by their last event."""
        return tuple(id for id, event in self._last.items() if isinstance(event, Done))

    def train(self, trials: Sequence[PlannedTrial]) -> None:
        """Train trials, and return when each is done or has failed for the last time.

        New trials are trained first; those whose worker died are trained last and one by one.

        Raises:
            LackError: no worker could start, several times in a row.
        """
        fresh, alone, elsewhere = (
            [self._task(trial) for trial in trials],
            list[Task](),
            list[Task](),
        )
        while fresh or alone or elsewhere:
            batch = self._ready(fresh) or self._ready(alone)[:1]
            if batch:
                fresh, alone = _without(fresh, batch), _without(alone, batch)
                ended_early = self._round(batch)
                together, one_by_one, held = self._sort(batch, ended_early)
                fresh += together
                alone += one_by_one
                elsewhere += held
            else:
                time.sleep(POLL_S)
            released, elsewhere = self._poll(elsewhere)
            fresh += released

    def _task(self, trial: PlannedTrial) -> Task:
        return Task(
            id=trial.id,
            identity=trial.trial.identity,
            store=str(self._ledger.root),
            device=self._cluster.device,
        )

    def _ready(self, tasks: list[Task]) -> list[Task]:
        return [task for task in tasks if self._retries.may_start(task.id)]

    def _round(self, batch: list[Task]) -> str:
        """Attempt each task of a batch once; returns why the cluster ended early, or ""."""
        for task in batch:
            self._last.pop(task.id, None)
        self._gave_memory = False
        return self._cluster.train(batch, self._work, self._handle)

    def _sort(
        self, batch: list[Task], ended_early: str
    ) -> tuple[list[Task], list[Task], list[Task]]:
        """Sort the unfinished tasks of a round by how they are tried next.

        A cluster that ends early ends every training, also those that are not at fault. So their
        trials are retried together once, and alone only after a second time.

        Args:
            batch: all tasks of the round.
            ended_early: why the cluster ended early; empty where it did not.

        Returns:
            Tasks to retry side by side, tasks to retry one by one, tasks that other runs train.
        """
        together, alone, elsewhere = list[Task](), list[Task](), list[Task]()
        self._check_started(batch, ended_early)
        more_memory = ended_early == LOW_MEMORY and self._give_more_memory()
        for task in batch:
            event = self._last.get(task.id)
            if isinstance(event, Done | Failed | Differs):
                continue
            if isinstance(event, Elsewhere):
                elsewhere.append(task)
            elif isinstance(event, Retry):  # the worker reported the failure itself
                (together if self._retries.failed_attempts(task.id) <= 1 else alone).append(task)
            elif self._ledger.outcomes.has(task.id):  # it died between the record and the event
                self._handle(Done(task.id, 0.0))
            elif event is None or more_memory:
                together.append(task)  # it never started, or was killed for memory it now has
            elif self._may_retry(task):
                innocent = (
                    ended_early and len(batch) > 1 and self._retries.failed_attempts(task.id) == 1
                )
                (together if innocent else alone).append(task)
        if ended_early and (together or alone):
            count = len(together) + len(alone)
            self._on_event(Note(f"Interrupted: {count} trials are trained again ({ended_early})."))
        return together, alone, elsewhere

    def _check_started(self, batch: list[Task], ended_early: str) -> None:
        """Wait a few seconds after a round in which no worker started: memory may become free.

        Raises:
            LackError: no worker started in ``ATTEMPTS`` rounds in a row.
        """
        if any(task.id in self._last for task in batch):
            self._idle_rounds = 0
            return
        self._idle_rounds += 1
        why = ended_early or "they die at once"
        if self._idle_rounds == ATTEMPTS:
            raise LackError(
                f"No worker could start: {why}. `--inline` trains without Ray and shows why."
            )
        wait_s = retries.WAITS_S[self._idle_rounds - 1]
        self._on_event(Note(f"No worker could start ({why}): tried again in {wait_s:.0f} s."))
        time.sleep(wait_s)

    def _give_more_memory(self) -> bool:
        """Give each trial more memory, so that one fewer trains at a time; at most once a round.

        Returns:
            Whether trials were given more memory in this round.
        """
        if not self._gave_memory and (sentence := self._cluster.give_more_memory()):
            self._gave_memory = True
            self._on_event(Note(sentence, loud=True))
        return self._gave_memory

    def _may_retry(self, task: Task) -> bool:
        """Whether a task whose worker died without an event is retried.

        Report the retry or, where there is none, write the failure record in the worker's place
        and report the failure.
        """
        sentence = "Its worker died."
        if retry := self._retries.after(task.id, "infrastructure", sentence):
            self._handle(retry)
            return True
        failure = Failure(
            id=task.id,
            cause="infrastructure",
            sentence=sentence,
            traceback="",
            epoch=0,
            attempt=new_attempt(),
            host=socket.gethostname(),
            identity=task.identity,
        )
        record = str(self._ledger.attempts.write_failure(failure))
        self._give_up(Failed(task.id, "infrastructure", sentence, record))
        return False

    def _give_up(self, failed: Failed) -> None:
        """Report a failure that this run does not retry."""
        verdict = self._retries.verdict(failed.id, failed.cause, failed.sentence)
        self.failed.append(failed.id)
        self._last[failed.id] = failed
        self._on_event(replace(failed, sentence=verdict))

    def _poll(self, elsewhere: list[Task]) -> tuple[list[Task], list[Task]]:
        """Look once at tasks that another run trains; report those that it has finished.

        Returns:
            Tasks that the other run gave up without an outcome, and those that it still trains.
        """
        released, held = [], []
        for task in elsewhere:
            if self._ledger.outcomes.has(task.id):
                self._handle(Done(task.id, 0.0))
            elif self._observer.is_stale(self._ledger.paths.lease_file(task.id)):
                released.append(task)
            else:
                held.append(task)
        return released, held

    def _handle(self, event: Event) -> None:
        """Take an event of a worker: keep it as its trial's last one, and pass it to the listener.

        A failure whose trial may be retried is passed on as a ``Retry``.
        """
        if isinstance(event, Failed):
            if event.memory and self._give_more_memory():
                retry: Retry | None = self._retries.uncounted(event.id, event.cause, event.sentence)
            else:
                retry = self._retries.after(event.id, event.cause, event.sentence)
            if retry is None:
                self._give_up(event)
                return
            event = retry
        if not isinstance(event, Note | Progress | Planned | Waiting):
            self._last[event.id] = event
        if isinstance(event, Done):
            self.trained += event.seconds > 0
        self._on_event(event)


def _without(tasks: list[Task], removed: list[Task]) -> list[Task]:
    """The tasks whose trials are not among the removed ones, in the same order."""
    ids = {task.id for task in removed}
    return [task for task in tasks if task.id not in ids]
