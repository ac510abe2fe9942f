"""Trial -> outcome. It knows both rooms, as `architecture.py` does.

It pins the process, takes the trial's lease, goes on from the last checkpoint, trains, writes the
attempt's files and, last of all, the outcome. Every exception ends here and becomes a failure with
a cause; nothing but events leaves.
"""

import platform
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import features
import model
import orchestrator
from features.corpora.corpus import Corpus
from features.corpora.folds import Fold
from features.dataset.dataset import FoldData, Segments, load
from features.errors import FeatureError
from features.errors import ShardDamageError as DataDamageError
from features.shards import shards
from model.errors import DivergedError, ModelError
from model.evaluation.metrics import confusion
from model.evaluation.scoring import by_utterance
from model.training import fingerprint
from model.training.allocator import hold, release
from model.training.fit import (
    Direction,
    Fit,
    State,
    state_from,
    state_numbers,
    state_tensors,
    train,
)
from model.training.seeding import pin, verify
from orchestrator.errors import DamageError, LackError
from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.events import Differs, Done, Elsewhere, Epoch, Failed, Started
from orchestrator.faultpoints import reach
from orchestrator.planning.cost.libraries import libraries
from orchestrator.store import checkpoints, leases, shard_cache
from orchestrator.store.attempt_files import predictions_parquet
from orchestrator.store.checkpoints import Checkpoint, tensors_blob, tensors_digest
from orchestrator.store.files import is_refusal
from orchestrator.store.ledger import Ledger, new_attempt
from orchestrator.store.records import Cause, EpochChoice, Failure, Outcome, Scores, Unit
from orchestrator.study.canonical import canonical, digest
from orchestrator.study.trials import from_identity


class _LostClaimError(Exception):
    """The lease is no longer ours: somebody else trains this trial."""


def work(task: Task, tell: OnEvent) -> None:
    """Train one trial and write its record, unless it is done or another has it."""
    _work(task, Ledger.open_unchecked(task.store), tell)


def rehearse(task: Task, scratch: Path, tell: OnEvent) -> None:
    """All that ``work`` does, with what it writes in a folder that is thrown away."""
    _work(task, Ledger.open_unchecked(task.store).with_trials_in(scratch), tell)


def _work(task: Task, ledger: Ledger, tell: OnEvent) -> None:
    tell(Started(task.id))
    attempt = _Attempt(task, ledger, tell)
    try:
        _refuse_strangers()
        if ledger.is_done(task.id):
            tell(Done(task.id, 0.0))
            return
        claim = leases.acquire(ledger.claim_file(task.id))
        if claim is None:
            tell(Elsewhere(task.id))
            return
        try:
            # Asked again: whoever held the claim may have finished before it became ours.
            if ledger.is_done(task.id):
                tell(Done(task.id, 0.0))
                return
            reach("claimed", task.id)
            attempt.run(claim)
        finally:
            claim.release()
            reach("released", task.id)
    except _LostClaimError:
        tell(Elsewhere(task.id))
    except Exception as error:
        attempt.fail(error)
    finally:
        release()


def again(task: Task, tell: OnEvent) -> Outcome:
    """Train a trial from its first epoch and write what it gave beside what there is.

    Nothing is resumed and nothing committed, and no checkpoint is touched; what goes wrong rises.
    """
    _refuse_strangers()
    return _Attempt(task, Ledger.open_unchecked(task.store), tell).again()


def _refuse_strangers() -> None:
    """A folder of the user's own named ``model`` or ``features`` must not stand in for ours."""
    homes = {Path(str(m.__file__)).resolve().parent.parent for m in (orchestrator, model, features)}
    if len(homes) != 1:
        raise LackError(
            "`orchestrator`, `model` and `features` must lie side by side, but were found in "
            + " and ".join(f"`{home}`" for home in sorted(homes))
            + ". A folder or file of one of these names stands first on the Python path."
        )


@dataclass(frozen=True, slots=True)
class _Scored:
    """One direction of a finished training, ready to be counted and written."""

    direction: Direction
    segments: Segments

    def choices(self, last: int) -> Iterator[tuple[EpochChoice, int, Tensor]]:
        """Choice, epoch, log probabilities of the segments (S, C)."""
        d = self.direction
        yield "chosen", d.chosen, d.at_chosen_SC
        yield "last_epoch", last, d.at_last_SC
        yield "best_on_test", d.best_on_test, d.at_best_on_test_SC


