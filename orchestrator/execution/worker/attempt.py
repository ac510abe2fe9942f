"""One attempt at one trial: load, resume, train, keep checkpoints, write the files, commit."""

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
from model.training.fit import Fit, TrainingState, state_from, state_numbers, state_tensors, train
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
    """The lease is no longer ours: another process trains this trial."""


class Attempt:
    """One attempt at one trial."""

    def __init__(self, task: Task, ledger: Ledger, on_event: OnEvent) -> None:
        self._task, self._ledger, self._on_event = task, ledger, on_event
        self._name = new_attempt()
        self._log: list[str] = []
        self._epoch = 0
        """The last epoch that was trained; a failure record keeps it."""

    def run(self, lease: leases.Lease) -> None:
        """Train, write and commit, for as long as the lease is held.

        Raises:
            LostLeaseError: another process has taken the trial over.
        """
        began = time.monotonic()
        self._lease = lease
        self._begin()
        resume = self._resume()
        fit, data = self._fit(resume, self._on_epoch)
        self._commit(self._write(fit, data, resume.epoch if resume else 0, began))

    def retrain(self) -> Outcome:
        """Train from the first epoch and write the files; commit nothing."""
        began = time.monotonic()
        self._begin()
        return self._write(*self._fit(None, self._on_retrained_epoch), 0, began)

    def fail(self, error: Exception) -> None:
        """Write the failure record, and report it."""
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
        """Read the trial from the task, and pin this process to reproducible arithmetic."""
        self._trial = from_identity(self._task.identity)
        if digest(self._trial.identity) != self._task.id:
            raise ValueError("The task's id is not the id of what it asks for.")
        pin()
        keep_freed_memory()
        if self._task.device != "cpu":
            torch.cuda.set_per_process_memory_fraction(self._task.gpu_share)

    def _load(self) -> FoldData:
        """The fold's features, from the store; their shards are proven as they are read."""
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
        """The state in the last checkpoint; None where there is none of this determinism class."""
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
            seed=trial.seed,
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
        """Write a checkpoint, with the log in it, and report the epoch.

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
        """Report an epoch of a training that keeps no checkpoint."""
        self._note_epoch(state)
        self._report_epoch(state)

    def _report_epoch(self, state: TrainingState) -> None:
        epoch = state.history[-1]
        dev_ua = (epoch.a.ua + epoch.b.ua) / 2
        most, least = self._trial.training.epochs, self._least_epochs(state)
        self._on_event(Epoch(self._task.id, state.epoch, most, dev_ua, least))

    def _least_epochs(self, state: TrainingState) -> int:
        """The fewest epochs that this training can have: patience runs from the best one so far."""
        training = self._trial.training
        return min(training.epochs, max(state.on_a.epoch, state.on_b.epoch) + training.patience)

    # --- after training --------------------------------------------------------------------

    def _write(self, fit: Fit, data: FoldData, resumed: int, began: float) -> Outcome:
        """Write the attempt's files; return the outcome that names them."""
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
        epoch = state.history[-1]
        self._epoch = state.epoch
        self._note(
            f"epoch {state.epoch}: loss {epoch.loss:.4f}, "
            f"a UA {epoch.a.ua:.4f} loss {epoch.a.loss:.4f}, "
            f"b UA {epoch.b.ua:.4f} loss {epoch.b.loss:.4f}"
        )

    def _note(self, line: str) -> None:
        """Add a line to the trial's log, with the time before it."""
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")


def environment(device: str) -> dict[str, str]:
    """The determinism class: results are equal bit for bit within a class, not across classes.

    On a GPU they are equal within a tolerance only.
    """
    if device != "cpu":
        return {"device": f"{device} {torch.cuda.get_device_name()}", "torch": torch.__version__}
    kind = f"cpu {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {"device": kind, "torch": torch.__version__, "arithmetic": fingerprint.fingerprint()}
