"""Every finished trial of a row: its scores, epochs, settings, and the command to retrain it.

Scores come from the records. Learning curves come from a file of each trial, whose digest must be
the one in the record: a damaged file is reported and left out, and the scores do not depend on it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from orchestrator.analysis.row_scores import held_out_scores, sum_confusions
from orchestrator.errors import DamageError
from orchestrator.planning.trial_details import rerun_command, run_command
from orchestrator.store.attempts import read_history
from orchestrator.store.files import in_parallel
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import HISTORY
from orchestrator.store.records import Outcome, Scores, is_stale
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotTrial
from orchestrator.study.protocol import ScoreRule

Counts = tuple[tuple[int, ...], ...]
"""A confusion matrix, classes x classes: number of utterances by spoken class (rows) and predicted
class (columns)."""


@dataclass(frozen=True, slots=True)
class DevScore:
    """Scores of one half (A or B) of the held-out group after an epoch."""

    ua: float
    """Unweighted accuracy (mean recall over the classes), 0 to 1."""
    wa: float
    """Weighted accuracy (correct / all), 0 to 1."""
    loss: float
    """Mean cross-entropy of the half's utterances."""


@dataclass(frozen=True, slots=True)
class EpochDetails:
    """Losses and scores after one epoch of a training.

    The SVM has no epochs: an entry is one value of its regularisation C, from the smallest on.
    """

    number: int
    """The number of the epoch, from 1."""
    loss: float
    """Mean loss of the segments that were trained on, as the system weighs it."""
    a: DevScore
    """Scores of half A of the held-out group."""
    b: DevScore
    """Scores of half B of the held-out group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingDetails:
    """One finished training of a row: its fold and seed, its record and its learning curve."""

    id: str
    """The trial id, 64 hexadecimal digits."""
    seed: int
    """The seed, from 0."""
    fold: SnapshotFold
    """The held-out group in its halves A and B, and the number of training speakers."""
    outcome: Outcome
    """The record of the finished trial."""
    score: ScoreRule
    """The score of the study."""
    is_published_split: bool
    """Whether the fold is the corpus's own split: half A its dev side, half B its test side."""
    history: tuple[EpochDetails, ...]
    """The learning curve, one entry for each epoch; empty if it was not read or is damaged."""
    damage: str
    """A sentence that says why the learning curve cannot be used; empty if it can."""
    rerun_command: str
    """The shell command that trains the trial again and compares it with its record."""

    @property
    def scores(self) -> tuple[Scores, ...]:
        """The scores that the tables count (utterances), one for each test speaker.

        None where the training does not have the study's score.
        """
        dev = self.fold.a if self.is_published_split else ()
        return tuple(s for s in held_out_scores(self.outcome, self.score) if s.speaker not in dev)

    @property
    def dev_scores(self) -> tuple[Scores, ...]:
        """The scores of the dev side of a published split, which are no result; else none."""
        scored = {s.speaker for s in self.scores}
        return tuple(
            s for s in held_out_scores(self.outcome, self.score) if s.speaker not in scored
        )

    @property
    def choosing_halves(self) -> tuple[tuple[tuple["DevScore", ...], int], ...]:
        """Learning curves of the halves that choose an epoch, each with the number of that epoch.

        Both halves of the held-out group; of a published split the dev side alone.
        """
        on_a = tuple(epoch.a for epoch in self.history), self.chosen_on_a
        on_b = tuple(epoch.b for epoch in self.history), self.chosen_on_b
        return (on_a,) if self.is_published_split else (on_a, on_b)

    @property
    def confusion(self) -> Counts:
        """The utterances of all test speakers in one matrix of counts."""
        return sum_confusions([s.confusion for s in self.scores])

    @property
    def chosen_on_a(self) -> int:
        """The number of the epoch that half A chose, at which half B is scored; 0 if B has none."""
        return self._epoch_of(self.fold.b)

    @property
    def chosen_on_b(self) -> int:
        """The number of the epoch that half B chose, at which half A is scored; 0 if A has none."""
        return self._epoch_of(self.fold.a)

    @property
    def scored_epochs(self) -> str:
        """The epochs of the networks that are scored, of all that were trained.

        Such as ``7, 12 of 15`` (of half A, of half B; of a published split that of the test side
        alone), or ``8 to 15 of 15`` if they are averaged.
        """
        of = f"of {self.outcome.epochs}"
        if self.score == "chosen":
            chosen = [str(epoch) for _, epoch in reversed(self.choosing_halves)]
            return f"{', '.join(chosen)} {of}"
        last = max((scores.epoch for scores in self.scores), default=0)
        if self.score == "last" or last < 2 or self.outcome.identity["model"]["model"] == "svm":
            return f"{last or '–'} {of}"
        return f"{last // 2 + 1} to {last} {of}"

    def _epoch_of(self, tested: tuple[str, ...]) -> int:
        """The number of the epoch chosen for these speakers; 0 if none of them was tested."""
        chosen = held_out_scores(self.outcome, "chosen")
        return next((s.epoch for s in chosen if s.speaker in tested), 0)

    @property
    def environment(self) -> Mapping[str, str]:
        """The determinism class: device, PyTorch version and a digest of its arithmetic, by name.

        A trial has the same bits on all machines of one class; on GPUs the same to a tolerance.
        """
        return self.outcome.environment