class _Attempt:
    """One attempt at one trial."""

    def __init__(self, task: Task, ledger: Ledger, tell: OnEvent) -> None:
        self._task, self._ledger, self._tell = task, ledger, tell
        self._name = new_attempt()
        self._log: list[str] = []
        self._epoch = 0

    def run(self, claim: leases.Lease) -> None:
        """Train, write, commit, as long as the claim is held."""
        began = time.monotonic()
        self._claim = claim
        self._begin()
        resume = self._resume()
        result, data = self._fit(resume, self._on_epoch)
        self._commit(self._written(result, data, resume.epoch if resume else 0, began))

    def again(self) -> Outcome:
        """Train from the first epoch and write, committing nothing."""
        began = time.monotonic()
        self._begin()
        return self._written(*self._fit(None, self._hear), 0, began)

    def _begin(self) -> None:
        self._trial = from_identity(self._task.identity)
        if digest(self._trial.identity) != self._task.id:
            raise ValueError("The task's id is not the id of what it asks for.")
        pin()
        hold()
        if self._task.device != "cpu":
            torch.cuda.set_per_process_memory_fraction(self._task.gpu_share)

    def _fit(self, resume: State | None, on_epoch: Callable[[State], None]) -> tuple[Fit, FoldData]:
        trial, data = self._trial, self._data()
        result = train(
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
        shards.prove(self._ledger.shards, self._shards)  # some systems have no epochs
        return result, data

    def _data(self) -> FoldData:
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
        return load(self._ledger.shards, selection, fold, trial.features, trial.extractor)

    def _resume(self) -> State | None:
        """The state to go on from: of this determinism class, or none."""
        checkpoint = checkpoints.read(self._ledger, self._task.id)
        if checkpoint is None:
            return None
        if checkpoint.numbers.get("environment") != environment(self._task.device):
            self._say("a checkpoint of another kind of machine was left aside")
            return None
        try:
            state = state_from(checkpoint.tensors, checkpoint.numbers)
        except ModelError as error:
            self._say(f"a checkpoint was left aside: {error}")
            return None
        self._log = [str(line) for line in checkpoint.numbers.get("log", ())]
        self._say(f"resumed after epoch {state.epoch}")
        return state

    def _on_epoch(self, state: State) -> None:
        """Keep the epoch, as long as the claim is held; the log travels with the checkpoint."""
        reach("epoch", self._task.id, state.epoch)
        if not self._claim.held:
            raise _LostClaimError
        self._note(state)
        # A checkpoint, and so an outcome, holds only what was read from whole shards.
        shards.prove(self._ledger.shards, self._shards)
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
                    "least": self._least(state),
                },
            ),
        )
        reach("checkpointed", self._task.id, state.epoch)
        self._tell_epoch(state)

    def _hear(self, state: State) -> None:
        """An epoch of a training that keeps no checkpoint."""
        self._note(state)
        self._tell_epoch(state)

    def _note(self, state: State) -> None:
        epoch = state.history[-1]
        self._epoch = state.epoch
        self._say(
            f"epoch {state.epoch}: loss {epoch.loss:.4f}, "
            f"a UA {epoch.a.ua:.4f} loss {epoch.a.loss:.4f}, "
            f"b UA {epoch.b.ua:.4f} loss {epoch.b.loss:.4f}"
        )

    def _tell_epoch(self, state: State) -> None:
        epoch = state.history[-1]
        dev_ua = (epoch.a.ua + epoch.b.ua) / 2
        most, least = self._trial.training.epochs, self._least(state)
        self._tell(Epoch(self._task.id, state.epoch, most, dev_ua, least))

    def _least(self, state: State) -> int:
        """How many epochs this training will have at the least."""
        training = self._trial.training
        return min(training.epochs, max(state.on_a.epoch, state.on_b.epoch) + training.patience)

    def _written(self, result: Fit, data: FoldData, resumed: int, began: float) -> Outcome:
        """Write the attempt's files; the outcome that names them."""
        scored = (_Scored(result.tests_a, data.a), _Scored(result.tests_b, data.b))
        weights = {
            f"{name}/{key}": tensor
            for name, s in zip(("tests_a", "tests_b"), scored, strict=True)
            for key, tensor in s.direction.weights.items()
        }
        history = [asdict(epoch) for epoch in result.history]
        rows = _prediction_rows(scored, result.epochs, data.classes)
        digests = {
            "predictions": digest(
                [[*key, [p.hex() for p in probabilities]] for key, probabilities in rows]
            ),
            "history": digest(history),
            "weights": tensors_digest(weights),
        }
        self._say(f"finished after {result.epochs} epochs")
        files = self._ledger.write_attempt(
            self._task.id,
            self._name,
            {
                "predictions.parquet": _parquet(rows, data.classes),
                "weights.safetensors": tensors_blob(weights),
                "history.json": canonical(history).encode(),
                "log.txt": "\n".join(self._log).encode() + b"\n",
            },
        )
        reach("results", self._task.id)
        return Outcome(
            id=self._task.id,
            identity=self._trial.identity,
            attempt=self._name,
            epochs=result.epochs,
            scores=tuple(_scores(scored, result.epochs, len(data.classes))),
            digests=digests,
            files=files,
            environment=environment(self._task.device),
            host=socket.gethostname(),
            seconds=time.monotonic() - began,
            finished=time.time(),
            resumed=resumed,
            libraries=libraries(),
            parameters=result.parameters,
        )

    def _commit(self, outcome: Outcome) -> None:
        if not self._claim.still_mine():
            raise _LostClaimError
        committed = self._ledger.commit(outcome)
        reach("committed", self._task.id)
        checkpoints.remove(self._ledger, self._task.id)
        reach("swept", self._task.id)
        if committed == "different":
            alarm = self._ledger.alarms([self._task.id])[-1]
            self._tell(Differs(self._task.id, alarm))
        else:
            self._tell(Done(self._task.id, outcome.seconds))

    def fail(self, error: Exception) -> None:
        """Keep why the attempt failed, and tell."""
        sentence = str(error).strip() or type(error).__name__
        cause = _cause(error)
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
            record = str(self._ledger.fail(failure))
        except Exception as refused:
            if not is_refusal(refused):
                raise
            record = f"(not kept: {refused})"
        memory = _is_lack_of_memory(error)
        self._tell(Failed(self._task.id, cause, sentence.splitlines()[0], record, memory))

    def _say(self, line: str) -> None:
        self._log.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")


