"""A finished trial as an experiment tracker gets it: settings, learning curves, scores, tags.

Everything is read from the store and checked against the digests of the trial's record. No number
is rounded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.row_scores import headline_scores
from orchestrator.analysis.statistics import mean
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import HISTORY
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotTrial

SettingValue = str | bool | int | float
"""The value of a setting, as trackers take it; a list has become JSON text."""


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """A finished trial of a study, with its name, tags, settings, scores and learning curve."""

    snapshot: Snapshot
    """The study."""
    trial: SnapshotTrial
    """Its row, fold and seed; of a trial that several rows share, those of the first row."""
    outcome: Outcome
    """The record of the trial."""
    history: tuple[Mapping[str, Any], ...]
    """The learning curve: an entry for each epoch, with ``number``, ``loss``, ``a`` and ``b``.

    ``a`` and ``b`` are UA, WA and loss of the two halves of the held-out group."""

    @property
    def name(self) -> str:
        """Row, fold (from 1) and seed (from 0): ``no attention, fold 2, seed 0``."""
        return f"{self.trial.row}, {self.trial.fold_name}, seed {self.trial.seed}"

    @property
    def tags(self) -> dict[str, str]:
        """Study, row, deal (of several), fold, seed, id, corpus, profile, ..., host, as texts."""
        return {
            "study": self.snapshot.study,
            **{key: str(value) for key, value in self.trial.slot.items()},
            "id": self.trial.id,
            "corpus": self.snapshot.corpus,
            "profile": self.snapshot.profile,
            "reading": self.snapshot.reading,
            "score": self.snapshot.score,
            "host": self.outcome.host,
        }

    @property
    def settings(self) -> dict[str, SettingValue]:
        """Dotted name -> value of every setting, defaults too, such as ``training.lr``."""
        return settings(self.outcome)

    @property
    def scores(self) -> dict[str, float]:
        """Scores and sizes of the trial by name.

        ``ua`` and ``wa``: means over test speakers, 0 to 1; ``ua/SPEAKER`` and ``wa/SPEAKER``: of
        one speaker; ``epochs``; ``seconds`` of training; ``parameters``. Trials of a flat search,
        which tests on nobody, have no UA and WA.
        """
        found: dict[str, float] = {}
        flat = self.snapshot.search is not None and self.snapshot.search.selection == "flat"
        chosen = () if flat else tuple(headline_scores(self.snapshot, self.outcome))
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
        """The learning curve, epoch by epoch.

        Yields:
            The number of the epoch, from 1; the time of its end in seconds since 1970, as if all
            epochs took equally long; its numbers by name. These are ``loss`` on training speech,
            ``dev_a/ua`` and ``dev_b/ua`` (also ``wa`` and ``loss``) of the halves A and B of the
            held-out group, and ``dev/ua``, the mean UA of the halves. Of a published split they are
            ``dev/ua`` and ``test/ua`` (also ``wa`` and ``loss``) of its sides.
        """
        is_published = self.snapshot.is_published_split
        names = {"a": "dev", "b": "test"} if is_published else {"a": "dev_a", "b": "dev_b"}
        began, took = self.began, self.outcome.seconds
        for index, entry in enumerate(self.history, start=1):
            figures = {"loss": float(entry["loss"])}
            for side, name in names.items():
                figures |= {f"{name}/{key}": float(x) for key, x in entry[side].items()}
            if not is_published:
                figures["dev/ua"] = (figures["dev_a/ua"] + figures["dev_b/ua"]) / 2
            yield int(entry["number"]), began + took * index / len(self.history), figures

    @property
    def began(self) -> float:
        """The time at which the trial's last attempt began, in seconds since 1970."""
        return self.outcome.finished - self.outcome.seconds


def read(ledger: Ledger, snapshot: Snapshot, trial: SnapshotTrial) -> FinishedTrial | None:
    """Read a trial and its learning curve from the store.

    Args:
        ledger: the store.
        snapshot: the study.
        trial: the trial with its row, fold and seed.

    Returns:
        None if the trial is not finished.

    Raises:
        DamageError: its record or its learning curve does not match its digest.
    """
    outcome = ledger.outcomes.read(trial.id)
    if outcome is None:
        return None
    history = read_history(ledger.attempts.read_file(outcome, HISTORY))
    return FinishedTrial(snapshot, trial, outcome, tuple(history))


def settings(outcome: Outcome) -> dict[str, SettingValue]:
    """Dotted name -> value of every setting of a finished trial, such as ``training.lr``.

    Defaults are included; a list becomes JSON text.
    """
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
