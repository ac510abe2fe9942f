"""What the store keeps of a trial: its outcome, why an attempt failed, how far one in flight is."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from orchestrator.study.trials import SEMANTICS

EpochChoice = Literal["chosen", "last_epoch", "best_on_test"]
CHOICES: tuple[EpochChoice, ...] = ("chosen", "last_epoch", "best_on_test")
Unit = Literal["utterance", "segment"]
Cause = Literal["infrastructure", "data", "code", "diverged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What one test speaker's speech was taken for, under one choice of epoch."""

    speaker: str
    choice: EpochChoice
    unit: Unit
    epoch: int
    confusion: tuple[tuple[int, ...], ...]
    """Counts; rows are the truth, columns the prediction, both in the order of the classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a finished trial gave."""

    id: str
    identity: Mapping[str, Any]
    attempt: str
    epochs: int
    scores: tuple[Scores, ...]
    digests: Mapping[str, str]
    """sha256 of what was computed: ``predictions``, ``history``, ``weights``."""
    files: Mapping[str, str]
    """File name in the attempt's folder -> sha256 of its bytes."""
    environment: Mapping[str, str]
    """The determinism class: bits are promised within it."""
    host: str = ""
    seconds: float = 0.0
    finished: float = 0.0
    resumed: int = 0
    """Epochs that an earlier, interrupted attempt had already trained."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Versions of what trained it; empty in records from before they were kept."""
    parameters: int = 0
    """How many numbers the system learnt; 0 where it has no such count, or the record is old."""

    @property
    def scored_part(self) -> dict[str, Any]:
        """The part that is bit-identical whenever this trial is trained in the same class."""
        scores = [asdict(s) for s in self.scores]
        return {"id": self.id, "epochs": self.epochs, "scores": scores, "digests": self.digests}


def is_stale(outcome: Outcome) -> bool:
    """Whether it was computed by code whose numbers meant something else."""
    return bool(outcome.identity.get("semantics", SEMANTICS) != SEMANTICS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt ended without an outcome."""

    id: str
    cause: Cause
    sentence: str
    traceback: str
    epoch: int
    attempt: str
    host: str
    finished: float = field(default_factory=time.time)
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What was to be trained; empty in records from before it was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    """How far a trial in flight is, by its newest checkpoint."""

    epoch: int
    log: tuple[str, ...]
    dev_ua: tuple[float, ...] = ()
    """UA of every epoch, the mean of both directions, 0 to 1."""
    max_epochs: int = 0
    """The most that it may have; 0 in checkpoints from before it was kept, as ``min_epochs``."""
    min_epochs: int = 0
    """The fewest that it will have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """The test scores of a search were opened."""

    key: str
    """Digest of the search."""
    speakers: str = ""
    """Digest of the speech and of who is held out together; empty in old records."""
    unit: str
    """Of the budget that was used."""
    amount: float
    """Of it."""
    configurations: int
    """How many each held-out group had tried."""
    opened: float = field(default_factory=time.time)
