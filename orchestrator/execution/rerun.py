"""``ablate rerun``: retrains a finished trial and compares the results with its record.

Nothing else ever trains a finished trial a second time. Its speech, labels and features are those
of the store; nothing is resumed, and the record stays as it is. Equal bits are promised within one
determinism class on a CPU. On a GPU, and between classes, probabilities are compared instead:
none may differ by more than ``TOLERANCE``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.errors import RequestError
from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.worker import worker
from orchestrator.store import leases
from orchestrator.store.attempts import read_history, read_predictions
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import HISTORY, PREDICTIONS
from orchestrator.store.records import Outcome, is_stale

TOLERANCE = 1e-3
"""The largest difference of a class probability (0 to 1) with which predictions are ``close``."""

PARTS = ("predictions", "history", "weights")
"""The results of a trial that are compared bit by bit, by their digests."""

RerunVerdict = Literal["equal", "close", "differs"]
"""``equal``: all bits are equal. ``close``: no equal bits are promised, and no probability differs
by more than ``TOLERANCE``. ``differs``: neither."""


@dataclass(frozen=True, slots=True)
class Change:
    """A part of the environment (hardware, library) that has changed since the record was made."""

    name: str
    """The part: ``device``, ``arithmetic``, or a library such as ``torch``."""
    then: str
    """Its description or version in the record; ``none`` where it had none."""
    now: str
    """Its description or version in the retraining; ``none`` where it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Closeness:
    """How far the predictions and histories of two trainings of one trial are apart."""

    largest: float
    """The largest difference of a class probability, 0 to 1, over all segments and choices of
    epoch; 1 where a segment is missing from one training."""
    decisions: int
    """How many segments get another class, at the chosen epoch (the one that the other half
    chose)."""
    segments: int
    """How many segments are compared."""
    first_epoch: int | None
    """The first epoch, counted from 1, whose loss or scores differ; None where none does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """The comparison of a retrained trial with its record."""

    record: Outcome
    """The outcome that the store had."""
    retrained: Outcome
    """The outcome of the retraining."""
    differ: tuple[str, ...]
    """Those of ``PARTS`` whose bits differ."""
    closeness: Closeness | None
    """How far the results are apart; None where all bits are equal."""
    changes: tuple[Change, ...]
    """What has changed in the environment; parts of the determinism class stand first."""
    folder: str
    """Path of the files of the retraining; empty where they were removed."""
    alarm: str
    """Path of the second outcome, which every report will name, where the verdict is ``differs``;
    else empty."""

    @property
    def same_class(self) -> bool:
        """Whether both trainings ran in one determinism class (machines that give equal bits)."""
        return self.record.environment == self.retrained.environment

    @property
    def verdict(self) -> RerunVerdict:
        """The result of the comparison.

        ``close`` is possible only where equal bits are not promised: on a GPU, or between
        determinism classes.
        """
        if not self.differ:
            return "equal"
        promised = self.same_class and _is_cpu(self.record)
        close = self.closeness is not None and self.closeness.largest <= TOLERANCE
        return "close" if close and not promised else "differs"


def rerun(ledger: Ledger, id: str, on_event: OnEvent, *, gpu: bool, keep: bool) -> Rerun:
    """Retrain a finished trial and compare it with its record, which stays as it is.

    Args:
        ledger: the store.
        id: the trial's id, 64 hex digits.
        on_event: is called with an ``Epoch`` after each epoch.
        gpu: whether to train on a GPU.
        keep: whether to keep the files of the retraining also where it is equal or close.

    Raises:
        RequestError: the trial is not finished, an earlier version of the training code finished
            it, or another process holds it.
        DamageError: its record is not what was written.
        FeatureError: its speech or features are not in the store.
    """
    record = ledger.outcomes.read(id)
    if record is None:
        raise RequestError(
            f"Trial `{id[:12]}` is not finished, so there is nothing to compare with: "
            "`ablate run STUDY` trains it."
        )
    if is_stale(record):
        raise RequestError(
            f"Trial `{id[:12]}` is stale: an earlier version of the training code made it, whose "
            "numbers meant something else, so there is nothing to compare with. `ablate run STUDY` "
            "trains it as this version does."
        )
    lease = leases.acquire(ledger.paths.lease_file(id))
    if lease is None:
        raise RequestError(
            f"Trial `{id[:12]}` is held by another process: `ablate show {id[:12]}`."
        )
    try:
        device = "cuda" if gpu else "cpu"
        task = Task(id=id, identity=record.identity, store=str(ledger.root), device=device)
        retrained = worker.retrain(task, on_event)
    finally:
        lease.release()
    return _keep_or_remove(ledger, _compare(ledger, record, retrained), keep)


def was_on_gpu(outcome: Outcome) -> bool:
    """Whether the trial of an outcome was trained on a GPU."""
    return not _is_cpu(outcome)


def _compare(ledger: Ledger, record: Outcome, retrained: Outcome) -> Rerun:
    differ = tuple(p for p in PARTS if record.digests.get(p) != retrained.digests.get(p))
    return Rerun(
        record=record,
        retrained=retrained,
        differ=differ,
        closeness=_closeness(ledger, record, retrained) if differ else None,
        changes=tuple(_changes(record, retrained)),
        folder="",
        alarm="",
    )


def _keep_or_remove(ledger: Ledger, found: Rerun, keep: bool) -> Rerun:
    """Keep the files of a retraining that differs, and record an alarm; else remove them.

    Args:
        ledger: the store.
        found: the comparison.
        keep: whether to keep the files in any case.

    Returns:
        The comparison with its folder and alarm.
    """
    id, attempt = found.retrained.id, found.retrained.attempt
    if found.verdict != "differs" and not keep:
        ledger.attempts.remove(id, attempt)
        return found
    alarm = ""
    if found.verdict == "differs" and ledger.outcomes.commit(found.retrained) == "different":
        alarm = ledger.outcomes.alarms([id])[-1]
    ledger.attempts.write_rerun(found.retrained)
    return replace(found, folder=str(ledger.paths.attempt_folder(id, attempt)), alarm=alarm)


def _closeness(ledger: Ledger, record: Outcome, retrained: Outcome) -> Closeness:
    """How far the predictions and histories in the files of two outcomes are apart."""
    before = read_predictions(ledger.attempts.read_file(record, PREDICTIONS))
    after = read_predictions(ledger.attempts.read_file(retrained, PREDICTIONS))
    largest, decisions, segments = 0.0, 0, 0
    for key in before.keys() | after.keys():
        p, q = before.get(key), after.get(key)
        if p is None or q is None or len(p) != len(q):
            largest = 1.0
            continue
        largest = max([largest, *(abs(x - y) for x, y in zip(p, q, strict=True))])
        if key[-1] == "chosen":
            segments += 1
            decisions += p.index(max(p)) != q.index(max(q))
    histories = [read_history(ledger.attempts.read_file(o, HISTORY)) for o in (record, retrained)]
    epochs = max(map(len, histories))
    padded = [[*history, *[None] * (epochs - len(history))] for history in histories]
    first = next((n for n, (x, y) in enumerate(zip(*padded, strict=True), 1) if x != y), None)
    return Closeness(largest=largest, decisions=decisions, segments=segments, first_epoch=first)


def _changes(record: Outcome, retrained: Outcome) -> Iterator[Change]:
    """The changes in the determinism class, then in other libraries, where the record names any."""
    yield from _changed(record.environment, retrained.environment)
    if record.libraries:
        yield from (
            change
            for change in _changed(record.libraries, retrained.libraries)
            if change.name not in {*record.environment, *retrained.environment}
        )


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    """A change for each name whose values differ, in alphabetical order."""
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield Change(name, str(then.get(name) or "none"), str(now.get(name) or "none"))


def _is_cpu(outcome: Outcome) -> bool:
    return str(outcome.environment.get("device", "")).startswith("cpu")