@dataclass(frozen=True, kw_only=True, slots=True)
class RowDetails:
    """One row of a study: its finished trainings and its missing trials."""

    name: str
    """The name of the row."""
    trials: tuple[TrainingDetails, ...]
    """The finished trainings, ordered by deal, then by fold, then by seed."""
    missing: tuple[SnapshotTrial, ...]
    """The trials that are not finished, or that earlier code trained whose numbers meant something
    else."""
    given_up: tuple[SnapshotTrial, ...]
    """The trials that diverged: to train them again would give the same."""
    fill: str
    """The shell command that trains what is missing, such as ``ablate run studies/first.yaml``."""

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings that all trainings of the row share, nested as in a trial's identity.

        Fold and seed are left out. Empty while no training is finished.
        """
        shared: dict[str, Any] = {}
        for trial in self.trials:
            own = {k: v for k, v in trial.outcome.identity.items() if k not in ("fold", "seed")}
            shared = _shared(shared, own) if shared else own
        return shared


def row_details(
    ledger: Ledger,
    snapshot: Snapshot,
    outcomes: Mapping[str, Outcome],
    *,
    given_up: Collection[str] = (),
    names: Collection[str] | None = None,
    histories: bool = True,
) -> tuple[RowDetails, ...]:
    """The finished and missing trials of a study's rows, in the order of the study.

    Args:
        ledger: the store, from which the learning curves are read.
        snapshot: the study.
        outcomes: trial id -> the record of the finished trial.
        given_up: ids of the trials that diverged.
        names: the rows that are wanted; None for all.
        histories: whether to read the learning curves, one file for each trial.
    """
    folds = {fold.key: fold for fold in snapshot.folds}
    wanted = [row.name for row in snapshot.rows if names is None or row.name in names]
    done = {id: o for id, o in outcomes.items() if not is_stale(o)}
    by_row: dict[str, list[SnapshotTrial]] = {name: [] for name in wanted}
    for trial in sorted(snapshot.trials, key=lambda trial: (trial.fold_key, trial.seed)):
        if trial.row in by_row:
            by_row[trial.row].append(trial)
    ids = [t.id for trials in by_row.values() for t in trials if t.id in done]
    nothing: tuple[tuple[EpochDetails, ...], str] = ((), "")
    epochs = dict.fromkeys(ids, nothing)
    if histories:
        read = in_parallel(ledger.root, lambda id: _history(ledger, done[id]), list(epochs))
        epochs = dict(zip(epochs, read, strict=True))
    return tuple(
        RowDetails(
            name=name,
            trials=tuple(
                TrainingDetails(
                    id=trial.id,
                    seed=trial.seed,
                    fold=folds[trial.fold_key],
                    outcome=done[trial.id],
                    score=snapshot.score,
                    is_published_split=snapshot.is_published_split,
                    history=epochs[trial.id][0],
                    damage=epochs[trial.id][1],
                    rerun_command=rerun_command(trial.id),
                )
                for trial in by_row[name]
                if trial.id in done
            ),
            missing=tuple(t for t in by_row[name] if t.id not in done and t.id not in given_up),
            given_up=tuple(t for t in by_row[name] if t.id not in done and t.id in given_up),
            fill=run_command(snapshot.study),
        )
        for name in wanted
    )


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are equal in two nested mappings of settings.

    They differ within one row where a search chose a configuration for each held-out group.
    """
    found: dict[str, Any] = {}
    for key, value in one.items():
        its = other.get(key)
        if isinstance(value, Mapping) and isinstance(its, Mapping):
            found[key] = _shared(value, its)
        elif key in other and value == its:
            found[key] = value
    return found


def _history(ledger: Ledger, outcome: Outcome) -> tuple[tuple[EpochDetails, ...], str]:
    """The epochs of a training and an empty text; or no epochs and why they cannot be used."""
    try:
        entries = read_history(ledger.attempts.read_file(outcome, HISTORY))
        return tuple(_epoch(entry) for entry in entries), ""
    except DamageError as error:
        return (), str(error)
    except (KeyError, TypeError, ValueError, OverflowError):
        return (), "A `history.json` is not one that this program writes."


def _epoch(entry: Mapping[str, Any]) -> EpochDetails:
    """Read one entry of a `history.json`, the file with the learning curve of a trial.

    Raises:
        ValueError: a UA or WA is not from 0 to 1, or a loss is not finite. No training writes such
            numbers, but a store from elsewhere may hold anything.
    """
    halves = [
        DevScore(float(half["ua"]), float(half["wa"]), float(half["loss"]))
        for half in (entry["a"], entry["b"])
    ]
    epoch = EpochDetails(int(entry["number"]), float(entry["loss"]), *halves)
    shares = [share for half in halves for share in (half.ua, half.wa)]
    losses = [epoch.loss, *(half.loss for half in halves)]
    if not all(0 <= share <= 1 for share in shares) or not all(map(isfinite, losses)):
        raise ValueError("a score must be a share and a loss a number")
    return epoch
