"""Trains one task in the process that calls it: a worker of Ray, or that of `--inline`.

A worker takes the trial's lease, trains the trial unless it has an outcome, and releases the lease.
The result goes to the store, as an outcome or a failure record; the caller gets events only.
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
    """Train one trial and write its outcome to the store, or its failure record.

    Train nothing where the outcome is there, or another process holds the trial's lease. An
    exception of the training is not raised, but reported as ``Failed``.
    """
    _work(task, Ledger.open_unchecked(task.store), on_event)


def rehearse(task: Task, scratch: Path, on_event: OnEvent) -> None:
    """Do what ``work`` does, but write the trial to the folder ``scratch`` and not to the store."""
    _work(task, Ledger.open_unchecked(task.store).with_trials_in(scratch), on_event)


def retrain(task: Task, on_event: OnEvent) -> Outcome:
    """Train a finished trial from its first epoch, and write the new files beside the old ones.

    The outcome in the store stays as it is, and checkpoints are neither read nor written. An
    exception of the training is raised.

    Returns:
        The outcome of this training; it is not written to the store.
    """
    return Attempt(task, Ledger.open_unchecked(task.store), on_event).retrain()


def _work(task: Task, ledger: Ledger, on_event: OnEvent) -> None:
    """Train one trial under its lease, as ``work`` says, and write it to the ledger's store."""
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