def environment(device: str) -> dict[str, str]:
    """The determinism class: bits are equal within it, not across; on a GPU within a tolerance."""
    if device != "cpu":
        return {"device": f"{device} {torch.cuda.get_device_name()}", "torch": torch.__version__}
    kind = f"cpu {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {"device": kind, "torch": torch.__version__, "arithmetic": fingerprint.fingerprint()}


def _cause(error: Exception) -> Cause:
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, FeatureError | DamageError):
        return "data"
    if isinstance(error, LackError):
        return "infrastructure"
    if is_refusal(error) or _is_lack_of_memory(error):
        return "infrastructure"
    return "code"


def _is_lack_of_memory(error: Exception) -> bool:
    """Also a plain RuntimeError, of torch on a CPU or of a thread: told by its words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = ("DefaultCPUAllocator", "can't start new thread")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


Key = tuple[str, int, str, str, EpochChoice, int]


def _prediction_rows(
    scored: tuple[_Scored, ...], last: int, classes: tuple[str, ...]
) -> list[tuple[Key, list[float]]]:
    """One row a segment and choice: (utterance, segment, speaker, emotion, choice, epoch), p."""
    rows: list[tuple[Key, list[float]]] = []
    for s in scored:
        for choice, epoch, log_SC in s.choices(last):
            seen: dict[int, int] = {}
            for index, u in enumerate(s.segments.utterance_S.tolist()):
                number = seen[u] = seen.get(u, -1) + 1
                key: Key = (
                    s.segments.utterances[u],
                    number,
                    s.segments.speakers[u],
                    classes[int(s.segments.labels_S[index])],
                    choice,
                    epoch,
                )
                rows.append((key, log_SC[index].exp().float().tolist()))
    return rows


def _parquet(rows: list[tuple[Key, list[float]]], classes: tuple[str, ...]) -> bytes:
    names = ("utterance", "segment", "speaker", "emotion", "choice", "epoch")
    columns: Mapping[str, list[Any]] = {
        name: [key[index] for key, _ in rows] for index, name in enumerate(names)
    }
    probabilities = {name: [p[index] for _, p in rows] for index, name in enumerate(classes)}
    return predictions_parquet(columns, probabilities)


def _scores(scored: tuple[_Scored, ...], last: int, classes: int) -> Iterator[Scores]:
    """Counts for every test speaker, choice and unit."""
    for s in scored:
        for choice, epoch, log_SC in s.choices(last):
            for unit in ("utterance", "segment"):
                for speaker, truth, prediction in _taken_for(s.segments, log_SC, unit):
                    counts = confusion(truth, prediction, classes)
                    yield Scores(
                        speaker=speaker,
                        choice=choice,
                        unit=unit,
                        epoch=epoch,
                        confusion=tuple(tuple(row) for row in counts),
                    )


def _taken_for(
    segments: Segments, log_SC: Tensor, unit: Unit
) -> Iterator[tuple[str, list[int], list[int]]]:
    """Speaker, true classes, predicted classes; by utterance or by segment."""
    utterance_S, labels_S = segments.utterance_S.tolist(), segments.labels_S.tolist()
    label_of = dict(zip(utterance_S, labels_S, strict=True))
    if unit == "segment":
        numbers, predictions = utterance_S, log_SC.argmax(1).tolist()
    else:
        numbers_U, log_UC = by_utterance(log_SC, segments.utterance_S)
        numbers, predictions = numbers_U.tolist(), log_UC.argmax(1).tolist()
    for speaker in sorted(set(segments.speakers)):
        own = [i for i, u in enumerate(numbers) if segments.speakers[u] == speaker]
        yield speaker, [label_of[numbers[i]] for i in own], [predictions[i] for i in own]
