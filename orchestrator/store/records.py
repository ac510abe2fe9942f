"""Records of the store: outcomes, failures, the progress of a training, openings of test scores."""

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
    """The confusion matrix of one test speaker, under one choice of epoch."""

    speaker: str
    choice: EpochChoice
    unit: Unit
    epoch: int
    confusion: tuple[tuple[int, ...], ...]
    """Counts, classes x classes: rows are the truth, columns the prediction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of a finished trial."""

    id: str
    """sha256 of the identity."""
    identity: Mapping[str, Any]
    """All that the result depends on: speech, features, system, training, fold, seed."""
    attempt: str
    """The attempt that finished it."""
    epochs: int
    """How many epochs were trained."""
    scores: tuple[Scores, ...]
    digests: Mapping[str, str]
    """sha256 of what was computed: ``predictions``, ``history``, ``weights``."""
    files: Mapping[str, str]
    """File name in the attempt's folder -> sha256 of its bytes."""
    environment: Mapping[str, str]
    """The determinism class: bits are promised within it."""
    host: str = ""
    """The machine that trained it."""
    seconds: float = 0.0
    """How long the attempt took."""
    finished: float = 0.0
    """When, in seconds since 1970."""
    resumed: int = 0
    """Epochs that an earlier, interrupted attempt had already trained."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Library -> version; empty in records from before they were kept."""
    parameters: int = 0
    """How many parameters were trained; 0 of a system without such a count, or in old records."""

    @property
    def scored_part(self) -> dict[str, Any]:
        """The part that is the same, bit for bit, within a determinism class."""
        scores = [asdict(s) for s in self.scores]
        return {"id": self.id, "epochs": self.epochs, "scores": scores, "digests": self.digests}


def is_stale(outcome: Outcome) -> bool:
    """Whether it was computed by earlier code, whose numbers mean something else."""
    return bool(outcome.identity.get("semantics", SEMANTICS) != SEMANTICS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The reason why an attempt ended without an outcome."""

    id: str
    cause: Cause
    sentence: str
    traceback: str
    epoch: int
    attempt: str
    host: str
    finished: float = field(default_factory=time.time)
    identity: Mapping[str, Any] = field(default_factory=dict)
    """The identity of the trial; empty in records from before it was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    """How far a trial in flight is, by its newest checkpoint."""

    epoch: int
    """The last trained epoch, from 1; 0 without a checkpoint."""
    log: tuple[str, ...]
    """Lines of its log."""
    dev_ua: tuple[float, ...] = ()
    """Dev UA after every epoch, 0 to 1: the mean over both halves of the held-out group."""
    max_epochs: int = 0
    """The most epochs that it may train; 0 in checkpoints from before this was kept."""
    min_epochs: int = 0
    """The fewest epochs that it will train; 0 in checkpoints from before this was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """The record that the test scores of a search were shown from then on."""

    key: str
    """Digest of the search, without its budget."""
    speakers: str = ""
    """Digest of the speech and of which speakers are held out together; empty in old records."""
    unit: str
    """Unit of the budget that was used: ``trials``, ``hours``, ``gpu_hours``."""
    amount: float
    """The budget, in that unit."""
    configurations: int
    """How many configurations each held-out group had tried."""
    opened: float = field(default_factory=time.time)
