"""Turns a finished training into what the store keeps of it: scores, files and their digests.

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
"""Utterance id, number of the segment in it (from 0), speaker, true class, choice of epoch, that
epoch (from 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResults:
    """What the store keeps of a finished training."""

    scores: tuple[Scores, ...]
    """Confusion matrices: one for each test speaker, choice of epoch, and unit (utterance or
    segment)."""
    digests: Mapping[str, str]
    """``predictions``, ``history``, ``weights`` -> digest of the values, not of the file: equal
    digests mean equal bits, whatever library wrote the files."""
    files: Mapping[str, bytes]
    """File name -> content, of predictions (Parquet), weights (safetensors) and history (JSON)."""


def training_results(fit: Fit, data: FoldData) -> TrainingResults:
    """Score a finished training on halves A and B of the held-out group, and make its files.

    Args:
        fit: the finished training.
        data: the features and labels of its fold.
    """
    mean = fit.averaged
    epoch, mean_a_SC, mean_b_SC = (mean.epoch, mean.a_SC, mean.b_SC) if mean else (0, None, None)
    tested = (
        _Tested(fit.tests_a, data.a, epoch, mean_a_SC),
        _Tested(fit.tests_b, data.b, epoch, mean_b_SC),
    )
    weights = {
        f"{name}/{key}": tensor
        for name, half in zip(("tests_a", "tests_b"), tested, strict=True)
        for key, tensor in half.direction.weights.items()
    }
    if mean:
        weights |= {f"averaged/{key}": tensor for key, tensor in mean.weights.items()}
    history = [asdict(epoch) for epoch in fit.history]
    predictions = _prediction_rows(tested, data.classes)
    return TrainingResults(
        scores=tuple(_scores(tested, len(data.classes))),
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
    """The test of a finished training on one half of the held-out group."""

    direction: Direction
    """The epochs by which this half is scored, with weights and log probabilities."""
    segments: Segments
    """The S segments of the half."""
    averaged_epoch: int
    """The last epoch whose weights were averaged, from 1, or the setting that the inner folds of an
    SVM chose; 0 without averaged weights."""
    averaged_SC: Tensor | None
    """Log probabilities of the segments by the averaged weights; None without such weights."""

    def by_choice(self) -> Iterator[tuple[EpochChoice, int, Tensor]]:
        """Yield each choice of epoch, the epoch (from 1), log probabilities: (segments, C)."""
        d = self.direction
        yield "chosen", d.chosen, d.at_chosen_SC
        yield "last_epoch", d.last, d.at_last_SC
        yield "best_on_test", d.best_on_test, d.at_best_on_test_SC
        if self.averaged_SC is not None:
            yield "averaged", self.averaged_epoch, self.averaged_SC


def _prediction_rows(
    tested: tuple[_Tested, ...], classes: tuple[str, ...]
) -> list[tuple[_RowKey, list[float]]]:
    """One row for each segment and choice of epoch: its key, and C probabilities, 0 to 1.

    Args:
        tested: the tests on halves A and B.
        classes: names of the C classes.
    """
    rows: list[tuple[_RowKey, list[float]]] = []
    for half in tested:
        for choice, epoch, log_SC in half.by_choice():
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
    """The bytes of a Parquet file with the rows.

    It has a column for each part of the key, then a column of probabilities for each class.
    """
    names = ("utterance", "segment", "speaker", "emotion", "choice", "epoch")
    columns: Mapping[str, list[Any]] = {
        name: [key[index] for key, _ in rows] for index, name in enumerate(names)
    }
    probabilities = {name: [p[index] for _, p in rows] for index, name in enumerate(classes)}
    return predictions_parquet(columns, probabilities)


def _scores(tested: tuple[_Tested, ...], classes: int) -> Iterator[Scores]:
    """Yield a confusion matrix for each test speaker, choice of epoch and unit.

    Args:
        tested: the tests on halves A and B.
        classes: the number of classes.
    """
    for half in tested:
        for choice, epoch, log_SC in half.by_choice():
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
    """Yield each speaker with the true and the predicted classes of the utterances or segments.

    Args:
        segments: the S segments.
        log_SC: log probabilities of the C classes.
        unit: ``utterance`` or ``segment``. An utterance gets the class of the highest mean
            probability of its segments.

    Yields:
        The speaker; numbers of true classes; numbers of predicted classes, in the same order.
    """
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
