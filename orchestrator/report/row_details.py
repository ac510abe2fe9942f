"""The details of a row: scores, epochs, settings and command of each finished trial.

Scores come from the records, learning curves from files that are proven against the records. A
damaged learning curve is reported and left out; the scores do not depend on it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from orchestrator.analysis.row_scores import sum_confusions
from orchestrator.errors import DamageError
from orchestrator.planning.trial_details import training_command
from orchestrator.store.attempts import read_history
from orchestrator.store.files import in_parallel
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import HISTORY
from orchestrator.store.records import Outcome, Scores, is_stale
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotTrial

Counts = tuple[tuple[int, ...], ...]
"""A confusion matrix: rows are the spoken classes, columns the predicted ones."""


@dataclass(frozen=True, slots=True)
class DevScore:
    """Scores of one half of the held-out group after an epoch; UA and WA are fractions."""

    ua: float
    wa: float
    loss: float
    """Cross-entropy over the utterances."""


@dataclass(frozen=True, slots=True)
class EpochDetails:
    """One epoch of a training; of a system without epochs one step of its own."""

    number: int
    loss: float
    """Over the training segments."""
    a: DevScore
    b: DevScore


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingDetails:
    """One finished training."""

    id: str
    seed: int
    fold: SnapshotFold
    """Its held-out group in two halves, and the number of training speakers."""
    outcome: Outcome
    history: tuple[EpochDetails, ...]
    """Empty where histories were not read, or where this one is damaged."""
    damage: str
    """Why the history cannot be used; empty where it can."""
    rerun_command: str
    """The command that trains it once more and compares."""

    @property
    def scores(self) -> tuple[Scores, ...]:
        """One for each test speaker, by utterance, at the epoch that the other half chose."""
        return tuple(
            s for s in self.outcome.scores if (s.choice, s.unit) == ("chosen", "utterance")
        )

    @property
    def confusion(self) -> Counts:
        """The utterances of both halves in one matrix."""
        return sum_confusions([s.confusion for s in self.scores])

    @property
    def chosen_on_a(self) -> int:
        """The epoch that half A chose; it scores B."""
        return self._epoch_of(self.fold.b)

    @property
    def chosen_on_b(self) -> int:
        """The epoch that half B chose; it scores A."""
        return self._epoch_of(self.fold.a)

    def _epoch_of(self, tested: tuple[str, ...]) -> int:
        """The epoch at which these speakers were tested; 0 where none of them was scored."""
        return next((s.epoch for s in self.scores if s.speaker in tested), 0)

    @property
    def environment(self) -> Mapping[str, str]:
        """The determinism class: trainings within one class give equal bits."""
        return self.outcome.environment


@dataclass(frozen=True, kw_only=True, slots=True)
class RowDetails:
    """A row: its finished trainings by fold and seed, and its missing trials."""

    name: str
    trials: tuple[TrainingDetails, ...]
    missing: tuple[SnapshotTrial, ...]
    """Not finished, or trained by an earlier version of the code with another meaning."""
    fill: str
    """The command that trains what is missing."""

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings that all its trainings share; empty without trainings."""
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
    names: Collection[str] | None = None,
    histories: bool = True,
) -> tuple[RowDetails, ...]:
    """The details of the rows of a study, in their order.

    Args:
        ledger: the store, for the histories.
        snapshot: the study.
        outcomes: id -> finished trial.
        names: the rows; all if not given.
        histories: whether to read the learning curves, one file for each trial.
    """
    folds = {fold.index: fold for fold in snapshot.folds}
    wanted = [row.name for row in snapshot.rows if names is None or row.name in names]
    done = {id: o for id, o in outcomes.items() if not is_stale(o)}
    by_row: dict[str, list[SnapshotTrial]] = {name: [] for name in wanted}
    for trial in sorted(snapshot.trials, key=lambda trial: (trial.fold, trial.seed)):
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
                    fold=folds[trial.fold],
                    outcome=done[trial.id],
                    history=epochs[trial.id][0],
                    damage=epochs[trial.id][1],
                    rerun_command=training_command(trial.id, done=True, study=snapshot.study),
                )
                for trial in by_row[name]
                if trial.id in done
            ),
            missing=tuple(trial for trial in by_row[name] if trial.id not in done),
            fill=training_command("", done=False, study=snapshot.study),
        )
        for name in wanted
    )


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that two configurations share; a search chooses one for each held-out group."""
    found: dict[str, Any] = {}
    for key, value in one.items():
        its = other.get(key)
        if isinstance(value, Mapping) and isinstance(its, Mapping):
            found[key] = _shared(value, its)
        elif key in other and value == its:
            found[key] = value
    return found


def _history(ledger: Ledger, outcome: Outcome) -> tuple[tuple[EpochDetails, ...], str]:
    """The epochs of a training, and why they cannot be used; one of the two is empty."""
    try:
        entries = read_history(ledger.attempts.read_file(outcome, HISTORY))
        return tuple(_epoch(entry) for entry in entries), ""
    except DamageError as error:
        return (), str(error)
    except (KeyError, TypeError, ValueError, OverflowError):
        return (), "A `history.json` is not one that this program writes."


def _epoch(entry: Mapping[str, Any]) -> EpochDetails:
    """Read an entry of a history.

    Raises:
        ValueError: no training gives these numbers; a store from elsewhere may hold anything.
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
