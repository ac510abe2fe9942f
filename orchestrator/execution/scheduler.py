"""Rounds of scheduling until every task is done or has used its attempts.

What ends without a record is tried again for as long as its cause may pass (`retries.py`), last and
alone where its worker died; a trial that another run holds is waited for.
"""

import socket
import time
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

POLL_S = 1.0
"""How often trials of another run are looked at."""


class Loop:
    """Rounds of scheduling until every task is done or has used its attempts."""

    def __init__(self, ledger: Ledger, cluster: Cluster, work: Work, tell: OnEvent) -> None:
        self._ledger, self._cluster = ledger, cluster
        self._work, self._tell = work, tell
        self._last: dict[str, Event] = {}
        self._retries = Retries(ledger)
        self._watch = LeaseObserver()
        self._idle_rounds = 0
        self._given_room = False
        self.trained = 0
        self.failed: list[str] = []

    @property
    def done(self) -> tuple[str, ...]:
        """Trials that were heard to have a record."""
        return tuple(id for id, event in self._last.items() if isinstance(event, Done))

    def train(self, tasks: list[Task]) -> None:
        """Until nothing is left. Fresh tasks first; those whose worker died last, each alone."""
        fresh, alone, elsewhere = tasks, list[Task](), list[Task]()
        while fresh or alone or elsewhere:
            batch = self._ready(fresh) or self._ready(alone)[:1]
            if batch:
                fresh, alone = _without(fresh, batch), _without(alone, batch)
                early = self._round(batch)
                again, died, others = self._sort(batch, early)
                fresh += again
                alone += died
                elsewhere += others
            else:
                time.sleep(POLL_S)
            free, elsewhere = self._look_elsewhere(elsewhere)
            fresh += free

    def _ready(self, tasks: list[Task]) -> list[Task]:
        return [task for task in tasks if self._retries.may_start(task.id)]

    def _round(self, batch: list[Task]) -> str:
        for task in batch:
            self._last.pop(task.id, None)
        self._given_room = False
        return self._cluster.train(batch, self._work, self._hear)

    def _sort(self, batch: list[Task], early: str) -> tuple[list[Task], list[Task], list[Task]]:
        """After a round: tasks to train again together, alone, and those that others hold.

        When the scheduler itself ended early (``early`` says why), it took every trial in flight
        with it: the innocent among them go on together, and alone only after a second time.
        """
        again, alone, elsewhere = list[Task](), list[Task](), list[Task]()
        self._check_started(batch, early)
        roomier = early == LOW_MEMORY and self._give_room()
        for task in batch:
            event = self._last.get(task.id)
            if isinstance(event, Done | Failed | Differs):
                continue
            if isinstance(event, Elsewhere):
                elsewhere.append(task)
            elif isinstance(event, Retry):  # it said why
                (again if self._retries.ends(task.id) <= 1 else alone).append(task)
            elif self._ledger.outcomes.has(task.id):  # died between the record and its word
                self._hear(Done(task.id, 0.0))
            elif event is None or roomier:
                again.append(task)  # before its turn, or killed for memory that it has more of now
            elif self._may_try_again(task):
                together = early and len(batch) > 1 and self._retries.ends(task.id) == 1
                (again if together else alone).append(task)
        if early and (again or alone):
            count = len(again) + len(alone)
            self._tell(Note(f"Interrupted: {count} trials are trained again ({early})."))
        return again, alone, elsewhere

    def _check_started(self, batch: list[Task], early: str) -> None:
        """Rounds in which no worker so much as began: memory may come back, a package will not."""
        if any(task.id in self._last for task in batch):
            self._idle_rounds = 0
            return
        self._idle_rounds += 1
        why = early or "they die at once"
        if self._idle_rounds == ATTEMPTS:
            raise LackError(
                f"No worker could start: {why}. `--inline` trains without Ray and shows why."
            )
        wait_s = retries.WAITS_S[self._idle_rounds - 1]
        self._tell(Note(f"No worker could start ({why}): tried again in {wait_s:.0f} s."))
        time.sleep(wait_s)

    def _give_room(self) -> bool:
        """Whether trials have more memory from the next round on; one step a round."""
        if not self._given_room and (sentence := self._cluster.spread()):
            self._given_room = True
            self._tell(Note(sentence, loud=True))
        return self._given_room

    def _may_try_again(self, task: Task) -> bool:
        """After a death without a word; at the last, keep it as a failure."""
        sentence = "Its worker died."
        if again := self._retries.again(task.id, "infrastructure", sentence):
            self._hear(again)
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
        self._finally(Failed(task.id, "infrastructure", sentence, record))
        return False

    def _finally(self, failed: Failed) -> None:
        """A failure that this run leaves at that."""
        verdict = self._retries.verdict(failed.id, failed.cause, failed.sentence)
        self.failed.append(failed.id)
        self._last[failed.id] = failed
        self._tell(replace(failed, sentence=verdict))

    def _look_elsewhere(self, held: list[Task]) -> tuple[list[Task], list[Task]]:
        """Of the tasks that another run holds: those free again, and those still held."""
        free, still = [], []
        for task in held:
            if self._ledger.outcomes.has(task.id):
                self._hear(Done(task.id, 0.0))
            elif self._watch.is_stale(self._ledger.paths.lease_file(task.id)):
                free.append(task)
            else:
                still.append(task)
        return free, still

    def _hear(self, event: Event) -> None:
        """Remember the last word of each trial, and hand it on."""
        if isinstance(event, Failed):
            if event.memory and self._give_room():
                again: Retry | None = self._retries.freely(event.id, event.cause, event.sentence)
            else:
                again = self._retries.again(event.id, event.cause, event.sentence)
            if again is None:
                self._finally(event)
                return
            event = again
        if not isinstance(event, Note | Progress | Planned | Waiting):
            self._last[event.id] = event
        if isinstance(event, Done):
            self.trained += event.seconds > 0
        self._tell(event)


def _without(tasks: list[Task], gone: list[Task]) -> list[Task]:
    ids = {task.id for task in gone}
    return [task for task in tasks if task.id not in ids]
