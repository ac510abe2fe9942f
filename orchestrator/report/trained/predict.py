"""Predicts the emotion of any recordings with the trained networks of a row.

All networks of the row vote: those that the study's score is of. A fold and seed has one, of
averaged weights; or two, where the epoch of one was chosen on half A of the held-out group and
that of the other on half B (of a published split one, chosen on the dev side). Each has its own
scaler of features. The probabilities are the mean of their softmax.

A recording of the study's own corpus is recognised by its bytes. Then only those networks vote that
were tested on its speaker: the others trained on the speaker or chose their epoch on the speaker.
So the prediction is the one that the table counts. If no network was tested on the speaker (who is
a training or dev speaker of a published split), all networks vote, and a sentence says so.

Like the worker this module imports both `model` and `features`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from features.config import FeatureConfig
from features.corpora.catalogue import SYNTHESISED
from features.corpora.corpus import Corpus
from features.dataset.unlabelled import (
    CorpusSpeech,
    ExtractedRecording,
    cut_recordings,
    extract,
    find_recordings,
    segment_times,
)
from features.descriptors.catalogue import feature_set
from features.descriptors.feature_set import FeatureSet
from features.descriptors.opensmile_config import PREFIX
from model.errors import ModelError
from model.evaluation.scoring import by_utterance, log_probabilities
from model.network.graph_network import GraphNetwork
from model.training.restore import trained
from model.training.seeding import pin
from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.errors import LackError, RequestError, nearest
from orchestrator.store.checkpoints import tensors_from
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import WEIGHTS
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.trials import from_identity

__all__ = [
    "Ensemble",
    "Prediction",
    "SegmentPrediction",
    "Unusable",
    "Voter",
    "assemble",
    "choose_row",
    "find_recordings",
    "predict",
]

Voice = Literal["new", "held out", "trained on"]
"""How the networks that voted know the speaker of a recording, judged by the bytes of the file.

