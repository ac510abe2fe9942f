"""A task -> its outcome in the store, in the process that trains it.

A worker takes the trial's lease, trains the trial unless it is done, and releases the lease.
Every exception becomes a failure with a cause; only events leave this module.
"""

from pathlib import Path

from model.training.allocator import return_freed_memory
from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.events import Done, Elsewhere, Started
from orchestrator.execution.worker.attempt import Attempt, LostLeaseError
from orchestrator.faultpoints import reach
from orchestrator.store import leases
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome


def work(task: Task, on_event: OnEvent) -> None:
    """Train one trial and write its record, unless it is done or another process trains it."""
    _work(task, Ledger.open_unchecked(task.store), on_event)


def rehearse(task: Task, scratch: Path, on_event: OnEvent) -> None:
    """Do all that ``work`` does, but write the trial to ``scratch`` and not to the store."""
    _work(task, Ledger.open_unchecked(task.store).with_trials_in(scratch), on_event)


def retrain(task: Task, on_event: OnEvent) -> Outcome:
    """Train a finished trial from its first epoch, and write the new files beside the old ones.

    Nothing is resumed and nothing committed, and no checkpoint is touched. Exceptions rise.
    """
    return Attempt(task, Ledger.open_unchecked(task.store), on_event).retrain()


def _work(task: Task, ledger: Ledger, on_event: OnEvent) -> None:
    on_event(Started(task.id))
    attempt = Attempt(task, ledger, on_event)
    try:
        if ledger.outcomes.has(task.id):
            on_event(Done(task.id, 0.0))
            return
        lease = leases.acquire(ledger.paths.lease_file(task.id))
        if lease is None:
            on_event(Elsewhere(task.id))
            return
        try:
            # Asked a second time: whoever held the lease may have finished before it became ours.
            if ledger.outcomes.has(task.id):
                on_event(Done(task.id, 0.0))
                return
            reach("claimed", task.id)
            attempt.run(lease)
        finally:
            lease.release()
            reach("released", task.id)
    except LostLeaseError:
        on_event(Elsewhere(task.id))
    except Exception as error:
        attempt.fail(error)
    finally:
        return_freed_memory()
