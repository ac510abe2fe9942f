"""A finished trial as trackers of experiments want it: settings, curves, scores, tags.

Read from the ledger alone and proven against the record. No number is rounded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import mean
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

SettingValue = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished trial, at its first place in a study's table."""

    snapshot: Snapshot
    place: SnapshotTrial
    outcome: Outcome
    history: tuple[Mapping[str, Any], ...]
    """One entry an epoch."""

    @property
    def name(self) -> str:
        """Its place in the table, in words; folds count from 1."""
        return f"{self.place.row}, fold {self.place.fold + 1}, seed {self.place.seed}"

    @property
    def tags(self) -> dict[str, str]:
        """What it belongs to."""
        return {
            "study": self.snapshot.study,
            "row": self.place.row,
            "fold": str(self.place.fold + 1),
            "seed": str(self.place.seed),
            "id": self.place.id,
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
        """WA and UA of every test speaker, their means, and what it took; scores are fractions.

        A flat search has no test: of its trials only the curves are given.
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
        """Epoch, when it ended (spread evenly over the training), and its figures.

        ``dev_a`` and ``dev_b`` are the two halves of the held-out group.
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


class Log(Protocol):
    """Another system. What it has it is not given again, so to write twice is harmless."""

    look: str
    """What a person types to look at it."""

    def write(self, trial: Finished) -> None:
        """Give it one finished trial."""

    def flush(self) -> None:
        """No more come for now."""

    def searched(self, snapshot: Snapshot) -> None:
        """Give it the configurations of a search, as far as it has come."""


def read(ledger: Ledger, snapshot: Snapshot, place: SnapshotTrial) -> Finished | None:
    """A trial as the ledger has it; None where it is not finished.

    Raises:
        DamageError: its record or its history is not what was written.
    """
    outcome = ledger.outcomes.read(place.id)
    if outcome is None:
        return None
    history = read_history(ledger.attempts.read_file(outcome, "history.json"))
    return Finished(snapshot, place, outcome, tuple(history))


def settings(outcome: Outcome) -> dict[str, SettingValue]:
    """An outcome's settings by dotted names; lists as JSON texts."""
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