``new``: not a file of the study's corpus; ``held out``: they were tested on the speaker;
``trained on``: they trained on the speaker, so the prediction proves nothing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Voter:
    """One trained network of a row."""

    trial: str
    """The id of the trial that trained it."""
    tested: frozenset[str]
    """The held-out speakers on whom it was tested: of one half, or of both by averaged weights.

    It neither trained on them nor chose its epoch on them."""
    network: GraphNetwork


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ensemble:
    """The trained networks of one row, and what they need to predict."""

    snapshot: Snapshot
    """The study of the row."""
    row: str
    """The name of the row."""
    voters: tuple[Voter, ...]
    """The networks: for each finished trial one of averaged weights, or two at chosen epochs."""
    features: FeatureSet
    """The feature set that is extracted from recordings."""
    config: FeatureConfig
    """How features become segments: nodes, padding, scaling."""
    known: CorpusSpeech
    """The recordings of the study's corpus, to recognise a file and its speaker by the bytes."""
    notes: tuple[str, ...]
    """Warnings, as sentences that must be shown before any prediction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentPrediction:
    """The prediction for one segment of a recording."""

    start: float
    """Start of the segment, in seconds from the start of the recording."""
    end: float
    """End of the segment, in seconds from the start of the recording."""
    probabilities: tuple[float, ...]
    """The probability of each class, 0 to 1, in the order of the study's classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The prediction for one recording."""

    path: Path
    emotion: str
    """The class with the highest probability."""
    probabilities: tuple[float, ...]
    """The probability of each class, 0 to 1, in the order of the study's classes."""
    parts: tuple[SegmentPrediction, ...]
    """The predictions for its segments, in the order of time."""
    voice: Voice
    """How the networks that voted know the speaker."""
    voters: int
    """How many networks voted."""
    doubts: tuple[str, ...] = ()
    """What looks wrong in the recording, such as ``clipped``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """A recording that cannot be predicted."""

    path: Path
    reason: str
    """Why it cannot be predicted, as a sentence."""


def choose_row(snapshot: Snapshot, row: str | None) -> str:
    """The name of the row to predict with.

    Args:
        snapshot: the study.
        row: the row that the user named; None if the user named none.

    Returns:
        The named row, or the only row of the study.

    Raises:
        RequestError: the study has no such row, or it has several and the user named none.
    """
    names = [known.name for known in snapshot.rows]
    if row is None and len(names) == 1:
        return names[0]
    if row is None:
        known = ", ".join(f"`{name}`" for name in names)
        raise RequestError(f"`--row` must name one row of `{snapshot.study}`: {known}.")
    if row not in names:
        raise RequestError(f"`{snapshot.study}` has no row `{row}`. {nearest(row, names)}")
    return row


def assemble(ledger: Ledger, snapshot: Snapshot, row: str) -> Ensemble:
    """Load the networks of a row from its finished trials; every file is checked first.

    Args:
        ledger: the store.
        snapshot: the study.
        row: the name of the row.

    Raises:
        LackError: no trial of the row is finished, one has no network of the study's score, the
            study's search has not ended, or this machine extracts its features by other versions.
        RequestError: its feature set is an openSMILE configuration file of the user, or its
            networks have different features.
        DamageError: a record or a file does not match its digest.
    """
    snapshot = with_wanted_trials(snapshot, ledger)
    trials = [trial for trial in snapshot.trials if trial.row == row]
    outcomes = ledger.outcomes.read_all(trial.id for trial in trials)
    if snapshot.is_blinded:
        raise LackError(
            f"The search `{snapshot.study}` has not ended, and nothing is chosen before that: "
            "`ablate run` with the study file goes on."
        )
    if not outcomes:
        raise LackError(
            f"Row `{row}` of `{snapshot.study}` has no finished trial yet: "
            f"`ablate run` with the study file trains it."
        )
    trial, *others = (from_identity(outcome.identity) for outcome in outcomes.values())
    if any(other.features != trial.features for other in others):
        raise RequestError(
            f"The networks of `{row}` of `{snapshot.study}` read different features, since a "
            "search chose them for each held-out group: no recording is heard in two ways at "
            "once. Leave what changes features out of `search.axes`, or list one configuration as "
            "a row."
        )
    features = _features(trial.features.features, trial.extractor)
    pin()
    voters = tuple(voter for o in outcomes.values() for voter in _voters(ledger, snapshot, o))
    corpus = Corpus.from_json(ledger.selection(trial.corpus)["corpus"])
    notes = []
    if snapshot.corpus in SYNTHESISED:
        notes.append(
            f"`{row}` was trained on synthesised speech (`{snapshot.corpus}`): "
            "what it says of people means nothing."
        )
    if len(outcomes) < len(trials):
        notes.append(f"Only {len(outcomes)} of {len(trials)} trials of `{row}` are finished.")
    if trial.features.scaling == "speaker":
        notes.append("`scaling: speaker`: each file is scaled as a speaker of its own.")
    return Ensemble(
        snapshot=snapshot,
        row=row,
        voters=voters,
        features=features,
        config=trial.features,
        known=CorpusSpeech(corpus),
        notes=tuple(notes),
    )


def predict(
    ensemble: Ensemble,
    paths: Sequence[Path],
    *,
    threads: int = 1,
    mend: bool = False,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Prediction | Unusable]:
    """Predict the emotion of recordings.

    Args:
        ensemble: the networks of a row.
        paths: the audio files.
        threads: how many threads extract features.
        mend: read what lies behind headers that say 0.
        tell: called after each chunk of files, with how many are done and of how many.

    Yields:
        The prediction of each file, in the order of the paths; for a file that cannot be used, the
        reason.
    """
    done = 0
    for chunk in extract(paths, ensemble.features, ensemble.config, threads, mend=mend):
        usable = [one for one in chunk if one.nodes_NF is not None]
        answers = dict(zip((one.path for one in usable), _answers(ensemble, usable), strict=True))
        for recording in chunk:
            yield answers.get(recording.path) or Unusable(path=recording.path, reason=recording.bad)
        done += len(chunk)
        tell(done, len(paths))


def _answers(ensemble: Ensemble, usable: Sequence[ExtractedRecording]) -> list[Prediction]:
    """Predict recordings whose features have been extracted, in their order."""
    if not usable:
        return []
    arrays = [one.nodes_NF for one in usable if one.nodes_NF is not None]
    chunk = cut_recordings(arrays, ensemble.config)
    log_VSC = torch.stack([log_probabilities(v.network, chunk) for v in ensemble.voters])
    log_VUC = torch.stack([by_utterance(log_SC, chunk.utterance_S)[1] for log_SC in log_VSC])
    found = []
    for index, (recording, nodes_NF) in enumerate(zip(usable, arrays, strict=True)):
        voice, votes = _votes(ensemble, recording)
        mean_C = log_VUC[votes, index].exp().mean(0)
        parts_SC = log_VSC[votes][:, chunk.utterance_S == index].exp().mean(0)
        times = segment_times(len(nodes_NF), ensemble.config, ensemble.features)
        found.append(
            Prediction(
                path=recording.path,
                emotion=ensemble.snapshot.classes[int(mean_C.argmax())],
                probabilities=tuple(mean_C.tolist()),
                parts=tuple(
                    SegmentPrediction(start=start, end=end, probabilities=tuple(p_C.tolist()))
                    for (start, end), p_C in zip(times, parts_SC, strict=True)
                ),
                voice=voice,
                voters=len(votes),
                doubts=recording.doubts,
            )
        )
    return found


def _votes(ensemble: Ensemble, recording: ExtractedRecording) -> tuple[Voice, list[int]]:
    """How the networks know the recording's speaker, and the indices of those that vote."""
    everybody = list(range(len(ensemble.voters)))
    speakers = ensemble.known.speakers(recording)
    if not speakers:
        return "new", everybody
    own = [i for i, voter in enumerate(ensemble.voters) if speakers <= voter.tested]
    return ("held out", own) if own else ("trained on", everybody)


