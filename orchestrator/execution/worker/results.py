"""What a finished training leaves: its scores, its files and their digests.

Letters in names are axes: S segments, C classes, U utterances.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from features.dataset.dataset import FoldData, Segments
from model.evaluation.metrics import confusion
from model.evaluation.scoring import by_utterance
from model.training.fit import Direction, Fit
from orchestrator.store.attempts import predictions_parquet
from orchestrator.store.checkpoints import tensors_blob, tensors_digest
from orchestrator.store.paths import HISTORY, PREDICTIONS, WEIGHTS
from orchestrator.store.records import EpochChoice, Scores, Unit
from orchestrator.study.canonical import canonical, digest

_RowKey = tuple[str, int, str, str, EpochChoice, int]
"""Utterance, number of the segment in it, speaker, true emotion, choice of epoch, epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResults:
    """What a finished training leaves."""

    scores: tuple[Scores, ...]
    """Confusion counts of every test speaker, choice of epoch and unit."""
    digests: Mapping[str, str]
    """Of the predictions, the history and the weights, each by its values: equal digests mean
    equal bits, whatever library wrote the files."""
    files: Mapping[str, bytes]
    """File name -> content."""


def training_results(fit: Fit, data: FoldData) -> TrainingResults:
    """Score both test directions of a finished training, and make its files."""
    tested = (_Tested(fit.tests_a, data.a), _Tested(fit.tests_b, data.b))
    weights = {
        f"{name}/{key}": tensor
        for name, half in zip(("tests_a", "tests_b"), tested, strict=True)
        for key, tensor in half.direction.weights.items()
    }
    history = [asdict(epoch) for epoch in fit.history]
    predictions = _prediction_rows(tested, fit.epochs, data.classes)
    return TrainingResults(
        scores=tuple(_scores(tested, fit.epochs, len(data.classes))),
        digests={
            "predictions": digest(
                [[*key, [p.hex() for p in probabilities]] for key, probabilities in predictions]
            ),
            "history": digest(history),
            "weights": tensors_digest(weights),
        },
        files={
            PREDICTIONS: _parquet(predictions, data.classes),
            WEIGHTS: tensors_blob(weights),
            HISTORY: canonical(history).encode(),
        },
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    """One direction of a finished training, and the segments on which it was tested."""

    direction: Direction
    segments: Segments

    def by_choice(self, last_epoch: int) -> Iterator[tuple[EpochChoice, int, Tensor]]:
        """Choice of epoch, the epoch, log probabilities of the segments (S, C)."""
        d = self.direction
        yield "chosen", d.chosen, d.at_chosen_SC
        yield "last_epoch", last_epoch, d.at_last_SC
        yield "best_on_test", d.best_on_test, d.at_best_on_test_SC


def _prediction_rows(
    tested: tuple[_Tested, ...], last_epoch: int, classes: tuple[str, ...]
) -> list[tuple[_RowKey, list[float]]]:
    """One row a segment and choice of epoch, with the probability of each class."""
    rows: list[tuple[_RowKey, list[float]]] = []
    for half in tested:
        for choice, epoch, log_SC in half.by_choice(last_epoch):
            numbers: dict[int, int] = {}
            for index, utterance in enumerate(half.segments.utterance_S.tolist()):
                number = numbers[utterance] = numbers.get(utterance, -1) + 1
                key: _RowKey = (
                    half.segments.utterances[utterance],
                    number,
                    half.segments.speakers[utterance],
                    classes[int(half.segments.labels_S[index])],
                    choice,
                    epoch,
                )
                rows.append((key, log_SC[index].exp().float().tolist()))
    return rows


def _parquet(rows: list[tuple[_RowKey, list[float]]], classes: tuple[str, ...]) -> bytes:
    """The rows as a Parquet file: a column for each part of the key, then one for each class."""
    names = ("utterance", "segment", "speaker", "emotion", "choice", "epoch")
    columns: Mapping[str, list[Any]] = {
        name: [key[index] for key, _ in rows] for index, name in enumerate(names)
    }
    probabilities = {name: [p[index] for _, p in rows] for index, name in enumerate(classes)}
    return predictions_parquet(columns, probabilities)


def _scores(tested: tuple[_Tested, ...], last_epoch: int, classes: int) -> Iterator[Scores]:
    """Confusion counts of every test speaker, choice of epoch and unit."""
    for half in tested:
        for choice, epoch, log_SC in half.by_choice(last_epoch):
            for unit in ("utterance", "segment"):
                for speaker, truth, predicted in decisions(half.segments, log_SC, unit):
                    counts = confusion(truth, predicted, classes)
                    yield Scores(
                        speaker=speaker,
                        choice=choice,
                        unit=unit,
                        epoch=epoch,
                        confusion=tuple(tuple(row) for row in counts),
                    )


def decisions(
    segments: Segments, log_SC: Tensor, unit: Unit
) -> Iterator[tuple[str, list[int], list[int]]]:
    """Of each speaker: the true and the predicted classes, one of each an utterance or segment."""
    utterance_S, labels_S = segments.utterance_S.tolist(), segments.labels_S.tolist()
    label_of = dict(zip(utterance_S, labels_S, strict=True))
    if unit == "segment":
        utterances, predicted = utterance_S, log_SC.argmax(1).tolist()
    else:
        utterance_U, log_UC = by_utterance(log_SC, segments.utterance_S)
        utterances, predicted = utterance_U.tolist(), log_UC.argmax(1).tolist()
    for speaker in sorted(set(segments.speakers)):
        own = [i for i, u in enumerate(utterances) if segments.speakers[u] == speaker]
        yield speaker, [label_of[utterances[i]] for i in own], [predicted[i] for i in own]
