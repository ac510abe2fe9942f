"""Makes one attempt at a trial: loads data, resumes, trains, writes checkpoints and results."""

import platform
import socket
import time
import traceback
from collections.abc import Callable

import torch

from features.corpora.corpus import Corpus
from features.corpora.folds import Fold
from features.dataset.dataset import FoldData, load
from features.errors import ShardDamageError as DataDamageError
from features.shards import shards
from model.errors import ModelError
from model.training import fingerprint
from model.training.allocator import keep_freed_memory
from model.training.fit import (
    Fit,
    TrainingState,
    fewest_epochs,
    state_from,
    state_numbers,
    state_tensors,
    train,
)
from model.training.seeding import pin, verify
from orchestrator.errors import first_line
from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.events import Differs, Done, Epoch, Failed
from orchestrator.execution.worker.failures import cause_of, is_out_of_memory
from orchestrator.execution.worker.results import training_results
from orchestrator.faultpoints import reach
from orchestrator.planning.cost.machine import libraries
from orchestrator.store import checkpoints, leases, shard_cache
from orchestrator.store.checkpoints import Checkpoint
from orchestrator.store.files import is_refusal
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import LOG, new_attempt
from orchestrator.store.records import Failure, Outcome
from orchestrator.study.canonical import digest
from orchestrator.study.trials import from_identity


class LostLeaseError(Exception):
    """Another process has taken over this trial's lease, so that this attempt must stop."""