def _voters(ledger: Ledger, snapshot: Snapshot, outcome: Outcome) -> Iterator[Voter]:
    """Load the networks of a finished trial that the study's score is of, see ``Ensemble``.

    Raises:
        LackError: the store does not have them.
    """
    trial = from_identity(outcome.identity)
    stored = tensors_from(ledger.attempts.read_file(outcome, WEIGHTS))
    networks = {"tests_a": trial.a, "tests_b": trial.b}
    if snapshot.is_published_split:
        del networks["tests_a"]  # the test side chose its epoch
    if snapshot.score == "averaged":
        networks = {"averaged": (*trial.a, *trial.b)}
    lacks = not any(key.startswith(f"{side}/") for side in networks for key in stored)
    if snapshot.score == "last" or lacks:
        raise LackError(
            f"`{snapshot.study}` is scored by `score: {snapshot.score}`, and the store has no such "
            f"network of trial `{outcome.id[:12]}`: it keeps averaged weights, of trainings with "
            "all their epochs, and those of chosen epochs. A study with another `score` finds the "
            "same trainings."
        )
    for side, tested in networks.items():
        weights: Mapping[str, Tensor] = {
            key.removeprefix(f"{side}/"): tensor
            for key, tensor in stored.items()
            if key.startswith(f"{side}/")
        }
        try:
            network = trained(
                trial.model, weights, len(trial.classes), trial.features.segment_nodes
            )
        except ModelError as error:
            raise RequestError(str(error)) from None
        yield Voter(trial=outcome.id, tested=frozenset(tested), network=network)


def _features(name: str, version: str) -> FeatureSet:
    """The feature set with this name, if this machine computes the same numbers.

    Args:
        name: the name of the set.
        version: what extracted it for the training, such as the version of openSMILE.

    Raises:
        RequestError: the set is an openSMILE configuration file of the user.
        LackError: this machine would extract it by other versions.
    """
    if name.startswith(PREFIX):
        raise RequestError(
            "`features` of the row must be a set of this program, but is a configuration of "
            "openSMILE instead, of which a store keeps the digest alone."
        )
    found = feature_set(name)
    if found.version() != version:
        raise LackError(
            f"`{name}` must be extracted by {version}, as for the training, but here it would be "
            f"by {found.version()} instead: install those versions, or train again."
        )
    return found
