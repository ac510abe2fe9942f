"""Rows of a study compared with one of them by fold, emotion and utterance, from the store.

A comparison rests on the folds and seeds that both rows have finished. An utterance *flips* where
one row is right and the other is wrong. Flips are counted and listed, but McNemar's test is not
used, since utterances of one speaker are not independent. Instead gained minus lost utterances by
speaker, which is the difference in WA, goes through the corrected t.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from model.evaluation.metrics import ua
from orchestrator.analysis import blinding
from orchestrator.analysis.differences import Difference, compare_pairs
from orchestrator.analysis.family import judge_family, speaker_contrast
from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.analysis.progress.completeness import completeness, given_up_trials
from orchestrator.analysis.row_scores import BySpeaker, Interval, headline_scores
from orchestrator.analysis.statistics import mean
from orchestrator.errors import RequestError, nearest
from orchestrator.store.attempts import read_decisions
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import PREDICTIONS
from orchestrator.store.records import CHOICE_OF, Outcome, is_stale
from orchestrator.store.snapshot import Snapshot

Key = tuple[tuple[int, int], int]
"""(``SnapshotFold.key``, ``Snapshot.training``): a fold and a seed that two rows may share."""
Shared = Mapping[Key, tuple[Outcome, Outcome]]
"""The outcomes of A and of B on each fold and seed that both rows have finished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedScore:
    """One score of both rows, mean over speakers: the UA on a fold, or an emotion's recall."""

    name: str
    """The number of the fold as text, from 1, such as ``2``, or ``2 of deal 3``; or the emotion."""
    a: float
    """The score of row A, 0 to 1."""
    b: float
    """The score of row B, 0 to 1."""
    speakers: int
    """Number of test speakers in the mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """An utterance that one row classifies right and the other wrong, in at least one seed."""

    utterance: str
    """Name of the utterance."""
    speaker: str
    """Name of its speaker."""
    emotion: str
    """The true class."""
    gained: int
    """Number of seeds in which A is wrong and B is right."""
    lost: int
    """Number of seeds in which A is right and B is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Row B compared with row A, on the folds and seeds that both have finished."""

    snapshot: Snapshot
    """The study; an adaptive one with the trials that it needs now."""
    a: str
    """Name of row A."""
    b: str
    """Name of row B."""
    shared: int
    """Number of (fold, seed) pairs that both rows have finished; 0 where one of these trainings has
    no score, see ``unscored``."""
    wanted: int
    """Number of (fold, seed) pairs that the study asks for in both rows."""
    difference: Difference | None
    """The difference in UA, B minus A, its p after Holm over those that were asked for together;
    None while nothing is shared."""
    asked: int
    """With how many rows A is compared, in this question."""
    balance: Interval | None
    """Share of utterances gained minus share lost, -1 to 1, a mean over speakers: the difference in
    WA. None while nothing is shared."""
    folds: tuple[PairedScore, ...]
    """UA of both rows on each fold that has a shared training."""
    emotions: tuple[PairedScore, ...]
    """Recall of both rows for each class that was spoken."""
    flips: tuple[Flip, ...]
    """All flips; utterances that flip in the same direction in most seeds come first."""
    decisions: int
    """How many predictions of A were compared with B's: utterances times seeds."""
    open: str = ""
    """Why there is no p: while trainings of the study are missing, or where one of A or B was given
    up, the trainings of B, such as ``open, 7 of 15``; else empty."""
    unscored: int = 0
    """Number of finished trainings of both rows that do not have the study's score, such as
    averaged weights where they stopped early."""


