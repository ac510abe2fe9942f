"""Records of the store: outcomes, failures, the progress of a training, openings of test scores."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from orchestrator.study.protocol import ScoreRule
from orchestrator.study.trials import is_current

EpochChoice = Literal["chosen", "last_epoch", "best_on_test", "averaged"]
"""How the network of a score is picked: at the epoch chosen by the other half of the held-out group
(``chosen``), at the last one, or at the best one on the test speakers themselves (too high, for
comparison only); or as the mean of its weights over the second half of the epochs (``averaged``).
For the SVM, whose "epochs" are settings, ``averaged`` is the setting that inner folds of the
training speakers choose.
"""
CHOICES: tuple[EpochChoice, ...] = ("chosen", "last_epoch", "best_on_test", "averaged")
"""All choices, in the order in which they are recorded. ``averaged`` is missing where the training
stopped before all epochs."""
CHOICE_OF: Mapping[ScoreRule, EpochChoice] = {
    "averaged": "averaged",
    "chosen": "chosen",
    "last": "last_epoch",
}
"""Score of a study -> the choice under which the records of its trainings have it."""
Unit = Literal["utterance", "segment"]
"""What a confusion matrix counts: whole utterances or their segments."""
Cause = Literal["infrastructure", "data", "code", "diverged"]
"""Why an attempt failed: ``infrastructure``, a machine, process, file system or package; ``data``,
a damaged or unreadable file; ``code``, any other exception; ``diverged``, a loss that is infinite
or NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The confusion matrix of one test speaker, for one choice of epoch and one unit."""

    speaker: str
    """Name of the test speaker."""
    choice: EpochChoice
    """By which rule the network was picked."""
    unit: Unit
    """Whether utterances or segments are counted."""
    epoch: int
    """The epoch at which the network was scored, from 1; of averaged weights, the last of them; of
    an SVM, the place of its regularisation in the grid."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts, shape (C, C) for C classes: rows are the true class, columns the predicted one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of a finished trial: its scores, its identity, and the digests of its files."""

    id: str
    """The trial's id: sha256 of ``identity``, 64 hex digits."""
    identity: Mapping[str, Any]
    """All that the result depends on, as JSON values: speech, features, system, training, fold,
    seed."""
    attempt: str
    """Name of the attempt that finished the trial; its folder has the files."""
    epochs: int
    """How many epochs were trained, those of earlier attempts included."""
    scores: tuple[Scores, ...]
    """One for each test speaker, choice of epoch and unit."""
    digests: Mapping[str, str]
    """``predictions``, ``history``, ``weights`` -> sha256 of the values, not of the file."""
    files: Mapping[str, str]
    """File name in the attempt's folder -> sha256 of its bytes."""
    environment: Mapping[str, str]
    """The determinism class: device, version of PyTorch, and on a CPU a fingerprint of its
    arithmetic. On a CPU, results are equal bit for bit within it."""
    host: str = ""
    """Name of the machine that trained the trial."""
    seconds: float = 0.0
    """Duration of the attempt that finished the trial, in seconds."""
    finished: float = 0.0
    """When it finished, in seconds since 1970."""
    resumed: int = 0
    """How many of the epochs an earlier, interrupted attempt had trained."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Name of a library -> version; empty in records from before they were kept."""
    parameters: int = 0
    """Number of trained parameters; 0 for a system without such a count, or in old records."""

    @property
    def scored_part(self) -> dict[str, Any]:
        """The fields that are equal, bit for bit, within a determinism class, as a dict."""
        scores = [asdict(s) for s in self.scores]
        return {"id": self.id, "epochs": self.epochs, "scores": scores, "digests": self.digests}


def is_stale(outcome: Outcome) -> bool:
    """Whether an earlier version of the training code computed it, so it is not comparable.

    True where the ``semantics`` number of its identity is not the present one.
    """
    return "semantics" in outcome.identity and not is_current(outcome.identity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The record of an attempt that ended without an outcome, and why."""

    id: str
    """The trial's id."""
    cause: Cause
    """The kind of failure; it decides whether a run makes another attempt."""
    sentence: str
    """The error's message, for the user."""
    traceback: str
    """Python's traceback, as text."""
    epoch: int
    """The last epoch that was trained before the failure; 0 before the first."""
    attempt: str
    """Name of the attempt."""
    host: str
    """Name of the machine."""
    finished: float = field(default_factory=time.time)
    """When it failed, in seconds since 1970."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """The identity of the trial; empty in records from before it was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    """How many epochs of an unfinished trial are trained, as its newest checkpoint says."""

    epoch: int
    """The last epoch in the checkpoint, from 1; 0 without a checkpoint."""
    log: tuple[str, ...]
    """The lines of the training's log up to that epoch."""
    dev_ua: tuple[float, ...] = ()
    """One value for each epoch: UA on the held-out group, mean of its halves A and B, 0 to 1."""
    max_epochs: int = 0
    """The most epochs that the trial may train; 0 in checkpoints from before this was kept."""
    min_epochs: int = 0
    """The fewest epochs that the trial will train; 0 in checkpoints from before this was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """The record that the test scores of a search were opened, as its last training had ended."""

    key: str
    """Digest of the search without its budget, so that a larger budget is the same search."""
    speakers: str = ""
    """Digest of the speech and of which speakers each held-out group has; empty in old records."""
    unit: str
    """Unit of the search's budget: ``trials``, ``hours`` or ``gpu_hours``."""
    amount: float
    """The budget that was used up, in ``unit``."""
    configurations: int
    """How many configurations had been tried for each held-out group."""
    opened: float = field(default_factory=time.time)
    """When they were opened, in seconds since 1970."""
