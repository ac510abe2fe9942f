"""``ablate rerun``: a finished trial trained again, beside its record, and compared with it.

The one way in which a finished trial is started again. Its speech, labels and features are those
of the store; nothing is resumed, and the record stays as it is. Bits are promised within one
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
from orchestrator.store.records import Outcome

TOLERANCE = 1e-3
"""The largest difference of a probability that is still called close."""

PARTS = ("predictions", "history", "weights")
"""What is compared bit by bit."""

RerunVerdict = Literal["equal", "close", "differs"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was otherwise when the record was made."""

    name: str
    then: str
    now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Closeness:
    """How far two trainings' predictions are apart."""

    largest: float
    """Largest difference of a probability, over all segments and choices of epoch."""
    decisions: int
    """Segments that the headline's choice of epoch takes for another class."""
    segments: int
    first_epoch: int | None
    """The first epoch whose history differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """A trial trained again, beside its record."""

    record: Outcome
    again: Outcome
    differ: tuple[str, ...]
    """Those of ``PARTS`` whose bits differ."""
    closeness: Closeness | None
    """None where all bits are equal."""
    changes: tuple[Change, ...]
    """What of the environment is otherwise; the determinism class stands first."""
    kept: str
    """Where the files of this training lie; empty when they were removed, being equal."""
    alarm: str
    """The record that every report will name from now on; empty where there is none."""

    @property
    def same_class(self) -> bool:
        """Whether both were trained in one determinism class."""
        return self.record.environment == self.again.environment

    @property
    def verdict(self) -> RerunVerdict:
        """``close`` is enough where bits are not promised: on a GPU, and between classes."""
        if not self.differ:
            return "equal"
        promised = self.same_class and _is_cpu(self.record)
        close = self.closeness is not None and self.closeness.largest <= TOLERANCE
        return "close" if close and not promised else "differs"


def rerun(ledger: Ledger, id: str, tell: OnEvent, *, gpu: bool, keep: bool) -> Rerun:
    """Train a finished trial again and compare.

    Args:
        ledger: the store.
        id: the trial.
        tell: hears its epochs.
        gpu: whether to train on a GPU.
        keep: keep what this training wrote, also where it is equal.

    Raises:
        RequestError: the trial is not finished, or somebody is at it.
        DamageError: its record is not what was written.
        FeatureError: its speech or features are not in the store.
    """
    record = ledger.outcomes.read(id)
    if record is None:
        raise RequestError(
            f"Trial `{id[:12]}` is not finished, so there is nothing to compare with: "
            "`ablate run STUDY` trains it."
        )
    claim = leases.acquire(ledger.paths.lease_file(id))
    if claim is None:
        raise RequestError(
            f"Trial `{id[:12]}` is held by another process: `ablate show {id[:12]}`."
        )
    try:
        device = "cuda" if gpu else "cpu"
        again = worker.retrain(
            Task(id=id, identity=record.identity, store=str(ledger.root), device=device), tell
        )
    finally:
        claim.release()
    return _settle(ledger, _compared(ledger, record, again), keep)


def was_on_gpu(outcome: Outcome) -> bool:
    """Whether the record was trained on a GPU."""
    return not _is_cpu(outcome)


def gpu_works() -> bool:
    """Whether PyTorch can use a GPU here."""
    import torch

    return torch.cuda.is_available()


def _compared(ledger: Ledger, record: Outcome, again: Outcome) -> Rerun:
    differ = tuple(p for p in PARTS if record.digests.get(p) != again.digests.get(p))
    return Rerun(
        record=record,
        again=again,
        differ=differ,
        closeness=_closeness(ledger, record, again) if differ else None,
        changes=tuple(_changes(record, again)),
        kept="",
        alarm="",
    )


def _settle(ledger: Ledger, found: Rerun, keep: bool) -> Rerun:
    """Keep a training that differs as evidence; remove one that is equal, unless asked not to."""
    id, attempt = found.again.id, found.again.attempt
    if found.verdict != "differs" and not keep:
        ledger.attempts.remove(id, attempt)
        return found
    alarm = ""
    if found.verdict == "differs" and ledger.outcomes.commit(found.again) == "different":
        alarm = ledger.outcomes.alarms([id])[-1]
    ledger.attempts.write_rerun(found.again)
    return replace(found, kept=str(ledger.paths.attempt_folder(id, attempt)), alarm=alarm)


def _closeness(ledger: Ledger, record: Outcome, again: Outcome) -> Closeness:
    before = read_predictions(ledger.attempts.read_file(record, "predictions.parquet"))
    after = read_predictions(ledger.attempts.read_file(again, "predictions.parquet"))
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
    histories = [
        read_history(ledger.attempts.read_file(o, "history.json")) for o in (record, again)
    ]
    epochs = max(map(len, histories))
    padded = [[*history, *[None] * (epochs - len(history))] for history in histories]
    first = next((n for n, (x, y) in enumerate(zip(*padded, strict=True), 1) if x != y), None)
    return Closeness(largest=largest, decisions=decisions, segments=segments, first_epoch=first)


def _changes(record: Outcome, again: Outcome) -> Iterator[Change]:
    """The determinism class first; then libraries, where the record kept them."""
    yield from _changed(record.environment, again.environment)
    if record.libraries:
        yield from (
            change
            for change in _changed(record.libraries, again.libraries)
            if change.name not in {*record.environment, *again.environment}
        )


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield Change(name, str(then.get(name) or "none"), str(now.get(name) or "none"))


def _is_cpu(outcome: Outcome) -> bool:
    return str(outcome.environment.get("device", "")).startswith("cpu")