def compare_rows(
    snapshot: Snapshot, ledger: Ledger, a: str, others: Sequence[str]
) -> tuple[Comparison, ...]:
    """Compare other rows with row A, from their scores and stored predictions.

    Args:
        snapshot: the study.
        ledger: the store.
        a: name of the row that is subtracted.
        others: names of the rows that are compared with it, at least one. Their differences are
            one family of comparisons.

    Returns:
        The comparison of each of the others, in their order.

    Raises:
        RequestError: the study has no such row, or one is named twice.
        DamageError: a training's predictions are not what was written.
    """
    _refuse_no_rows(snapshot, a, others)
    snapshot = with_wanted_trials(snapshot, ledger)
    ids = [trial.id for trial in snapshot.trials]
    outcomes = blinding.open_outcomes(ledger, ids)
    state = completeness(snapshot, outcomes, given_up_trials(ledger, ids))
    standing = {b: state.open_verdict(b, a) for b in others}
    shared = {b: _shared(snapshot, outcomes, a, b) for b in others}
    scores = {b: (_uas(snapshot, shared[b], 1), _uas(snapshot, shared[b], 0)) for b in others}
    unscored = Counter(
        trial.row
        for trial in snapshot.trials
        if (found := outcomes.get(trial.id)) is not None
        if not any(headline_scores(snapshot, found))
    )
    differences = compare_pairs(snapshot, scores, [b for b in others if standing[b]])
    return tuple(
        replace(
            _compared(snapshot, ledger, (a, b), shared[b], scores[b]),
            difference=differences.get(b),
            asked=len(others),
            open=standing[b],
            unscored=unscored[a] + unscored[b],
        )
        for b in others
    )


def _refuse_no_rows(snapshot: Snapshot, a: str, others: Sequence[str]) -> None:
    """Raise an error unless all are rows of the study, and each is named once."""
    names = [row.name for row in snapshot.rows]
    for index, name in enumerate((a, *others)):
        if name not in names:
            raise RequestError(f"`{snapshot.study}` has no row `{name}`. {nearest(name, names)}")
        if name in (a, *others)[:index]:
            raise RequestError(f"A and B must be different rows, but `{name}` is named twice.")


def _uas(snapshot: Snapshot, shared: Shared, which: int) -> BySpeaker:
    """The UA of row A (``which`` 0) or B (1) on the trainings that both have finished."""
    found: dict[str, dict[int, float]] = {}
    for (_, training), pair in shared.items():
        for one in headline_scores(snapshot, pair[which]):
            found.setdefault(one.speaker, {})[training] = ua(one.confusion)
    return found


def _compared(
    snapshot: Snapshot,
    ledger: Ledger,
    rows: tuple[str, str],
    shared: Shared,
    scores: tuple[BySpeaker, BySpeaker],
) -> Comparison:
    """Row B compared with row A by fold, emotion and utterance, without their difference in UA.

    Args:
        snapshot: the study.
        ledger: the store.
        rows: the names of A and B.
        shared: the trainings that both have finished.
        scores: the UA of B, then of A, on these.
    """
    flips, recalls, net, decisions = _by_utterance(ledger, snapshot, shared)
    return Comparison(
        snapshot=snapshot,
        a=rows[0],
        b=rows[1],
        shared=len(shared),
        wanted=len(_slots(snapshot, rows[0]) & _slots(snapshot, rows[1])),
        difference=None,
        asked=1,
        balance=_balance(snapshot, net),
        folds=tuple(_by_fold(snapshot, shared, a_and_b=scores[::-1])),
        emotions=tuple(
            PairedScore(
                name=emotion,
                a=mean([mean(pairs[0]) for pairs in by_speaker]),
                b=mean([mean(pairs[1]) for pairs in by_speaker]),
                speakers=len(by_speaker),
            )
            for emotion in snapshot.classes
            if (by_speaker := [pairs for (_, e), pairs in recalls.items() if e == emotion])
        ),
        flips=flips,
        decisions=decisions,
    )


def _by_fold(
    snapshot: Snapshot, shared: Shared, a_and_b: tuple[BySpeaker, BySpeaker]
) -> Iterator[PairedScore]:
    """The UA of both rows on each fold that has a shared training."""
    for fold in snapshot.folds:
        trainings = [number for key, number in shared if key == fold.key]
        speakers = [s for s in (*fold.a, *fold.b) if s not in snapshot.dev_speakers]
        if trainings:
            ours, theirs = (
                mean([mean([scores[s][n] for n in trainings]) for s in speakers])
                for scores in a_and_b
            )
            name = fold.name.removeprefix("fold ")
            yield PairedScore(name=name, a=ours, b=theirs, speakers=len(speakers))


