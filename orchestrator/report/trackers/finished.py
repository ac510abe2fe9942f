"""A finished trial as an experiment tracker takes it: settings, curves, scores, tags.

Read from the store alone, and proven against its record. No number is rounded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import mean
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import HISTORY
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

SettingValue = str | bool | int | float


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """A finished trial, with the row, fold and seed at which it stands first in a study."""

    snapshot: Snapshot
    trial: SnapshotTrial
    outcome: Outcome
    history: tuple[Mapping[str, Any], ...]
    """One entry an epoch."""

    @property
    def name(self) -> str:
        """Row, fold and seed; folds count from 1."""
        return f"{self.trial.row}, fold {self.trial.fold + 1}, seed {self.trial.seed}"

    @property
    def tags(self) -> dict[str, str]:
        """Study, row, fold, seed, id, corpus, profile, reading and host, as texts."""
        return {
            "study": self.snapshot.study,
            "row": self.trial.row,
            "fold": str(self.trial.fold + 1),
            "seed": str(self.trial.seed),
            "id": self.trial.id,
            "corpus": self.snapshot.corpus,
            "profile": self.snapshot.profile,
            "reading": self.snapshot.reading,
            "host": self.outcome.host,
        }

    @property
    def settings(self) -> dict[str, SettingValue]:
        """The row's settings, resolved: ``training.lr``, ``model.layers``, ``features.padding``."""
        return settings(self.outcome)

    @property
    def scores(self) -> dict[str, float]:
        """WA and UA of every test speaker, their means, epochs, seconds and parameters.

        WA and UA are fractions; the trials of a flat search, which tests on nobody, have none.
        """
        found: dict[str, float] = {}
        flat = self.snapshot.search is not None and self.snapshot.search.selection == "flat"
        scores = () if flat else self.outcome.scores
        chosen = [s for s in scores if (s.choice, s.unit) == ("chosen", "utterance")]
        for key, metric in (("ua", ua), ("wa", wa)):
            by_speaker = {s.speaker: metric(s.confusion) for s in chosen}
            if by_speaker:
                found[key] = mean(list(by_speaker.values()))
            found |= {f"{key}/{speaker}": value for speaker, value in by_speaker.items()}
        found |= {"epochs": float(self.outcome.epochs), "seconds": self.outcome.seconds}
        if self.outcome.parameters:
            found["parameters"] = float(self.outcome.parameters)
        return found

    def curves(self) -> Iterator[tuple[int, float, dict[str, float]]]:
        """Epoch, time of its end in seconds since 1970, and its numbers by name.

        The ends are spread evenly over the training. ``dev_a`` and ``dev_b`` are the two halves of
        the held-out group.
        """
        began, took = self.began, self.outcome.seconds
        for index, entry in enumerate(self.history, start=1):
            figures = {"loss": float(entry["loss"])}
            for side in ("a", "b"):
                figures |= {f"dev_{side}/{key}": float(x) for key, x in entry[side].items()}
            figures["dev/ua"] = (figures["dev_a/ua"] + figures["dev_b/ua"]) / 2
            yield int(entry["number"]), began + took * index / len(self.history), figures

    @property
    def began(self) -> float:
        """When its last attempt began, in seconds since 1970."""
        return self.outcome.finished - self.outcome.seconds


def read(ledger: Ledger, snapshot: Snapshot, trial: SnapshotTrial) -> FinishedTrial | None:
    """Read a trial from the store; None where it is not finished.

    Raises:
        DamageError: its record or its history is not what was written.
    """
    outcome = ledger.outcomes.read(trial.id)
    if outcome is None:
        return None
    history = read_history(ledger.attempts.read_file(outcome, HISTORY))
    return FinishedTrial(snapshot, trial, outcome, tuple(history))


def settings(outcome: Outcome) -> dict[str, SettingValue]:
    """The settings of a finished trial by dotted names; lists as JSON texts."""
    found: dict[str, SettingValue] = {}
    for part in ("features", "model", "training"):
        found |= dict(_flat(part, outcome.identity.get(part, {})))
    return found


def _flat(name: str, value: Any) -> Iterator[tuple[str, SettingValue]]:
    if isinstance(value, Mapping):
        for key, inner in sorted(value.items()):
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, str | bool | int | float):
        yield name, value
    else:
        yield name, json.dumps(value)