class Attempt:
    """Trains one trial once, in this process, and writes its results to the store.

    Call one of ``run`` and ``retrain``, and ``fail`` with an exception of it.

    Args:
        task: the trial, the store and the device.
        ledger: the store that the task names.
        on_event: is called with ``Epoch`` after each epoch, then with how the attempt ended.
    """

    def __init__(self, task: Task, ledger: Ledger, on_event: OnEvent) -> None:
        self._task, self._ledger, self._on_event = task, ledger, on_event
        self._name = new_attempt()
        self._log: list[str] = []
        self._epoch = 0
        """The last epoch that was trained, from 1; 0 before. A failure record holds it."""

    def run(self, lease: leases.Lease) -> None:
        """Train from the last checkpoint, if there is one; write the files, then the outcome.

        Args:
            lease: the trial's lease (the mark in the store by which one process at a time trains a
                trial), which this process holds.

        Raises:
            LostLeaseError: another process has taken the trial over; no outcome was written.
        """
        began = time.monotonic()
        self._lease = lease
        self._begin()
        resume = self._resume()
        fit, data = self._fit(resume, self._on_epoch)
        self._commit(self._write(fit, data, resume.epoch if resume else 0, began))

    def retrain(self) -> Outcome:
        """Train from the first epoch and write the files; return the outcome without writing it."""
        began = time.monotonic()
        self._begin()
        return self._write(*self._fit(None, self._on_retrained_epoch), 0, began)

    def fail(self, error: Exception) -> None:
        """Write a failure record with the exception's traceback, and report ``Failed``."""
        sentence = str(error).strip() or type(error).__name__
        cause = cause_of(error)
        if cause == "code":
            sentence = f"{type(error).__name__}: {sentence}"
        failure = Failure(
            id=self._task.id,
            cause=cause,
            sentence=sentence,
            traceback="".join(traceback.format_exception(error)),
            epoch=self._epoch,
            attempt=self._name,
            host=socket.gethostname(),
            identity=self._task.identity,
        )
        try:
            record = str(self._ledger.attempts.write_failure(failure))
        except Exception as refusal:
            if not is_refusal(refusal):
                raise
            record = f"(not kept: {refusal})"
        memory = is_out_of_memory(error)
        self._on_event(Failed(self._task.id, cause, first_line(sentence), record, memory))

    # --- before training -------------------------------------------------------------------

    def _begin(self) -> None:
        """Read the trial from the task, and set PyTorch to reproducible arithmetic.

        Raises:
            ValueError: the task's id is not the digest of its settings.
        """
        self._trial = from_identity(self._task.identity)
        if digest(self._trial.identity) != self._task.id:
            raise ValueError("The task's id is not the id of what it asks for.")
        pin()
        keep_freed_memory()
        if self._task.device != "cpu":
            torch.cuda.set_per_process_memory_fraction(self._task.gpu_share)

    def _load(self) -> FoldData:
        """Read the features and labels of the trial's fold; each shard is checked by its digest.

        Raises:
            FeatureError: the selection or a shard is missing or damaged.
        """
        record = self._ledger.selection(self._trial.corpus)
        selection = Corpus.from_json(record["corpus"]).select(record["emotions"])
        if selection.digest != self._trial.corpus:
            raise DataDamageError(
                f"The selection `{self._trial.corpus[:12]}` in the store is not what was written: "
                "remove it from `selections/` and run again."
            )
        trial = self._trial
        fold = Fold(index=0, train=trial.train, a=trial.a, b=trial.b)
        key_of = shards.keys(selection, trial.features, trial.extractor)
        self._shards = [key_of[s] for s in (*fold.train, *fold.a, *fold.b)]
        shard_cache.fetch(self._ledger, self._shards)
        return load(
            self._ledger.paths.local_shards, selection, fold, trial.features, trial.extractor
        )

    def _resume(self) -> TrainingState | None:
        """The state of the training in its last checkpoint; None starts from the first epoch.

        A checkpoint of another determinism class (see ``environment``) is not used, for the result
        would depend on where the training was interrupted.
        """
        checkpoint = checkpoints.read(self._ledger, self._task.id)
        if checkpoint is None:
            return None
        if checkpoint.numbers.get("environment") != environment(self._task.device):
            self._note("a checkpoint of another kind of machine was left aside")
            return None
        try:
            state = state_from(checkpoint.tensors, checkpoint.numbers)
        except ModelError as error:
            self._note(f"a checkpoint was left aside: {error}")
            return None
        self._log = [str(line) for line in checkpoint.numbers.get("log", ())]
        self._note(f"resumed after epoch {state.epoch}")
        return state

    # --- training --------------------------------------------------------------------------

    def _fit(
        self, resume: TrainingState | None, on_epoch: Callable[[TrainingState], None]
    ) -> tuple[Fit, FoldData]:
        """Load the data and train to the end.

        Args:
            resume: the state to go on from; None starts from the first epoch.
            on_epoch: is called with the state after each epoch.
        """
        trial, data = self._trial, self._load()
        fit = train(
            trial.model,
            trial.training,
            data.train,
            data.a,
            data.b,
            mean_F=data.mean_F,
            std_F=data.std_F,
            classes=len(data.classes),
            nodes=trial.features.segment_nodes,
            seed=trial.random_seed,
            resume=resume,
            on_epoch=on_epoch,
            device=self._task.device,
        )
        verify()
        shards.verify_unchanged(
            self._ledger.paths.local_shards, self._shards
        )  # some systems have no epochs
        return fit, data

    def _on_epoch(self, state: TrainingState) -> None:
        """Write a checkpoint after an epoch, with the trial's log in it, and report the epoch.

        Raises:
            LostLeaseError: another process has taken the trial over.
        """
        reach("epoch", self._task.id, state.epoch)
        if not self._lease.held:
            raise LostLeaseError
        self._note_epoch(state)
        # A checkpoint, and so an outcome, holds only what was read from whole shards.
        shards.verify_unchanged(self._ledger.paths.local_shards, self._shards)
        checkpoints.write(
            self._ledger,
            self._task.id,
            state.epoch,
            Checkpoint(
                state_tensors(state),
                {
                    **state_numbers(state),
                    "environment": environment(self._task.device),
                    "log": self._log,
                    "epochs": self._trial.training.epochs,
                    "least": self._least_epochs(state),
                },
            ),
        )
        reach("checkpointed", self._task.id, state.epoch)
        self._report_epoch(state)

    def _on_retrained_epoch(self, state: TrainingState) -> None:
        """Report an epoch, without a checkpoint."""
        self._note_epoch(state)
        self._report_epoch(state)

    def _report_epoch(self, state: TrainingState) -> None:
        """Send ``Epoch`` with the mean of the UAs on halves A and B."""
        epoch = state.history[-1]
        dev_ua = (epoch.a.ua + epoch.b.ua) / 2
        most, least = self._trial.training.epochs, self._least_epochs(state)
        self._on_event(Epoch(self._task.id, state.epoch, most, dev_ua, least))

    def _least_epochs(self, state: TrainingState) -> int:
        """The fewest epochs that this training can still end with."""
        training = self._trial.training
        return fewest_epochs(state, epochs=training.epochs, patience=training.patience)

    # --- after training --------------------------------------------------------------------

    def _write(self, fit: Fit, data: FoldData, resumed: int, began: float) -> Outcome:
        """Write the attempt's files (predictions, weights, history, log).

        Args:
            fit: the finished training.
            data: the features and labels of its fold.
            resumed: the epoch after which it was resumed; 0 where it was not.
            began: when the attempt began, in seconds of ``time.monotonic()``.

        Returns:
            The outcome that names the files; it is not written yet.
        """
        results = training_results(fit, data)
        self._note(f"finished after {fit.epochs} epochs")
        log = "\n".join(self._log).encode() + b"\n"
        files = self._ledger.attempts.write(self._task.id, self._name, {**results.files, LOG: log})
        reach("results", self._task.id)
        return Outcome(
            id=self._task.id,
            identity=self._trial.identity,
            attempt=self._name,
            epochs=fit.epochs,
            scores=results.scores,
            digests=results.digests,
            files=files,
            environment=environment(self._task.device),
            host=socket.gethostname(),
            seconds=time.monotonic() - began,
            finished=time.time(),
            resumed=resumed,
            libraries=libraries(),
            parameters=fit.parameters,
        )

    def _commit(self, outcome: Outcome) -> None:
        """Write the outcome to the store, remove the checkpoint, and report ``Done``.

        Where the store has an outcome with other numbers, report ``Differs`` instead.

        Raises:
            LostLeaseError: another process has taken the trial over.
        """
        if not self._lease.still_mine():
            raise LostLeaseError
        committed = self._ledger.outcomes.commit(outcome)
        reach("committed", self._task.id)
        checkpoints.remove(self._ledger, self._task.id)
        reach("swept", self._task.id)
        if committed == "different":
            alarm = self._ledger.outcomes.alarms([self._task.id])[-1]
            self._on_event(Differs(self._task.id, alarm))
        else:
            self._on_event(Done(self._task.id, outcome.seconds))

    # --- the trial's log -------------------------------------------------------------------

    def _note_epoch(self, state: TrainingState) -> None:
        """Add a line to the trial's log: the epoch's training loss, UA and loss on A and on B."""
        epoch = state.history[-1]
        self._epoch = state.epoch
        self._note(
            f"epoch {state.epoch}: loss {epoch.loss:.4f}, "
            f"a UA {epoch.a.ua:.4f} loss {epoch.a.loss:.4f}, "
            f"b UA {epoch.b.ua:.4f} loss {epoch.b.loss:.4f}"
        )

    def _note(self, line: str) -> None:
        """Add a line to the trial's log, after the date and time."""
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")


def environment(device: str) -> dict[str, str]:
    """The determinism class: on machines with equal values a trial gives the same bits.

    On a GPU results are equal only within a tolerance.

    Args:
        device: ``cpu`` or ``cuda``.

    Returns:
        ``device`` -> kind of processor or GPU, ``torch`` -> version; on a CPU also ``arithmetic``
        -> a hash of what this processor computes in a few training steps, 8 hex digits.
    """
    if device != "cpu":
        return {"device": f"{device} {torch.cuda.get_device_name()}", "torch": torch.__version__}
    kind = f"cpu {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {"device": kind, "torch": torch.__version__, "arithmetic": fingerprint.fingerprint()}