def _slots(snapshot: Snapshot, row: str) -> set[Key]:
    """The fold and seed of every trial of a row."""
    return {(t.fold_key, snapshot.training(t)) for t in snapshot.trials if t.row == row}


def _shared(snapshot: Snapshot, outcomes: Mapping[str, Outcome], a: str, b: str) -> Shared:
    """The outcomes of both rows on the folds and seeds that both have finished.

    Nothing where one of these trainings does not have the study's score.
    """
    found: dict[str, dict[Key, Outcome]] = {a: {}, b: {}}
    for trial in snapshot.trials:
        outcome = outcomes.get(trial.id)
        if trial.row in found and outcome is not None and not is_stale(outcome):
            found[trial.row][trial.fold_key, snapshot.training(trial)] = outcome
    pairs = {key: (found[a][key], found[b][key]) for key in sorted(found[a]) if key in found[b]}
    both = (outcome for pair in pairs.values() for outcome in pair)
    return pairs if all(any(headline_scores(snapshot, o)) for o in both) else {}


Hits = tuple[list[float], list[float]]
"""For A and for B: 1.0 for each utterance and seed that was classified correctly, else 0.0."""


def _by_utterance(
    ledger: Ledger, snapshot: Snapshot, shared: Shared
) -> tuple[tuple[Flip, ...], dict[tuple[str, str], Hits], dict[str, dict[int, list[float]]], int]:
    """Compare the predictions of both rows, utterance by utterance.

    Returns:
        The flips; (speaker, emotion) -> hits; speaker -> seed -> +1 for each utterance gained, -1
        for each one lost, else 0; and how many predictions were compared.
    """
    flips: dict[str, Flip] = {}
    hits: dict[tuple[str, str], Hits] = {}
    net: dict[str, dict[int, list[float]]] = {}
    decisions, dev = 0, snapshot.dev_speakers
    for (_, seed), pair in shared.items():
        ours, theirs = (
            read_decisions(ledger.attempts.read_file(o, PREDICTIONS), CHOICE_OF[snapshot.score])
            for o in pair
        )
        for name in sorted(ours.keys() & theirs.keys()):
            speaker, emotion, taken = ours[name]
            if speaker in dev:
                continue
            right_a, right_b = taken == emotion, theirs[name][2] == emotion
            by_row = hits.setdefault((speaker, emotion), ([], []))
            by_row[0].append(float(right_a))
            by_row[1].append(float(right_b))
            own = net.setdefault(speaker, {}).setdefault(seed, [])
            own.append(float(right_b) - float(right_a))
            decisions += 1
            if right_a != right_b:
                known = flips.get(name) or Flip(
                    utterance=name, speaker=speaker, emotion=emotion, gained=0, lost=0
                )
                flips[name] = replace(
                    known, gained=known.gained + right_b, lost=known.lost + right_a
                )
    order = sorted(flips.values(), key=lambda f: (-abs(f.gained - f.lost), f.utterance))
    return tuple(order), hits, net, decisions


def _balance(
    snapshot: Snapshot, net: Mapping[str, Mapping[int, Sequence[float]]]
) -> Interval | None:
    """The mean over speakers of utterances gained minus lost, as a share of their utterances.

    Returns:
        The mean with its interval for new speakers; None while nothing is shared.
    """
    contrast = speaker_contrast(
        snapshot,
        {who: {seed: mean(each) for seed, each in own.items()} for who, own in net.items()},
    )
    if contrast is None:
        return None
    judgement = judge_family({"WA": contrast})["WA"]
    return Interval(mean=contrast.estimate, low=judgement.low, high=judgement.high)
